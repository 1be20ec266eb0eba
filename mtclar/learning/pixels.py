"""What augmentations are made of: chances from a generator of the CPU, and pixels taken from elsewhere."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 8
"""Side in pixels of what JPEG and its like quantise together."""
# The luminance table of JPEG (ITU-T T.81, table K.1).
TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def centre(faces: Tensor, size: int) -> Tensor:
    """uint8 (n, c, s, s) -> the middle of each, float32 (n, c, size, size) in [0, 1]."""
    edge = (faces.shape[-1] - size) // 2
    return faces[..., edge : edge + size, edge : edge + size].float() / 255


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


def even(generator: torch.Generator, *shape: int) -> Tensor:
    """Uniform in [-1, 1]."""
    return 2 * torch.rand(shape, generator=generator) - 1


def mirrors(generator: torch.Generator, n: int) -> Tensor:
    """-1 for about half of n pictures, 1 for the others."""
    return 1 - 2 * (torch.rand(n, generator=generator) < 0.5).float()


def near(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """A generator on `device` that goes on from one of the CPU."""
    if device.type == "cpu":
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def uniform(generator: torch.Generator, low: float, high: float, *shape: int) -> Tensor:
    """Uniform in [low, high]."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def chosen(generator: torch.Generator, n: int, share: float, device: torch.device) -> Tensor:
    """Positions of about `share` of n pictures, on `device`."""
    return (torch.rand(n, generator=generator) < share).nonzero().squeeze(1).to(device)


def softened(x: Tensor, along: Tensor, across: Tensor, angle: Tensor) -> Tensor:
    """Pictures under a Gaussian of their own, by its transform, which costs the same for any width.

    Args:
        x: float32 (k, c, s, s); their borders go on as they are.
        along: float32 (k,) on any device, its standard deviation in pixels along `angle`.
        across: The same at a right angle to it.
        angle: Radians from the x axis towards the y axis.
    """
    side, pad = x.shape[-1], -(-x.shape[-1] // 12)
    padded = functional.pad(x, (pad,) * 4, mode="replicate")
    whole = side + 2 * pad
    across_x = (2 * math.pi * torch.fft.rfftfreq(whole))[None, None, :]
    down_y = (2 * math.pi * torch.fft.fftfreq(whole))[None, :, None]
    cos, sin, along, across = (values.view(-1, 1, 1) for values in (torch.cos(angle), torch.sin(angle), along, across))
    first = (across_x * cos + down_y * sin) * along
    second = (down_y * cos - across_x * sin) * across
    passed = torch.exp(-0.5 * (first.square() + second.square())).to(x.device)
    soft = torch.fft.irfft2(torch.fft.rfft2(padded).mul_(passed[:, None]), s=(whole, whole))
    return soft[..., pad : pad + side, pad : pad + side]


def small(size: int, cells: Tensor) -> Tensor:
    """Matrices that take a column down to so many cells by area, and linearly up again.

    Args:
        size: Length of the column.
        cells: float32 (k,), of at least 2 and at most `size`; need not be whole numbers.

    Returns:
        float32 (k, size, size), rows sum to 1.
    """
    most = int(cells.max().ceil()) + 1
    share = (cells / size)[:, None, None]
    pixel, cell = torch.arange(size, device=cells.device), torch.arange(most, device=cells.device)
    # what of a pixel's extent lies in a cell, and how near its middle is to that of the cell
    down = (
        torch.minimum((pixel + 1) * share, cell[:, None] + 1.0) - torch.maximum(pixel * share, cell[:, None] * 1.0)
    ).clamp_min_(0)
    up = (1 - ((pixel[:, None] + 0.5) * share - 0.5 - cell).abs()).clamp_min_(0)
    up = up * (down.sum(2) > 0)[:, None, :]
    down = down / down.sum(2, keepdim=True).clamp_min_(1e-6)
    through = up @ down
    return through / through.sum(2, keepdim=True)


def blocky(x: Tensor, quality: Tensor, shift: tuple[int, int]) -> Tensor:
    """Pictures as a JPEG of their brightness would give them back: quantised in the cosine basis of each block.

    Args:
        x: float32 (k, c, s, s) in [0, 1]; each channel is quantised as brightness is.
        quality: float32 (k,), from 1 to 100 as libjpeg counts it; what lies outside is taken for the nearer end.
        shift: Pixels by which the first block lies outside the picture, down and across.
    """
    side = x.shape[-1]
    pad = [(n, -(n + side) % BLOCK) for n in shift]
    padded = functional.pad(x, (*pad[1], *pad[0]), mode="replicate")
    rows, columns = (_cosines(padded.shape[at], x.device) for at in (2, 3))
    quality = quality.clamp(1, 100)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(-1, 1, 1, 1)
    table = torch.tensor(TABLE, device=x.device).repeat(len(rows) // BLOCK, len(columns) // BLOCK)
    step = (table * scale).clamp_min_(1) / 255
    spectrum = ((rows @ (padded - 0.5) @ columns.T) / step).round_() * step
    back = rows.T @ spectrum @ columns + 0.5
    return back[..., shift[0] : shift[0] + side, shift[1] : shift[1] + side]


def _cosines(length: int, device: torch.device) -> Tensor:
    """The orthonormal cosine transform (DCT-II) of each block of a column, (length, length)."""
    at = torch.arange(BLOCK, device=device)
    basis = torch.cos(math.pi / BLOCK * (at + 0.5) * at[:, None]) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return torch.block_diag(*[basis] * (length // BLOCK))
