"""The loss of a difference in valence or arousal: squared error and discord, weighed by how far training is."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.learning.losses.truth import exact

SMALLEST_SPREAD = 1e-8
"""Squared labels' units. Where all of a batch lies within 1e-4, its CCC would be one of rounding errors."""


class DeltaWeights(NamedTuple):
    """Weights of the mean squared error and of 1 - CCC."""

    mse: float
    ccc: float


EVEN = DeltaWeights(0.5, 0.5)
"""Of the validation loss of pairs, as in MT-CLAR's release."""


class DeltaLoss:
    """w_mse MSE + w_ccc (1 - CCC) over the known values, with weights that move over the epochs.

    Args:
        kind: `dynamic` goes from CCC to MSE: w_mse = alpha (e/E)^p, w_ccc = 1 - (e/E)^p (MT-CLAR's release, alpha 1 and
            p 2); `mse` and `ccc` stay with one of them.
        mse_share: alpha.
        exponent: p.

    Raises:
        MtclarError: `dynamic` with alpha 0, which would end with no loss at all.
    """

    def __init__(self, kind: Literal["dynamic", "mse", "ccc"], mse_share: float, exponent: float) -> None:
        if kind == "dynamic" and not mse_share:
            raise MtclarError(
                "train.mse_share=0 with train.delta_loss=dynamic leaves the last epoch without a loss of valence and "
                "arousal; make it positive, or set train.delta_loss to ccc."
            )
        self._kind, self._mse_share, self._exponent = kind, mse_share, exponent

    def weights(self, epoch: int, epochs: int) -> DeltaWeights:
        """The weights in `epoch` of 1..`epochs`."""
        if self._kind == "dynamic":
            done = (epoch / epochs) ** self._exponent
            return DeltaWeights(self._mse_share * done, 1 - done)
        return DeltaWeights(1.0, 0.0) if self._kind == "mse" else DeltaWeights(0.0, 1.0)

    def __call__(self, predicted: Tensor, truth: Tensor, weights: DeltaWeights) -> Tensor:
        """The loss, a scalar; 0 where nothing is known.

        Args:
            predicted: (n,).
            truth: (n,), NaN where not known.
            weights: Of the two parts.
        """
        known = ~truth.isnan()
        error = weights.mse * _mean((exact(predicted) - truth.nan_to_num()).square(), known)
        discord = weights.ccc * (1 - ccc(truth, predicted))
        return error + torch.where(known.any(), discord, 0)


def ccc(truth: Tensor, predicted: Tensor) -> Tensor:
    """Concordance correlation coefficient of two (n,) tensors (Lin 1989) over the known values of `truth`.

    2 cov(y, p) / (var y + var p + (mean y - mean p)^2), 0 where it is not defined. Variances are those of the
    population, as in Lin's definition and in the metrics here; MT-CLAR's release divides by n - 1 in its loss, which
    weighs the difference of the means by (n - 1) / n.
    """
    known = ~truth.isnan()
    truth, predicted = truth.nan_to_num(), exact(predicted)
    mean_y, mean_p = _mean(truth, known), _mean(predicted, known)
    y, p = truth - mean_y, predicted - mean_p
    spread = _mean(y.square(), known) + _mean(p.square(), known) + (mean_y - mean_p).square()
    return 2 * _mean(y * p, known) / spread.clamp_min(SMALLEST_SPREAD)


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """Mean of the known values (n,), 0 of none; the mask stays on the device, so nothing waits for it."""
    return torch.where(known, values, 0).sum() / known.sum().clamp_min(1)
