"""What a person would do without a model; labelling must do better than these."""

from __future__ import annotations

import numpy as np


def copy_latest(times_s: np.ndarray, anchor_times_s: np.ndarray, anchor_labels: np.ndarray) -> np.ndarray:
    """The label of the latest anchor at or before each frame; before the first anchor, that one's.

    Args:
        times_s: Times of the frames in seconds (n,).
        anchor_times_s: Times of the anchors in seconds (k,), k >= 1, in any order.
        anchor_labels: Their labels (k,) or (k, 2).

    Returns:
        Labels (n,) or (n, 2).
    """
    order = np.argsort(anchor_times_s, kind="stable")
    latest = np.searchsorted(np.asarray(anchor_times_s, float)[order], times_s, side="right") - 1
    return np.asarray(anchor_labels, float)[order][np.maximum(latest, 0)]


def interpolate(times_s: np.ndarray, anchor_times_s: np.ndarray, anchor_labels: np.ndarray) -> np.ndarray:
    """Straight lines between the anchors in time, level before the first and after the last.

    Arguments and result as in `copy_latest`.
    """
    order = np.argsort(anchor_times_s, kind="stable")
    at = np.asarray(anchor_times_s, float)[order]
    labels = np.asarray(anchor_labels, float)[order]
    if labels.ndim == 1:
        return np.interp(times_s, at, labels)
    return np.stack([np.interp(times_s, at, column) for column in labels.T], axis=1)
