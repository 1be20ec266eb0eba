"""What the model says of every face before any anchor: its supervised head, and its pair head against the clip itself.

    prediction(i) = LEVEL_SHARE * head(i) + (1 - LEVEL_SHARE) * mean over r of (head(r) + delta(i, r)),

where the references r are some fixed faces of the same track. They are chosen by quality and time alone, never by
anchors, so the prediction can be made once, when the video is read, and is stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from mtclar.errors import MtclarError

LEVEL_SHARE = 0.75
"""Share of the supervised head, the rest being comparisons. Measured on validation people of the sample: the log
density of labels that are no anchors is highest from 0.25 to 0.75 in both dimensions; on real faces the heads, which
may learn from faces as they are usual, keep to the scale better than differences of faces of every kind."""
REFERENCES = 32
"""Faces of a track that all of its faces are compared with."""
CHUNK_PAIRS = 16384
"""Pairs that are compared at a time, which bounds the memory."""

Compare = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""`compare(left (m, d), right (m, d)) -> (similar (m,), d_valence (m,), d_arousal (m,))`, as a bundle has it."""


def references(quality: np.ndarray, count: int = REFERENCES) -> np.ndarray:
    """The faces of a track that stand for it: spread evenly over the better half by quality.

    Args:
        quality: float (m,), of the faces of one track in the order of time; NaN, not known, counts as 1.
        count: How many there shall be at most.

    Returns:
        Their positions, int64, ascending: as many as `count`, or all of the better half where it holds fewer. Faces as
        good as the median belong to it, so that faces of one quality are spread over all of the track.
    """
    quality = np.nan_to_num(np.asarray(quality, np.float64), nan=1.0)
    better = np.flatnonzero(quality >= np.median(quality))
    if len(better) <= count:
        return better
    return better[np.round(np.linspace(0, len(better) - 1, count)).astype(np.int64)]


def predict(
    embeddings: np.ndarray,
    head: np.ndarray,
    quality: np.ndarray,
    track: np.ndarray,
    compare: Compare,
    compare_all: Compare | None = None,
) -> np.ndarray:
    """Valence and arousal of faces before any anchor.

    Args:
        embeddings: float16 or float32 (m, d).
        head: float (m, 2), valence and arousal of the supervised head.
        quality: float (m,), by which the references of each track are chosen.
        track: int (m,), ascending; the faces of one track stand in the order of time.
        compare: The model's comparison of pairs of embeddings. Where it does not know a dimension (NaN), the
            prediction is what the head says. Where the head is not known (NaN), it is the mean difference from the
            references: the label up to a constant of the track, which anchors must tell; that the head of such a face
            is NaN tells whoever reads it so.
        compare_all: The same for each of n faces with each of k others, (n, d) and (k, d) to (n, k), where the model
            can do that in less time.

    Returns:
        float32 (m, 2).

    Raises:
        MtclarError: The shapes do not fit.
    """
    m = len(embeddings)
    if np.shape(head) != (m, 2) or np.shape(quality) != (m,) or np.shape(track) != (m,):
        raise MtclarError(
            f"expected head ({m}, 2), quality and track ({m},) of {m} faces, got {np.shape(head)}, "
            f"{np.shape(quality)} and {np.shape(track)}."
        )
    out = np.empty((m, 2), np.float32)
    edges = np.flatnonzero(np.diff(track, prepend=-1, append=-1)) if m else np.empty(0, int)
    for start, end in itertools.pairwise(edges):
        own, said = embeddings[start:end], np.asarray(head[start:end], float)
        chosen = references(quality[start:end])
        deltas = _mean_deltas(own, own[chosen], compare, compare_all)
        both = LEVEL_SHARE * said + (1 - LEVEL_SHARE) * (said[chosen].mean(axis=0) + deltas)
        out[start:end] = np.where(np.isnan(deltas), said, np.where(np.isnan(said), deltas, both))
    return out


def _mean_deltas(faces: np.ndarray, others: np.ndarray, compare: Compare, compare_all: Compare | None) -> np.ndarray:
    """Mean over `others` (k, d) of the predicted label(face) - label(other), float64 (n, 2)."""
    k, out = len(others), np.empty((len(faces), 2))
    others = others.astype(np.float32)
    step = max(1, CHUNK_PAIRS // k)
    for start in range(0, len(faces), step):
        some = faces[start : start + step].astype(np.float32)
        if compare_all is None:
            _, valence, arousal = compare(np.repeat(some, k, axis=0), np.tile(others, (len(some), 1)))
        else:
            _, valence, arousal = compare_all(some, others)
        for column, deltas in enumerate((valence, arousal)):
            out[start : start + step, column] = np.asarray(deltas, float).reshape(len(some), k).mean(axis=1)
    return out
