"""Pictures made different without changing what the face says.

`Robust` moves faces mildly and changes light, blur, noise, and puts something before them. `Release` moves them far and
leaves the rest, as MT-CLAR's release does (method.md 1.5). `Strong`, in a module of its own, is for networks that are
to cross from rendered people to real ones. All turn stored pictures into the encoder's input on whatever device the
pictures are, by chances drawn from one generator of the CPU, so that a face is moved the same way on every device; only
the noise of single pixels is drawn where the pictures are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from kornia.enhance import adjust_gamma
from kornia.filters import box_blur
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.learning.augment_strong import Strong
from mtclar.learning.pixels import centre, chosen, even, mirrors, near, sample
from mtclar.settings import TrainSettings

# Of `Robust`, all at strength 1.
ROTATION = math.radians(14)
SCALE = 0.15  # of the logarithm
SHIFT = 0.08  # of the side
GAMMA = 0.6  # of its logarithm
GAIN = 0.25
NOISE = 0.04
BLURRED = 0.3  # shares of the pictures
ERASED = 0.3
LARGEST_ERASED = 0.4  # of the side

# Of `Release`, all at strength 1: RandomAffine(20 degrees, translate 0.2, scale 0.8 to 1.2, shear 0.1 degrees), then
# RandomCrop of 256 out of 288 pixels, which shifts by up to 16 each way.
RELEASE_ROTATION = math.radians(20)
RELEASE_SHIFT = 0.2  # of the side
RELEASE_SCALE = 0.2
RELEASE_SHEAR = math.radians(0.1)
RELEASE_CROP = 16 / 288  # of the side


EASIEST = 0.25
"""Share of the strength in the first epoch, where it rises."""


def augment_strength(s: TrainSettings, epoch: int) -> float:
    """The strength in an epoch of 1..`s.epochs`: it rises evenly to `s.augment` over `s.augment_rise` of the epochs."""
    if not s.augment_rise:
        return s.augment
    return s.augment * min(1.0, EASIEST + (1 - EASIEST) * (epoch - 1) / (s.augment_rise * s.epochs))


class Augmentation(Protocol):
    """uint8 (n, c, s, s) -> float32 (n, c, size, size) in [0, 1], by the chance of a generator of the CPU."""

    def __call__(self, faces: Tensor, generator: torch.Generator, /) -> Tensor: ...


def augmentation(
    name: Literal["robust", "release", "strong"], size: int, strength: float, without: Sequence[str]
) -> Augmentation:
    """The augmentation of that name.

    Args:
        name: As in `train.augmentation`.
        size: Side of the encoder's input in pixels. Stored pictures show more of the face on each side, so moved faces
            find their surroundings.
        strength: 0 for the centre of the picture and nothing else, 1 for the strengths of the constants.
        without: Parts of `Strong` to leave out.

    Raises:
        MtclarError: Another augmentation than `strong` is to leave something out.
    """
    if without and name != "strong":
        raise MtclarError(
            f"train.augment_without leaves out {', '.join(without)}, but train.augmentation={name} has no such parts; "
            "set train.augmentation=strong, or train.augment_without=[]."
        )
    if not strength:
        return lambda faces, generator: centre(faces, size)
    if name == "strong":
        return Strong(size, strength, without)
    return Robust(size, strength) if name == "robust" else Release(size, strength)


class Robust:
    """Place, size, light, blur, noise, something before the face; see `augmentation`."""

    def __init__(self, size: int, strength: float) -> None:
        self.size, self.strength = size, strength

    def __call__(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        pictures = sample(faces.float() / 255, self.matrices(faces.shape[-1], len(faces), generator), self.size)
        pictures = self._blur(self._light(pictures, generator), generator)
        return self._erase(pictures, generator).clamp_(0, 1)

    def matrices(self, side: int, n: int, generator: torch.Generator) -> Tensor:
        """Rotation, size, shift and mirror of n pictures of `side` pixels: float32 (n, 2, 3), see `sample`."""
        angle = self._even(generator, n) * ROTATION
        scale = torch.exp(self._even(generator, n) * SCALE)
        shift = 2 * SHIFT * self._even(generator, n, 2)
        zoom = self.size / side / scale
        mirror = mirrors(generator, n)
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        return torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], 1).view(n, 2, 3)

    def _even(self, generator: torch.Generator, *shape: int) -> Tensor:
        """Uniform in [-strength, strength]."""
        return even(generator, *shape) * self.strength

    def _light(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Gamma, then contrast."""
        n = len(x)
        x = adjust_gamma(x, torch.exp(self._even(generator, n) * GAMMA).to(x.device))
        return x * (1 + GAIN * self._even(generator, n)).to(x.device).view(n, 1, 1, 1)

    def _blur(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A box blur of 3 pixels on some pictures, then noise of each picture's own strength."""
        some = chosen(generator, len(x), BLURRED * self.strength, x.device)
        if len(some):
            x = x.index_copy(0, some, box_blur(x[some], 3))
        level = NOISE * self._even(generator, len(x)).abs().to(x.device).view(-1, 1, 1, 1)
        return x + torch.randn(x.shape, generator=near(generator, x.device), device=x.device) * level

    def _erase(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A grey rectangle on some pictures (random erasing)."""
        some = chosen(generator, len(x), ERASED * self.strength, x.device)
        top, left, height, width, shade = torch.rand(5, len(some), generator=generator).to(x.device)
        at = torch.arange(self.size, device=x.device)

        def between(first: Tensor, length: Tensor) -> Tensor:
            """Which pixels of a side lie in the rectangles, (k, size)."""
            first = (first * self.size).floor()[:, None]
            return (at >= first) & (at <= first + (length * self.size * LARGEST_ERASED).floor()[:, None])

        covered = between(top, height)[:, None, :, None] & between(left, width)[:, None, None, :]
        return x.index_copy(0, some, torch.where(covered, shade.view(-1, 1, 1, 1), x[some]))


class Release:
    """Turned, shifted, scaled, sheared, mirrored and cropped in one bilinear sampling; see `augmentation`.

    What torchvision's RandomAffine, RandomHorizontalFlip(0.5) and RandomCrop do one after the other. As there, sizes
    and shifts are uniform, the shear is along x and in degrees, and what lies outside the picture is black.
    """

    def __init__(self, size: int, strength: float) -> None:
        self.size, self.strength = size, strength

    def __call__(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        matrices = self.matrices(faces.shape[-1], len(faces), generator)
        return sample(faces.float() / 255, matrices, self.size).clamp_(0, 1)

    def matrices(self, side: int, n: int, generator: torch.Generator) -> Tensor:
        """Float32 (n, 2, 3) for n pictures of `side` pixels, see `sample`.

        A point p of the output comes from the input at (R H)^-1 (c + m z p - t) / k: it is brought to the size z and
        place c of the crop, mirrored (m), and taken back through shift t, scale k, rotation R and shear H.
        """
        angle = RELEASE_ROTATION * self.strength * even(generator, n)
        shift = 2 * RELEASE_SHIFT * self.strength * even(generator, n, 2)
        scale = 1 + RELEASE_SCALE * self.strength * even(generator, n)
        shear = torch.tan(RELEASE_SHEAR * self.strength * even(generator, n))
        mirror = mirrors(generator, n)
        crop = 2 * RELEASE_CROP * min(1.0, self.strength) * even(generator, n, 2)
        cos, sin, zoom = torch.cos(angle), torch.sin(angle), self.size / side
        # the inverse of rotation times shear [[1, -h], [0, 1]] is [[1, h], [0, 1]] times the rotation's transpose
        back = torch.stack([cos - shear * sin, sin + shear * cos, -sin, cos], 1).view(n, 2, 2) / scale.view(n, 1, 1)
        turned = back * torch.stack([mirror * zoom, torch.full((n,), zoom)], 1)[:, None, :]
        moved = back @ (crop - shift)[:, :, None]
        return torch.cat([turned, moved], 2)
