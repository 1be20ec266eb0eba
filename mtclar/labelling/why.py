"""What a label is made of, and what makes its band as wide as it is.

The label of a frame is a weighted sum of the anchors' labels plus what predictions add, see `Posterior.at`. The
variance of what is not known is a sum as well: the process is a sum of terms f_t, so with k_t the covariance of one
term, k the sum of them and K the covariance of the anchors' labels,

    var(f | anchors) = sum over t of cov(f_t, f | anchors),
    cov(f_t, f | anchors) = k_t(i, i) - k_t(i, A) K^-1 k(A, i).

The part of a term is what it adds to the variance beside the others; it may be below 0 where what is not known of one
term makes up for another. What the points of the grid say apart, the haze of the face and the rater's noise are added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtclar.labelling.process import Places, Posterior, Shapes

CAUSES = ("level", "time", "look", "quality", "model", "rater")
"""What makes a band wide: this person's level and scale are not known well; anchors are far away in time; no anchor
looks alike; the face cannot be seen well; it is not known how far predictions can be believed; and raters differ."""
SAID = {
    "level": "this person's level and scale (prior)",
    "time": "distance in time from the anchors",
    "look": "what is particular to faces that look like it",
    "quality": "the face is hard to see",
    "model": "how far predictions hold here",
    "rater": "raters differ",
}


@dataclass(frozen=True, eq=False)
class Width:
    """What makes up the variance of one label.

    Attributes:
        parts: float64 (6, 2), of each of `CAUSES` in valence and arousal; they sum to the variance.
        prior: float64 (2,), variance of the label were there no anchor.
    """

    parts: np.ndarray
    prior: np.ndarray

    @property
    def variance(self) -> np.ndarray:
        """float64 (2,), the variance of the label."""
        found: np.ndarray = self.parts.sum(axis=0)
        return found

    @property
    def share(self) -> np.ndarray:
        """float64 (6, 2), the part of each cause over the sum of both dimensions' variances apart."""
        found: np.ndarray = self.parts / self.variance
        return found

    def widest(self) -> str:
        """The cause with the largest share of both dimensions together."""
        return CAUSES[int(np.argmax(self.share.sum(axis=1)))]


def width(posteriors: tuple[Posterior, Posterior], places: tuple[Places, Places]) -> Width:
    """What makes the band of one frame that is no anchor as wide as it is.

    Args:
        posteriors: The process of valence and of arousal.
        places: What it is told of the frame, one row each.
    """
    columns = [_parts(found, at) for found, at in zip(posteriors, places, strict=True)]
    prior = []
    for found, at in zip(posteriors, places, strict=True):
        none = Posterior(found.model, at[:0], np.empty(0), np.empty(0))
        prior.append(float(none.at(at)[1][0] ** 2))
    return Width(np.stack(columns, axis=1), np.array(prior))


def _parts(found: Posterior, at: Places) -> np.ndarray:
    """The parts of one dimension (6,), in the order of `CAUSES`."""
    grid, k = found.model.grid, len(found.anchors)
    a, b = at.prediction - found.model.mean, found.anchors.prediction - found.model.mean
    shapes = Shapes(grid[found.kept], at, found.anchors, np.float64) if k else None
    parts, means = np.zeros(len(CAUSES)), np.empty(len(found.kept))
    for place, (j, share) in enumerate(zip(found.kept.tolist(), found.parts.tolist(), strict=True)):
        own = (
            grid.level_sd[j] ** 2 + (grid.gain_sd[j] * a[0]) ** 2,
            grid.slow_sd[j] ** 2 + grid.fast_sd[j] ** 2,
            grid.look_sd[j] ** 2,
        )
        means[place] = found.expected(j, at)[0]
        told = (0.0, 0.0, 0.0)
        if shapes is not None:
            level = shapes.kin[0] * (grid.level_sd[j] ** 2 + grid.gain_sd[j] ** 2 * a[0] * b)
            time = grid.slow_sd[j] ** 2 * shapes.slow[grid.slow_s[j]][0]
            time = time + grid.fast_sd[j] ** 2 * shapes.fast[grid.fast_s[j]][0]
            look = grid.look_sd[j] ** 2 * shapes.look[grid.look_scale[j]][0]
            lever = (level + time + look) @ found.inverses[j]
            means[place] += lever @ found.rests[j]
            told = (float(lever @ level), float(lever @ time), float(lever @ look))
        parts[:3] += share * (np.array(own) - told)
        parts[3] += share * found.hazy(j, at)[0]
    parts[4] = found.parts @ (means - found.parts @ means) ** 2
    parts[5] = found.model.noise**2
    return parts
