"""The grid of candidates that every fit weighs, and hyper-parameters for a model on which nothing was measured."""

from __future__ import annotations

from itertools import product

import numpy as np

from mtclar.labelling.course import Course
from mtclar.labelling.hyper import Grid, Model, Process

NOISE = 0.03
"""Standard deviation of a rater's noise: that of rounding to a tenth, 0.1 / sqrt(12). Synthetic truth has none, so it
cannot be fitted there."""
COURSE = Course(spread=0.2, lasting_s=1.0, noise=0.1, haze=0.5)
"""How predictions err where nothing was measured. How long they last is taken from here always: only noise and spread
together tell how far they are smoothed."""

_STILL, _LASTING, _SMOOTH = (0.02, 0.2, 0.03), (0.03, 30.0), (0.3, 300.0)
"""A fast process and a look that are next to nothing; a slow process that is; and one that hardly changes."""


def _point(
    gain: float, gain_sd: float, level: float, slow: tuple[float, float], fast: tuple[float, float, float]
) -> dict[str, float]:
    names = ("gain", "gain_sd", "level_sd", "slow_sd", "slow_s", "fast_sd", "fast_s", "look_sd", "look_scale")
    return dict(zip(names, (gain, gain_sd, level, *slow, *fast, 1.0), strict=True))


CANDIDATES = Grid.of(
    [
        _point(gain, 0.25, level, slow, fast)
        for gain, level, (slow, fast) in product(
            (1.4, 1.0, 0.6),
            (0.1, 0.25),
            (
                (_LASTING, _STILL),
                (_LASTING, (0.2, 0.4, 0.12)),
                (_LASTING, (0.15, 0.8, 0.03)),
                (_LASTING, (0.25, 1.5, 0.03)),
                ((0.12, 1.0), (0.2, 0.4, 0.12)),
                ((0.12, 5.0), _STILL),
                ((0.25, 2.0), _STILL),
            ),
        )
    ]
    + [
        _point(0.0, 0.15, 0.25, (0.3, slow_s), fast)
        for slow_s, fast in product((1.0, 3.0, 10.0, 30.0, 300.0), ((0.02, 0.3, 0.03), (0.25, 0.6, 0.1)))
    ]
    + [_point(0.0, 0.15, 0.25, _SMOOTH, (0.3, fast_s, 0.03)) for fast_s in (0.7, 1.5, 3.0, 10.0)]
)
"""Predictions at their word, at more or at half of it; levels of raters and faces that agree or do not; errors that are
small, last, change smoothly, or change within a second. And predictions that are worth nothing, with labels that last
from a second to for ever, or change smoothly. Values are round ones around what is usual on validation people of the
sample and of the model that ships; finer grids foretold held-out validation people no better."""

TRUST = {1.4: 0.25, 1.0: 0.25, 0.6: 0.3, 0.0: 0.2}
"""Prior weights by gain where nothing was measured: about those of the models that were fitted."""


def nominal(typical: float | None = None) -> Process:
    """Hyper-parameters of a model on which nothing was measured.

    Args:
        typical: Median distance of the embeddings of two faces of a clip; None takes that of each video.
    """
    weight = np.array([TRUST[gain] / (CANDIDATES.gain == gain).sum() for gain in CANDIDATES.gain.tolist()])
    model = Model(mean=0.0, predicted_sd=0.3, noise=NOISE, course=COURSE, grid=CANDIDATES.weighted(weight))
    return Process(typical, model, model)
