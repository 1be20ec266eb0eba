"""Naming one of several classes: similar or not, or one of the eight expressions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from mtclar.learning.losses.truth import exact


class ClassLoss:
    """Cross-entropy of logits, the mean over what is known.

    -log softmax(logits)[class]; for pairs the classes are 0 dissimilar and 1 similar (MT-CLAR, arXiv 2308.02173).
    """

    def __call__(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The loss, a scalar; 0 where nothing is known.

        Args:
            logits: (n, classes).
            classes: int64 (n,), -1 where not known.
        """
        known = (classes >= 0).sum().clamp_min(1)
        return functional.cross_entropy(exact(logits), classes, ignore_index=-1, reduction="sum") / known
