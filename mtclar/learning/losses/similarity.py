"""Naming one of several classes: similar or not, or one of the eight expressions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from mtclar.learning.losses.truth import exact, mean_of


class ClassLoss:
    """Cross-entropy of logits, the mean over what is known.

    -log softmax(logits)[class]; for pairs the classes are 0 dissimilar and 1 similar (MT-CLAR, arXiv 2308.02173).

    Args:
        balanced: The mean over classes of the mean over those of a class, for what is there of each.
    """

    def __init__(self, balanced: bool = False) -> None:
        self._balanced = balanced

    def __call__(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The loss, a scalar; 0 where nothing is known.

        Args:
            logits: (n, classes).
            classes: int64 (n,), -1 where not known.
        """
        each = functional.cross_entropy(exact(logits), classes, ignore_index=-1, reduction="none")
        return mean_of(each, classes, logits.shape[1], balanced=self._balanced)
