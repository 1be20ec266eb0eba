"""The study of useless predictions on a few clips of made-up people."""

from __future__ import annotations

import numpy as np

from mtclar.evaluation.process_fit import Stretch
from mtclar.labelling import nominal
from studies import useless


def stretch(number: int) -> Stretch:
    """A clip of 3 s whose predictions are the truth with noise."""
    rng = np.random.default_rng(number)
    times_s = np.arange(60) / 20
    truth = 0.5 * np.sin(times_s[:, None] * rng.uniform(1, 4, 2) + rng.uniform(0, 6, 2))
    return Stretch(number, times_s, truth, truth + rng.normal(0, 0.05, (60, 2)), np.ones(60), rng.normal(size=(60, 3)))


def test_own_predictions_help_and_useless_ones_cost_little():
    found = useless.table(useless.score([stretch(k) for k in range(12)], nominal(1.7), (1, 3)), resamples=100)
    assert len(found) == 4 * 2 * 2
    by = found.set_index(["predictions", "dimension", "anchors"])["ratio"]
    assert (by["own"] < 0.6).all()
    assert (found.loc[found["predictions"] != "own", "ratio"] < 1.25).all()
    assert (found["ratio_low"] <= found["ratio"]).all()
    assert (found["ratio"] <= found["ratio_high"]).all()
    assert useless.figure(found).axes
