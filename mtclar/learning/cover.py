"""Something before the face: hands, hair, glasses, things. All of them are painted with one brush, the capsule.

A capsule is what lies within `width` of a line from a to b; one with a `ring` is hollow, what lies within `width` of
the outline at that distance. Masks are made at half the resolution, which costs a quarter and gives soft edges.
Positions are in half sides of the picture from its middle, x to the right and y down.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mtclar.learning.pixels import chosen, even, uniform

HANDS = 0.15  # shares of the pictures, at strength 1
HAIR = 0.25
GLASSES = 0.12
THINGS = 0.2
AWAY = 10.0
"""Where what is not to be seen is put."""


def cover(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Puts things before some of the faces; a face may be behind several.

    Args:
        x: float32 (n, c, s, s) in [0, 1].
        strength: By which the shares of covered faces are multiplied.
        generator: Of the CPU.
    """
    n, device = len(x), x.device
    some = chosen(generator, n, HAIR * strength, device)
    if len(some):
        streaks = 0.35 * even(generator, len(some), 1, max(4, x.shape[-1] // 6))
        x = _paint(x, some, hair(len(some), generator), _greys(len(some), 0.0, 0.6, generator), 0.2, streaks)
    some = chosen(generator, n, GLASSES * strength, device)
    if len(some):
        x = _paint(x, some, glasses(len(some), generator), _greys(len(some), 0.0, 0.5, generator), 0.0)
    some = chosen(generator, n, THINGS * strength, device)
    if len(some):
        x = _paint(x, some, things(len(some), generator), _greys(len(some), 0.0, 1.0, generator), 0.2)
    some = chosen(generator, n, HANDS * strength, device)
    if len(some):
        x = _paint(x, some, hands(len(some), generator), _skin(x, some, generator), 0.5)
    return x


def hands(k: int, generator: torch.Generator) -> Tensor:
    """An arm, a palm and four fingers, on the lower half of the face and pointing up: capsules (k, 6, 6)."""
    palm = torch.stack([uniform(generator, -0.8, 0.8, k), uniform(generator, -0.2, 1.0, k)], 1)
    angle = math.radians(-90) + math.radians(60) * even(generator, k)
    size = uniform(generator, 0.8, 1.2, k, 1, 1)
    spread = uniform(generator, 0.0, 0.22, k, 1)
    length = uniform(generator, 0.35, 0.7, k, 1) * uniform(generator, 0.8, 1.0, k, 4)

    def capsule(a: Tensor, b: Tensor, width: float) -> Tensor:
        """(k, m, 2) along and across the hand, to capsules."""
        return torch.cat([a, b, torch.zeros_like(a[..., :1]), torch.full_like(a[..., :1], width)], 2)

    across = (torch.arange(4) - 1.5).expand(k, 4)
    knuckles = torch.stack([torch.full((k, 4), 0.2), 0.16 * across], 2)
    tips = knuckles + length[..., None] * torch.stack([torch.cos(spread * across), torch.sin(spread * across)], 2)
    middle = torch.zeros(k, 1, 2)
    back, front, wrist = (middle + torch.tensor([at, 0.0]) for at in (-0.2, 0.1, -2.0))
    own = size * torch.cat([capsule(wrist, back, 0.22), capsule(back, front, 0.3), capsule(knuckles, tips, 0.085)], 1)
    turn = torch.stack([torch.cos(angle), torch.sin(angle), -torch.sin(angle), torch.cos(angle)], 1).view(k, 2, 2)
    return torch.cat([own[..., :2] @ turn + palm[:, None], own[..., 2:4] @ turn + palm[:, None], own[..., 4:]], 2)


def hair(k: int, generator: torch.Generator) -> Tensor:
    """A curtain on the left, one on the right and a fringe, each there or not: capsules (k, 3, 6), a half side wide."""
    inner = uniform(generator, -1.0, -0.5, k, 3)  # where the hair ends
    slant = 0.15 * even(generator, k, 3)
    away = AWAY * (torch.rand(k, 3, generator=generator) < 0.4)
    at = inner - 0.5 - away
    start, end = torch.full((k, 3), -1.5), torch.full((k, 3), 1.5)
    sign = torch.tensor([1.0, -1.0, 1.0])
    ends = torch.stack([sign * (at + slant), start, sign * (at - slant), end], 2)
    ends[:, 2] = ends[:, 2][:, [1, 0, 3, 2]]  # the fringe lies along x
    return torch.cat([ends, torch.zeros(k, 3, 1), torch.full((k, 3, 1), 0.5)], 2)


def glasses(k: int, generator: torch.Generator) -> Tensor:
    """Two rims, or two dark glasses, a bridge and two temples: capsules (k, 5, 6)."""
    y = uniform(generator, -0.45, -0.15, k)
    apart, radius = uniform(generator, 0.36, 0.44, k), uniform(generator, 0.18, 0.26, k)
    dark = torch.rand(k, generator=generator) < 0.3
    rim = uniform(generator, 0.02, 0.045, k)
    ring, width = torch.where(dark, 0.0, radius), torch.where(dark, radius, rim)
    none = torch.zeros(k)
    capsules = [
        *([side * apart - 0.07, y, side * apart + 0.07, y, ring, width] for side in (-1, 1)),
        [radius + 0.07 - apart, y, apart - radius - 0.07, y, none, rim],
        *([side * (apart + radius + 0.07), y, none + side * 1.1, y - 0.05, none, rim] for side in (-1, 1)),
    ]
    return torch.stack([torch.stack(capsule, 1) for capsule in capsules], 1)


def things(k: int, generator: torch.Generator) -> Tensor:
    """One bar or ball of any size anywhere: capsules (k, 1, 6)."""
    start = even(generator, k, 2)
    end = start + 0.7 * even(generator, k, 2)
    width = uniform(generator, 0.08, 0.35, k, 1)
    return torch.cat([start, end, torch.zeros(k, 1), width], 1)[:, None]


def _greys(k: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return uniform(generator, low, high, k, 1, 1, 1)


def _skin(x: Tensor, some: Tensor, generator: torch.Generator) -> Tensor:
    """Colours (k, c, 1, 1) near those of the faces' middles."""
    edge = x.shape[-1] // 4
    own = x[some, :, edge:-edge, edge:-edge].mean((2, 3), keepdim=True)
    return (own * torch.exp(0.3 * even(generator, len(some), 1, 1, 1)).to(x.device)).clamp(0, 1)


def _paint(
    x: Tensor, some: Tensor, capsules: Tensor, colour: Tensor, relief: float, streaks: Tensor | None = None
) -> Tensor:
    """Paints capsules over some pictures.

    Args:
        x: float32 (n, c, s, s).
        some: int64 (k,), which.
        capsules: float32 (k, m, 6): a and b, ring, width.
        colour: float32 (k, 1 or c, 1, 1).
        relief: By which share a capsule is darker at its edge than in its middle, so that fingers can be told apart.
        streaks: float32 (k, 1, w), by which share columns are lighter; they also fray the lower edge.
    """
    side = x.shape[-1]
    half = max(1, side // 2)
    at = (torch.arange(half, device=x.device) + 0.5) * (2 / half) - 1
    ax, ay, bx, by, ring, width = capsules.to(x.device).unsqueeze(-1).unbind(2)  # (k, m, 1) each
    dx, dy = bx - ax, by - ay
    # of the point along the line nearest to each pixel; sums of a part of the column and a part of the row
    over = (dx.square() + dy.square()).clamp_min_(1e-6)
    px, py = at - ax, at - ay  # (k, m, half)
    along = ((px * dx / over)[..., None, :] + (py * dy / over)[..., None]).clamp_(0, 1)  # (k, m, half, half)
    far = torch.hypot(px[..., None, :] - along * dx[..., None], py[..., None] - along * dy[..., None])
    depth = width[..., None] - (far - ring[..., None]).abs_()
    inside = (depth / width[..., None]).amax(1)  # 1 in the middle of a capsule, 0 at its edge
    tone = 1 - relief * (1 - inside.clamp(0, 1)).square_()
    edge = depth.amax(1)
    if streaks is not None:
        lines = functional.interpolate(streaks.to(x.device), half, mode="linear", align_corners=False)
        tone, edge = tone * (1 + lines), edge + 0.3 * lines
    alpha = (edge * (half / 2) + 0.5).clamp_(0, 1)
    alpha, tone = functional.interpolate(
        torch.stack([alpha, tone], 1), (side, side), mode="bilinear", align_corners=False
    ).split(1, 1)
    before = x.index_select(0, some)
    return x.index_copy_(0, some, torch.lerp(before, (colour.to(x.device) * tone).expand_as(before), alpha))
