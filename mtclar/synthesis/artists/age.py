"""How old a face looks: a smooth change of the face model's shape, lines in the skin, and hair that greys and thins.

A child's face has larger eyes, a small nose, a short and round lower part and a high forehead; an old one has brows
and corners of the mouth that hang a little, thinner lips and cheeks, folds and grey hair. All of it is modest: it is
what a face looks like at rest, and must not be taken for what it shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.facemodel import FaceModel
from mtclar.synthesis.identity import Person

Shifts = NDArray[np.float32]

GREY = np.array([0.66, 0.65, 0.63])
#: Lines of an old face on the picture's left, as (x, y) on the neutral mesh in centimetres, half width, and depth.
LINES: tuple[tuple[tuple[tuple[float, float], ...], float, float], ...] = (
    (((1.75, -0.7), (2.5, -1.6), (3.05, -2.8), (3.25, -4.0)), 0.22, 0.9),  # from the nose to the mouth's corner
    (((2.9, -4.3), (3.1, -5.2), (3.0, -6.0)), 0.2, 0.4),  # from the corner to the chin
    (((0.0, 7.3), (2.0, 7.45), (4.2, 7.1)), 0.25, 0.5),  # across the forehead
    (((0.0, 8.4), (2.0, 8.55), (4.0, 8.2)), 0.25, 0.45),
    (((0.0, 9.4), (1.8, 9.5), (3.6, 9.2)), 0.25, 0.3),
    (((4.75, 3.5), (5.4, 4.1), (6.0, 4.5)), 0.14, 0.5),  # beside the eye
    (((4.8, 3.3), (5.6, 3.3), (6.3, 3.2)), 0.14, 0.5),
    (((4.7, 3.1), (5.3, 2.5), (5.9, 2.0)), 0.14, 0.4),
    (((1.8, 2.5), (2.6, 1.8), (3.6, 1.75), (4.5, 2.4)), 0.3, 0.6),  # under the eye
    (((0.5, 5.0), (0.45, 6.2)), 0.14, 0.35),  # between the brows
)


@dataclass(frozen=True)
class Ageing:
    """What age does to a face model's n vertices.

    Attributes:
        young, old: displacements at the ends of the range, centimetres, float32 (n, 3).
        lines: depth of the lines in an old skin, float32 (n,), 0..1.
    """

    young: Shifts
    old: Shifts
    lines: NDArray[np.float32]

    def shift(self, person: Person) -> Shifts:
        """Displacements of a person's vertices."""
        return np.float32(person.young) * self.young + np.float32(person.old) * self.old


def find_ageing(model: FaceModel) -> Ageing:
    """Find what age does to a face model, from its neutral mesh."""
    points = model.vertices.astype(np.float64)
    marks = points[model.landmarks68]
    x, y, z = points.T
    side = np.tanh(2 * x)
    front = np.clip((z - 2) / 4, 0, 1)
    mouth, nose = marks[48:60].mean(0), marks[[27, 33]].mean(0)

    def near(centre: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
        return np.exp(-((points - centre) ** 2).sum(1) / (2 * reach**2))

    def at(px: float, py: float, reach: float) -> NDArray[np.float64]:
        """Around a place of both halves of the face, seen from the front."""
        return front * np.exp(-((np.abs(x) - px) ** 2 + (y - py) ** 2) / (2 * reach**2))

    young = np.zeros_like(points)
    for corners in (marks[[36, 39]], marks[[42, 45]]):
        centre = corners.mean(0)
        young += 0.2 * near(centre, 2.0)[:, None] * (points - centre)
    young -= 0.2 * near(nose, 1.6)[:, None] * (points - nose)
    young -= 0.1 * near(mouth, 2.2)[:, None] * (points - mouth)
    low = np.clip(1 - y, 0, 1 - marks[8, 1])
    young[:, 1] += 0.13 * low + 0.1 * np.clip(y - 6, 0, None)
    young[:, 0] += x * (0.07 * at(6.0, -0.5, 3.0) - 0.012 * low - 0.1 * np.clip((-6 - y) / 3, 0, 1))
    young[:, 2] += 0.35 * at(4.0, -1.5, 1.8)

    old = np.zeros_like(points)
    old[:, 1] -= 0.35 * at(5.0, 5.3, 1.1) + 0.1 * at(2.7, -3.6, 0.8) + 0.25 * at(0.0, 0.2, 1.0)
    old[:, 1] -= 0.22 * near(mouth, 1.3) * (y - mouth[1]) + 0.3 * at(4.6, -6.0, 1.5)
    old[:, 0] += 0.3 * side * at(4.6, -6.0, 1.5)
    old[:, 2] -= 0.35 * at(4.3, -1.8, 1.3)
    return Ageing(young.astype(np.float32), old.astype(np.float32), _lines(points, front))


def _lines(points: NDArray[np.float64], front: NDArray[np.float64]) -> NDArray[np.float32]:
    """How deep the lines of an old skin are at each vertex."""
    flat = np.stack([np.abs(points[:, 0]), points[:, 1]], 1)
    deepest = np.zeros(len(points))
    for line, half, depth in LINES:
        corners = np.array(line)
        steps = np.linspace(0, len(corners) - 1, 40)
        dense = np.stack([np.interp(steps, np.arange(len(corners)), corners[:, i]) for i in (0, 1)], 1)
        distance = np.sqrt(((flat[:, None] - dense) ** 2).sum(2).min(1))
        deepest = np.maximum(deepest, depth * np.exp(-((distance / half) ** 2)))
    return (deepest * front).astype(np.float32)


def hair_colour(person: Person) -> NDArray[np.float64]:
    """The colour of a person's hair now: it greys in the older half of ages, sooner or later."""
    sooner = 0.5 + (person.texture % 1000) / 1000
    return person.hair + min(1.0, person.old * sooner) * (GREY - person.hair)


def hair_height(person: Person) -> float:
    """Centimetres that hair stands off the skull: old hair is thinner."""
    return person.hair_volume * (1 - 0.5 * person.old)


def hairline_of(person: Person) -> float:
    """Centimetres the hairline lies above the usual: it draws back with age."""
    return person.hairline + 0.9 * person.old + 0.2 * person.young


def brow_of(person: Person) -> tuple[float, float]:
    """Thickness (centimetres) and darkness of the brows: a child's and an old person's are thin and pale."""
    thickness, darkness = person.brow
    return (
        thickness * (1 - 0.15 * person.old - 0.2 * person.young),
        darkness * (1 - 0.35 * person.old - 0.3 * person.young),
    )
