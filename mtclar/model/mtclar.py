"""MT-CLAR: one encoder for two faces, and three projectors that say how they differ (arXiv 2308.02173).

The similarity projector tells whether two faces show the same expression; the other two give the difference in valence
and in arousal, label(left) - label(right). Two supervised heads on the same embedding, trained afterwards with the
encoder frozen, name expression, valence and arousal of a single face.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError, nearest
from mtclar.model.encoder import EncoderSpec

HEADS = ("similarity", "valence", "arousal")
"""The tasks that have a projector of their own, in the order of `PairOutput`."""
FUSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda left, right: torch.cat([left, right], 1),
    "absolute": lambda left, right: (left - right).abs(),
    "multiply": lambda left, right: left * right,
    "difference": lambda left, right: left - right,
}
"""How two embeddings (n, d) become the projectors' input: (n, 2 d) for concat, else (n, d)."""
SYMMETRIC = {"absolute", "multiply"}
"""Fusions that do not tell left from right."""


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything needed to build an MT-CLAR network.

    Attributes:
        encoder: The encoder's size.
        fusion: Name in `FUSIONS`; the paper draws concat.
        tasks: Those of `HEADS` that have a projector.
        projector: Hidden widths of each pair projector; 2048-1024-512-128 in the paper.
        dropout: Share of inputs dropped before every layer of a projector.
        antisymmetric: Whether swapping the faces is made to turn the sign of the differences, exactly.
        single: Hidden widths of each supervised head; 1024-512-256-128 in the paper's release.
        tanh_logits: Whether the supervised logits of the expressions are squashed, as in the paper's release.
        mirror: Whether a finished network's embedding of a face is the mean of its and its mirror image's.
    """

    encoder: EncoderSpec
    fusion: str
    tasks: tuple[str, ...]
    projector: tuple[int, ...]
    dropout: float
    antisymmetric: bool
    single: tuple[int, ...]
    tanh_logits: bool
    mirror: bool

    def __post_init__(self) -> None:
        for field in ("tasks", "projector", "single"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if self.fusion not in FUSIONS:
            raise MtclarError(f"unknown fusion '{self.fusion}'{nearest(self.fusion, FUSIONS)}.")
        if not self.tasks or set(self.tasks) - set(HEADS):
            raise MtclarError(
                f"train.tasks names {list(self.tasks)} as projectors, but at least one and only of {list(HEADS)} exist."
            )
        if self.antisymmetric and self.fusion in SYMMETRIC and set(self.tasks) != {"similarity"}:
            raise MtclarError(
                f"train.fusion={self.fusion} does not tell left from right, so train.antisymmetric=true would make "
                "every difference zero; set train.antisymmetric=false, or train.fusion=concat or difference."
            )


class PairOutput(NamedTuple):
    """What is said of n pairs; None where the network has no projector for it.

    Attributes:
        logits: (n, 2), for dissimilar and similar.
        d_valence: label(left) - label(right), (n,) in (-2, 2).
        d_arousal: The same of the arousal.
    """

    logits: Tensor | None
    d_valence: Tensor | None
    d_arousal: Tensor | None


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
    """Two embeddings (n, d) to a `PairOutput`: their fusion through a projector a task, all of the same shape."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.fusion = spec.fusion
        self.antisymmetric = spec.antisymmetric
        into = spec.encoder.embedding_size * (2 if spec.fusion == "concat" else 1)

        def projector(task: str) -> Projector | None:
            if task not in spec.tasks:
                return None
            out = 2 if task == "similarity" else 1
            built = Projector(into, spec.projector, out, dropout=spec.dropout, bias=True)
            if spec.fusion == "concat" and spec.antisymmetric:
                built.begin_with_the_difference()
            return built

        self.similarity, self.valence, self.arousal = (projector(task) for task in HEADS)

    def forward(self, left: Tensor, right: Tensor) -> PairOutput:
        fuse = FUSIONS[self.fusion]
        joined = fuse(left, right)
        swapped = fuse(right, left) if self.antisymmetric else None
        return PairOutput(
            None if self.similarity is None else self.similarity(joined),
            None if self.valence is None else _delta(self.valence, joined, swapped),
            None if self.arousal is None else _delta(self.arousal, joined, swapped),
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
        self.tanh_logits = spec.tanh_logits
        self.expression = Projector(into, spec.single, len(EXPRESSIONS), dropout=0.0, bias=False)
        self.affect = Projector(into, spec.single, 2, dropout=0.0, bias=False)

    def forward(self, embedding: Tensor) -> SingleOutput:
        affect = torch.tanh(self.affect(embedding))
        logits = self.expression(embedding)
        return SingleOutput(torch.tanh(logits) if self.tanh_logits else logits, affect[:, 0], affect[:, 1])


class MTCLAR(nn.Module):
    """The whole network.

    Attributes:
        spec: What it was built from.
        encoder: Faces float32 (n, 3, S, S) in [0, 1] -> embeddings (n, d); of the kind its spec builds.
        pair: Embeddings of the queries and of the anchors -> `PairOutput`.
        single: Embeddings -> `SingleOutput`.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = spec.encoder.build()
        self.pair = PairHead(spec)
        self.single = SingleHead(spec)

    def forward(self, left: Tensor, right: Tensor) -> tuple[PairOutput, Tensor, Tensor]:
        """Compares two batches of faces (n, 3, S, S); the embeddings come back too, for the embedding loss."""
        left, right = self.encoder(left), self.encoder(right)
        return self.pair(left, right), left, right

    def embed(self, faces: Tensor) -> Tensor:
        """Embeddings (n, d) of faces (n, 3, S, S) as a finished network gives them; see `ModelSpec.mirror`.

        The encoder learns from single pictures, mirrored at random, so that the mean costs training nothing.
        """
        if not self.spec.mirror:
            return self.encoder(faces)
        return self.encoder(torch.cat([faces, faces.flip(3)])).unflatten(0, (2, -1)).mean(0)

    def trainable(self) -> list[nn.Parameter]:
        """The parameters of the encoder and the pair projectors that are not frozen."""
        return [p for part in (self.encoder, self.pair) for p in part.parameters() if p.requires_grad]
