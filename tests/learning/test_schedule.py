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


def _shares(name, losses) -> list[float]:
    """The share of the peak after each epoch with those validation losses."""
    rates, shares = schedule(name), []
    for loss in losses:
        rates.epoch_done(loss)
        shares.append(rates.factor(0.0))
    return shares


def test_plateau_goes_down_to_a_tenth_when_the_loss_has_not_fallen_for_long():
    shares = _shares("plateau", [1.0, 0.5, *[0.6] * (PATIENCE + 1), 0.4, 0.45])
    assert shares[: PATIENCE + 2] == [1.0] * (PATIENCE + 2)
    assert np.allclose(shares[PATIENCE + 2 :], 0.1)


def test_plateau_follows_torchs_scheduler():
    import torch

    losses = np.random.default_rng(0).choice([0.5, 0.6, 0.7, 0.8], 60) - np.repeat(np.arange(6) / 50, 10)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=PATIENCE, threshold=0)
    expected = []
    for loss in losses:
        oracle.step(float(loss))
        expected.append(optimiser.param_groups[0]["lr"])
    assert np.allclose(_shares("plateau", losses), expected)


def test_plateau_stays_where_there_is_no_validation_loss():
    assert _shares("plateau", [float("nan")] * 20) == [1.0] * 20


def test_constant_stays():
    assert _shares("constant", [1.0] * 20) == [1.0] * 20
    assert schedule("constant").factor(0.9) == 1.0


def test_step_goes_down_to_a_tenth_every_fifteen_epochs():
    shares = [schedule("step").factor(0.5), *_shares("step", [1.0] * 44)]
    assert np.allclose(shares, [1.0] * 15 + [0.1] * 15 + [0.01] * 15)
