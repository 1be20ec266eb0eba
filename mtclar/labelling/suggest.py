"""Which frames to label next, and how large the error of a video's labels is likely to be, now and after them.

What an anchor tells depends on where it is and not on what it says (`mtclar.labelling.design`), so both are known
before anybody has labelled a frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtclar.labelling.design import Plan, activity, choose, field_of
from mtclar.labelling.fitted import Fitted
from mtclar.labelling.hyper import DIMENSIONS
from mtclar.labelling.process import Posterior

POINTS = 480
"""Frames of a video, at most, that are weighed against each other; each of more stands for those around it."""
CLEARER, BESIDE_S = 0.8, 0.12
"""A frame is not suggested where its quality is below this share of the best within so many seconds in its track: a
blurred one or a blink has a clear one beside it."""
PRIOR_WEIGHT = 20.0
"""What it counts, in anchors, that errors are as large as the process says; see `surprise`. Synthetic people err as it
says, so that among 4, 10, 20 and 40 the larger foretold their errors the better; 20 leaves anchors a say where a rater
or a face is of another kind."""
LEAST_SURPRISE, MOST_MISSED = 0.5, 4.0
"""The least that `surprise` may be, and the standard deviations that one anchor counts as missed by at most."""
AHEAD = 5
"""Anchors that are looked ahead."""
MOST_AHEAD = 100
"""How many more anchors are tried for a target."""
ACTIVE_FROM = 2
"""Anchors from which on the choice goes by activity: before, nothing but predictions tells of it."""


@dataclass(frozen=True)
class Error:
    """The estimated error of the labels of one video.

    Attributes:
        anchors: How many there are.
        now: RMSE of valence and arousal over the frames that are no anchors.
        ahead: The same after so many more of the suggested anchors, from 1 on, (m, 2).
        surprise: By what the standard deviations of the process were multiplied in each dimension, since anchors that
            are left out are missed by more, or less, than it says.
        target: What was asked for; None where nothing was.
        needed: How many more anchors it takes until both dimensions are at the target; None where nothing was asked or
            more than could be tried do not do.
    """

    anchors: int
    now: tuple[float, float]
    ahead: np.ndarray
    surprise: tuple[float, float]
    target: float | None = None
    needed: int | None = None

    def after(self, more: int) -> tuple[float, float]:
        """RMSE of valence and arousal after so many more anchors, as far as frames can be labelled."""
        known = min(more, len(self.ahead))
        return self.now if not known else (float(self.ahead[known - 1, 0]), float(self.ahead[known - 1, 1]))


@dataclass(frozen=True, eq=False)
class Suggestion:
    """Frames to label next, the most useful first.

    Attributes:
        rows: int (b,), rows of the labelled video.
        frame, track: int (b,).
        gain: float64 (b,), see `Plan`.
        sd: float64 (b, 2), standard deviation of the label before any of them.
        error: What is known of the error of the labels.
    """

    rows: np.ndarray
    frame: np.ndarray
    track: np.ndarray
    gain: np.ndarray
    sd: np.ndarray
    error: Error


def surprise(found: Posterior) -> float:
    """What the standard deviations of the process should be multiplied with, as its anchors tell.

    Each anchor that is left out is missed by some multiple of the standard deviation that the others give it (in closed
    form, `Posterior.left_out`). The mean square of those is 1 where the process errs as it says; it is drawn to 1 by
    `PRIOR_WEIGHT`, so that a few anchors do not decide.
    """
    k = len(found.anchors)
    if k < 2:
        return 1.0
    mean, sd = found.left_out()
    missed = np.minimum(np.abs(found.labels - mean) / sd, MOST_MISSED)
    return max(LEAST_SURPRISE, float(np.sqrt((PRIOR_WEIGHT + (missed**2).sum()) / (PRIOR_WEIGHT + k))))


def candidates(fitted: Fitted, points: int = POINTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of a video that are weighed against each other.

    Of each run of rows of one track the clearest stands for all.

    Returns:
        Rows (m,), how many rows each stands for (m,), and whether each may be suggested: it shows a face, which is
        clear enough to be rated and not much less so than beside it. Where none is, the clearest may.
    """
    asked = np.flatnonzero(fitted.asked)
    quality = np.nan_to_num(np.where(fitted.has_face, fitted.quality, 0.0), nan=1.0)
    size = max(1, -(-len(asked) // points))
    time_s, track = fitted.features.time_s[fitted.rows.frame], fitted.rows.track
    chosen: list[int] = []
    weight: list[int] = []
    for each in np.unique(track[asked]).tolist():
        own = asked[track[asked] == each]
        for run in np.array_split(own, -(-len(own) // size)):
            chosen.append(int(run[np.argmax(quality[run])]))
            weight.append(len(run))
    rows = np.array(chosen, np.int64)
    allowed = rateable(time_s, track, np.where(fitted.has_face, quality, 0.0), rows, fitted.low_quality)
    return rows, np.array(weight, np.float64), allowed


def suggest(fitted: Fitted, count: int, *, target: float | None = None, points: int = POINTS) -> Suggestion:
    """Which frames to label next, and what that is likely to bring.

    Args:
        fitted: The video and its anchors; there need not be any.
        count: How many frames, at most.
        target: RMSE that is wanted of both dimensions; the estimate says how many anchors it takes.
        points: See `POINTS`.
    """
    rows, weight, allowed = candidates(fitted, points)
    error, found = _estimate(fitted, rows, weight, allowed, count, target)
    chosen = rows[found.order[:count]]
    sd = np.stack([p.at(fitted.places(chosen, d))[1] for d, p in enumerate(fitted.posteriors)], axis=1)
    frame, track = fitted.rows.frame[chosen], fitted.rows.track[chosen]
    return Suggestion(chosen, frame, track, found.gain[:count], sd.reshape(-1, 2), error)


def estimated_error(fitted: Fitted, *, target: float | None = None, ahead: int = AHEAD, points: int = POINTS) -> Error:
    """The error of the labels of this video: RMSE of valence and arousal over the frames that are no anchors.

    It is the root of the mean variance of the process, times how large errors were beside that on people not seen
    before (`Calibration.widths`), times `surprise`. What it will be after more anchors follows in the same way, for the
    variance does not depend on what they say.

    Args:
        fitted: The video and its anchors.
        target: RMSE that is wanted of both dimensions.
        ahead: How many of the suggested anchors are looked ahead.
        points: See `POINTS`.
    """
    return _estimate(fitted, *candidates(fitted, points), ahead, target)[0]


def _estimate(
    fitted: Fitted, rows: np.ndarray, weight: np.ndarray, allowed: np.ndarray, count: int, target: float | None
) -> tuple[Error, Plan]:
    """The error now and after each of the frames that are chosen, and the choice, of at least `AHEAD` frames."""
    factor = np.array([surprise(found) for found in fitted.posteriors])
    scale = (float(factor[0]), float(factor[1]))
    if not len(rows):
        nothing = Plan(np.empty(0, np.int64), np.empty(0), np.zeros((1, 2)))
        needed = None if target is None else 0
        return Error(len(fitted.anchors), (0.0, 0.0), np.empty((0, 2)), scale, target, needed), nothing
    at = [fitted.places(rows, d) for d in range(len(DIMENSIONS))]
    labels, sd = map(
        np.stack, zip(*(found.at(some) for found, some in zip(fitted.posteriors, at, strict=True)), strict=True)
    )
    width = _widths(fitted)
    now = width(0)[0] * factor * np.sqrt(sd**2 @ weight / weight.sum())
    fields = [field_of(found, some) for found, some in zip(fitted.posteriors, at, strict=True)]
    active = _activity_of(fitted, rows, labels.T) if len(fitted.anchors) >= ACTIVE_FROM else None
    found = choose(fields, weight, allowed, count, active, AHEAD)
    needed = None
    if target is not None:
        needed = 0 if (now <= target).all() else None
        if needed is None:
            errors = choose(fields, weight, allowed, MOST_AHEAD, active).error * factor
            errors = (errors * width(len(errors) - 1))[1:]
            reached = np.flatnonzero((errors <= target).all(axis=1))
            needed = int(reached[0]) + 1 if len(reached) else None
    ahead = np.minimum((found.error * factor * width(len(found.order)))[1:], now)
    return Error(len(fitted.anchors), (float(now[0]), float(now[1])), ahead, scale, target, needed), found


def _widths(fitted: Fitted) -> Callable[[int], np.ndarray]:
    """`Calibration.widths` after none up to so many more anchors, shared out evenly among the people labelled."""
    people = len(np.unique(fitted.here.person[fitted.asked]))
    own = float(fitted.own_anchors()[fitted.asked].mean())

    def after(most: int) -> np.ndarray:
        return fitted.calibration.widths(own + np.arange(most + 1) / max(people, 1))

    return after


def _activity_of(fitted: Fitted, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`activity` around m rows that have these labels (m, 2), and anchors between them; (m, 2)."""
    mine = np.flatnonzero(fitted.own_row >= 0)
    own = fitted.own_row[mine]
    both, values = np.append(rows, own), np.concatenate([labels, fitted.anchors.labels[mine]])
    return activity(fitted.features.time_s[fitted.rows.frame[both]], fitted.rows.track[both], values)[: len(rows)]


def rateable(time_s: np.ndarray, track: np.ndarray, quality: np.ndarray, rows: np.ndarray, least: float) -> np.ndarray:
    """Whether the face on some frames is clear enough to be rated, and not much less so than beside it in its track.

    Where none is, the clearest are.

    Args:
        time_s, track, quality: Of all n frames; quality is 0 where there is no face.
        rows: int (m,), the frames that are asked about.
        least: The quality that it takes; `label.low_quality` is what counts as hardly seen.

    Returns:
        bool (m,).
    """
    order = np.lexsort((time_s, track))
    best = np.empty(len(rows))
    starts = {each: np.searchsorted(track[order], [each, each + 1]) for each in np.unique(track[rows]).tolist()}
    for k, row in enumerate(rows.tolist()):
        start, end = starts[int(track[row])]
        own = order[start:end]
        first, last = np.searchsorted(time_s[own], [time_s[row] - BESIDE_S, time_s[row] + BESIDE_S + 1e-9])
        best[k] = quality[own[first:last]].max(initial=0.0)
    clear = quality[rows]
    found: np.ndarray = (clear > 0) & (clear >= least) & (clear >= CLEARER * best)
    if not found.any() and len(rows) and clear.max() > 0:
        found = clear >= clear.max()
    return found
