"""Each loss against an explicit loop in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mtclar.learning.losses import (
    PairTruth,
    Tasks,
    ccc,
    cosine_margin,
    dynamic_weights,
    mse_ccc,
    pair_losses,
    shake,
    single_loss,
)
from mtclar.model.mtclar import PairOutput, SingleOutput


def _ccc(y, p) -> float:
    """Lin 1989, number by number."""
    n = len(y)
    my, mp = sum(y) / n, sum(p) / n
    vy, vp = sum((a - my) ** 2 for a in y) / n, sum((b - mp) ** 2 for b in p) / n
    cov = sum((a - my) * (b - mp) for a, b in zip(y, p, strict=True)) / n
    return 2 * cov / (vy + vp + (my - mp) ** 2)


def _mse(y, p) -> float:
    return sum((a - b) ** 2 for a, b in zip(y, p, strict=True)) / len(y)


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, 30), rng.uniform(-1, 1, 30)


def test_ccc_is_that_of_lin(values):
    y, p = values
    assert ccc(torch.tensor(y), torch.tensor(p)).item() == pytest.approx(_ccc(y, p), abs=1e-12)


def test_ccc_of_a_shift_is_known():
    y = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    variance = 1.25
    assert ccc(y, y + 0.5).item() == pytest.approx(2 * variance / (2 * variance + 0.25))
    assert ccc(y, y).item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("truth", "guess"), [([0.3, 0.3], [0.3, 0.3]), ([0.3, 0.3], [0.1, 0.2]), ([0.1, 0.2], [0.3, 0.3]), ([0.5], [0.1])]
)
def test_ccc_of_a_constant_batch_is_zero_and_so_is_not_its_gradients_end(truth, guess):
    guess = torch.tensor(guess, requires_grad=True)
    value = ccc(torch.tensor(truth), guess)
    value.backward()
    assert value.item() == 0
    assert guess.grad.isfinite().all()


def test_the_weights_go_from_ccc_to_mse():
    assert dynamic_weights(1, 40, 2) == pytest.approx((1 / 1600, 1599 / 1600))
    assert dynamic_weights(20, 40, 2) == pytest.approx((0.25, 0.75))
    assert dynamic_weights(40, 40, 2) == (1, 0)
    assert dynamic_weights(1, 2, 1) == (0.5, 0.5)


def test_a_difference_costs_its_squared_error_and_its_discord(values):
    y, p = values
    expected = 0.3 * _mse(y, p) + 0.7 * (1 - _ccc(y, p))
    assert mse_ccc(torch.tensor(y), torch.tensor(p), (0.3, 0.7)).item() == pytest.approx(expected, abs=1e-12)


def test_unknown_differences_are_left_out(values):
    y, p = values
    holes = y.copy()
    holes[::3] = np.nan
    known = ~np.isnan(holes)
    guess = torch.tensor(p, requires_grad=True)
    loss = mse_ccc(torch.tensor(holes), guess, (0.3, 0.7))
    loss.backward()
    assert loss.item() == pytest.approx(0.3 * _mse(y[known], p[known]) + 0.7 * (1 - _ccc(y[known], p[known])))
    assert guess.grad[::3].abs().max() == 0
    assert guess.grad.isfinite().all()


def test_nothing_known_costs_nothing():
    guess = torch.tensor([0.5, 0.1], requires_grad=True)
    loss = mse_ccc(torch.full((2,), math.nan), guess, (0.5, 0.5))
    loss.backward()
    assert loss.item() == 0
    assert guess.grad.abs().max() == 0


def test_embeddings_of_similar_pairs_are_pulled_and_others_pushed_to_the_margin():
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(20, 6)), rng.normal(size=(20, 6)) + 0.5
    similar = rng.integers(0, 2, 20)
    total = 0.0
    for a, b, same in zip(left, right, similar, strict=True):
        cosine = sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))
        total += 1 - cosine if same else max(0.0, cosine - 0.25)
    found = cosine_margin(torch.tensor(left), torch.tensor(right), torch.tensor(similar), 0.25)
    assert found.item() == pytest.approx(total / 20, abs=1e-9)


def test_the_four_losses_leave_out_what_is_not_known():
    rng = np.random.default_rng(2)
    logits = torch.tensor(rng.normal(size=(6, 2)))
    left, right = torch.tensor(rng.normal(size=(6, 4))), torch.tensor(rng.normal(size=(6, 4)))
    dv, da = torch.tensor(rng.normal(size=6)), torch.tensor(rng.normal(size=6))
    similar = torch.tensor([1, 0, -1, 1, 0, -1])
    truth = PairTruth(similar, torch.tensor(rng.normal(size=6)), torch.tensor(rng.normal(size=6)))
    tasks = pair_losses(PairOutput(logits, dv, da), left, right, truth, weights=(0.5, 0.5), margin=0.25)
    entropy = 0.0
    for row in (0, 1, 3, 4):
        a, b = logits[row].tolist()
        entropy -= (b if similar[row] == 1 else a) - math.log(math.exp(a) + math.exp(b))
    assert tasks.similarity.item() == pytest.approx(entropy / 4)
    known = [0, 1, 3, 4]
    assert tasks.embedding.item() == pytest.approx(
        cosine_margin(left[known], right[known], similar[known], 0.25).item()
    )
    assert tasks.valence.item() == pytest.approx(mse_ccc(truth.d_valence, dv, (0.5, 0.5)).item())
    assert tasks.arousal.item() == pytest.approx(mse_ccc(truth.d_arousal, da, (0.5, 0.5)).item())


def test_pairs_without_expressions_cost_no_similarity():
    out = PairOutput(torch.randn(3, 2, requires_grad=True), torch.zeros(3), torch.zeros(3))
    truth = PairTruth(torch.full((3,), -1), torch.rand(3), torch.rand(3))
    tasks = pair_losses(out, torch.rand(3, 4), torch.rand(3, 4), truth, weights=(0.5, 0.5), margin=0.25)
    assert tasks.similarity.item() == tasks.embedding.item() == 0


def test_shaken_weights_sum_to_one_and_come_from_the_generator():
    ones = Tasks(*torch.ones(4))
    generator = torch.Generator().manual_seed(0)
    assert [shake(ones, generator).item() for _ in range(5)] == pytest.approx([1] * 5)
    some = Tasks(*torch.tensor([1.0, 2.0, 3.0, 4.0]))
    drawn = [shake(some, torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert min(drawn) >= 1
    assert max(drawn) <= 4


def test_the_supervised_loss_is_entropy_plus_both_affects():
    rng = np.random.default_rng(3)
    logits = torch.tensor(rng.normal(size=(5, 8)))
    expression = torch.tensor([0, 3, -1, 7, 1])
    (v, pv), (a, pa) = ((rng.uniform(-1, 1, 5), rng.uniform(-1, 1, 5)) for _ in range(2))
    entropy = 0.0
    for row in (0, 1, 3, 4):
        scores = logits[row].tolist()
        entropy -= scores[expression[row]] - math.log(sum(math.exp(x) for x in scores))
    mean_ccc = (_ccc(v, pv) + _ccc(a, pa)) / 2
    expected = entropy / 4 + 0.6 * (_mse(v, pv) + _mse(a, pa)) + 0.4 * (1 - mean_ccc)
    out = SingleOutput(logits, torch.tensor(pv), torch.tensor(pa))
    found = single_loss(out, expression, torch.tensor(v), torch.tensor(a), (0.6, 0.4))
    assert found.item() == pytest.approx(expected, abs=1e-9)
