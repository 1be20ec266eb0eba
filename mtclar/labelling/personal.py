"""The readings taken at their word, up to the level and the scale of a person: a ridge fit and a Gaussian process.

`kriging` knows how rendered people are read, hard ones among them: it takes a reading for a faint echo of the truth and
smooths it. A face that is clear shows more than that. Here a label is

    y_i = level + scale r_i + error(t_i),        level ~ N(0, LEVEL^2), scale ~ N(1, SCALE^2),

with r the readings and an error that lasts about as long as an expression and is of unknown size; fitted to the anchors
in closed form (ridge regression is the mean of a normal prior; Rasmussen and Williams 2006, chapter 2.7). Its answer is
averaged with the others by how well each foretells the anchors' labels, see `blind`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.labelling.blind import mixed
from mtclar.labelling.kriging import CONSTANT, LEAST_QUALITY, log_density, matern

LEVEL, SCALE = 0.25, 0.3
"""How people differ in what a neutral face looks like, in units of the labels, and in how much they show: a rater's
labels of one person are commonly a quarter off and a third wider or narrower than a network's."""
ERRORS, ERROR_S = (0.05, 0.1, 0.2, 0.4), 0.25
"""Candidates for the standard deviation of the error, and how long it lasts in seconds: while a face looks the same.
Chosen, with SHARE, on one real clip, where 0.15 to 0.35 s and 0.7 to 0.9 differ little."""
SHARE = 0.8
"""Prior probability of this account against the kriged one: people to come are real, and clearer than rendered ones."""


@dataclass(frozen=True)
class Anchored:
    """Anchors of one dimension on the timeline: times in seconds, readings, labels and weights, float64 (k,) each."""

    times_s: np.ndarray
    readings: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Personal:
    """The account of one dimension of one track.

    Attributes:
        level: Standard deviation of the level: wide where readings are differences alone.
        rater: Standard deviation of an anchor's label of weight 1.
        shares: float64 (len(ERRORS),), what the anchors make of each size of the error; they sum to 1.
        evidence: Log density of the anchors' labels.
    """

    level: float
    rater: float
    shares: np.ndarray
    evidence: float

    @classmethod
    def of(cls, rater: float, parts: Sequence[Anchored], *, levelled: bool) -> Personal:
        """Weighs the sizes of the error by the anchors of a track, in one or several parts."""
        level = LEVEL if levelled else float(np.hypot(LEVEL, CONSTANT))
        scores = np.zeros(len(ERRORS))
        for part in parts:
            if not len(part.labels):
                continue
            noise = np.diag(rater**2 / part.weights)
            scores += [
                log_density(_covariance(level, error, part, part) + noise, part.labels - part.readings)
                for error in ERRORS
            ]
        shares = np.exp(scores - scores.max())
        evidence = float(scores.max() + np.log(shares.mean()))
        return cls(level, rater, shares / shares.sum(), evidence)

    def label(
        self, times_s: np.ndarray, readings: np.ndarray, quality: np.ndarray, given: Anchored
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n,) of the labels of frames; the error's variance grows as their quality falls.

        Args:
            times_s, readings, quality: Of the frames (n,), no reading NaN.
            given: The anchors nearby, at least one.
        """
        asked = Anchored(times_s, readings, readings, np.ones(len(readings)))
        unseen = 1 / np.clip(quality, LEAST_QUALITY, 1.0) - 1
        means, variances = [], []
        for error in ERRORS:
            among = _covariance(self.level, error, given, given) + np.diag(self.rater**2 / given.weights)
            seen = _covariance(self.level, error, asked, given)
            lever = np.linalg.solve(among, seen.T).T
            means.append(readings + lever @ (given.labels - given.readings))
            prior = self.level**2 + SCALE**2 * readings**2 + error**2
            left = np.maximum(prior - np.einsum("ij,ij->i", lever, seen), 0.0)
            variances.append(left + error**2 * unseen + self.rater**2)
        return mixed(self.shares, np.stack(means), np.stack(variances))


def _covariance(level: float, error: float, some: Anchored, other: Anchored) -> np.ndarray:
    """Covariance (n, k) of label less reading."""
    apart_s = np.abs(some.times_s[:, None] - other.times_s)
    shared = level**2 + SCALE**2 * np.outer(some.readings, other.readings)
    return shared + error**2 * matern(apart_s / ERROR_S)
