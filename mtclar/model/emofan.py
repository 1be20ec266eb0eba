"""EmoFAN: a face-alignment network whose landmark heat-maps guide an emotion branch.

The topology of Toisoul et al., "Estimation of continuous valence and arousal levels from faces in naturalistic
conditions", Nature Machine Intelligence 3 (2021), with the last fully connected block left off as MT-CLAR does (arXiv
2308.02173): what comes out is the pooled embedding. Every width is a field of `EncoderSpec`; at full size the names and
shapes of the parameters are those of an EmoNet checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtclar.errors import MtclarError, nearest


@dataclass(frozen=True)
class EncoderSpec:
    """The size of an EmoFAN encoder.

    Attributes:
        name: Under which settings know it.
        input_size: Side of the input in pixels.
        centre: Side of what the input shows, in 288ths of a stored crop.
        stem: Channels of the first convolution.
        width: Channels of the hourglasses.
        stacks: Number of hourglasses.
        depth: Levels of an hourglass.
        landmarks: Heat-maps whose sum is the attention mask.
        emotion: Channels of each block of the emotion branch; every block halves the resolution. The last is the size
            of the embedding.
        local_contrast: Whether pictures are first made grey and normalised to their local mean and contrast.
    """

    name: str
    input_size: int
    centre: int
    stem: int
    width: int
    stacks: int
    depth: int
    landmarks: int
    emotion: tuple[int, ...]
    local_contrast: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "emotion", tuple(self.emotion))
        step = 4 * 2 ** max(self.depth, len(self.emotion))
        if self.input_size % step:
            raise MtclarError(
                f"encoder '{self.name}': an input of {self.input_size} pixels is halved {step.bit_length() - 1} times, "
                f"so it must be a multiple of {step}."
            )

    @property
    def embedding_size(self) -> int:
        """Length of the embedding."""
        return self.emotion[-1]

    @property
    def channels(self) -> int:
        """Channels the first convolution sees."""
        return 1 if self.local_contrast else 3


ENCODERS = {
    spec.name: spec
    for spec in (
        EncoderSpec("emofan", 256, 256, 64, 256, 2, 4, 68, (256, 256, 256, 256), local_contrast=False),
        EncoderSpec("emofan-nano", 64, 208, 32, 64, 1, 2, 16, (64, 96, 160), local_contrast=True),
    )
}
"""`emofan` is EmoNet's size; `emofan-nano` trains on two CPU cores in minutes."""


def encoder_spec(name: str) -> EncoderSpec:
    """The spec called `name`.

    Raises:
        MtclarError: No encoder has that name.
    """
    if name not in ENCODERS:
        raise MtclarError(f"unknown encoder '{name}'{nearest(name, ENCODERS)}.")
    return ENCODERS[name]


class LocalContrast(nn.Module):
    """Grey pictures less their local mean, over their local standard deviation: (n, 1 or 3, h, w) -> (n, 1, h, w).

    Takes the light out of a picture and leaves its relief. The windows are those of a 96-pixel face, 17 pixels for the
    mean and 25 for the deviation, scaled to the input; the deviation is kept from vanishing by 0.03.
    """

    FLOOR = 0.03
    luma: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("luma", torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", _window(size, 17 / 96), persistent=False)
        self.register_buffer("deviation", _window(size, 25 / 96), persistent=False)

    def forward(self, faces: Tensor) -> Tensor:
        grey = (faces * self.luma).sum(1, keepdim=True) if faces.shape[1] == 3 else faces
        relief = grey - self.mean @ grey @ self.mean.T
        variance = self.deviation @ (relief * relief) @ self.deviation.T
        return relief / (variance.sqrt() + self.FLOOR)


def _window(size: int, share: float) -> Tensor:
    """The matrix (size, size) that turns a column into its means over a window, of the pixels inside the picture.

    The window is the odd number of pixels next to `share` of the column.
    """
    at = torch.arange(size)
    inside = ((at[:, None] - at).abs() <= round((share * size - 1) / 2)).float()
    return inside / inside.sum(1, keepdim=True)


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

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.depth = depth
        for level in range(depth, 0, -1):
            self.add_module(f"b1_{level}", ConvBlock(width, width))
            self.add_module(f"b2_{level}", ConvBlock(width, width))
            self.add_module(f"b3_{level}", ConvBlock(width, width))
        self.b2_plus_1 = ConvBlock(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self._level(self.depth, x)

    def _level(self, level: int, x: Tensor) -> Tensor:
        low = self.get_submodule(f"b2_{level}")(functional.max_pool2d(x, 2))
        low = self._level(level - 1, low) if level > 1 else self.b2_plus_1(low)
        low = self.get_submodule(f"b3_{level}")(low)
        return self.get_submodule(f"b1_{level}")(x) + functional.interpolate(low, scale_factor=2.0, mode="nearest")


class EmoFAN(nn.Module):
    """Faces to embeddings: float32 (n, 3, S, S) RGB in [0, 1] -> (n, spec.embedding_size).

    With `local_contrast` a grey (n, 1, S, S) is taken as well. With `outputs`, EmoNet's own head stands on the
    embedding as `emo_fc_2`, and (n, outputs) comes out: its expressions, then valence and arousal.
    """

    def __init__(self, spec: EncoderSpec, outputs: int = 0) -> None:
        super().__init__()
        self.spec = spec
        stem, width = spec.stem, spec.width
        self.front = LocalContrast(spec.input_size) if spec.local_contrast else nn.Identity()
        self.conv1 = nn.Conv2d(spec.channels, stem, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = ConvBlock(stem, width // 2)
        self.conv3 = ConvBlock(width // 2, width // 2)
        self.conv4 = ConvBlock(width // 2, width)
        for stack in range(spec.stacks):
            self.add_module(f"m{stack}", HourGlass(width, spec.depth))
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
        features, attended = self.landmark_features(self.front(faces))
        mixed = self.conv1x1_input_emo_2(torch.cat([features, attended], 1))
        return self.emo_fc_2(self.avg_pool_2(self.emo_net_2(mixed)).flatten(1))

    def landmark_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The alignment network.

        Args:
            x: (n, spec.channels, S, S).

        Returns:
            The features that enter the first hourglass, (n, width, S/4, S/4), and what every hourglass makes of them
            under the mask of the landmarks, (n, stacks * width, S/4, S/4).
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
        return features, torch.cat(seen, 1) * maps.sum(1, keepdim=True)
