"""Things before a face: a microphone, a cup, a telephone, a book, a cloth, or anything with corners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.coverings.frame import Frame, Points
from mtclar.synthesis.coverings.sheet import Pattern, Sheet
from mtclar.synthesis.identity import Person

THINGS = ("microphone", "cup", "telephone", "book", "cloth", "anything")
#: Where each thing is held: the landmark it lies on, and a shift in centimetres (x outward, y up), with its spread.
PLACES: dict[str, tuple[int, tuple[float, float], tuple[float, float]]] = {
    "microphone": (57, (0.0, -1.2), (1.5, 1.2)),
    "cup": (57, (0.0, -1.5), (0.8, 0.8)),
    "telephone": (30, (6.0, -1.5), (1.5, 2.0)),
    "book": (57, (0.0, -4.5), (1.5, 1.8)),
    "anything": (30, (0.0, -1.0), (4.0, 4.5)),
}
AWAY_CM = 32.0
#: Landmarks along the upper edge of a cloth before the mouth: from ear to ear over the nose.
CLOTH_TOPS = (28, 29, 30, 33)


@dataclass(frozen=True)
class Thing:
    """One thing, as it stays.

    Attributes:
        name: one of `THINGS`.
        shift: centimetres beside its place (x to the picture's right, y up).
        angle: degrees by which it is turned to the left.
        comes: degrees of the direction that it comes from; 0 is below.
        size: factor.
        colours: RGB, a first and a second (2, 3).
        pattern: `plain`, `stripes`, `checks` or `speckled`; its period in centimetres and its angle in radians.
        outline: corners of `anything` in centimetres (k, 2).
        top: the landmark that a cloth reaches up to.
        drape: how far a cloth hangs below the chin, centimetres.
    """

    name: str
    shift: tuple[float, float]
    angle: float
    comes: float
    size: float
    colours: NDArray[np.float64]
    pattern: tuple[str, float, float]
    outline: Points
    top: int
    drape: float

    held: ClassVar[bool] = True

    def paint(self, sheet: Sheet, frame: Frame, away: float) -> None:
        """Paint the thing; `away` 0..1 is how far off it is."""
        back = np.radians(self.comes)
        off = AWAY_CM * away * np.array([np.sin(back), -np.cos(back)])
        if self.name == "cloth":
            self._cloth(sheet, frame, off)
            return
        landmark = PLACES[self.name][0]
        at = frame.flat((np.array(self.shift) + off)[None], frame.marks[landmark])[0]
        c, s = np.cos(np.radians(self.angle)), np.sin(np.radians(self.angle))
        turn = self.size * np.array([[c, s], [-s, c]])

        def px(points: Points) -> Points:
            return frame.flat(np.asarray(points, float) @ turn, at)

        back_turn = np.linalg.inv(turn)

        def cm(points: Points) -> Points:
            flat = (points - at) * [1 / frame.scale, -1 / frame.scale]
            return (flat @ frame.tilt[:2, :2]) @ back_turn

        unit = frame.scale * self.size
        first, second = self.colours
        factors = self._pattern()
        if self.name == "microphone":
            sheet.limb(px(np.array([(0.0, -2.0), (0.0, -16.0)])), [1.5 * unit, 1.1 * unit], np.full(3, 0.12))
            sheet.fill(px(_circle(2.7)), first, rounding=2.2 * unit, pattern=_grid(0.35), places=cm)
            sheet.limb(px(np.array([(-2.2, -1.6), (2.2, -1.6)])), [0.35 * unit] * 2, second)
        elif self.name == "cup":
            body = np.array([(-4.0, 3.5), (-3.2, -6.0), (3.2, -6.0), (4.0, 3.5)])
            handle = px(np.array([(3.4, 2.0), (5.8, 1.2), (5.8, -3.0), (3.0, -4.0)]))
            sheet.limb(handle, [0.55 * unit] * 4, first)
            sheet.fill(px(body), first, pattern=lambda u, v: _round(u / 4.2)[..., None] * factors(u, v), places=cm)
            sheet.fill(px(_circle(1.0) * [4.0, 1.1] + [0, 3.5]), 0.6 * first)
            sheet.fill(px(_circle(1.0) * [3.7, 0.85] + [0, 3.4]), 0.3 * second)
        elif self.name == "telephone":
            sheet.fill(px(_box(3.7, 7.6)), first, rounding=0.4 * unit)
            sheet.fill(px(_box(3.4, 7.2)), 0.15 + 0.3 * second, pattern=_sheen(0.18), places=cm)
            for i in (0, 1):
                sheet.fill(px(_circle(0.6) + np.array([-2.2, 5.9 - 1.6 * i])), np.full(3, 0.03))
        elif self.name == "book":
            sheet.fill(px(_box(10.5, 7.5)), np.array([0.85, 0.82, 0.74]))
            sheet.fill(px(_box(10.5, 7.2) - [0, 0.4]), first, pattern=factors, places=cm, rounding=0.5 * unit)
            sheet.line(px(np.array([(0.0, -7.5), (0.0, 7.0)])), 0.4 * first, 0.3 * unit)
            for i in range(3):
                sheet.line(px(np.array([(-8.0 + i, 3.5 - 2.0 * i), (-2.0, 3.5 - 2.0 * i)])), second, 0.6 * unit)
        else:
            sheet.fill(px(self.outline), first, rounding=0.6 * unit, pattern=factors, places=cm)

    def _cloth(self, sheet: Sheet, frame: Frame, off: NDArray[np.float64]) -> None:
        """A mask or scarf: from ear to ear along the jaw, up to the nose, with folds."""
        marks = frame.marks
        jaw = marks[1:16]
        low = jaw + frame.flat(np.array([[0.0, -self.drape]]), np.zeros(2)) * np.sin(np.linspace(0, np.pi, 15))[:, None]
        bridge = marks[self.top]
        half = frame.flat(np.array([[-2.2, -1.0], [2.2, -1.0]]), bridge)
        outline = np.concatenate([low, marks[14:15], half[1:], bridge[None], half[:1], marks[2:3]])
        outline = outline + frame.flat(off[None], np.zeros(2))
        middle = outline.mean(0)

        def cm(points: Points) -> Points:
            return (points - middle) * [1 / frame.scale, -1 / frame.scale] @ frame.tilt[:2, :2]

        factors = self._pattern()
        angle = self.pattern[2]

        def folds(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
            fold = 1 + 0.13 * np.sin(2.1 * v + 0.25 * u * np.cos(angle)) * np.exp(-np.abs(u) / 9)
            return factors(u, v) * (fold * _round(u / 11))[..., None]

        sheet.fill(outline, self.colours[0], pattern=folds, places=cm, rounding=0.35 * frame.scale)

    def _pattern(self) -> Pattern:
        """Factors of the first colour (..., 3) from places in centimetres."""
        kind, period, angle = self.pattern
        ratio = self.colours[1] / np.maximum(self.colours[0], 0.02)

        def factors(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
            a = (u * np.cos(angle) + v * np.sin(angle)) * 2 * np.pi / period
            b = (v * np.cos(angle) - u * np.sin(angle)) * 2 * np.pi / period
            if kind == "plain":
                share = np.zeros_like(a)
            elif kind == "stripes":
                share = _step(np.sin(a))
            elif kind == "checks":
                share = _step(np.sin(a) * np.sin(b))
            else:
                share = _step(np.sin(a + 2 * np.sin(0.7 * b)) * np.sin(1.3 * b + np.sin(a)) - 0.3)
            return 1 + share[..., None] * (ratio - 1)

        return factors


def draw_things(rng: np.random.Generator, person: Person) -> tuple[Thing, ...]:
    """Something that is held or worn before the face."""
    name = str(rng.choice(THINGS, p=[0.2, 0.16, 0.14, 0.12, 0.2, 0.18]))
    side = float(rng.choice([-1.0, 1.0]))
    _, place, spread = PLACES.get(name, (0, (0.0, 0.0), (0.0, 0.0)))
    dx, dy = rng.normal(0, 1, 2).clip(-1.6, 1.6) * spread
    turned = {"microphone": 28.0, "telephone": 14.0, "anything": 60.0, "book": 10.0}.get(name, 7.0)
    corners = int(rng.integers(3, 9))
    around = np.sort(rng.uniform(0, 2 * np.pi, corners)) + 2 * np.pi * np.arange(corners) / corners
    outline = np.stack([np.cos(around / 2), np.sin(around / 2)], 1) * rng.uniform(2.5, 7.5, (corners, 1))
    dark = name in ("microphone", "telephone")
    thing = Thing(
        name=name,
        shift=(float(side * place[0] + dx), float(place[1] + dy)),
        angle=float(rng.normal(0, turned)),
        comes=float(rng.normal(0, 12) if name in ("cloth", "book", "cup") else rng.normal(0, 45)),
        size=float(rng.uniform(0.85, 1.25)),
        colours=np.clip(rng.uniform(0.03, 0.3 if dark else 0.95, (2, 1)) + rng.normal(0, 0.14, (2, 3)), 0.02, 0.97),
        pattern=(
            str(rng.choice(["plain", "stripes", "checks", "speckled"], p=[0.4, 0.25, 0.15, 0.2])),
            float(rng.uniform(0.8, 4.0)),
            float(rng.uniform(0, np.pi)),
        ),
        outline=outline,
        top=int(rng.choice(CLOTH_TOPS)),
        drape=float(rng.uniform(0.3, 1.5) if rng.uniform() < 0.6 else rng.uniform(3, 9)),
    )
    return (thing,)


def _circle(radius: float) -> Points:
    around = np.radians(np.arange(0, 360, 10))
    return radius * np.stack([np.cos(around), np.sin(around)], 1)


def _box(width: float, height: float) -> Points:
    """A box of some half width and half height, corners cut a little."""
    w, h, c = width, height, 0.12 * width
    return np.array(
        [(-w + c, h), (w - c, h), (w, h - c), (w, c - h), (w - c, -h), (c - w, -h), (-w, c - h), (-w, h - c)]
    )


def _step(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 below zero, 1 above, soft enough not to flicker between pixels."""
    return np.clip(0.5 + 2.5 * x, 0, 1)


def _round(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shade of an upright cylinder at a place across it, -1..1."""
    return 0.45 + 0.6 * np.sqrt(np.clip(1 - x**2, 0, 1))


def _grid(period: float) -> Pattern:
    return lambda u, v: 0.75 + 0.35 * np.sin(2 * np.pi * u / period) * np.sin(2 * np.pi * v / period)


def _sheen(slope: float) -> Pattern:
    return lambda u, v: np.clip(1 + slope * (u + v), 0.3, 2.5)
