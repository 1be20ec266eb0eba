"""Glasses: rims, lenses and temples in the head's own space, so that they turn with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.coverings.frame import Frame, Points
from mtclar.synthesis.coverings.sheet import Sheet
from mtclar.synthesis.identity import Person

#: Middle of a lens (x, y) and how far before the corners of the eyes it stands, centimetres.
LENS = np.array([3.25, -0.15])
BEFORE_CM = 2.0
#: How far the rims bend back towards the temples: centimetres for each square centimetre of x.
WRAP = 0.022
#: Where a temple ends, over the ear.
EAR = np.array([7.6, 0.4, -7.5])
#: From this turn on (degrees) the temple of the farther side is hidden by the face.
HIDDEN_TEMPLE = 12.0


@dataclass(frozen=True)
class Glasses:
    """A pair of glasses.

    Attributes:
        half: half width and half height of a lens, centimetres.
        corners: exponent of its superellipse; 2 is oval, more is boxy.
        rim: thickness of the rims, centimetres.
        colour: of the rims.
        tint, density: colour of the lenses and how much they hide, 0..1.
        glare: place (-1..1), width and strength of a bright band over the lenses.
        low: how far they have slid down the nose, centimetres.
    """

    half: tuple[float, float]
    corners: float
    rim: float
    colour: NDArray[np.float64]
    tint: NDArray[np.float64]
    density: float
    glare: tuple[float, float, float]
    low: float

    held: ClassVar[bool] = False

    def paint(self, sheet: Sheet, frame: Frame, away: float) -> None:
        """Paint them on the head; they stay on it."""
        px = frame.scale
        around = np.radians(np.arange(0, 360, 7.5))
        power = 2 / self.corners
        ring = np.stack([_bent(np.cos(around), power) * self.half[0], _bent(np.sin(around), power) * self.half[1]], 1)
        hinge = LENS[0] + self.half[0]
        for side in (-1, 1):
            # A head that turns right shows its left temple.
            if -side * frame.yaw > -HIDDEN_TEMPLE:
                temple = np.array([(hinge, 0.5, 0.0), (hinge + 0.4, 0.5, -1.2), tuple(EAR)]) * [side, 1, 1]
                sheet.line(frame.solid(self._placed(temple)), 0.8 * self.colour, max(0.25, 0.9 * self.rim) * px)
        for side in (-1, 1):
            rim = frame.solid(self._placed(_in_space(ring * [side, 1] + LENS * [side, 1])))
            sheet.fill(rim, self.tint, opacity=self.density)
            place, width, strength = self.glare
            if strength:
                sheet.fill(self._band(rim, place, width), np.ones(3), opacity=strength)
            sheet.line(np.concatenate([rim, rim[:2]]), self.colour, self.rim * px)
        reach = max(0.4, LENS[0] - self.half[0])
        bridge = np.array([(-reach, 0.35), (-0.4, 0.75), (0.4, 0.75), (reach, 0.35)])
        sheet.line(frame.solid(self._placed(_in_space(bridge))), self.colour, max(0.2, self.rim) * px)

    def _placed(self, points: Points) -> Points:
        """Points from the plane of the lenses to the head's own frame."""
        return points + np.array([0, -self.low, BEFORE_CM])

    @staticmethod
    def _band(rim: Points, place: float, width: float) -> Points:
        """A slanted band across a lens whose rim is given in pixels: what of the rim lies in it."""
        centre = rim.mean(0)
        reach = np.ptp(rim, axis=0) / 2
        along = (rim - centre) / np.maximum(reach, 1e-6) @ np.array([0.8, 0.6])
        inner = centre + 0.9 * (rim - centre)
        kept = inner[np.abs(along - place) < width]
        return kept if len(kept) >= 3 else inner[:3]


def draw_glasses(rng: np.random.Generator, person: Person) -> tuple[Glasses, ...]:
    """Mostly clear glasses with thin or thick rims; some tinted, a few dark."""
    shape = str(rng.choice(["round", "oval", "boxy", "wide"]))
    width = rng.uniform(2.1, 3.0)
    height = {"round": width * rng.uniform(0.9, 1.0), "oval": width * rng.uniform(0.6, 0.8)}.get(
        shape, width * rng.uniform(0.5, 0.85)
    )
    kind = rng.uniform()
    density = rng.uniform(0.8, 0.96) if kind < 0.1 else rng.uniform(0.2, 0.5) if kind < 0.25 else rng.uniform(0, 0.08)
    dark = kind < 0.1
    palette = [
        np.full(3, 0.05),
        np.array([0.25, 0.14, 0.07]),
        np.full(3, rng.uniform(0.4, 0.75)),
        rng.uniform(0, 0.9, 3),
    ]
    glare = rng.uniform(0.2, 0.75) if rng.uniform() < 0.35 else 0.0
    glasses = Glasses(
        half=(float(width), float(min(height, 2.6))),
        corners=float(rng.uniform(2.0, 2.3) if shape in ("round", "oval") else rng.uniform(3.0, 6.0)),
        rim=float(rng.uniform(0.08, 0.5)),
        colour=np.asarray(palette[int(rng.choice(4, p=[0.4, 0.2, 0.2, 0.2]))]),
        tint=rng.uniform(0.02, 0.12, 3) if dark else rng.uniform(0.1, 0.6, 3),
        density=float(density),
        glare=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.12, 0.4)), float(glare)),
        low=float(rng.uniform(-0.2, 1.0)),
    )
    return (glasses,)


def _bent(value: NDArray[np.float64], power: float) -> NDArray[np.float64]:
    return np.sign(value) * np.abs(value) ** power


def _in_space(points: Points) -> Points:
    """Points of the lenses' plane (k, 2), bent back towards the temples: (k, 3)."""
    return np.concatenate([points, -WRAP * points[:, :1] ** 2], 1)
