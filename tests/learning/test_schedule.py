"""The learning rate's ways."""

from __future__ import annotations

import numpy as np

from mtclar.learning.schedule import PATIENCE, OneCycle, schedule


def test_one_cycle_climbs_to_the_peak_and_ends_near_nothing():
    rates = [schedule("one-cycle").factor(at) for at in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert rates[peak] == 1
    assert peak == 15
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert rates[0] == rates[-1] == 0.01


def test_one_cycle_does_not_heed_the_loss():
    rates = OneCycle()
    before = rates.factor(0.5)
    rates.epoch_done(float("nan"))
    assert rates.factor(0.5) == before


def test_plateau_goes_down_to_a_tenth_when_the_loss_has_not_fallen_for_long():
    rates = schedule("plateau")
    shares = []
    for loss in [1.0, 0.5, *[0.6] * (PATIENCE + 1), 0.4, 0.45]:
        rates.epoch_done(loss)
        shares.append(rates.factor(0.0))
    assert shares[: PATIENCE + 2] == [1.0] * (PATIENCE + 2)
    assert np.allclose(shares[PATIENCE + 2 :], 0.1)
