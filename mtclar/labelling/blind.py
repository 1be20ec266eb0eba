"""What `kriging` falls back to where a clip's anchors show that the readings are worth nothing: time alone.

A face may be dark, turned, covered or of a kind the network never saw, and then its readings move where nothing does.
So labels are kriged twice, from readings and anchors and from the anchors alone, and the two are averaged by how well
each foretells the anchors' labels (Bayesian model averaging, Hoeting et al. 1999, Statistical Science 14(4):382-401).
Without the readings a label is

    y_i = mean + level + move(t_i),

with a level as wide as truth varies, and a Matérn process that is much slower than people's movements are and of
unknown size, so that anchors are joined by nearly straight lines. That is not a better account of labels that happen to
lie close together: what it says is taken to be no finer than the readings' own error, and so it wins only where the
readings contradict the anchors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from mtclar.labelling.kriging import Terms, log_density, matern

SHARE = 0.2
"""Prior probability that readings are worth nothing in a clip."""
LEAST_ANCHORS = 2
"""A single label tells a person's offset, not whether readings follow what moves."""
SIZES, SLOWNESS = (0.125, 0.25, 0.5, 1.0), (4.0, 16.0)
"""Candidates for the process: its standard deviation over that of people's movements, and its duration over theirs."""


@dataclass(frozen=True)
class Blind:
    """The account of one dimension without readings, for the anchors of one track.

    Attributes:
        terms: Hyper-parameters as they were fitted.
        shares: float64 (s,), what the anchors make of each pair of `SIZES` and `SLOWNESS`; they sum to 1.
        evidence: Log density of the anchors' labels, as far as the readings' own error lets it be told.
    """

    terms: Terms
    shares: np.ndarray
    evidence: float

    @classmethod
    def of(cls, terms: Terms, anchors: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Blind:
        """Weighs the candidates.

        Args:
            terms: Hyper-parameters as they were fitted.
            anchors: Times in seconds, labels and weights (k,) of the anchors, in one or several parts.
        """
        scores = np.zeros(len(SIZES) * len(SLOWNESS))
        for times_s, labels, weights in anchors:
            blurred = np.diag(terms.drift**2 + terms.look**2 + terms.noise**2 + terms.rater**2 / weights)
            scores += [
                log_density(_truth(terms, size, slow, times_s, times_s) + blurred, labels - terms.mean)
                for size, slow in product(SIZES, SLOWNESS)
            ]
        shares = np.exp(scores - scores.max())
        return cls(terms, shares / shares.sum(), float(scores.max() + np.log(shares.mean())))

    def label(
        self, times_s: np.ndarray, anchor_times_s: np.ndarray, labels: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n,) of the labels of frames at `times_s` (n,) from anchors (k,), k >= 1."""
        terms, means, variances = self.terms, [], []
        for size, slow in product(SIZES, SLOWNESS):
            among = _truth(terms, size, slow, anchor_times_s, anchor_times_s) + np.diag(terms.rater**2 / weights)
            seen = _truth(terms, size, slow, times_s, anchor_times_s)
            lever = np.linalg.solve(among, seen.T).T
            means.append(terms.mean + lever @ (labels - terms.mean))
            least = terms.level**2 + terms.move**2 * (1.0 + size**2) - np.einsum("ij,ij->i", lever, seen)
            variances.append(np.maximum(least, 0.0) + terms.rater**2)
        return mixed(self.shares, np.stack(means), np.stack(variances))


def mixed(shares: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (n,) of a mixture of s parts: `shares` (s,) or (s, n), the others (s, n)."""
    shares = shares.reshape(len(shares), -1)
    mean = (shares * means).sum(axis=0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(axis=0)


def _truth(terms: Terms, size: float, slow: float, times_s: np.ndarray, other_s: np.ndarray) -> np.ndarray:
    """Covariance of the truth (n, k) at two sets of times."""
    moving = matern(np.abs(times_s[:, None] - other_s) / (slow * terms.move_s))
    return terms.level**2 + terms.move**2 * (1.0 + size**2 * moving)
