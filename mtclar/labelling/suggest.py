"""Which frames to label next, and how large the error of a video's labels is likely to be, now and after them.

What an anchor would tell follows from where it is, not from what it says: under one Gaussian process the variance that
a label at frame c takes from frame i is

    cov(i, c)^2 / (var(c) + noise^2),

with covariances given the anchors there are. So frames can be chosen before they are labelled: greedily, each time the
frame that takes most from the sum of the variances of all frames (the A-optimal design; MacKay 1992, Neural Computation
4(4):590-604; Krause, Singh and Guestrin 2008, JMLR 9:235-284, of greedy choice), after which the covariances are those
given it too, which is an update of rank one. Frames that are near an anchor in time, or look like one, have little
left to take; so the chosen ones are spread without being told to be.

The process is a mixture over a grid of hyper-parameters. Its covariance is the mean of those of the grid's points plus
that of their means (the law of total covariance): where models that believe the prediction and models that do not
disagree, a label tells which is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.labelling.fitted import Fitted
from mtclar.labelling.hyper import DIMENSIONS
from mtclar.labelling.process import Places, Posterior, Shapes

POINTS = 640
"""Frames of a video, at most, that are weighed against each other; each of more stands for those around it."""
LEAST_QUALITY = 0.25
"""Of the face on a frame that is suggested: two halvings of what is clear. A person could hardly rate less."""
CLEARER, BESIDE_S = 0.8, 0.3
"""A frame is not suggested where its quality is below this share of the best within so many seconds in its track."""
PRIOR_WEIGHT = 4.0
"""What it counts, in anchors, that errors are as large as the process says; see `surprise`."""
AHEAD = 5
"""Anchors that are looked ahead."""
MOST_AHEAD = 200
"""How many more anchors are tried for a target."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Frames in the order in which they should be labelled.

    Attributes:
        order: int (b,), positions of the frames.
        gain: float64 (b,), by how much each lessens the mean over frames of the variance, summed over both dimensions.
        error: float64 (b + 1, 2), root of the mean variance of frames that are no anchors, before and after each.
    """

    order: np.ndarray
    gain: np.ndarray
    error: np.ndarray


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


def covariance(found: Posterior, at: Places) -> tuple[np.ndarray, np.ndarray]:
    """What is not known of the labels of m frames that are no anchors, given those that are.

    Without an anchor the grid's points have the prior weights that count once there is one, since that is what is
    planned for.

    Returns:
        float64 (m, m): covariance over all points of the grid, less haze, and (m,), the variance of the haze.
    """
    kept, parts = found.kept, found.parts
    if not len(found.anchors):
        weight = found.model.grid.weight / found.model.grid.weight.sum()
        kept = np.flatnonzero(weight > 0)
        parts = weight[kept]
    grid, m = found.model.grid, len(at)
    shapes, centred = Shapes(grid[kept], at, at, np.float32), at.prediction - found.model.mean
    prior = np.outer(centred, centred) * (parts @ grid.gain_sd[kept] ** 2) + parts @ grid.level_sd[kept] ** 2
    total = prior.astype(np.float32) * shapes.kin
    for sds, scales, shape in (
        (grid.slow_sd, grid.slow_s, shapes.slow),
        (grid.fast_sd, grid.fast_s, shapes.fast),
        (grid.look_sd, grid.look_scale, shapes.look),
    ):
        for scale, values in shape.items():
            some = scales[kept] == scale
            total += np.float32(parts[some] @ sds[kept][some] ** 2) * values
    cov = total.astype(np.float64)
    means, own, hazy = np.empty((len(kept), m)), np.zeros(m), np.zeros(m)
    across = Shapes(grid[kept], at, found.anchors, np.float32) if len(found.anchors) else None
    theirs = found.anchors.prediction - found.model.mean
    told = np.zeros((m, m), np.float32)
    for place, (j, part) in enumerate(zip(kept.tolist(), parts.tolist(), strict=True)):
        means[place] = found.expected(j, at)
        own += part * found.own(j, at)
        hazy += part * found.hazy(j, at)
        if across is not None:
            cross = across.covariance(grid, j, centred, theirs)
            lever = cross @ found.inverses[j].astype(np.float32)
            means[place] += lever @ found.rests[j]
            told += np.float32(part) * (lever @ cross.T)
    np.fill_diagonal(cov, own)  # of a frame without a face too
    spread = means - parts @ means
    cov += (spread * parts[:, None]).T @ spread - told
    return cov, hazy


def plan(
    posteriors: Sequence[Posterior],
    at: Sequence[Places],
    weight: np.ndarray,
    allowed: np.ndarray,
    count: int,
    target: float | None = None,
    scale: Sequence[float] = (1.0, 1.0),
) -> Plan:
    """Chooses frames one by one, each the one that takes most from the variance of all.

    Args:
        posteriors: The process of each dimension, given the anchors there are.
        at: What it is told of m frames that are no anchors, in each dimension.
        weight: float64 (m,), for how many frames each of them stands.
        allowed: bool (m,), the frames that may be chosen.
        count: How many.
        target: Stop before where the error of every dimension is at or below it.
        scale: What the errors are multiplied with in each dimension.

    Returns:
        The frames; fewer than `count` where fewer are allowed or the target is reached.
    """
    left, open_ = weight.astype(np.float64).copy(), allowed.copy()
    noise = [found.model.noise**2 for found in posteriors]
    covs, haze = map(
        list, zip(*(covariance(found, some) for found, some in zip(posteriors, at, strict=True)), strict=True)
    )
    total = weight.sum()
    order: list[int] = []
    gains: list[float] = []

    def error() -> list[float]:
        if not left.sum() > 0:
            return [0.0] * len(covs)
        rest = [np.maximum(np.diag(cov), 0) + hazy for cov, hazy in zip(covs, haze, strict=True)]
        return [
            float(factor * np.sqrt(left @ own / left.sum() + extra))
            for factor, own, extra in zip(scale, rest, noise, strict=True)
        ]

    errors = [error()]
    while len(order) < count and open_.any() and not (target is not None and max(errors[-1]) <= target):
        taken = np.zeros(len(weight))
        for cov, hazy, extra in zip(covs, haze, noise, strict=True):
            own = np.maximum(np.diag(cov), 0)
            taken += (left @ cov**2) / (own + hazy + extra) + hazy
        taken[~open_] = -np.inf
        best = int(np.argmax(taken))
        for cov, hazy, extra in zip(covs, haze, noise, strict=True):
            column = cov[:, best].copy()
            cov -= np.outer(column, column / (max(column[best], 0) + hazy[best] + extra))
        order.append(best)
        gains.append(float(taken[best] / total))
        left[best], open_[best] = max(left[best] - 1, 0), False
        errors.append(error())
    return Plan(np.array(order, np.int64), np.array(gains), np.array(errors))


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
    missed = (found.labels - mean) / np.sqrt(sd**2)
    return float(np.sqrt((PRIOR_WEIGHT + (missed**2).sum()) / (PRIOR_WEIGHT + k)))


def candidates(
    fitted: Fitted, low_quality: float = 0.0, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames of a video that are weighed against each other.

    Of each run of rows of one track the clearest stands for all.

    Returns:
        Rows (m,), how many rows each stands for (m,), and whether each may be suggested: it shows a face, which is clear
        enough to be rated and not much less so than beside it. Where none is, the clearest may.
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
    best = _best_beside(time_s, track, np.where(fitted.has_face, quality, 0.0), rows)
    least = max(LEAST_QUALITY, low_quality)
    allowed = fitted.has_face[rows] & (quality[rows] >= least) & (quality[rows] >= CLEARER * best)
    if not allowed.any() and len(rows):
        allowed = fitted.has_face[rows] & (quality[rows] >= quality[rows].max())
    return rows, np.array(weight, np.float64), allowed


def suggest(
    fitted: Fitted, count: int, *, low_quality: float = 0.0, target: float | None = None, points: int = POINTS
) -> Suggestion:
    """Which frames to label next, and what that is likely to bring.

    Args:
        fitted: The video and its anchors; there need not be any.
        count: How many frames, at most.
        low_quality: The setting `label.low_quality`.
        target: RMSE that is wanted of both dimensions; the estimate says how many anchors it takes.
        points: See `POINTS`.
    """
    rows, weight, allowed = candidates(fitted, low_quality, points)
    error, found = _estimate(fitted, rows, weight, allowed, count, target)
    chosen = rows[found.order[:count]]
    sd = np.stack([p.at(fitted.places(chosen, d))[1] for d, p in enumerate(fitted.posteriors)], axis=1)
    frame, track = fitted.rows.frame[chosen], fitted.rows.track[chosen]
    return Suggestion(chosen, frame, track, found.gain[:count], sd.reshape(-1, 2), error)


def estimated_error(
    fitted: Fitted, *, low_quality: float = 0.0, target: float | None = None, ahead: int = AHEAD, points: int = POINTS
) -> Error:
    """The error of the labels of this video: RMSE of valence and arousal over the frames that are no anchors.

    It is the root of the mean variance of the process, times `surprise`. What it will be after more anchors follows in
    the same way, for the variance does not depend on what they say.

    Args:
        fitted: The video and its anchors.
        low_quality: The setting `label.low_quality`.
        target: RMSE that is wanted of both dimensions.
        ahead: How many of the suggested anchors are looked ahead.
        points: See `POINTS`.
    """
    return _estimate(fitted, *candidates(fitted, low_quality, points), ahead, target)[0]


def _estimate(
    fitted: Fitted, rows: np.ndarray, weight: np.ndarray, allowed: np.ndarray, count: int, target: float | None
) -> tuple[Error, Plan]:
    scale = (surprise(fitted.posteriors[0]), surprise(fitted.posteriors[1]))
    at = [fitted.places(rows, d) for d in range(len(DIMENSIONS))]
    if not len(rows):
        nothing = Plan(np.empty(0, np.int64), np.empty(0), np.zeros((1, 2)))
        return Error(len(fitted.anchors), (0.0, 0.0), np.empty((0, 2)), scale, target, target and 0), nothing
    squares = [found.at(some)[1] ** 2 for found, some in zip(fitted.posteriors, at, strict=True)]
    now = [float(factor * np.sqrt(weight @ own / weight.sum())) for factor, own in zip(scale, squares, strict=True)]
    most = max(count, AHEAD)
    found = plan(fitted.posteriors, at, weight, allowed, most, scale=scale)
    errors, needed = found.error[1:], None
    if target is not None:
        if max(now) <= target:
            needed = 0
        else:
            more = plan(fitted.posteriors, at, weight, allowed, MOST_AHEAD, target, scale)
            reached = np.flatnonzero(more.error[1:].max(axis=1) <= target)
            needed = int(reached[0]) + 1 if len(reached) else None
    ahead = np.minimum(errors, now)
    return Error(len(fitted.anchors), (now[0], now[1]), ahead, scale, target, needed), found


def _best_beside(time_s: np.ndarray, track: np.ndarray, quality: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The best quality within `BESIDE_S` of each of some rows in its track (m,)."""
    order = np.lexsort((time_s, track))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    found = np.empty(len(rows))
    starts = {each: np.searchsorted(track[order], [each, each + 1]) for each in np.unique(track[rows]).tolist()}
    for k, row in enumerate(rows.tolist()):
        start, end = starts[int(track[row])]
        own = order[start:end]
        first, last = np.searchsorted(time_s[own], [time_s[row] - BESIDE_S, time_s[row] + BESIDE_S + 1e-9])
        found[k] = quality[own[first:last]].max(initial=0.0)
    return found
