"""A small residual network to hold EmoFAN against: blocks of two 3x3 convolutions (He et al., arXiv 1512.03385)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from mtclar.model.contrast import LocalContrast
from mtclar.model.encoder import EncoderSpec


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(EncoderSpec):
    """The size of a residual encoder.

    Attributes:
        widths: Channels of each stage; every stage halves the resolution. The last is the size of the embedding.
        blocks: Residual blocks a stage.
    """

    widths: tuple[int, ...]
    blocks: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if not self.widths:
            raise self.refuse("widths is empty, but there must be a stage")
        self.check({"blocks": self.blocks, "widths": min(self.widths)}, halvings=1 + len(self.widths))

    @property
    def embedding_size(self) -> int:
        return self.widths[-1]

    def build(self) -> ResNet:
        return ResNet(self)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, plus what came in, brought to the same shape where that changes.

    A 1x1 convolution never has a stride here: the pixels that it would read are taken first, which gives the same
    numbers. torch 2.13's oneDNN writes beyond its buffers in the weight gradient of a strided 1x1 convolution of fewer
    than 8 channels in channels_last memory on CPUs with AVX2 and no AVX-512: that gradient is wrong, by 0.1 to 1 times
    its size and otherwise at each call, or the process dies. A new encoder has to keep to the same rule.
    """

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(into, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(x[:, :, :: self.stride, :: self.stride]))


class ResNet(nn.Module):
    """Faces to embeddings: float32 (n, 3 or, with local contrast, 1, S, S) -> (n, spec.embedding_size)."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.front = LocalContrast(spec.input_size) if spec.local_contrast else nn.Identity()
        self.stem = nn.Sequential(
            nn.Conv2d(spec.channels, spec.widths[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(spec.widths[0]),
            nn.ReLU(),
        )
        blocks: list[nn.Module] = []
        into = spec.widths[0]
        for width in spec.widths:
            for place in range(spec.blocks):
                blocks.append(ResidualBlock(into, width, 2 if place == 0 else 1))
                into = width
        self.stages = nn.Sequential(*blocks)

    def forward(self, faces: Tensor) -> Tensor:
        return self.stages(self.stem(self.front(faces))).mean((2, 3))
