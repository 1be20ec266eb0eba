"""Who is trained on and who is tested: whole subjects, never frames of one person in two splits.

- folds: k groups of subjects with about as many frames each; fold i is the test split. Over all k every subject is
  tested once, which is how AFEW-VA is judged.
- leave-one-out: every subject is a fold of its own.
- cross: one data set trains, another tests. A subject seen in both is left out of training.

Validation subjects are drawn from the rest by seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from mtclar.data.readers.records import divide
from mtclar.data.tables import SPLITS
from mtclar.errors import MtclarError, nearest
from mtclar.settings import SplitSettings

TRAIN, VALIDATION, TEST = SPLITS


def splits_of(faces: pd.DataFrame, s: SplitSettings) -> np.ndarray:
    """The split of each face.

    Args:
        faces: Columns of `tables.FACES`; one subject_id is one person, whatever the data set.
        s: The section `split` of params.yaml.

    Returns:
        object (n,): one of `tables.SPLITS`, None for a face that the protocol leaves out.

    Raises:
        MtclarError: There are too few subjects for the protocol, there is no such fold or data set, or nothing is left
            to train on.
    """
    if s.validation >= 1:
        raise MtclarError(
            f"split.validation is {s.validation}, which leaves no subject to train on; give a share below 1."
        )
    nameless = int(faces["subject_id"].isna().sum())
    if nameless:
        raise MtclarError(
            f"{nameless} faces have no subject_id, so nobody knows whose splits they may share; crop anew."
        )
    frames = {str(who): int(count) for who, count in faces["subject_id"].value_counts().items()}
    if s.protocol == "cross":
        train, test = _datasets(faces, s)
        tested = set(faces.loc[test, "subject_id"])
        train = train & ~faces["subject_id"].isin(tested).to_numpy()
        if not train.any():
            raise MtclarError(
                f"every subject of split.train_dataset '{s.train_dataset}' is in split.test_dataset "
                f"'{s.test_dataset}' too, so nobody is left to train on."
            )
        chosen = train | test
    else:
        tested = _folds(frames, s)[s.fold]
        chosen = np.ones(len(faces), bool)
    rest = set(faces.loc[chosen, "subject_id"]) - tested
    split = {**dict.fromkeys(tested, TEST), **divide(rest, validation=s.validation, test=0, seed=s.seed)}
    return np.array(
        [split[who] if keep else None for who, keep in zip(faces["subject_id"], chosen, strict=True)], object
    )


def fold_count(faces: pd.DataFrame, s: SplitSettings) -> int:
    """How many folds the protocol has on these faces: 1 for `cross`."""
    return {"cross": 1, "folds": s.folds, "leave-one-out": faces["subject_id"].nunique()}[s.protocol]


def balanced_folds(frames: Mapping[str, int], folds: int, seed: int) -> list[set[str]]:
    """Divides subjects into groups of about as many frames, two subjects at least in each.

    The subject with most frames goes first, each to the group that has fewest so far; the seed decides between equals.

    Args:
        frames: Frames of each subject.
        folds: How many groups.
        seed: Of the ties.

    Raises:
        MtclarError: There are fewer than two subjects a fold.
    """
    if len(frames) < 2 * folds:
        most = len(frames) // 2
        instead = f"set it to {most} at most, or use" if most >= 2 else "use"
        raise MtclarError(
            f"split.folds is {folds}, but a fold needs two subjects at least and there are {len(frames)} in all; "
            f"{instead} split.protocol leave-one-out."
        )
    tie = {who: hashlib.sha256(f"{seed}/{who}".encode()).digest() for who in frames}
    groups: list[list[str]] = [[] for _ in range(folds)]
    size = [0] * folds
    for who in sorted(frames, key=lambda who: (-frames[who], tie[who])):
        k = min(range(folds), key=lambda k: (size[k], len(groups[k])))
        groups[k].append(who)
        size[k] += frames[who]
    # A subject with very many frames may stand alone: it gets the smallest one of the largest group that can spare it.
    for k in range(folds):
        while len(groups[k]) < 2:
            donor = max((j for j in range(folds) if len(groups[j]) > 2), key=lambda j: size[j])
            who = groups[donor].pop()
            groups[k].append(who)
            size[donor], size[k] = size[donor] - frames[who], size[k] + frames[who]
    return [set(group) for group in groups]


def _folds(frames: Mapping[str, int], s: SplitSettings) -> list[set[str]]:
    """The test subjects of every fold."""
    if len(frames) < 2:
        raise MtclarError(
            f"there is {'only one subject' if frames else 'no subject'} in all, and splitting by subject needs two at "
            "least; give more faces."
        )
    leave_one_out = s.protocol == "leave-one-out"
    groups = [{who} for who in sorted(frames)] if leave_one_out else balanced_folds(frames, s.folds, s.seed)
    if s.fold >= len(groups):
        what = f"{len(groups)} subjects" if leave_one_out else f"split.folds is {s.folds}"
        raise MtclarError(f"split.fold is {s.fold}, but folds count from 0 to {len(groups) - 1} ({what}).")
    return groups


def _datasets(faces: pd.DataFrame, s: SplitSettings) -> tuple[np.ndarray, np.ndarray]:
    """Faces of the data set that trains and of the one that tests."""
    known = sorted(faces["dataset"].unique())
    masks = []
    for key, name in (("train_dataset", s.train_dataset), ("test_dataset", s.test_dataset)):
        if not name:
            raise MtclarError(f"split.protocol cross needs split.{key}, one of: {', '.join(known)}.")
        if name not in known:
            raise MtclarError(f"split.{key} is '{name}', but the faces have no such data set{nearest(name, known)}.")
        masks.append((faces["dataset"] == name).to_numpy())
    if s.train_dataset == s.test_dataset:
        raise MtclarError(
            f"split.train_dataset and split.test_dataset are both '{s.train_dataset}'; to test within one data set use "
            "split.protocol folds."
        )
    return masks[0], masks[1]
