"""Pictures spoilt in all the ways that real ones are, for a network that has seen none.

In the order in which a picture comes about: the face is somewhere (`place`), something is before it (`covering`), light
falls on it (`light`), the lens and the distance soften it (`blur`), and a codec and the sensor leave their marks
(`compression`). Each is one vectorised pass over the pictures that it is for, so that a batch costs a fraction of the
encoder's step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from mtclar.learning.cover import cover
from mtclar.learning.pixels import BLOCK, blocky, centre, chosen, even, mirrors, near, small, softened, uniform

# All at strength 1; shares are of the pictures.
ROTATION = math.radians(16)
SCALE = 0.18  # of the logarithm
SHIFT = 0.10  # of the side
SHEAR = 0.08
PERSPECTIVE = 0.08
GAMMA = (0.4, 2.0)
GAIN = 0.25
CONTRAST = 0.35
DARK, DARKEST = 0.15, 0.08
SHADED, SHADE = 0.4, 0.15  # light that falls off across the face, to this share at least
BLURRED = 0.35
DEFOCUS, MOTION = 0.018, 0.05  # largest standard deviation across and along the motion, of the side
SMALL, SMALLEST = 0.25, 0.2  # faces taken small and scaled up; pixels of the smallest, of the side
NOISY, NOISE = 0.5, 0.06
COMPRESSED, QUALITY = 0.35, (5.0, 50.0)  # as libjpeg counts it


class Strong:
    """Place, covering, light, blur and compression; see `mtclar.learning.augment.augmentation`."""

    def __init__(self, size: int, strength: float, without: Sequence[str]) -> None:
        self.size, self.strength = size, strength
        self._placed = "place" not in without
        parts: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
            "covering": lambda x, generator: cover(x, strength, generator),
            "light": self._light,
            "blur": self._blur,
            "compression": self._compress,
        }
        self._parts = [part for name, part in parts.items() if name not in without]

    def __call__(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        x = self._place(faces, generator) if self._placed else centre(faces, self.size)
        for part in self._parts:
            x = part(x, generator)
        # what is very dark is left with few levels, as in the file of a dark picture
        return x.clamp_(0, 1).mul_(255).round_().div_(255)

    def homographies(self, side: int, n: int, generator: torch.Generator) -> Tensor:
        """Rotation, size, shift, shear, perspective and mirror of n pictures of `side` pixels.

        Returns:
            float32 (n, 3, 3): takes (x, y, 1) of the output to where it lies in the input, up to a factor, both in
            half sides from the middle.
        """
        s = self.strength
        angle = ROTATION * s * even(generator, n)
        zoom = self.size / side * torch.exp(SCALE * s * even(generator, n))
        shift = 2 * SHIFT * s * even(generator, n, 2)
        shear = SHEAR * s * even(generator, n)
        tilt = PERSPECTIVE * s * even(generator, n, 2)
        mirror = mirrors(generator, n)
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        rows = [
            torch.stack([cos * mirror, shear * cos - sin, shift[:, 0]], 1),
            torch.stack([sin * mirror, shear * sin + cos, shift[:, 1]], 1),
            torch.cat([tilt, torch.ones(n, 1)], 1),
        ]
        return torch.stack(rows, 1)

    def _place(self, faces: Tensor, generator: torch.Generator) -> Tensor:
        """All of the geometry in one bilinear sampling, black outside."""
        n, device = len(faces), faces.device
        at = (torch.arange(self.size, device=device) + 0.5) * (2 / self.size) - 1
        h = self.homographies(faces.shape[-1], n, generator).to(device)
        across = h[:, :, 0, None] * at + h[:, :, 2, None]  # (n, 3, size)
        down = h[:, :, 1, None] * at
        grid = torch.empty((n, self.size, self.size, 2), device=device)
        nearness = (across[:, 2, None, :] + down[:, 2, :, None]).reciprocal_()
        for i in range(2):
            torch.mul(across[:, i, None, :] + down[:, i, :, None], nearness, out=grid[..., i])
        return functional.grid_sample(
            faces.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False
        ).div_(255)

    def _light(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Shadow on one side, gamma, contrast, exposure."""
        n, s = len(x), self.strength
        some = chosen(generator, n, SHADED * s, x.device)
        if len(some):
            x = x.index_copy_(0, some, x.index_select(0, some).mul_(self._shadows(len(some), generator).to(x.device)))
        gamma = torch.exp(s * uniform(generator, math.log(GAMMA[0]), math.log(GAMMA[1]), n))
        contrast = 1 + CONTRAST * s * even(generator, n)
        exposure = 1 + GAIN * s * even(generator, n)
        dark = torch.rand(n, generator=generator) < DARK * s
        fallen = torch.exp(uniform(generator, math.log(DARKEST), 0.0, n))
        exposure = torch.where(dark, fallen, exposure)
        gamma = torch.where(dark, gamma.clamp(max=1), gamma)  # darker twice over would leave nothing to see
        scale, offset = contrast * exposure, 0.5 * (1 - contrast) * exposure
        gamma, scale, offset = (values.to(x.device).view(n, 1, 1, 1) for values in (gamma, scale, offset))
        return x.clamp_(0, 1).pow_(gamma).mul_(scale).add_(offset).clamp_(0, 1)

    def _shadows(self, k: int, generator: torch.Generator) -> Tensor:
        """What share of the light is left, falling along any direction, softly or at an edge: (k, 1, size, size)."""
        at = (torch.arange(self.size) + 0.5) * (2 / self.size) - 1
        angle = math.pi * even(generator, k, 1)
        # half of the picture or less lies in the light's way; an edge is a tenth of a half side wide, a slope two
        slope = torch.exp(-uniform(generator, math.log(0.1), math.log(2.0), k, 1))
        least = 1 - uniform(generator, 0.0, 1 - SHADE, k, 1)
        middle = 0.5 + 0.5 * even(generator, k, 1) * slope
        across, down = torch.cos(angle) * slope * at + middle, torch.sin(angle) * slope * at
        fall = (across[:, None, None, :] + down[:, None, :, None]).clamp_(0, 1)
        return torch.lerp(least[:, :, None, None], torch.ones(()), fall)

    def _blur(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Defocus and motion as one Gaussian, wide along the motion; then faces that were taken small."""
        n, s = len(x), self.strength
        some = chosen(generator, n, BLURRED * s, x.device)
        if len(some):
            k, pixels = len(some), self.size * s
            across = uniform(generator, 0.0, DEFOCUS, k) * pixels
            moved = uniform(generator, 0.0, MOTION, k) * pixels * (torch.rand(k, generator=generator) < 0.5)
            angle = math.pi * even(generator, k)
            soft = softened(x.index_select(0, some), across + moved, across, angle)
            x = x.index_copy_(0, some, soft)
        some = chosen(generator, n, SMALL * s, x.device)
        if len(some):
            cells = self.size * torch.exp(uniform(generator, math.log(SMALLEST) * min(s, 1.0), 0.0, len(some)))
            through = small(self.size, cells).to(x.device)[:, None]
            x = x.index_copy_(0, some, through @ x.index_select(0, some) @ through.mT)
        return x

    def _compress(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Noise of the sensor, then blocks of 8 pixels quantised as JPEG does."""
        n, s = len(x), self.strength
        some = chosen(generator, n, NOISY * s, x.device)
        if len(some):
            level = uniform(generator, 0.0, NOISE * s, len(some), 1, 1, 1).to(x.device)
            level = level * (0.3 + x.index_select(0, some).mean((1, 2, 3), keepdim=True))  # dark pictures have less
            noise = torch.randn((len(some), *x.shape[1:]), generator=near(generator, x.device), device=x.device)
            x = x.index_add_(0, some, noise.mul_(level))
        some = chosen(generator, n, COMPRESSED * s, x.device)
        if len(some):
            quality = uniform(generator, *QUALITY, len(some)).to(x.device)
            shift = torch.randint(BLOCK, (2,), generator=generator).tolist()  # blocks begin anywhere in the face
            x = x.index_copy_(0, some, blocky(x.index_select(0, some), quality / s, (shift[0], shift[1])))
        return x
