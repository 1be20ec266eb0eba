"""The loss of a choice between classes against a loop in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mtclar.learning.losses import ClassLoss


def test_it_is_the_mean_negative_log_probability_of_what_is_known():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    classes = [2, -1, 0, 1, -1, 2]
    total = 0.0
    for scores, right in zip(logits.tolist(), classes, strict=True):
        if right >= 0:
            total -= math.log(math.exp(scores[right]) / sum(math.exp(score) for score in scores))
    found = ClassLoss()(torch.tensor(logits), torch.tensor(classes))
    assert found.item() == pytest.approx(total / 4, abs=1e-12)


def test_nothing_known_costs_nothing():
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = ClassLoss()(logits, torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_logits_of_sixteen_bits_are_judged_in_thirty_two():
    assert ClassLoss()(torch.zeros(2, 2, dtype=torch.bfloat16), torch.tensor([0, 1])).dtype == torch.float32
