"""The loss of embeddings against a loop in plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mtclar.learning.losses import EmbeddingLoss


@pytest.mark.parametrize("margin", [0.25, 0.0, -0.5])
def test_similar_pairs_are_pulled_and_others_pushed_to_the_margin(margin):
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(20, 6)), rng.normal(size=(20, 6)) + 0.5
    similar = rng.integers(-1, 2, 20)
    costs = []
    for a, b, same in zip(left, right, similar, strict=True):
        cosine = sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))
        if same >= 0:
            costs.append(1 - cosine if same else max(0.0, cosine - margin))
    found = EmbeddingLoss(margin)(torch.tensor(left), torch.tensor(right), torch.tensor(similar))
    assert found.item() == pytest.approx(sum(costs) / len(costs), abs=1e-12)


def test_nothing_known_costs_nothing():
    left = torch.rand(3, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = EmbeddingLoss(0.25)(left, torch.ones(3, 4), torch.full((3,), -1))
    loss.backward()
    assert loss.item() == 0
    assert left.grad.abs().max() == 0


def test_an_embedding_of_nothing_has_a_finite_gradient():
    left = torch.zeros(2, 4, requires_grad=True)
    EmbeddingLoss(0.25)(left, torch.zeros(2, 4), torch.tensor([1, 0])).backward()
    assert left.grad.isfinite().all()


def test_a_balanced_loss_counts_few_similar_pairs_as_much_as_many_others() -> None:
    left = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8], [1.0, 0.0]])
    right = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    similar = torch.tensor([1, 0, 0, 0])  # losses 1, 0.75, 0.35, 0.75
    assert EmbeddingLoss(0.25, balanced=True)(left, right, similar).item() == pytest.approx((1 + 1.85 / 3) / 2)
    assert EmbeddingLoss(0.25)(left, right, similar).item() == pytest.approx(2.85 / 4)
