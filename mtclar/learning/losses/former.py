"""The losses of MT-CLAR (arXiv 2308.02173): similarity, two differences, embeddings; and how they are weighed.

Pairs whose truth is not known (`similar` null, a difference NaN) are left out of the loss they would enter.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mtclar.learning.losses.delta import ccc
from mtclar.learning.losses.truth import PairTruth
from mtclar.model.mtclar import PairOutput, SingleOutput


class Tasks(NamedTuple):
    """The four losses, each a scalar."""

    similarity: Tensor
    valence: Tensor
    arousal: Tensor
    embedding: Tensor


def dynamic_weights(epoch: int, epochs: int, exponent: float) -> tuple[float, float]:
    """The weights of MSE and of 1 - CCC in epoch 1..epochs: ((e/E)^p, 1 - (e/E)^p). CCC leads early, MSE late."""
    mse = (epoch / epochs) ** exponent
    return mse, 1 - mse


def mse_ccc(truth: Tensor, predicted: Tensor, weights: tuple[float, float]) -> Tensor:
    """w_mse MSE + w_ccc (1 - CCC) over the known values of `truth` (n,)."""
    known = ~truth.isnan()
    truth, predicted = truth[known], predicted[known]
    if not len(truth):
        return predicted.sum()
    return weights[0] * functional.mse_loss(predicted, truth) + weights[1] * (1 - ccc(truth, predicted))


def cosine_margin(left: Tensor, right: Tensor, similar: Tensor, margin: float) -> Tensor:
    """Pulls embeddings (n, d) of similar pairs together and pushes the others apart.

    Mean of 1 - cos for similar pairs (1) and of max(0, cos - margin) for the others (0).
    """
    cosine = functional.cosine_similarity(left, right)
    return torch.where(similar == 1, 1 - cosine, functional.relu(cosine - margin)).mean()


def pair_losses(
    out: PairOutput, left: Tensor, right: Tensor, truth: PairTruth, *, weights: tuple[float, float], margin: float
) -> Tasks:
    """The four losses of n pairs, given the network's output and the two embeddings (n, d)."""
    known = truth.similar >= 0
    similar = truth.similar[known]
    nothing = out.logits.sum() * 0
    return Tasks(
        functional.cross_entropy(out.logits[known], similar) if len(similar) else nothing,
        mse_ccc(truth.d_valence, out.d_valence, weights),
        mse_ccc(truth.d_arousal, out.d_arousal, weights),
        cosine_margin(left[known], right[known], similar, margin) if len(similar) else nothing,
    )


def shake(tasks: Tasks, generator: torch.Generator) -> Tensor:
    """The sum of the losses under random weights that sum to 1, drawn anew at each call ("shake-shake")."""
    weights = torch.rand(len(tasks), generator=generator)
    return (torch.stack(tasks) * (weights / weights.sum())).sum()


def single_loss(
    out: SingleOutput, expression: Tensor, valence: Tensor, arousal: Tensor, weights: tuple[float, float]
) -> Tensor:
    """The loss of the supervised heads on n faces.

    Cross-entropy of the expression (int64, -1 where not known), plus for valence and arousal
    w_mse (MSE_v + MSE_a) + w_ccc (1 - mean CCC).
    """
    known = expression >= 0
    loss = functional.cross_entropy(out.logits[known], expression[known]) if known.any() else out.logits.sum() * 0
    half = (weights[0], weights[1] / 2)
    return loss + mse_ccc(valence, out.valence, half) + mse_ccc(arousal, out.arousal, half)
