"""The course of a track's predictions: what they say through noise, dark pictures and frames without a face.

A prediction is a reading of something that lasts: within a track it is

    p_i = x(t_i) + error_i,    x an Ornstein-Uhlenbeck process around the track's mean,

with errors independent and of variance

    own^2 + noise^2 (quality ** -haze - 1),

so that the less of a face can be seen, the less is read from it, and where there is no face, nothing. `own` is the
noise of this track: `noise` at most, and less where its predictions are smoother than that (`roughness`), so that a
quick change of a face that is read well is not smoothed away. The course is the mean of x given all readings of the
track; its variance, less what it would be were all faces clear, tells what could not be seen. The precision matrix of
such a process is tridiagonal, so both are exact and take time in proportion to the frames (Rue and Held 2005, Gaussian
Markov Random Fields, chapter 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_QUALITY = 0.01
LEAST_STEP_S = 1e-4
"""Two frames are taken to be at least so far apart."""
LEAST_TRIPLES = 8
"""Runs of three frames from which roughness is told; with fewer the noise is taken as it is."""
LEAST_NOISE = 0.01
"""Of any track: what is left out of the labels is rounded to more than that."""


@dataclass(frozen=True)
class Course:
    """Hyper-parameters of one dimension.

    Attributes:
        spread: Standard deviation of x, in units of the labels.
        lasting_s: How long it stays as it is, in seconds.
        noise: Standard deviation of the error in a face that is clear, on the roughest of tracks.
        haze: How fast the error's variance grows as quality falls.
    """

    spread: float
    lasting_s: float
    noise: float
    haze: float


def course(
    hyper: Course, times_s: np.ndarray, readings: np.ndarray, quality: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What a track's predictions say.

    Args:
        hyper: How they err.
        times_s: float64 (n,), not descending.
        readings: float64 (n,), the predictions; NaN where there is no face.
        quality: float64 (n,), in (0, 1]; NaN where not known, which counts as 1.

    Returns:
        The mean of the course, and by how much its variance is larger than if a clear face were seen in every frame,
        float64 (n,) each; all NaN where there is no reading at all.
    """
    n, seen = len(readings), np.isfinite(readings)
    if not seen.any():
        return np.full(n, np.nan), np.full(n, np.nan)
    clear = np.clip(np.nan_to_num(np.asarray(quality, np.float64), nan=1.0), LEAST_QUALITY, 1.0)
    own = min(hyper.noise, max(LEAST_NOISE, roughness(times_s, readings)))
    trust = np.where(seen, 1 / (own**2 + hyper.noise**2 * (clear**-hyper.haze - 1)), 0.0)
    middle = float(np.average(readings[seen], weights=trust[seen]))

    keeps = np.exp(-np.maximum(np.diff(times_s), LEAST_STEP_S) / hyper.lasting_s)
    gains = 1 / (hyper.spread**2 * (1 - keeps**2))
    prior = np.zeros(n)
    prior[0] = 1 / hyper.spread**2
    prior[1:] += gains
    prior[:-1] += keeps**2 * gains
    beside = -keeps * gains
    mean, variance = _solve(prior + trust, beside, np.where(seen, trust * (readings - middle), 0.0))
    best = _solve(prior + own**-2, beside, np.zeros(n))[1]
    return middle + mean, np.maximum(variance - best, 0.0)


def roughness(times_s: np.ndarray, readings: np.ndarray) -> float:
    """Standard deviation of the errors of predictions as far as they are independent from frame to frame.

    Of three frames at equal steps the second difference of what changes steadily is 0, and that of independent errors
    of variance s^2 has the variance 6 s^2 (the estimator of Gasser, Sroka and Jennen-Steinmetz 1986, Biometrika
    73(3):625-633). Its median size is taken, times 1.4826, so that jumps count little.

    Args:
        times_s: float64 (n,), not descending.
        readings: float64 (n,), the predictions; NaN where there is no face.

    Returns:
        It, infinite where fewer than `LEAST_TRIPLES` runs of three frames tell.
    """
    steps = np.maximum(np.diff(times_s), LEAST_STEP_S)
    second = readings[:-2] - 2 * readings[1:-1] + readings[2:]
    even = np.isfinite(second) & (np.abs(np.log(steps[1:] / steps[:-1])) < np.log(1.5))
    if even.sum() < LEAST_TRIPLES:
        return np.inf
    return float(1.4826 * np.median(np.abs(second[even])) / np.sqrt(6))


def _solve(diagonal: np.ndarray, beside: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A^-1 right and the diagonal of A^-1 of a symmetric tridiagonal A, by elimination from both ends."""
    down, pushed = _eliminate(diagonal.tolist(), beside.tolist(), right.tolist())
    up, pulled = _eliminate(diagonal[::-1].tolist(), beside[::-1].tolist(), right[::-1].tolist())
    pivots = np.array(down) + np.array(up[::-1]) - diagonal
    return (np.array(pushed) + np.array(pulled[::-1]) - right) / pivots, 1 / pivots


def _eliminate(diagonal: list[float], beside: list[float], right: list[float]) -> tuple[list[float], list[float]]:
    """Pivots and right sides of the elimination from the first row to the last."""
    pivot, value = diagonal[0], right[0]
    pivots, values = [pivot], [value]
    for own, link, given in zip(diagonal[1:], beside, right[1:], strict=True):
        factor = link / pivot
        pivot, value = own - link * factor, given - factor * value
        pivots.append(pivot)
        values.append(value)
    return pivots, values
