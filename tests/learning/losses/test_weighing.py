"""Losses of several tasks become one number as declared."""

from __future__ import annotations

import math

import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.losses.weighing import Fixed, Shake, Uncertainty

LOSSES, KNOWN = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.ones(4, dtype=torch.bool)


def test_shaken_weights_are_uniform_numbers_over_their_sum_and_come_from_the_generator():
    shake = Shake(4)
    drawn = [shake.draw(torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    raw = (1 - torch.rand(4, generator=torch.Generator().manual_seed(1))).tolist()
    assert drawn[0].tolist() == pytest.approx([number / sum(raw) for number in raw])
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    expected = sum(number * loss for number, loss in zip(raw, LOSSES.tolist(), strict=True)) / sum(raw)
    assert shake(LOSSES, KNOWN, drawn[0]).item() == pytest.approx(expected)


def test_fixed_weights_are_those_of_the_tasks_in_their_order():
    fixed = Fixed(("arousal", "similarity"), {"similarity": 0.5, "valence": 9.0, "arousal": 2.0})
    weights = fixed.draw(torch.Generator())
    assert fixed(LOSSES[:2], KNOWN[:2], weights).item() == pytest.approx(2.0 * 1 + 0.5 * 2)


def test_fixed_weights_that_learn_nothing_are_refused():
    with pytest.raises(MtclarError, match=r"every task of train.tasks \(valence\) weight 0"):
        Fixed(("valence",), {"valence": 0.0, "similarity": 1.0})
    with pytest.raises(MtclarError, match="no weight to arousal"):
        Fixed(("valence", "arousal"), {"valence": 1.0})


def test_learned_weights_are_those_of_kendall():
    weighing = Uncertainty(("similarity", "valence", "arousal", "embedding"), measuring=("valence", "arousal"))
    with torch.no_grad():
        weighing.log_variance.copy_(torch.tensor([0.3, -0.2, 0.5, 0.0]))
    expected = 0.0
    for s, c, loss in zip([0.3, -0.2, 0.5, 0.0], [1, 0.5, 0.5, 1], LOSSES.tolist(), strict=True):
        expected += c * math.exp(-s) * loss + s / 2
    assert weighing(LOSSES, KNOWN, weighing.draw(torch.Generator())).item() == pytest.approx(expected, abs=1e-6)


def test_the_learned_variance_of_a_measuring_task_settles_at_its_squared_error():
    weighing = Uncertainty(("valence",), measuring=("valence",))
    optimiser = torch.optim.SGD(weighing.parameters(), lr=0.5)
    for _ in range(200):
        optimiser.zero_grad()
        weighing(torch.tensor([0.04]), KNOWN[:1], torch.ones(1)).backward()
        optimiser.step()
    assert weighing.log_variance.exp().item() == pytest.approx(0.04, rel=1e-3)


def test_a_task_that_nothing_is_known_of_keeps_its_learned_weight():
    weighing = Uncertainty(("similarity", "valence"), measuring=("valence",))
    weighing(torch.tensor([0.0, 2.0]), torch.tensor([False, True]), torch.ones(2)).backward()
    assert weighing.log_variance.grad[0] == 0
    assert weighing.log_variance.grad[1] != 0
