"""The choice of frames that together tell most of the labels of all others.

What an anchor would tell follows from where it is, not from what it says: under one Gaussian process the variance that
a label at frame c takes from frame i is

    cov(i, c)^2 / (var(c) + noise^2),

with covariances given the anchors there are. So frames can be chosen before they are labelled: greedily, each time the
frame that takes most from the sum of the variances of all frames (the A-optimal design; MacKay 1992, Neural Computation
4(4):590-604; Krause, Singh and Guestrin 2008, JMLR 9:235-284, of greedy choice), after which the covariances are those
given it too, which is an update of rank one. Then each of the chosen is exchanged for a better one as long as there is
one (Fedorov 1972, Theory of Optimal Experiments). Frames that are near an anchor in time, or look like one, have little
left to take; so the chosen ones are spread without being told to be.

The process is a mixture over a grid of hyper-parameters. Its covariance is the mean of those of the grid's points plus
that of their means (the law of total covariance): where models that believe the prediction and models that do not
disagree, a label tells which is right.

The process is as sure of what changes quickly as of what stays, and errs more there. So for the choice, but not for the
estimated error, its standard deviation is multiplied by `activity`, how fast the label changes around a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtclar.labelling.process import Places, Posterior, Shapes

SWEEPS, EXCHANGED = 4, 24
"""How often all chosen frames are tried to be exchanged, where there are no more than so many of them."""
LEAST_SLOPE = 1e-6
ACTIVITY_S, ACTIVITY_FLOOR, ACTIVITY_POWER = 0.2, 0.2, 0.5
"""See `activity`: over how many seconds, which share of the mean is added, and to which power it counts. Chosen on
validation people among a few of each."""


@dataclass(eq=False)
class Field:
    """What is not known of the labels of m frames in one dimension.

    Attributes:
        cov: float64 (m, m), their covariance less haze.
        haze: float64 (m,), variance of what cannot be seen in each, which no two share.
        noise: Variance of the rater's noise.
    """

    cov: np.ndarray
    haze: np.ndarray
    noise: float

    def copy(self) -> Field:
        return Field(self.cov.copy(), self.haze, self.noise)

    def times(self, factor: np.ndarray) -> Field:
        """The same with standard deviations multiplied by a factor (m,)."""
        return Field(self.cov * np.outer(factor, factor), self.haze, self.noise)

    def variance(self) -> np.ndarray:
        """Of each frame's label, without noise (m,)."""
        found: np.ndarray = np.maximum(np.diag(self.cov), 0) + self.haze
        return found

    def given(self, frame: int) -> None:
        """Takes off what is known once a frame is labelled."""
        column = self.cov[:, frame].copy()
        self.cov -= np.outer(column, column / (max(column[frame], 0) + self.haze[frame] + self.noise))

    def given_all(self, frames: Sequence[int]) -> Field:
        """The same once some frames are labelled."""
        some = np.asarray(frames, np.int64)
        own = self.cov[np.ix_(some, some)] + np.diag(self.haze[some] + self.noise)
        return replace(self, cov=self.cov - self.cov[:, some] @ np.linalg.solve(own, self.cov[some]))


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


def field_of(found: Posterior, at: Places) -> Field:
    """What is not known of the labels of m frames that are no anchors, given those that are.

    Without an anchor the grid's points have the prior weights that count once there is one, since that is what is
    planned for.
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
    return Field(cov, hazy, found.model.noise**2)


def choose(
    fields: Sequence[Field],
    weight: np.ndarray,
    allowed: np.ndarray,
    count: int,
    active: np.ndarray | None = None,
    ahead: int = 0,
) -> Plan:
    """Chooses the frames that together take most from the variance of all, and puts them in the order of their use.

    Args:
        fields: What is not known of m frames that are no anchors, in each dimension.
        weight: float64 (m,), for how many frames each of them stands.
        allowed: bool (m,), the frames that may be chosen.
        count: How many; fewer are found where fewer are allowed.
        active: float64 (m, 2), what standard deviations are multiplied with for the choice; None for 1.
        ahead: Where `count` is less, further frames are added, each the best after those before it, up to so many.
    """
    goal = fields if active is None else [each.times(active[:, d]) for d, each in enumerate(fields)]
    most = int(allowed.sum())
    chosen = _greedy(goal, weight, allowed, min(count, most))
    if 1 < len(chosen) <= EXCHANGED:
        own = np.zeros(len(weight), bool)
        own[_exchanged(goal, weight, allowed, chosen)] = True
        chosen = _greedy(goal, weight, own, len(chosen))
    if count < min(ahead, most):
        rest = allowed.copy()
        rest[chosen] = False
        chosen += _greedy([each.given_all(chosen) for each in goal], weight, rest, min(ahead, most) - len(chosen))
    return followed(fields, weight, chosen)


def followed(fields: Sequence[Field], weight: np.ndarray, order: Sequence[int]) -> Plan:
    """What labelling some frames, in an order that is given, does to the errors of the others."""
    fields, left = [each.copy() for each in fields], weight.astype(np.float64).copy()
    gains, errors = [], [_errors(fields, left)]
    for best in order:
        gains.append(float(_taken(fields, left)[best] / weight.sum()))
        for each in fields:
            each.given(best)
        left[best] = max(left[best] - 1, 0)
        errors.append(_errors(fields, left))
    return Plan(np.array(order, np.int64), np.array(gains), np.array(errors))


def _errors(fields: Sequence[Field], left: np.ndarray) -> list[float]:
    """Root of the mean variance of the frames that are left, with the rater's noise, in each dimension."""
    if not left.sum() > 0:
        return [0.0] * len(fields)
    return [float(np.sqrt(left @ each.variance() / left.sum() + each.noise)) for each in fields]


def _taken(fields: Sequence[Field], left: np.ndarray) -> np.ndarray:
    """What a label of each frame would take from the sum of all variances (m,)."""
    found = np.zeros(len(left))
    for each in fields:
        found += (left @ each.cov**2) / (each.variance() + each.noise) + each.haze
    return found


def _greedy(fields: Sequence[Field], weight: np.ndarray, allowed: np.ndarray, count: int) -> list[int]:
    fields, open_, chosen = [each.copy() for each in fields], allowed.copy(), []
    for _ in range(count):
        best = int(np.argmax(np.where(open_, _taken(fields, weight), -np.inf)))
        for each in fields:
            each.given(best)
        chosen.append(best)
        open_[best] = False
    return chosen


def _exchanged(fields: Sequence[Field], weight: np.ndarray, allowed: np.ndarray, chosen: list[int]) -> list[int]:
    """The chosen frames after each has been exchanged for the best beside the others, until that changes nothing."""
    found = list(chosen)
    for _ in range(SWEEPS):
        before = list(found)
        for k in range(len(found)):
            others = found[:k] + found[k + 1 :]
            open_ = allowed.copy()
            open_[others] = False
            taken = _taken([each.given_all(others) for each in fields], weight)
            found[k] = int(np.argmax(np.where(open_, taken, -np.inf)))
        if found == before:
            break
    return found


def activity(times_s: np.ndarray, track: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How fast labels change around each row, beside the mean of all: ((a + f mean(a)) / ((1 + f) mean(a)))^p.

    Here a is the absolute slope of the label in time, smoothed by a Gaussian of `ACTIVITY_S` within the track, f is
    `ACTIVITY_FLOOR` and p `ACTIVITY_POWER`.

    Args:
        times_s: float64 (n,).
        track: int (n,).
        values: float64 (n, 2); NaN where there is no label.

    Returns:
        float64 (n, 2), 1 where it cannot be told.
    """
    slope = np.full(values.shape, np.nan)
    for each in np.unique(track).tolist():
        own = np.flatnonzero((track == each) & np.isfinite(values).all(axis=1))
        own = own[np.argsort(times_s[own], kind="stable")]
        own = own[np.diff(times_s[own], prepend=-np.inf) > 0]
        if len(own) < 2:
            continue
        at = times_s[own]
        raw = np.abs(np.gradient(values[own], at, axis=0))
        step = max(float(np.median(np.diff(at))), 1e-3)
        reach = np.arange(-int(3 * ACTIVITY_S / step), int(3 * ACTIVITY_S / step) + 1)
        kernel = np.exp(-0.5 * (reach * step / ACTIVITY_S) ** 2)
        norm = np.convolve(np.ones(len(own)), kernel)[len(reach) // 2 :][: len(own)]
        for d in range(values.shape[1]):
            slope[own, d] = np.convolve(raw[:, d], kernel)[len(reach) // 2 :][: len(own)] / norm
    known = np.isfinite(slope).all(axis=1)
    mean = slope[known].mean(axis=0) if known.any() else np.zeros(values.shape[1])
    if not (mean > LEAST_SLOPE).all():
        return np.ones(values.shape)
    found = ((slope + ACTIVITY_FLOOR * mean) / ((1 + ACTIVITY_FLOOR) * mean)) ** ACTIVITY_POWER
    return np.where(np.isfinite(found), found, 1.0)
