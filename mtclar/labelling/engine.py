"""Few-shot labelling of one face track: every frame is compared with every anchor, and the answers are fused.

label(q) = clip(sum_k w_k(q) (label(anchor_k) + delta(q, anchor_k)), -1, 1), after the few-shot rule of MT-CLAR, where
the released code averages the deltas alone; the weights are those of `fusion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.fusion import fuse, fusion_weights

Compare = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""`compare(left (m, d), right (m, d)) -> (similar (m,), d_valence (m,), d_arousal (m,))`, as a Predictor has it."""

_USED_SHARE = 0.01


@dataclass(frozen=True)
class Estimate:
    """Labels of the n frames of one track.

    Attributes:
        valence, arousal: float64 (n,), in [-1, 1]; NaN for a frame without a face that is no anchor.
        is_anchor: bool (n,); those rows carry the label they were given.
        used: bool (n, k): which of the given anchors had a share of at least one percent in the frame's label. An
            anchor without a face is never used by another frame, and an anchor's own row uses itself alone.
        spread: Weighted standard deviation of the anchors' votes (n, 2): valence, arousal. 0 where one anchor
            speaks alone and at anchors, NaN where there is no label.
        similar: Weighted mean of the probability that frame and anchor show the same expression (n,); NaN without a
            face.
    """

    valence: np.ndarray
    arousal: np.ndarray
    is_anchor: np.ndarray
    used: np.ndarray
    spread: np.ndarray
    similar: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Valence and arousal side by side (n, 2)."""
        return np.stack([self.valence, self.arousal], axis=1)


def label_track(
    embeddings: np.ndarray,
    times_s: np.ndarray,
    anchor_rows: np.ndarray,
    anchor_labels: np.ndarray,
    compare: Compare,
    *,
    method: str,
    time_scale_s: float,
    anchor_weights: np.ndarray | None = None,
    chunk_pairs: int = 16384,
) -> Estimate:
    """Labels every frame of a track from its anchors.

    Args:
        embeddings: float32 (n, d), one row a frame; a row of NaN is a frame without a face.
        times_s: Times of the frames in seconds (n,).
        anchor_rows: Which frames are anchors (k,), k >= 1, each named once. One without a face keeps its own label
            but says nothing of other frames.
        anchor_labels: Their valence and arousal (k, 2), in [-1, 1].
        compare: The model's comparison of pairs of embeddings.
        method: One of `fusion.METHODS`.
        time_scale_s: Scale of the fusion `time` in seconds.
        anchor_weights: The rater's trust in each anchor (k,), > 0; None for all alike.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The labels of all frames, anchors among them.

    Raises:
        MtclarError: Shapes do not fit, an anchor is no row or named twice, or no anchor shows a face.
    """
    embeddings, times_s = np.asarray(embeddings), np.asarray(times_s, float)
    rows, labels = np.asarray(anchor_rows, int), np.asarray(anchor_labels, float)
    _check(embeddings, times_s, rows, labels)
    n, faces = len(embeddings), ~np.isnan(embeddings[:, 0])
    support = np.flatnonzero(faces[rows])
    if not len(support):
        raise MtclarError("no anchor shows a face, so no frame can be compared with one; choose other frames.")
    spoken = rows[support]
    trust = None if anchor_weights is None else np.asarray(anchor_weights, float)[support]

    used = np.zeros((n, len(rows)), bool)
    out, spread, similar = np.full((n, 2), np.nan), np.full((n, 2), np.nan), np.full(n, np.nan)
    queries = np.flatnonzero(faces)
    step = max(1, chunk_pairs // len(support))
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        left = np.repeat(embeddings[some], len(spoken), axis=0)
        right = np.tile(embeddings[spoken], (len(some), 1))
        same, *deltas = (np.asarray(part, float).reshape(len(some), -1) for part in compare(left, right))
        weights = fusion_weights(times_s[some], times_s[spoken], method, time_scale_s, trust)
        for dimension, delta in enumerate(deltas):
            out[some, dimension], spread[some, dimension] = fuse(labels[support, dimension], delta, weights)
        used[np.ix_(some, support)] = weights >= _USED_SHARE
        similar[some] = (weights * same).sum(axis=1)
    is_anchor = np.zeros(n, bool)
    is_anchor[rows], out[rows], spread[rows] = True, labels, 0.0
    used[rows] = np.eye(len(rows), dtype=bool)
    return Estimate(out[:, 0], out[:, 1], is_anchor, used, spread, similar)


def _check(embeddings: np.ndarray, times_s: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
    if embeddings.ndim != 2 or times_s.shape != (len(embeddings),):
        raise MtclarError(f"expected embeddings (n, d) and times (n,), got {embeddings.shape} and {times_s.shape}.")
    if rows.ndim != 1 or not len(rows) or labels.shape != (len(rows), 2):
        raise MtclarError(f"expected at least one anchor with labels (k, 2), got rows {rows.shape}, {labels.shape}.")
    if rows.min() < 0 or rows.max() >= len(embeddings):
        raise MtclarError(f"an anchor names row {rows.max()}, but the track has {len(embeddings)} frames (from 0).")
    if len(np.unique(rows)) != len(rows):
        raise MtclarError("two anchors name the same frame; keep one of them.")
