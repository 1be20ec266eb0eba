"""AFEW-VA in the paper's protocol: few-shot labelling from every kind of anchor, and supervised heads, over folds.

Folds are grouped by actor. Nothing is trained for few-shot labelling: a fold says which clips are labelled together
(anchors of other clips and people come from the fold's own test clips) and which frames the bank is drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.clips import DIMENSIONS, Clip, clips_of
from mtclar.evaluation.few_shot import FewShot, label_clips
from mtclar.evaluation.pooling import poolings, sums_by_clip
from mtclar.evaluation.protocol import Labelled
from mtclar.evaluation.release import score_release
from mtclar.evaluation.scores import affect_block, clusters, score_clips
from mtclar.progress import Progress
from mtclar.settings import EvaluateSettings, TrainSettings

CONFIGURATIONS = (
    "stride",
    "first",
    "random",
    "first-of-person",
    "random-of-person",
    "cross-identity",
    "other-clip",
    "any",
    "bank",
)
"""Anchor configurations of the release, by the names of `mtclar.evaluation.supports`."""
COLUMNS = ["row", "method", "dimension", "metric", "value", "low", "high", "fold_mean", "fold_sd"]
SUPERVISED = "MT-CLAR + SL"
METRICS = ("ccc", "pcc", "rmse", "sagr")
_UNKNOWN = dict.fromkeys(METRICS, float("nan"))
NOTHING = {**_UNKNOWN, "ci_low": _UNKNOWN, "ci_high": _UNKNOWN}
"""What is known of no rows at all."""


@dataclass(frozen=True)
class Folded:
    """Clips of all folds, each labelled within its own.

    Attributes:
        few: What was labelled.
        fold: The fold of each clip, by its name.
    """

    few: FewShot
    fold: Mapping[str, int]


def with_fold(faces: pd.DataFrame, folds: np.ndarray, fold: int) -> pd.DataFrame:
    """A table of faces (n rows) in which one of the folds (n,) is the test split and all others are the train split."""
    return faces.assign(split=np.where(folds == fold, "test", "train"))


def label_folds(
    s: EvaluateSettings,
    faces: pd.DataFrame,
    folds: np.ndarray,
    embeddings: Embeddings,
    heads: Heads,
    progress: Progress,
) -> Folded:
    """Labels every clip from every kind of anchor.

    Args:
        s: The stride, the fusion and the budgets.
        faces: Table of the faces store, n rows.
        folds: int (n,), the fold in which each face is judged.
        embeddings: Of all n rows.
        heads: The trained heads.
        progress: Told each fold.
    """
    s = s.model_copy(update={"supports": CONFIGURATIONS})
    found = FewShot({name: [] for name in CONFIGURATIONS}, {share: [] for share in s.budgets})
    fold_of: dict[str, int] = {}
    numbers = np.unique(folds)
    for done, fold in enumerate(numbers, 1):
        table = with_fold(faces, folds, fold)
        clips = clips_of(table, "test")
        known = table.loc[table["split"] == "train", list(DIMENSIONS)].dropna().to_numpy(np.float64)
        part = label_clips(s, table, clips, embeddings, heads, known.mean(axis=0))
        for name in CONFIGURATIONS:
            found.supports[name].extend(part.supports[name])
        for share in s.budgets:
            found.budgets[share].extend(part.budgets[share])
        found.seen.extend(part.seen)
        fold_of |= {clip.name: int(fold) for clip in clips}
        progress(done, len(numbers), "labelling from every kind of anchor")
    return Folded(found, fold_of)


def few_shot_rows(s: EvaluateSettings, found: Folded, rng: np.random.Generator) -> pd.DataFrame:
    """Every configuration and budget by every method, pooled with intervals and over folds; columns `COLUMNS`.

    A row `stride` also has `share`, the part of all frames that are anchors.
    """
    parts = []
    named = {**found.few.supports, **{f"budget {share:g}": part for share, part in found.few.budgets.items()}}
    for name, labelled in named.items():
        scores = score_clips(
            labelled, with_anchors=False, cluster=s.cluster, resamples=s.bootstrap, rng=rng, fine=False
        )
        for method in ("mtclar", "copy", "interpolate"):
            if method in scores:
                parts += _rows(name, method, scores[method], _over_folds(labelled, method, found.fold))
        frames = sum(len(item.clip) for item in labelled)
        share = sum(len(item.anchors) for item in labelled) / frames if frames else float("nan")
        parts.append({"row": name, "method": "mtclar", "dimension": "", "metric": "share", "value": share})
    return pd.DataFrame(parts, columns=COLUMNS)


def _over_folds(labelled: Sequence[Labelled], method: str, fold: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """By dimension, mean and spread over folds of the frames that are not anchors."""
    kept = [item for item in labelled if item.queries.any()]
    clip = np.repeat(np.arange(len(kept)), [int(item.queries.sum()) for item in kept])
    folds = [fold[item.clip.name] for item in kept]
    found = {}
    for k, dimension in enumerate(DIMENSIONS):
        truth = np.concatenate([item.clip.truth[item.queries, k] for item in kept])
        said = np.concatenate([item.methods[method][item.queries, k] for item in kept])
        found[dimension] = poolings(sums_by_clip(clip, truth, said), folds)["per_fold"]
    return found


def _rows(
    name: str, method: str, blocks: Mapping[str, Any], folds: Mapping[str, Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """Rows of a `{dimension: block}` with what is known over folds."""
    return [
        {
            "row": name,
            "method": method,
            "dimension": dimension,
            "metric": metric,
            "value": blocks[dimension][metric],
            "low": blocks[dimension]["ci_low"][metric],
            "high": blocks[dimension]["ci_high"][metric],
            "fold_mean": folds[dimension]["mean"][metric] if folds else float("nan"),
            "fold_sd": folds[dimension]["sd"][metric] if folds else float("nan"),
        }
        for dimension in DIMENSIONS
        for metric in METRICS
    ]


def release_rows(s: EvaluateSettings, found: Folded, rng: np.random.Generator) -> pd.DataFrame:
    """The recurring anchors by the release's protocol: without its switches, with each alone, with all; `COLUMNS`."""
    parts = []
    scores = score_release(found.few.seen, cluster=s.cluster, resamples=s.bootstrap, rng=rng)
    for arrangement, switches in scores.items():
        for switch, block in switches.items():
            scored = block if DIMENSIONS[0] in block else dict.fromkeys(DIMENSIONS, NOTHING)
            parts += _rows(f"{arrangement}, {switch}", "mtclar", scored, None)
    return pd.DataFrame(parts, columns=COLUMNS)


def supervised_rows(
    s: EvaluateSettings,
    train: TrainSettings,
    *,
    faces: Path,
    folds: np.ndarray,
    checkpoint: Path,
    embeddings: Embeddings,
    rng: np.random.Generator,
    progress: Progress,
) -> pd.DataFrame:
    """Supervised heads trained anew on each fold's training frames, on the frozen embedding; `COLUMNS`.

    Methods are `mtclar` (the heads trained here), `zero_shot` (those trained on AffectNet, which see nothing of
    AFEW-VA) and `train_mean` (the mean of the training labels).
    """
    from mtclar.learning.supervise import supervise
    from mtclar.model.predictor import TorchPredictor

    table = FacesStore(faces).table
    zero_shot = TorchPredictor.from_checkpoint(checkpoint)
    clips: list[Clip] = []
    fold_of: list[int] = []
    said: dict[str, list[np.ndarray]] = {"mtclar": [], "zero_shot": [], "train_mean": []}
    numbers = np.unique(folds)
    for fold, heads in zip(numbers, supervise(train, checkpoint, faces, folds, progress=progress), strict=True):
        part = with_fold(table, folds, fold)
        mean = part.loc[part["split"] == "train", list(DIMENSIONS)].dropna().to_numpy(np.float64).mean(axis=0)
        for clip in clips_of(part, "test"):
            own = embeddings[clip.rows]
            said["mtclar"].append(np.stack(heads.single(own)[1:], axis=1))
            said["zero_shot"].append(np.stack(zero_shot.single(own)[1:], axis=1))
            said["train_mean"].append(np.tile(mean, (len(clip), 1)))
            clips.append(clip)
            fold_of.append(int(fold))
    clip_of = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    truth = np.concatenate([clip.truth for clip in clips])
    people = by_cluster(clusters(clips, s.cluster)[clip_of], s.bootstrap, rng)
    parts: list[dict[str, Any]] = []
    for method, labels in said.items():
        answer = np.concatenate(labels).astype(np.float64)
        each = {
            name: poolings(sums_by_clip(clip_of, truth[:, k], answer[:, k]), fold_of)["per_fold"]
            for k, name in enumerate(DIMENSIONS)
        }
        parts += _rows(SUPERVISED, method, affect_block(people, truth, answer), each)
    return pd.DataFrame(parts, columns=COLUMNS)
