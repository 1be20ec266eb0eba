"""Pictures made different without changing what the face says.

`Robust` moves faces mildly and changes light, blur, noise, and puts something before them. `Release` moves them far and
leaves the rest, as MT-CLAR's release does (method.md 1.5). Both turn stored pictures into the encoder's input on
whatever device the pictures are, by chances drawn from one generator of the CPU, so that a face is moved the same way
on every device; only the noise of single pixels is drawn where the pictures are.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from kornia.enhance import adjust_gamma
from kornia.filters import box_blur
from torch import Tensor
from torch.nn import functional

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


class Augmentation(Protocol):
    """uint8 (n, c, s, s) -> float32 (n, c, size, size) in [0, 1], by the chance of a generator of the CPU."""

    def __call__(self, faces: Tensor, generator: torch.Generator, /) -> Tensor: ...


def augmentation(name: Literal["robust", "release"], size: int, strength: float) -> Augmentation:
    """The augmentation of that name.

    Args:
        name: As in `train.augmentation`.
        size: Side of the encoder's input in pixels. Stored pictures show more of the face on each side, so moved faces
            find their surroundings.
        strength: 0 for the centre of the picture and nothing else, 1 for the strengths above.
    """
    if not strength:
        return lambda faces, generator: centre(faces, size)
    return Robust(size, strength) if name == "robust" else Release(size, strength)


def centre(faces: Tensor, size: int) -> Tensor:
    """uint8 (n, c, s, s) -> the middle of each, float32 (n, c, size, size) in [0, 1]."""
    edge = (faces.shape[-1] - size) // 2
    return faces[..., edge : edge + size, edge : edge + size].float() / 255


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
        mirror = _mirrors(generator, n)
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        return torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], 1).view(n, 2, 3)

    def _even(self, generator: torch.Generator, *shape: int) -> Tensor:
        """Uniform in [-strength, strength]."""
        return _even(generator, *shape) * self.strength

    def _chosen(self, generator: torch.Generator, n: int, share: float, device: torch.device) -> Tensor:
        """Positions of about `share` of n pictures."""
        return (torch.rand(n, generator=generator) < share * self.strength).nonzero().squeeze(1).to(device)

    def _light(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Gamma, then contrast."""
        n = len(x)
        x = adjust_gamma(x, torch.exp(self._even(generator, n) * GAMMA).to(x.device))
        return x * (1 + GAIN * self._even(generator, n)).to(x.device).view(n, 1, 1, 1)

    def _blur(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A box blur of 3 pixels on some pictures, then noise of each picture's own strength."""
        some = self._chosen(generator, len(x), BLURRED, x.device)
        if len(some):
            x = x.index_copy(0, some, box_blur(x[some], 3))
        level = NOISE * self._even(generator, len(x)).abs().to(x.device).view(-1, 1, 1, 1)
        return x + torch.randn(x.shape, generator=_near(generator, x.device), device=x.device) * level

    def _erase(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A grey rectangle on some pictures (random erasing)."""
        some = self._chosen(generator, len(x), ERASED, x.device)
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
        angle = RELEASE_ROTATION * self.strength * _even(generator, n)
        shift = 2 * RELEASE_SHIFT * self.strength * _even(generator, n, 2)
        scale = 1 + RELEASE_SCALE * self.strength * _even(generator, n)
        shear = torch.tan(RELEASE_SHEAR * self.strength * _even(generator, n))
        mirror = _mirrors(generator, n)
        crop = 2 * RELEASE_CROP * min(1.0, self.strength) * _even(generator, n, 2)
        cos, sin, zoom = torch.cos(angle), torch.sin(angle), self.size / side
        # the inverse of rotation times shear [[1, -h], [0, 1]] is [[1, h], [0, 1]] times the rotation's transpose
        back = torch.stack([cos - shear * sin, sin + shear * cos, -sin, cos], 1).view(n, 2, 2) / scale.view(n, 1, 1)
        turned = back * torch.stack([mirror * zoom, torch.full((n,), zoom)], 1)[:, None, :]
        moved = back @ (crop - shift)[:, :, None]
        return torch.cat([turned, moved], 2)


def sample(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Takes each pixel of the output from where its matrix says, bilinearly, black outside.

    Args:
        pictures: float32 (n, c, s, s).
        matrices: float32 (n, 2, 3) on any device: where (x, y, 1) of the output lies in the input, both measured in
            half sides from the middle.
        size: Side of the output.

    Returns:
        float32 (n, c, size, size).
    """
    shape = [len(pictures), pictures.shape[1], size, size]
    grid = functional.affine_grid(matrices.to(pictures.device), shape, align_corners=False)
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _even(generator: torch.Generator, *shape: int) -> Tensor:
    """Uniform in [-1, 1]."""
    return 2 * torch.rand(shape, generator=generator) - 1


def _mirrors(generator: torch.Generator, n: int) -> Tensor:
    """-1 for about half of n pictures, 1 for the others."""
    return 1 - 2 * (torch.rand(n, generator=generator) < 0.5).float()


def _near(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator on `device` that goes on from one of the CPU."""
    if device.type == "cpu":
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)
