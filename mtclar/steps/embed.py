"""Faces of a store to embeddings and their quality, for whatever judges a model on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from mtclar.data.store import FacesStore
from mtclar.evaluation.answers import Embeddings
from mtclar.evaluation.clips import Clip
from mtclar.faces.mesh import MeshModel
from mtclar.faces.quality import look, quality
from mtclar.faces.spoil import KINDS, spoil
from mtclar.progress import Progress, silent

_BATCH = 64
_LONG = 512  # frames of a clip that are held at a time


class Embedder(Protocol):
    """The part of a Predictor that is asked about crops; see docs/architecture.md."""

    def embed(self, crops: np.ndarray) -> np.ndarray: ...


def embed_rows(
    store: FacesStore,
    rows: np.ndarray,
    predictor: Embedder,
    *,
    change: Callable[[np.ndarray], np.ndarray] | None = None,
    progress: Progress = silent,
) -> Embeddings:
    """Embeds some faces of a store.

    Args:
        store: The faces store.
        rows: int (n,), ascending, n >= 1.
        predictor: The model.
        change: Applied to the crops before, uint8 RGB (m, size, size, 3) to the same; they are seen as they are
            without it.
        progress: Told how many faces are done.
    """
    sides = store.table[["w", "h"]].to_numpy(np.float64).mean(axis=1)[rows]
    values, clear, mesh = [], [], MeshModel()
    for start, crops in zip(range(0, len(rows), _BATCH), store.batches(rows, _BATCH), strict=True):
        some = slice(start, start + _BATCH)
        seen = crops if change is None else change(crops)
        values.append(predictor.embed(seen))
        pose, presence = look(seen, mesh)
        clear.append(quality(seen, sides[some], pose=pose, presence=presence))
        progress(min(start + _BATCH, len(rows)), len(rows), "faces")
    return Embeddings(rows, np.concatenate(values), np.concatenate(clear))


def embed_spoilt(store: FacesStore, clips: Sequence[Clip], predictor: Embedder, seed: int) -> Embeddings | None:
    """Embeds all frames of some clips after a span of each has been darkened or blurred, in turn.

    Args:
        store: The faces store.
        clips: Clips of it; None comes of none.
        predictor: The model.
        seed: Of the spans' strength, place and length.
    """
    parts, mesh = [], MeshModel()
    for number, clip in enumerate(clips):
        kind, rng = KINDS[number % len(KINDS)], np.random.default_rng([seed, number])
        for start in range(0, len(clip), _LONG):
            rows = clip.rows[start : start + _LONG]
            table = store.table.iloc[rows]
            crops = spoil(store.crops(rows), kind, rng)
            sides = table[["w", "h"]].to_numpy(np.float64).mean(axis=1)
            pose, presence = look(crops, mesh)
            clear = quality(crops, sides, pose=pose, presence=presence)
            parts.append((rows, predictor.embed(crops), clear))
    if not parts:
        return None
    found, values, seen = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(found)
    return Embeddings(found[order], values[order], seen[order])
