"""What every encoder has in common, whatever its kind: a spec that says its sizes and builds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from mtclar.errors import MtclarError


@dataclass(frozen=True, kw_only=True)
class EncoderSpec(ABC):
    """The size of an encoder, which maps faces float32 (n, 3, S, S) RGB in [0, 1] to embeddings (n, d).

    A new kind of encoder is a frozen dataclass under this one and an entry of it in `mtclar.model.encoders.ENCODERS`.

    Attributes:
        name: Its entry in the registry.
        input_size: Side S of the input in pixels.
        centre: Side of what the input shows, in 288ths of a stored crop.
        local_contrast: Whether pictures are first made grey and normalised to their local mean and contrast; then
            grey faces (n, 1, S, S) are taken as well.
    """

    name: str
    input_size: int
    centre: int
    local_contrast: bool

    @property
    @abstractmethod
    def embedding_size(self) -> int:
        """Length d of the embedding."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A fresh encoder of this size, its weights drawn from torch's generator."""

    @property
    def channels(self) -> int:
        """Channels the first convolution sees."""
        return 1 if self.local_contrast else 3

    def refuse(self, reason: str) -> MtclarError:
        """The error of a spec that cannot be built."""
        return MtclarError(f"encoder '{self.name}': {reason}; change train.encoder_options.")

    def check(self, counts: Mapping[str, int], *, halvings: int) -> None:
        """Refuses counts below one, an impossible centre, and an input that cannot be halved that often.

        Raises:
            MtclarError: Names the field.
        """
        for field, value in {"input_size": self.input_size, **counts}.items():
            if value < 1:
                raise self.refuse(f"{field} is {value}, but must be at least 1")
        if not 2 <= self.centre <= 288:
            raise self.refuse(f"centre is {self.centre}, but a stored crop has 2 to 288 of its 288ths to show")
        step = 2**halvings
        if self.input_size % step:
            raise self.refuse(
                f"an input of {self.input_size} pixels is halved {halvings} times, so it must be a multiple of {step}"
            )
