"""The loss of the embeddings themselves, before any projector."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mtclar.learning.losses.truth import exact, mean_of


class EmbeddingLoss:
    """Pulls the embeddings of similar pairs together and pushes the others apart, to a margin.

    1 - cos for similar pairs and max(0, cos - margin) for the others, the mean over what is known (cosine-embedding
    loss, the contrastive part of MT-CLAR, arXiv 2308.02173, there with margin 0.25).

    Args:
        margin: Cosine up to which dissimilar pairs cost nothing.
        balanced: The mean of the means over similar and over dissimilar pairs.
    """

    def __init__(self, margin: float, balanced: bool = False) -> None:
        self._margin, self._balanced = margin, balanced

    def __call__(self, left: Tensor, right: Tensor, similar: Tensor) -> Tensor:
        """The loss, a scalar; 0 where nothing is known.

        Args:
            left: Embeddings (n, d).
            right: Embeddings (n, d).
            similar: int64 (n,), 1, 0 or -1 where not known.
        """
        cosine = functional.cosine_similarity(exact(left), exact(right))
        each = torch.where(similar == 1, 1 - cosine, functional.relu(cosine - self._margin))
        return mean_of(each, similar, 2, balanced=self._balanced)
