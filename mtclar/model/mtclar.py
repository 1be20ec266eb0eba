"""MT-CLAR: one encoder for two faces, and three projectors that say how they differ (arXiv 2308.02173).

The similarity projector tells whether two faces show the same expression; the other two give the difference in valence
and in arousal, label(left) - label(right). Two supervised heads on the same embedding, trained afterwards with the
encoder frozen, name expression, valence and arousal of a single face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtclar.data.tables import EXPRESSIONS
from mtclar.model.emofan import EmoFAN, EncoderSpec


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build an MT-CLAR network.

    Attributes:
        encoder: The encoder's size.
        projector: Hidden widths of each pair projector; 2048-1024-512-128 in the paper.
        dropout: Share of inputs dropped before every layer of a projector.
        antisymmetric: Whether swapping the faces is made to turn the sign of the differences, exactly.
        single: Hidden widths of each supervised head; 1024-512-256-128 in the paper's release.
    """

    encoder: EncoderSpec
    projector: tuple[int, ...]
    dropout: float
    antisymmetric: bool
    single: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "projector", tuple(self.projector))
        object.__setattr__(self, "single", tuple(self.single))


class PairOutput(NamedTuple):
    """What is said of n pairs: `logits` (n, 2) for dissimilar and similar, differences (n,) in (-2, 2)."""

    logits: Tensor
    d_valence: Tensor
    d_arousal: Tensor


class SingleOutput(NamedTuple):
    """What is said of n faces: `logits` (n, 8) of the expressions, valence and arousal (n,) in (-1, 1)."""

    logits: Tensor
    valence: Tensor
    arousal: Tensor


class Projector(nn.Sequential):
    """Hidden layers of dropout, linear map, batch norm and ReLU, then a linear map to `out` numbers."""

    def __init__(self, into: int, hidden: tuple[int, ...], out: int, *, dropout: float, bias: bool) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Dropout(dropout), nn.Linear(into, width, bias=bias), nn.BatchNorm1d(width), nn.ReLU()]
            into = width
        layers += [nn.Dropout(dropout), nn.Linear(into, out)]
        super().__init__(*layers)
        for layer in self:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)

    def begin_with_the_difference(self) -> None:
        """Makes the first layer, whose inputs are two embeddings side by side, start as one of their difference.

        It is free to leave that; but a network that has to find out first that two faces are to be compared spends
        half of a short training on it.
        """
        first = next(layer for layer in self if isinstance(layer, nn.Linear))
        half = first.in_features // 2
        with torch.no_grad():
            first.weight[:, half:] = -first.weight[:, :half]


class PairHead(nn.Module):
    """Two embeddings (n, d) to a `PairOutput`: the joined embeddings through three projectors of the same shape."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        into = 2 * spec.encoder.embedding_size
        self.antisymmetric = spec.antisymmetric
        self.similarity, self.valence, self.arousal = (
            Projector(into, spec.projector, out, dropout=spec.dropout, bias=True) for out in (2, 1, 1)
        )
        for projector in (self.similarity, self.valence, self.arousal):
            projector.begin_with_the_difference()

    def forward(self, left: Tensor, right: Tensor) -> PairOutput:
        joined = torch.cat([left, right], 1)
        swapped = torch.cat([right, left], 1) if self.antisymmetric else None
        return PairOutput(
            self.similarity(joined), _delta(self.valence, joined, swapped), _delta(self.arousal, joined, swapped)
        )


def _delta(projector: Projector, joined: Tensor, swapped: Tensor | None) -> Tensor:
    """A difference of two labels in [-1, 1] lies in [-2, 2], hence 2 tanh."""
    raw = projector(joined)
    if swapped is not None:
        raw = (raw - projector(swapped)) / 2
    return 2 * torch.tanh(raw.squeeze(1))


class SingleHead(nn.Module):
    """Embeddings (n, d) to a `SingleOutput`, by one head for the expression and one for valence and arousal."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        into = spec.encoder.embedding_size
        self.expression = Projector(into, spec.single, len(EXPRESSIONS), dropout=0.0, bias=False)
        self.affect = Projector(into, spec.single, 2, dropout=0.0, bias=False)

    def forward(self, embedding: Tensor) -> SingleOutput:
        affect = torch.tanh(self.affect(embedding))
        return SingleOutput(self.expression(embedding), affect[:, 0], affect[:, 1])


class MTCLAR(nn.Module):
    """The whole network.

    Attributes:
        spec: What it was built from.
        encoder: Faces float32 (n, 3, S, S) in [0, 1] -> embeddings (n, d).
        pair: Embeddings of the queries and of the anchors -> `PairOutput`.
        single: Embeddings -> `SingleOutput`.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = EmoFAN(spec.encoder)
        self.pair = PairHead(spec)
        self.single = SingleHead(spec)

    def forward(self, left: Tensor, right: Tensor) -> tuple[PairOutput, Tensor, Tensor]:
        """Compares two batches of faces (n, 3, S, S); the embeddings come back too, for the embedding loss."""
        left, right = self.encoder(left), self.encoder(right)
        return self.pair(left, right), left, right
