"""Pictures made different without changing what the face says: place, size, light, blur, noise, something before it.

Everything is drawn from one generator, so a run can be repeated. All strengths are of a scale of 1; 0 leaves the
pictures as they are.
"""

from __future__ import annotations

import math

import torch
from kornia.enhance import adjust_gamma
from kornia.filters import box_blur
from torch import Tensor
from torch.nn import functional

ROTATION = math.radians(14)
SCALE = 0.15
SHIFT = 0.08  # of the side
GAMMA = 0.6  # of its logarithm
GAIN = 0.25
NOISE = 0.04
BLURRED = 0.3  # shares of the pictures
ERASED = 0.3
LARGEST_ERASED = 0.4  # of the side


class Augment:
    """Turns stored pictures into the encoder's input, each in its own way.

    Args:
        size: Side of the output in pixels. The input covers 288/256 as much of the face on each side, as stored crops
            do, so shifted faces find their surroundings.
        strength: 0 for the centre of the picture and nothing else, 1 for the strengths above.
        generator: The only source of chance.
    """

    def __init__(self, size: int, strength: float, generator: torch.Generator) -> None:
        self.size, self.strength, self.generator = size, strength, generator

    def __call__(self, faces: Tensor) -> Tensor:
        """uint8 (n, c, s, s) -> float32 (n, c, size, size) in [0, 1]."""
        pictures = faces.float() / 255
        if not self.strength:
            edge = (pictures.shape[-1] - self.size) // 2
            return pictures[..., edge : edge + self.size, edge : edge + self.size]
        pictures = self._light(self._place(pictures))
        return self._erase(self._blur(pictures)).clamp_(0, 1)

    def _even(self, *shape: int) -> Tensor:
        """Uniform in [-strength, strength]."""
        return (2 * torch.rand(shape, generator=self.generator) - 1) * self.strength

    def _chosen(self, n: int, share: float) -> Tensor:
        """Positions of about `share` of n pictures."""
        return (torch.rand(n, generator=self.generator) < share * self.strength).nonzero().squeeze(1)

    def _place(self, x: Tensor) -> Tensor:
        """Rotation, size, shift and mirror in one sampling of the picture."""
        n = len(x)
        angle, scale, shift = self._even(n) * ROTATION, torch.exp(self._even(n) * SCALE), 2 * SHIFT * self._even(n, 2)
        zoom = self.size / x.shape[-1] / scale
        mirror = 1 - 2 * (torch.rand(n, generator=self.generator) < 0.5).float()
        cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        matrix = torch.stack([cos * mirror, -sin, shift[:, 0], sin * mirror, cos, shift[:, 1]], 1).view(n, 2, 3)
        grid = functional.affine_grid(matrix, [n, x.shape[1], self.size, self.size], align_corners=False)
        return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def _light(self, x: Tensor) -> Tensor:
        """Gamma, then contrast."""
        n = len(x)
        x = adjust_gamma(x, torch.exp(self._even(n) * GAMMA))
        return x * (1 + GAIN * self._even(n)).view(n, 1, 1, 1)

    def _blur(self, x: Tensor) -> Tensor:
        """A box blur of 3 pixels on some pictures, then noise of each picture's own strength."""
        some = self._chosen(len(x), BLURRED)
        if len(some):
            x = x.index_copy(0, some, box_blur(x[some], 3))
        level = NOISE * self._even(len(x)).abs().view(-1, 1, 1, 1)
        return x + torch.randn(x.shape, generator=self.generator) * level

    def _erase(self, x: Tensor) -> Tensor:
        """A grey rectangle on some pictures (random erasing)."""
        for i in self._chosen(len(x), ERASED).tolist():
            top, left, height, width, shade = torch.rand(5, generator=self.generator).tolist()
            side = self.size * LARGEST_ERASED
            y, z = int(top * self.size), int(left * self.size)
            x[i, :, y : y + int(height * side) + 1, z : z + int(width * side) + 1] = shade
        return x
