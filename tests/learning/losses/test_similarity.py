"""The loss of a choice between classes against a loop in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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


@given(seed=st.integers(0, 1000), n=st.integers(1, 40))
def test_a_balanced_loss_is_the_mean_over_classes_of_the_mean_of_each(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    logits, classes = rng.normal(size=(n, 3)), rng.choice([-1, 0, 1, 2], n, p=[0.2, 0.6, 0.15, 0.05])
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    means = [-log_p[classes == k, k].mean() for k in range(3) if (classes == k).any()]
    found = ClassLoss(balanced=True)(torch.tensor(logits), torch.tensor(classes))
    assert found.item() == pytest.approx(np.mean(means) if means else 0.0)
