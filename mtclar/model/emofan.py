"""EmoFAN: a face-alignment network whose landmark heat-maps guide an emotion branch.

The topology of Toisoul et al., "Estimation of continuous valence and arousal levels from faces in naturalistic
conditions", Nature Machine Intelligence 3 (2021), with the last fully connected block left off as MT-CLAR does (arXiv
2308.02173): what comes out is the pooled embedding. Every width is a field of `EmoFanSpec`; at full size the names and
shapes of the parameters are those of an EmoNet checkpoint, which `mtclar.model.pretrained` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtclar.errors import MtclarError
from mtclar.model.contrast import LocalContrast
from mtclar.model.encoder import EncoderSpec

EMOTION_BRANCH = ("conv1x1_input_emo_2", "emo_net_2", "avg_pool_2", "emo_fc_2")
"""The parts that name emotions; all others align the face."""


@dataclass(frozen=True, kw_only=True)
class EmoFanSpec(EncoderSpec):
    """The size of an EmoFAN encoder.

    Attributes:
        stem: Channels of the first convolution.
        width: Channels of the hourglasses.
        stacks: Number of hourglasses.
        depth: Levels of an hourglass.
        pool: How an hourglass halves. Stacked hourglasses as published pool by maximum (Newell et al., arXiv
            1603.06937); the face-alignment library's FAN pools by average, there and after `conv2` alike. EmoNet pools
            by maximum after `conv2`, hence maximum here too; the shapes of the weights do not tell.
        landmarks: Heat-maps whose sum is the attention mask.
        emotion: Channels of each block of the emotion branch; every block halves the resolution. The last is the size
            of the embedding.
    """

    stem: int
    width: int
    stacks: int
    depth: int
    pool: Literal["max", "average"]
    landmarks: int
    emotion: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "emotion", tuple(self.emotion))
        if not self.emotion:
            raise self.refuse("emotion is empty, but its last number is the size of the embedding")
        counts = {name: getattr(self, name) for name in ("stem", "width", "stacks", "depth", "landmarks")}
        self.check(counts | {"emotion": min(self.emotion)}, halvings=2 + max(self.depth, len(self.emotion)))
        # A block's output is a half and two quarters, and conv2 gives half the width.
        if self.width % 8:
            raise self.refuse(f"width is {self.width}, but must be a multiple of 8")
        if any(channels % 4 for channels in self.emotion):
            raise self.refuse(f"emotion is {list(self.emotion)}, but must be multiples of 4")

    @property
    def embedding_size(self) -> int:
        return self.emotion[-1]

    def build(self) -> EmoFAN:
        return EmoFAN(self)


class EmoFanOutput(NamedTuple):
    """What EmoNet says of n faces.

    Attributes:
        expression: Logits (n, expressions).
        valence: (n,), not bounded.
        arousal: (n,), not bounded.
        heatmaps: Of the last hourglass, (n, landmarks, S/4, S/4).
        embedding: (n, d), what MT-CLAR takes.
    """

    expression: Tensor
    valence: Tensor
    arousal: Tensor
    heatmaps: Tensor
    embedding: Tensor


class ConvBlock(nn.Module):
    """Pre-activation hierarchical block: three 3x3 convolutions in a row, their outputs joined, plus a residual."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(into)
        self.conv1 = nn.Conv2d(into, out // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out // 2)
        self.conv2 = nn.Conv2d(out // 2, out // 4, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out // 4)
        self.conv3 = nn.Conv2d(out // 4, out // 4, 3, padding=1, bias=False)
        self.downsample: nn.Module | None = None
        if into != out:
            self.downsample = nn.Sequential(nn.BatchNorm2d(into), nn.ReLU(), nn.Conv2d(into, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        first = self.conv1(functional.relu(self.bn1(x)))
        second = self.conv2(functional.relu(self.bn2(first)))
        third = self.conv3(functional.relu(self.bn3(second)))
        residual = x if self.downsample is None else self.downsample(x)
        return torch.cat([first, second, third], 1) + residual


class HourGlass(nn.Module):
    """Halves the resolution `depth` times and comes back, with a skip at every level."""

    def __init__(self, width: int, depth: int, pool: Literal["max", "average"]) -> None:
        super().__init__()
        self.depth = depth
        self.pool = pool
        for level in range(depth, 0, -1):
            self.add_module(f"b1_{level}", ConvBlock(width, width))
            self.add_module(f"b2_{level}", ConvBlock(width, width))
            self.add_module(f"b3_{level}", ConvBlock(width, width))
        self.b2_plus_1 = ConvBlock(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self._level(self.depth, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        half = functional.max_pool2d(x, 2) if self.pool == "max" else functional.avg_pool2d(x, 2)
        low = self.get_submodule(f"b2_{level}")(half)
        low = self._level(level - 1, low) if level > 1 else self.b2_plus_1(low)
        low = self.get_submodule(f"b3_{level}")(low)
        return self.get_submodule(f"b1_{level}")(x) + functional.interpolate(low, scale_factor=2.0, mode="nearest")


class EmoFAN(nn.Module):
    """Faces to embeddings: float32 (n, 3, S, S) RGB in [0, 1] -> (n, spec.embedding_size).

    With `local_contrast` a grey (n, 1, S, S) is taken as well. With `outputs`, EmoNet's own head stands on the
    embedding as `emo_fc_2`: its expressions, then valence and arousal, read by `emonet`.
    """

    def __init__(self, spec: EmoFanSpec, outputs: int = 0) -> None:
        super().__init__()
        self.spec = spec
        self.frozen = False
        stem, width = spec.stem, spec.width
        self.front = LocalContrast(spec.input_size) if spec.local_contrast else nn.Identity()
        self.conv1 = nn.Conv2d(spec.channels, stem, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = ConvBlock(stem, width // 2)
        self.conv3 = ConvBlock(width // 2, width // 2)
        self.conv4 = ConvBlock(width // 2, width)
        for stack in range(spec.stacks):
            self.add_module(f"m{stack}", HourGlass(width, spec.depth, spec.pool))
            self.add_module(f"top_m_{stack}", ConvBlock(width, width))
            self.add_module(f"conv_last{stack}", nn.Conv2d(width, width, 1))
            self.add_module(f"bn_end{stack}", nn.BatchNorm2d(width))
            self.add_module(f"l{stack}", nn.Conv2d(width, spec.landmarks, 1))
            if stack < spec.stacks - 1:
                self.add_module(f"bl{stack}", nn.Conv2d(width, width, 1))
                self.add_module(f"al{stack}", nn.Conv2d(spec.landmarks, width, 1))
        self.conv1x1_input_emo_2 = nn.Conv2d(width * (1 + spec.stacks), spec.emotion[0], 1)
        branch: list[nn.Module] = []
        for into, out in zip((spec.emotion[0], *spec.emotion[:-1]), spec.emotion, strict=True):
            branch += [ConvBlock(into, out), nn.MaxPool2d(2)]
        self.emo_net_2 = nn.Sequential(*branch)
        self.avg_pool_2 = nn.AvgPool2d(spec.input_size // 4 // 2 ** len(spec.emotion))
        self.emo_fc_2: nn.Module = nn.Identity()
        if outputs:
            hidden = spec.embedding_size // 2
            self.emo_fc_2 = nn.Sequential(
                nn.Linear(spec.embedding_size, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
            )

    def forward(self, faces: Tensor) -> Tensor:
        return self._see(faces)[1]

    def emonet(self, faces: Tensor) -> EmoFanOutput:
        """All that EmoNet gives: its head's answers, its heat-maps and the embedding.

        Raises:
            MtclarError: The network was built without a head.
        """
        if isinstance(self.emo_fc_2, nn.Identity):
            raise MtclarError(
                f"encoder '{self.spec.name}': has no head of its own; load EmoNet's weights with "
                "mtclar.model.pretrained.load_emonet."
            )
        heatmaps, embedding = self._see(faces)
        out = self.emo_fc_2(embedding)
        return EmoFanOutput(out[:, :-2], out[:, -2], out[:, -1], heatmaps, embedding)

    def freeze_alignment(self) -> None:
        """Keeps the alignment network as it is from here on, its running statistics in training too."""
        self.frozen = True
        for part in self._alignment():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> EmoFAN:
        """Switches to training or evaluation; a frozen alignment network always stays in evaluation."""
        super().train(mode)
        if self.frozen:
            for part in self._alignment():
                part.eval()
        return self

    def _alignment(self) -> list[nn.Module]:
        return [part for name, part in self.named_children() if name not in EMOTION_BRANCH]

    def _see(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """The heat-maps of the last hourglass, and the embedding."""
        features, seen, heatmaps = self._align(self.front(faces))
        attended = seen * heatmaps.sum(1, keepdim=True)
        mixed = self.conv1x1_input_emo_2(torch.cat([features, attended], 1))
        return heatmaps, self.avg_pool_2(self.emo_net_2(mixed)).flatten(1)

    def _align(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The alignment network.

        Args:
            x: (n, spec.channels, S, S).

        Returns:
            The features that enter the first hourglass, (n, width, S/4, S/4); what the hourglasses make of them,
            (n, stacks * width, S/4, S/4), of all but the last as it is handed on, after its `bl`; and the heat-maps of
            the last, (n, landmarks, S/4, S/4).
        """
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(self.conv2(x), 2)
        features = previous = self.conv4(self.conv3(x))
        seen: list[Tensor] = []
        for stack in range(self.spec.stacks):
            top = self.get_submodule(f"top_m_{stack}")(self.get_submodule(f"m{stack}")(previous))
            top = functional.relu(self.get_submodule(f"bn_end{stack}")(self.get_submodule(f"conv_last{stack}")(top)))
            maps = self.get_submodule(f"l{stack}")(top)
            if stack < self.spec.stacks - 1:
                top = self.get_submodule(f"bl{stack}")(top)
                previous = previous + top + self.get_submodule(f"al{stack}")(maps)
            seen.append(top)
        return features, torch.cat(seen, 1), maps
