"""The loss of a difference against a loop in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mtclar.learning.losses import DeltaLoss, ccc
from mtclar.learning.losses.delta import DeltaWeights
from tests.learning.losses.plain import plain_ccc, plain_mse

LOSS = DeltaLoss("dynamic", 1.0, 2.0)
WEIGHTS = DeltaWeights(0.3, 0.7)
LABELS = st.lists(st.tuples(st.floats(-1, 1), st.floats(-2, 2), st.booleans()), min_size=1, max_size=12)


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, 30), rng.uniform(-1, 1, 30)


def test_ccc_is_that_of_lin(values):
    y, p = values
    assert ccc(torch.tensor(y), torch.tensor(p)).item() == pytest.approx(plain_ccc(y, p), abs=1e-12)


def test_ccc_of_a_shift_is_known():
    y = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    variance = 1.25
    assert ccc(y, y + 0.5).item() == pytest.approx(2 * variance / (2 * variance + 0.25))
    assert ccc(y, y).item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("truth", "guess"), [([0.3, 0.3], [0.3, 0.3]), ([0.3, 0.3], [0.1, 0.2]), ([0.1, 0.2], [0.3, 0.3]), ([0.5], [0.1])]
)
def test_ccc_of_a_constant_batch_is_zero_with_a_finite_gradient(truth, guess):
    guess = torch.tensor(guess, requires_grad=True)
    value = ccc(torch.tensor(truth), guess)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert guess.grad.isfinite().all()


def test_the_weights_go_from_ccc_to_mse():
    assert LOSS.weights(1, 40) == pytest.approx((1 / 1600, 1599 / 1600))
    assert LOSS.weights(20, 40) == pytest.approx((0.25, 0.75))
    assert LOSS.weights(40, 40) == (1, 0)
    assert DeltaLoss("dynamic", 3.0, 1.0).weights(1, 2) == (1.5, 0.5)


@pytest.mark.parametrize(("kind", "weights"), [("mse", (1, 0)), ("ccc", (0, 1))])
def test_a_loss_of_one_part_stays_with_it(kind, weights):
    assert [DeltaLoss(kind, 1.0, 2.0).weights(epoch, 9) for epoch in (1, 9)] == [weights] * 2


def test_a_difference_costs_its_squared_error_and_its_discord(values):
    y, p = values
    expected = 0.3 * plain_mse(y, p) + 0.7 * (1 - plain_ccc(y, p))
    assert LOSS(torch.tensor(p), torch.tensor(y), WEIGHTS).item() == pytest.approx(expected, abs=1e-12)


def test_unknown_differences_are_left_out(values):
    y, p = values
    holes = y.copy()
    holes[::3] = np.nan
    known = ~np.isnan(holes)
    guess = torch.tensor(p, requires_grad=True)
    loss = LOSS(guess, torch.tensor(holes), WEIGHTS)
    loss.backward()
    expected = 0.3 * plain_mse(y[known], p[known]) + 0.7 * (1 - plain_ccc(y[known], p[known]))
    assert loss.item() == pytest.approx(expected, abs=1e-12)
    assert guess.grad[::3].abs().max() == 0
    assert guess.grad[known].abs().min() > 0


def test_nothing_known_costs_nothing():
    guess = torch.tensor([0.5, 0.1], requires_grad=True)
    loss = LOSS(guess, torch.full((2,), math.nan), WEIGHTS)
    loss.backward()
    assert loss.item() == 0
    assert guess.grad.abs().max() == 0


@given(LABELS, st.integers(1, 5))
def test_whatever_the_labels_the_loss_and_its_gradient_are_finite(rows, epoch):
    truth, said, known = (list(column) for column in zip(*rows, strict=True))
    target = torch.tensor([y if k else math.nan for y, k in zip(truth, known, strict=True)])
    guess = torch.tensor(said, requires_grad=True)
    loss = LOSS(guess, target, LOSS.weights(epoch, 5))
    loss.backward()
    assert loss.isfinite()
    assert loss >= -1e-6
    assert guess.grad.isfinite().all()


def test_answers_of_sixteen_bits_are_judged_in_thirty_two():
    truth = torch.linspace(-1, 1, 300)
    loss = LOSS(truth.bfloat16(), truth, WEIGHTS)
    assert loss.dtype == torch.float32
    expected = 0.3 * plain_mse(truth.tolist(), truth.bfloat16().tolist())
    expected += 0.7 * (1 - plain_ccc(truth.tolist(), truth.bfloat16().tolist()))
    assert loss.item() == pytest.approx(expected, abs=1e-6)
