"""Whether a curve moves as the truth does: direction of change, shape, delay.

All of it within clips, over frames in time order; a lag is counted in labelled frames of the clip. Nothing here knows
seconds, so clips of other frame rates are compared frame by frame.
"""

from __future__ import annotations

import numpy as np

from mtclar.evaluation.metrics import from_sums
from mtclar.evaluation.pooling import sums_by_clip

LAGS = (1, 5, 20)
"""Frames over which a change is measured."""

DEAD_BAND = 0.05
"""A change up to this counts as none: half a step of the grid of tenths on which AFEW-VA's labels lie."""

WARP = 5
"""Frames by which a warped frame may be displaced."""

DELAYS = 10
"""Largest delay looked for, in frames."""

_FAR = 1e6  # above any sum of errors, and finite, so that its differences are numbers


def pairs_at(clip: np.ndarray, position: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (m,) that have another one `lag` positions later in their clip, and those others (m,).

    Args:
        clip: int (n,), 0..c-1, ascending.
        position: int (n,), where each frame stands in its clip, ascending within a clip; gaps are frames not judged.
        lag: In positions, > 0.
    """
    if not len(clip):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    key = np.asarray(clip, np.int64) * (int(position.max()) + lag + 1) + position
    later = np.minimum(np.searchsorted(key, key + lag), len(key) - 1)
    first = np.flatnonzero(key[later] == key + lag)
    return first, later[first]


def changes(
    clip: np.ndarray, position: np.ndarray, truth: np.ndarray, prediction: np.ndarray, lag: int
) -> dict[str, np.ndarray]:
    """Signed differential agreement and direction, frame by frame.

    With dy = y[t+lag] - y[t], dp the same of the prediction, and s(x) = 0 for |x| <= DEAD_BAND, else sign(x):

    - `sda`: +1 where s(dy) = s(dp), else -1, so that its mean is 2 mean[s(dy) = s(dp)] - 1; standing still is an
      answer like any other;
    - `direction`: 1 where s(dy) = s(dp) and 0 where not, over the frames with s(dy) != 0: whether true moves are
      followed.

    Returns:
        Two columns (n,), NaN at frames that have no frame `lag` later or, for `direction`, where the truth stands
        still.
    """
    first, later = pairs_at(clip, position, lag)
    dy, dp = (_sign(column[later] - column[first]) for column in (truth, prediction))
    found = {name: np.full(len(truth), np.nan) for name in ("sda", "direction")}
    found["sda"][first] = np.where(dy == dp, 1.0, -1.0)
    found["direction"][first] = np.where(dy == 0, np.nan, dy == dp)
    return found


def _sign(change: np.ndarray) -> np.ndarray:
    # A step of exactly half a grid step stays within the band whatever its rounding.
    return np.where(np.abs(change) <= DEAD_BAND + 1e-9, 0.0, np.sign(change))


def warped(clip: np.ndarray, truth: np.ndarray, prediction: np.ndarray, reach: int = WARP) -> np.ndarray:
    """Band-limited dynamic time warping distance of each clip, per frame.

    The smallest sum of |y_i - p_j| along a path of steps (1, 0), (0, 1), (1, 1) from the first frames to the last with
    |i - j| <= reach (Sakoe and Chiba 1978), over the number of frames. At most the clip's MAE, which is the straight
    path; what is smaller is what a shift of up to `reach` frames explains.

    Args:
        clip: int (n,), 0..c-1, ascending.
        truth, prediction: (n,).
        reach: Half width of the band, in frames.

    Returns:
        float64 (c,), in the units of the labels.
    """
    length = np.bincount(clip)
    order = np.argsort(-length, kind="stable")  # longest first: those that are not at their end yet lead
    width = int(length.max(initial=0))
    y, p = np.zeros((len(length), width)), np.full((len(length), width + 2 * reach), np.nan)
    place = np.argsort(order)[clip], np.arange(len(clip)) - np.searchsorted(clip, clip)
    y[place], p[place[0], place[1] + reach] = truth, prediction
    found = np.zeros(len(length))
    # best[:, o] is the cheapest path to (i, i + o - reach); before the first frame only the straight one is free.
    best = np.full((len(length), 2 * reach + 2), _FAR)
    best[:, reach] = 0.0
    for i in range(width):
        live = int((length > i).sum())
        cost = np.abs(y[:live, i, None] - p[:live, i : i + 2 * reach + 1])
        cost = np.where(np.isnan(cost), _FAR, cost)
        entry = np.minimum(best[:live, :-1], best[:live, 1:]) if i else best[:live, :-1]
        # Steps along the prediction: best = run + min over earlier entries of (entry - run before it).
        run = np.cumsum(cost, axis=1)
        best = np.full((live, 2 * reach + 2), _FAR)
        best[:, :-1] = run + np.minimum.accumulate(entry - (run - cost), axis=1)
        ended = np.flatnonzero(length[order[:live]] == i + 1)
        found[order[ended]] = best[ended, reach] / (i + 1)
    return found


def delays(clip: np.ndarray, truth: np.ndarray, prediction: np.ndarray, furthest: int = DELAYS) -> np.ndarray:
    """By how many frames the prediction of each clip comes late: the shift at which it correlates best with the truth.

    The k in -furthest..furthest with the largest PCC of y[t] and p[t + k] over the frames that both have, which must be
    at least half of the clip; of equals the smallest |k|, then the late one.

    Args:
        clip: int (n,), 0..c-1, ascending.
        truth, prediction: (n,).
        furthest: In frames.

    Returns:
        float64 (c,), positive where the prediction lags; NaN where truth or prediction does not move.
    """
    length = np.bincount(clip)
    place = np.arange(len(clip)) - np.searchsorted(clip, clip)
    best, found = np.full(len(length), -np.inf), np.full(len(length), np.nan)
    for k in sorted(range(-furthest, furthest + 1), key=lambda k: (abs(k), -k)):
        t = np.flatnonzero((place + k >= 0) & (place + k < length[clip]))
        if not len(t):
            continue
        total = np.zeros((len(length), 9))
        part = sums_by_clip(clip[t], truth[t], prediction[t + k])
        total[: len(part)] = part
        pcc = from_sums(total)["pcc"]
        better = np.isfinite(pcc) & (2 * (length - abs(k)) >= length) & (pcc > best + 1e-12)
        best[better], found[better] = pcc[better], k
    if len(clip):
        still = from_sums(sums_by_clip(clip, truth, prediction))["pcc"]
        found[np.isnan(still)] = np.nan
    return found
