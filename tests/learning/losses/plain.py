"""Definitions written out number by number, to hold the losses against."""

from __future__ import annotations

from collections.abc import Sequence


def plain_ccc(y: Sequence[float], p: Sequence[float]) -> float:
    """Lin 1989."""
    n = len(y)
    my, mp = sum(y) / n, sum(p) / n
    vy, vp = sum((a - my) ** 2 for a in y) / n, sum((b - mp) ** 2 for b in p) / n
    cov = sum((a - my) * (b - mp) for a, b in zip(y, p, strict=True)) / n
    return 2 * cov / (vy + vp + (my - mp) ** 2)


def plain_mse(y: Sequence[float], p: Sequence[float]) -> float:
    """Mean squared error."""
    return sum((a - b) ** 2 for a, b in zip(y, p, strict=True)) / len(y)
