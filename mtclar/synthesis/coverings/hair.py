"""Hair before a face: curtains at its sides, fringes over brows or an eye, and loose strands, lock by lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.age import hair_colour
from mtclar.synthesis.coverings.frame import Frame, Points
from mtclar.synthesis.coverings.sheet import Sheet
from mtclar.synthesis.identity import Person

#: Half axes of the head and its middle, centimetres from between the eyes; locks lie a little before it.
RADII, MIDDLE = np.array([7.9, 11.4, 9.6]), np.array([0.0, -1.0, -8.4])
LIFT_CM = 0.9
STEPS = 10
STYLES = ("curtain", "curtains", "fringe", "swept", "strands")


@dataclass(frozen=True)
class Hair:
    """Locks of hair, from the scalp down: lines in the head's own frame, widths in centimetres, and colours.

    Attributes:
        lines: of each lock (points, 3).
        widths: (locks,).
        colours: RGB (locks, 3).
    """

    lines: tuple[Points, ...]
    widths: NDArray[np.float64]
    colours: NDArray[np.float64]

    held: ClassVar[bool] = False

    def paint(self, sheet: Sheet, frame: Frame, away: float) -> None:
        """Paint the locks, the first drawn lying undermost; they stay on the head."""
        sheet.locks([frame.solid(line) for line in self.lines], list(self.widths * frame.scale), self.colours)


def draw_hair(rng: np.random.Generator, person: Person) -> tuple[Hair, ...]:
    """Hair that falls before the face, in the person's colour."""
    style = str(rng.choice(STYLES, p=[0.25, 0.3, 0.2, 0.12, 0.13]))
    side = float(rng.choice([-1.0, 1.0]))
    if style == "curtain":
        courses = _curtain(rng, side, 80)
    elif style == "curtains":
        courses = np.concatenate([_curtain(rng, s, 60) for s in (-1.0, 1.0)])
    elif style == "fringe":
        courses = _fringe(rng, 90)
    elif style == "swept":
        courses = _swept(rng, side, 80)
    else:
        courses = _curtain(rng, side, int(rng.integers(4, 14)), loose=True)
    count = len(courses)
    # The mass first, wide and nearly of one colour, then streaks, which are fine and go on to the tips.
    mass = 0 if style == "strands" else count // 3
    wide = np.arange(count) < mass
    contrast = np.where(wide, 0.06, 0.3)[:, None]
    streaks = np.exp(contrast * rng.normal(0, 1, (count, 1)) + rng.normal(0, 0.02, (count, 3)))
    lines = _on_head(courses)
    hair = Hair(
        lines=tuple(line[:-2] if i < mass else line for i, line in enumerate(lines)),
        widths=np.where(wide, rng.uniform(0.9, 1.5, count), rng.uniform(0.06, 0.26, count)),
        colours=np.clip(hair_colour(person) * streaks, 0.01, 1),
    )
    return (hair,)


def _curve(knots: Points) -> Points:
    """Smooth courses (locks, STEPS, 2) through knots (locks, 3, 2): quadratic, through the middle one."""
    t = np.linspace(0, 1, STEPS)[None, :, None]
    start, middle, end = (knots[:, i][:, None] for i in range(3))
    control = 2 * middle - (start + end) / 2
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def _waved(rng: np.random.Generator, courses: Points) -> Points:
    """Courses that wave from side to side together, and each a little for itself."""
    down = np.arange(courses.shape[1]) / (courses.shape[1] - 1)
    common = rng.uniform(0, 0.7) * np.sin(rng.uniform(3, 14) * down + rng.uniform(0, 6))
    own = rng.normal(0, 0.25, (len(courses), 1)) * np.sin(9 * down + rng.uniform(0, 6, (len(courses), 1)))
    waved = courses.copy()
    waved[..., 0] += down * (common + own)
    return waved


def _curtain(rng: np.random.Generator, side: float, locks: int, *, loose: bool = False) -> Points:
    """Long hair that falls from a parting over one cheek, its inner edge anywhere from the eye to the ear."""
    inner, end = rng.uniform(3.0, 6.2), rng.uniform(-19, -9)
    spread = rng.uniform(0, 1, locks) ** (1.0 if loose else 0.8)
    at_eye = inner + spread * (9.2 - inner)
    low = inner + rng.uniform(-1.2, 1.5) + spread * (9.6 - inner)
    root = np.stack([side * (1.0 + 5.5 * spread), 9.5 - 3.0 * spread**2], 1)
    middle = np.stack([side * (at_eye + rng.normal(0, 0.15, locks)), rng.normal(-0.5, 0.4, locks)], 1)
    tip = np.stack([side * (low + rng.normal(0, 0.5, locks)), end + rng.normal(0, 1.2, locks)], 1)
    if loose:
        tip[:, 0] += rng.normal(0, 2.0, locks)
        middle[:, 0] += rng.normal(0, 1.0, locks)
    return _waved(rng, _curve(np.stack([root, middle, tip], 1)))


def _fringe(rng: np.random.Generator, locks: int) -> Points:
    """A fringe down to the brows or into the eyes."""
    bottom, sway = rng.uniform(-0.6, 2.6), rng.normal(0, 1.6)
    x = rng.uniform(-6.8, 6.8, locks)
    root = np.stack([0.75 * x, np.full(locks, 10.0)], 1)
    middle = np.stack([x + 0.4 * sway, np.full(locks, 5.8)], 1)
    tip = np.stack([x + sway, bottom - 0.02 * x**2 + rng.normal(0, 0.55, locks)], 1)
    return _waved(rng, _curve(np.stack([root, middle, tip], 1)))


def _swept(rng: np.random.Generator, side: float, locks: int) -> Points:
    """Hair swept from a parting over one brow and eye."""
    spread = rng.uniform(0, 1, locks)
    reach = rng.uniform(-4.0, 0.5)
    root = np.stack([side * (-3.5 + 7.0 * spread), 9.8 - 0.8 * spread], 1)
    middle = np.stack([side * (1.2 + 6.0 * spread), 5.0 - 1.5 * spread + rng.normal(0, 0.3, locks)], 1)
    tip = np.stack([side * (3.6 + 4.8 * spread), reach - 2.5 * spread + rng.normal(0, 0.7, locks)], 1)
    return _waved(rng, _curve(np.stack([root, middle, tip], 1)))


def _on_head(courses: Points) -> Points:
    """Courses in the face's plane, laid on the head (locks, points, 3); below the chin they hang straight."""
    level = np.maximum(courses[..., 1], -6.0)
    flat = ((courses[..., 0] - MIDDLE[0]) / RADII[0]) ** 2 + ((level - MIDDLE[1]) / RADII[1]) ** 2
    depth = MIDDLE[2] + RADII[2] * np.sqrt(np.maximum(1 - flat, 0.04)) + LIFT_CM
    return np.concatenate([courses, depth[..., None]], -1)
