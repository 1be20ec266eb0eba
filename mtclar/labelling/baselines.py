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


def pchip(times_s: np.ndarray, anchor_times_s: np.ndarray, anchor_labels: np.ndarray) -> np.ndarray:
    """A smooth curve through the anchors that never overshoots them, level before the first and after the last.

    Cubic Hermite pieces whose slope at an inner anchor is the weighted harmonic mean of the two secants there, 0 where
    they differ in sign; at the outer ones the three-point formula, kept from overshooting (Fritsch and Butland 1984,
    SIAM J. Sci. Stat. Comput. 5(2):300-304). Several anchors at one time are averaged. Arguments and result as in
    `copy_latest`.
    """
    at, place = np.unique(np.asarray(anchor_times_s, float), return_inverse=True)
    given = np.asarray(anchor_labels, float)
    labels = np.zeros((len(at), *given.shape[1:]))
    np.add.at(labels, place, given)
    labels /= np.bincount(place).reshape(-1, *(1,) * (given.ndim - 1))
    if len(at) == 1:
        return np.repeat(labels, len(times_s), axis=0)
    step = np.diff(at).reshape(-1, *(1,) * (given.ndim - 1))
    secant = np.diff(labels, axis=0) / step
    slope = np.zeros_like(labels)
    if len(at) == 2:
        slope[:] = secant
    else:
        slope[1:-1] = _inner_slopes(step, secant)
        slope[0] = _outer_slope(step[0], step[1], secant[0], secant[1])
        slope[-1] = _outer_slope(step[-1], step[-2], secant[-1], secant[-2])
    asked = np.clip(times_s, at[0], at[-1])
    left = np.clip(np.searchsorted(at, asked, side="right") - 1, 0, len(at) - 2)
    h = step[left]
    u = (asked - at[left]).reshape(-1, *(1,) * (given.ndim - 1)) / h
    rise = u * u * (3 - 2 * u)
    ends = labels[left] + rise * (labels[left + 1] - labels[left])
    return ends + h * u * (1 - u) * ((1 - u) * slope[left] - u * slope[left + 1])


def _inner_slopes(step: np.ndarray, secant: np.ndarray) -> np.ndarray:
    """Weighted harmonic means of neighbouring secants, 0 at a turn."""
    before, after = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
    same = secant[:-1] * secant[1:] > 0
    a, b = np.where(same, secant[:-1], 1.0), np.where(same, secant[1:], 1.0)
    return np.where(same, (before + after) / (before / a + after / b), 0.0)


def _outer_slope(h0: np.ndarray, h1: np.ndarray, s0: np.ndarray, s1: np.ndarray) -> np.ndarray:
    """Slope at an end from its own piece (h0, s0) and the next, never beyond three times its secant."""
    slope = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    slope = np.where(np.sign(slope) != np.sign(s0), 0.0, slope)
    return np.where((np.sign(s0) != np.sign(s1)) & (np.abs(slope) > 3 * np.abs(s0)), 3 * s0, slope)
