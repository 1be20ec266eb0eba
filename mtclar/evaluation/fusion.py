"""Labels by votes: an anchor's label and the difference that the pair head sees, of several anchors made one value.

label(q) = clip(sum_k w_k(q) (label(anchor_k) + delta(q, anchor_k)), -1, 1), after the few-shot rule of MT-CLAR, with
the weights of `fusion_weights`. The released code averages the deltas alone and adds the label of one anchor: that is
the fusion `release`. These are baselines of an evaluation; `mtclar label` asks `mtclar.labelling.process`.
"""

from __future__ import annotations

import numpy as np

from mtclar.errors import MtclarError, nearest
from mtclar.features.prediction import CHUNK_PAIRS, Compare

METHODS = ("time", "similarity", "mean", "nearest", "latest", "bracket", "release")

_TOUCHING_S = 1e-3
_LEAST_SIMILAR = 1e-6


def fusion_weights(
    times_s: np.ndarray,
    anchor_times_s: np.ndarray,
    method: str,
    time_scale_s: float,
    anchor_weights: np.ndarray | None = None,
    similar: np.ndarray | None = None,
) -> np.ndarray:
    """The share each anchor has in each frame's value.

    - `mean`, `release`: all anchors alike.
    - `similarity`: in proportion to the probability that frame and anchor show the same expression.
    - `nearest`: the anchor nearest in time alone; of two equally near, the earlier.
    - `latest`: the latest anchor at or before the frame alone; before the first anchor, that one.
    - `time`: exp(-|dt| / time_scale_s) / |dt|. Near an anchor its own voice prevails, so the curve runs into the
      anchor's label without a jump; beyond the scale, distant anchors fade out.
    - `bracket`: the two anchors around the frame, linear in time; beyond the ends, the outer one alone.

    The last four go by time. To them an anchor whose time is NaN is infinitely far: it speaks only where no anchor is
    on the timeline, and then all such anchors speak alike.

    Args:
        times_s: Times of the frames in seconds (n,).
        anchor_times_s: Times of the anchors in seconds (k,), k >= 1; NaN for one that is not on the timeline.
        method: One of `METHODS`.
        time_scale_s: Scale of `time` in seconds, > 0.
        anchor_weights: The rater's trust in each anchor (k,), > 0; None for all alike. It multiplies the shares of
            `mean`, `release`, `similarity` and `time`; the others choose by time alone.
        similar: For `similarity`: probabilities (n, k).

    Returns:
        Weights >= 0 (n, k); each row sums to 1.

    Raises:
        MtclarError: The method is not known, there is no anchor, or `similar` is missing.
    """
    times_s, anchor_times_s = np.asarray(times_s, float), np.asarray(anchor_times_s, float)
    if method not in METHODS:
        raise MtclarError(f"unknown fusion '{method}'{nearest(method, METHODS)}.")
    if not len(anchor_times_s):
        raise MtclarError("labels cannot be fused without an anchor; give at least one.")
    trust = np.ones(len(anchor_times_s)) if anchor_weights is None else np.asarray(anchor_weights, float)
    shape = len(times_s), len(anchor_times_s)
    placed = np.flatnonzero(~np.isnan(anchor_times_s))
    if method in ("mean", "release") or (method != "similarity" and not len(placed)):
        weights = np.broadcast_to(trust, shape)
    elif method == "similarity":
        if similar is None:
            raise MtclarError("the fusion 'similarity' needs the model's similarity of frames and anchors.")
        weights = np.maximum(similar, _LEAST_SIMILAR) * trust
    else:
        weights = np.zeros(shape)
        at = anchor_times_s[placed]
        if method == "time":
            distance = np.abs(times_s[:, None] - at)
            beyond = distance - distance.min(axis=1, keepdims=True)  # a common factor, lest all of them underflow
            weights[:, placed] = np.exp(-beyond / time_scale_s) / (distance + _TOUCHING_S) * trust[placed]
        else:
            order = placed[np.argsort(at, kind="stable")]
            weights[:, order] = _CHOICES[method](times_s, anchor_times_s[order])
    return weights / weights.sum(axis=1, keepdims=True)


def _nearest(times_s: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights (n, k) of the nearest of anchors at ascending times."""
    return np.eye(len(at))[np.argmin(np.abs(times_s[:, None] - at), axis=1)]


def _latest(times_s: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights (n, k) of the latest anchor at or before a frame, of anchors at ascending times."""
    return np.eye(len(at))[np.maximum(np.searchsorted(at, times_s, side="right") - 1, 0)]


def _bracket(times_s: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights (n, k) of the two anchors around a frame, of anchors at ascending times."""
    if len(at) == 1:
        return np.ones((len(times_s), 1))
    after = np.clip(np.searchsorted(at, times_s, side="right"), 1, len(at) - 1)
    gap = at[after] - at[after - 1]
    way = np.clip((times_s - at[after - 1]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
    share = np.where(gap > 0, way, times_s >= at[after])
    rows = np.arange(len(times_s))
    weights = np.zeros((len(times_s), len(at)))
    weights[rows, after - 1], weights[rows, after] = 1.0 - share, share
    return weights


_CHOICES = {"nearest": _nearest, "latest": _latest, "bracket": _bracket}


def fuse(votes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean of the anchors' votes, and how far they disagree.

    Args:
        votes: label + delta of each anchor (n, k, 2).
        weights: Each anchor's share in each frame (n, k), see `fusion_weights`.

    Returns:
        Valence and arousal (n, 2), clipped to [-1, 1], and the weighted standard deviation of the votes (n, 2).
    """
    mean = np.einsum("nk,nkd->nd", weights, votes)
    spread = np.sqrt(np.einsum("nk,nkd->nd", weights, (votes - mean[:, None]) ** 2))
    return np.clip(mean, -1.0, 1.0), spread


def vote(
    times_s: np.ndarray,
    anchor_times_s: np.ndarray,
    anchor_labels: np.ndarray,
    similar: np.ndarray,
    deltas: np.ndarray,
    *,
    method: str,
    time_scale_s: float,
) -> np.ndarray:
    """Labels of n frames from k >= 1 anchors.

    Args:
        times_s, anchor_times_s: As in `fusion_weights`.
        anchor_labels: Valence and arousal of the anchors (k, 2).
        similar, deltas: What the pair head sees between frames and anchors, see `compare_all`.
        method: One of `METHODS`.
        time_scale_s: Scale of the fusion `time` in seconds.

    Returns:
        Valence and arousal (n, 2) in [-1, 1].

    Raises:
        MtclarError: The method is not known, or the model lacks a head that it needs.
    """
    if np.isnan(deltas).any():
        raise MtclarError(
            "the model at hand does not predict differences in valence and arousal both, so its votes cannot be fused; "
            "train one with both tasks (train.tasks)."
        )
    if method == "similarity" and np.isnan(similar).any():
        raise MtclarError("the model at hand does not predict similarity (train.tasks), so choose another fusion.")
    weights = fusion_weights(times_s, anchor_times_s, method, time_scale_s, similar=similar)
    if method == "release":
        given = fusion_weights(times_s, anchor_times_s, "latest", time_scale_s) @ anchor_labels
        return np.clip(given + np.einsum("nk,nkd->nd", weights, deltas), -1.0, 1.0)
    return fuse(anchor_labels + deltas, weights)[0]


def compare_all(
    left: np.ndarray, right: np.ndarray, compare: Compare, *, chunk_pairs: int = CHUNK_PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """Compares n faces with k others, some pairs at a time.

    Args:
        left: Embeddings of the faces asked about (n, d).
        right: Embeddings of the anchors (k, d).
        compare: The model's comparison of pairs of embeddings.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The probability that two faces show the same expression (n, k), and the predicted label(left) - label(right)
        (n, k, 2).
    """
    n, k = len(left), len(right)
    similar, deltas = np.empty((n, k)), np.empty((n, k, 2))
    step = max(1, chunk_pairs // max(k, 1))
    for start in range(0, n, step):
        some = left[start : start + step]
        part = compare(np.repeat(some, k, axis=0), np.tile(right, (len(some), 1)))
        same, valence, arousal = (np.asarray(values, float).reshape(len(some), k) for values in part)
        similar[start : start + step] = same
        deltas[start : start + step] = np.stack([valence, arousal], axis=-1)
    return similar, deltas
