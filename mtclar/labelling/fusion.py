"""What several anchors say of one frame, made into one value."""

from __future__ import annotations

import numpy as np

from mtclar.errors import MtclarError, nearest

METHODS = ("time", "mean", "nearest")
_TOUCHING_S = 1e-3


def fusion_weights(
    times_s: np.ndarray,
    anchor_times_s: np.ndarray,
    method: str,
    time_scale_s: float,
    anchor_weights: np.ndarray | None = None,
) -> np.ndarray:
    """The share each anchor has in each frame's value.

    - `mean`: all anchors alike.
    - `nearest`: the anchor nearest in time alone; of two equally near, the earlier.
    - `time`: exp(-|dt| / time_scale_s) / |dt|. Near an anchor its own voice prevails, so the curve runs into the
      anchor's label without a jump; beyond the scale, distant anchors fade out.

    Args:
        times_s: Times of the frames in seconds (n,).
        anchor_times_s: Times of the anchors in seconds (k,), k >= 1.
        method: One of `METHODS`.
        time_scale_s: Scale of `time` in seconds, > 0.
        anchor_weights: The rater's trust in each anchor (k,), > 0; None for all alike. `nearest` takes no notice.

    Returns:
        Weights >= 0 (n, k); each row sums to 1.

    Raises:
        MtclarError: The method is not known, or there is no anchor.
    """
    times_s, anchor_times_s = np.asarray(times_s, float), np.asarray(anchor_times_s, float)
    if method not in METHODS:
        raise MtclarError(f"unknown fusion '{method}'{nearest(method, METHODS)}.")
    if not len(anchor_times_s):
        raise MtclarError("labels cannot be fused without an anchor; give at least one.")
    distance = np.abs(times_s[:, None] - anchor_times_s[None, :])
    if method == "nearest":
        weights = np.zeros_like(distance)
        order = np.argsort(anchor_times_s, kind="stable")
        weights[np.arange(len(times_s)), order[np.argmin(distance[:, order], axis=1)]] = 1.0
        return weights
    if method == "mean":
        weights = np.ones_like(distance)
    else:
        beyond = distance - distance.min(axis=1, keepdims=True)  # a common factor, lest all of them underflow
        weights = np.exp(-beyond / time_scale_s) / (distance + _TOUCHING_S)
    if anchor_weights is not None:
        weights = weights * np.asarray(anchor_weights, float)
    return weights / weights.sum(axis=1, keepdims=True)


def fuse(anchor_labels: np.ndarray, deltas: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean of label + delta over the anchors, and how far they disagree.

    Args:
        anchor_labels: One dimension's labels of the anchors (k,), in [-1, 1].
        deltas: What the model sees between frame and anchor (n, k): label(frame) - label(anchor).
        weights: Each anchor's share in each frame (n, k), see `fusion_weights`.

    Returns:
        One value a frame (n,), clipped to [-1, 1], and the weighted standard deviation of the anchors' votes (n,).
    """
    votes = np.asarray(anchor_labels, float) + deltas
    mean = (weights * votes).sum(axis=1)
    spread = np.sqrt((weights * (votes - mean[:, None]) ** 2).sum(axis=1))
    return np.clip(mean, -1.0, 1.0), spread
