"""AffectNet in the paper's protocol: single-task against multi-task similarity on the same pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mtclar.data.readers.tree import Tree
from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, read_table
from mtclar.errors import MtclarError
from mtclar.evaluation.bootstrap import Draws, pigeonhole
from mtclar.progress import Progress
from mtclar.settings import EvaluateSettings
from mtclar.steps.embed import embed_rows

SOURCES = ("affectnet-csv", "affectnet-npy")


def recognise(data: Path) -> str:
    """Which of AffectNet's releases a folder or zip holds, as `crop.source` names it.

    Raises:
        MtclarError: Neither, or nothing is there.
    """
    names = list(Tree(data).names())
    if any(name.rsplit("/", 1)[-1].lower() in ("training.csv", "validation.csv") for name in names):
        return SOURCES[0]
    if any(f"/{folder}/" in f"/{name}" for name in names for folder in ("train_set", "val_set")):
        return SOURCES[1]
    raise MtclarError(
        f"{data}: holds neither of AffectNet's releases: expected training.csv and validation.csv with their pictures, "
        "or train_set and val_set with images and annotations."
    )


def compare_similarity(
    s: EvaluateSettings, *, faces: Path, pairs: Path, single_task: Path, multi_task: Path, progress: Progress
) -> dict[str, Any]:
    """Similarity accuracy of two models on the same test pairs, and their difference, paired, by person.

    Args:
        s: The section `evaluate` of params.yaml.
        faces: The faces store.
        pairs: What `mtclar pair` wrote about it.
        single_task: Checkpoint that learned similarity alone.
        multi_task: Checkpoint that learned the differences too.
        progress: Told how faces are embedded.

    Returns:
        `single_task`, `multi_task` and `difference`, each value, low and high; `majority`; `n_pairs`.
    """
    table = FacesStore(faces).table
    chosen = read_table(pairs / "pairs.parquet", PAIRS)
    chosen = chosen[(chosen["split"] == s.split) & chosen["similar"].notna()]
    if not len(chosen):
        raise MtclarError(f"{faces}: there are no pairs of known similarity in split '{s.split}' to judge.")
    left, right = (chosen[side].to_numpy(np.int64) for side in ("left", "right"))
    people = table["subject_id"].to_numpy(str)
    who = pigeonhole(people[left], people[right], s.bootstrap, np.random.default_rng(s.seed))
    similar = chosen["similar"].to_numpy(bool)
    single, multi = (
        who.share((_similar(model, faces, left, right, progress) > 0.5) == similar)
        for model in (single_task, multi_task)
    )
    share = similar.mean()
    return {
        "single_task": _triple(single),
        "multi_task": _triple(multi),
        "difference": _triple(multi - single),
        "majority": float(max(share, 1 - share)),
        "n_pairs": len(chosen),
    }


def _similar(checkpoint: Path, faces: Path, left: np.ndarray, right: np.ndarray, progress: Progress) -> np.ndarray:
    """Probability (n,) that the faces of pairs are similar."""
    from mtclar.model.predictor import TorchPredictor

    predictor = TorchPredictor.from_checkpoint(checkpoint)
    known = embed_rows(FacesStore(faces), np.union1d(left, right), predictor, progress=progress)
    return predictor.compare(known[left], known[right])[0]


def _triple(draws: Draws) -> tuple[float, float, float]:
    return draws.value, *draws.interval()
