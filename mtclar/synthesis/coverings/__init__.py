"""What hides a face: hands, things, hair and glasses, painted over a drawn person.

All chance is drawn once, by `draw_covering`, so that a covering is the same through a clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from mtclar.errors import MtclarError
from mtclar.synthesis.artists.base import Layer
from mtclar.synthesis.artists.template import personal
from mtclar.synthesis.coverings.frame import Frame, face_mask, frame_of, light_on
from mtclar.synthesis.coverings.glasses import draw_glasses
from mtclar.synthesis.coverings.hair import draw_hair
from mtclar.synthesis.coverings.hands import draw_hands
from mtclar.synthesis.coverings.objects import draw_things
from mtclar.synthesis.coverings.sheet import Sheet
from mtclar.synthesis.identity import Person

COVERINGS = ("hand", "object", "hair", "glasses")

__all__ = ["COVERINGS", "Covering", "draw_covering"]


class Part(Protocol):
    """A piece of a covering: one hand, a pair of glasses."""

    held: ClassVar[bool]

    def paint(self, sheet: Sheet, frame: Frame, away: float) -> None:
        """Paint it on a sheet; `away` 0..1 is how far from its place it is, if it is held there by a hand."""
        ...


#: How each kind is drawn, and the least and greatest share of a face that looks straight ahead that it may hide.
DRAWN: dict[str, tuple[Callable[[np.random.Generator, Person], tuple[Part, ...]], float, float]] = {
    "hand": (draw_hands, 0.1, 0.6),
    "object": (draw_things, 0.06, 0.65),
    "hair": (draw_hair, 0.03, 0.6),
    "glasses": (draw_glasses, 0.0, 1.0),
}
#: So often a covering that hides too little or too much is drawn anew, judged on a picture of this side.
TRIES, SMALL_PX, SMALL_CM = 12, 72, 20.0
#: How dark the shadow of what is held before a face is.
SHADOW = 0.3


@dataclass(frozen=True)
class Covering:
    """Something before a person's face.

    Attributes:
        person: whose face.
        parts: what it is made of.
    """

    person: Person
    parts: tuple[Part, ...]

    def paint(
        self, layer: Layer, head: tuple[float, float, float], brightness: float, course: float
    ) -> tuple[Layer, float]:
        """Paint it over a drawn person.

        Args:
            layer: the person; its landmarks stay what they are, even where they are hidden.
            head: yaw, pitch and roll in degrees.
            brightness: factor of the colours, beside the light found on the cheeks.
            course: 0 while a hand or thing is away, 1 once it is in place, smooth between; hair and glasses stay.

        Returns:
            The layer with the covering on it, and the share of the hull of the landmarks that it hides, 0..1.
        """
        held = any(part.held for part in self.parts)
        if held and course <= 0:
            return layer, 0.0
        level, side = light_on(layer, self.person.skin)
        sheet, frame = Sheet(layer.alpha.shape, side), frame_of(layer.landmarks, head)
        x = min(course, 1.0)
        for part in self.parts:
            part.paint(sheet, frame, 1 - x * x * (3 - 2 * x))
        return sheet.laid_on(layer, brightness * level, SHADOW if held else 0.0)


def draw_covering(rng: np.random.Generator, person: Person, kind: str) -> Covering:
    """Draw a covering at random.

    Args:
        rng: where chance comes from.
        person: whose face it is for: hands have about their skin's colour, hair has their hair's.
        kind: one of `COVERINGS`.

    Raises:
        MtclarError: no covering has that name.
    """
    if kind not in DRAWN:
        raise MtclarError(f"there is no covering {kind!r}: choose one of {', '.join(COVERINGS)}")
    draw, least, most = DRAWN[kind]
    best, best_miss = draw(rng, person), np.inf
    for _ in range(TRIES):
        parts = draw(rng, person)
        share = _share(parts, person)
        miss = max(least - share, share - most, 0.0)
        if miss < best_miss:
            best, best_miss = parts, miss
        if miss == 0:
            break
    return Covering(person, best)


def _share(parts: tuple[Part, ...], person: Person) -> float:
    """How much of the person's face is hidden while it looks straight ahead, seen from afar."""
    marks = (SMALL_PX / 2 + personal(person) * [1, -1] * SMALL_PX / SMALL_CM).astype(np.float32)
    sheet, frame = Sheet((SMALL_PX, SMALL_PX)), frame_of(marks, (0.0, 0.0, 0.0))
    for part in parts:
        part.paint(sheet, frame, 0.0)
    return float(sheet.alpha[face_mask(marks, sheet.alpha.shape)].mean())
