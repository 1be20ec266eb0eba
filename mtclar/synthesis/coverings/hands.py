"""Hands before a face: palm, fingers and wrist as rounded limbs, in a hand's own centimetres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import LANDMARK_ACROSS
from mtclar.synthesis.coverings.frame import Frame, Points
from mtclar.synthesis.coverings.sheet import Sheet
from mtclar.synthesis.identity import Person

#: Where a hand may lie: landmarks whose middle it lies on, and a shift of it in centimetres (x outward, y up).
SPOTS: dict[str, tuple[list[int], tuple[float, float]]] = {
    "mouth": ([48, 51, 54, 57], (0.0, 0.0)),
    "cheek": ([2, 3, 4, 5, 31, 48], (0.5, 0.0)),
    "chin": ([6, 7, 8, 9, 10], (0.0, 0.3)),
    "eye": ([36, 37, 38, 39, 40, 41], (0.5, 0.0)),
    "forehead": ([19, 24], (0.0, 2.0)),
    "side": ([1, 2, 3, 31, 36, 48], (0.8, 0.0)),
    "nose": ([30, 33, 51], (0.0, 0.0)),
}
#: How fingers are held: how much of each phalanx is seen, and how far they are spread (degrees between fingers).
HOLDS = {"flat": (1.0, 2.0), "spread": (0.95, 9.0), "curled": (0.6, 3.0), "fist": (0.3, 0.5)}
#: Feet of index to little finger (x, y), their lengths, and their half widths, in centimetres from the palm's middle.
KNUCKLES = np.array([(-3.0, 4.4), (-1.0, 4.9), (1.0, 4.6), (2.9, 3.8)])
LENGTHS, HALF_WIDTHS = np.array([7.2, 8.0, 7.4, 5.8]), np.array([0.85, 0.9, 0.85, 0.74])
#: Shares of a finger's length of its three phalanges.
PHALANGES = np.array([0.45, 0.31, 0.24])
PALM = np.array([(-3.9, 4.3), (-1.0, 5.2), (1.2, 5.0), (3.8, 3.7), (3.9, 0.0), (2.9, -4.6), (-2.7, -4.6), (-4.0, -1.0)])
#: A hand that is away lies as far off as this, in centimetres.
AWAY_CM = 30.0


@dataclass(frozen=True)
class Hand:
    """One hand, as it keeps its shape.

    Attributes:
        spot: a key of `SPOTS`.
        shift: centimetres beside the spot (x outward, y up).
        angle: degrees by which the fingers are turned from upward to the picture's left.
        mirrored: whether the thumb is at the picture's right.
        right: whether it lies on the picture's right side of the face.
        size: factor of an average hand.
        fingers: seen length of each phalanx (4, 3) as a factor, and angle of each finger in degrees (4,).
        thumb: degrees by which the thumb stands off; none where it is tucked away.
        bare: whether the forearm is skin, else cloth.
        skin, sleeve: colours.
        nails: whether nails are seen.
    """

    spot: str
    shift: tuple[float, float]
    angle: float
    mirrored: bool
    right: bool
    size: float
    fingers: tuple[NDArray[np.float64], NDArray[np.float64]]
    thumb: float | None
    bare: bool
    skin: NDArray[np.float64]
    sleeve: NDArray[np.float64]
    nails: bool

    held: ClassVar[bool] = True

    def paint(self, sheet: Sheet, frame: Frame, away: float) -> None:
        """Paint the hand; `away` 0..1 is how far it has drawn back along its arm."""
        landmarks, shift = SPOTS[self.spot]
        side = 1 if self.right else -1
        # Landmarks are of the picture's left; those across are the same places of the right.
        marks = frame.marks[[LANDMARK_ACROSS[i] for i in landmarks] if self.right else landmarks]
        turn = np.radians(self.angle)
        along = np.array([-np.sin(turn), np.cos(turn)])
        beside = np.array([side * (shift[0] + self.shift[0]), shift[1] + self.shift[1]])
        at = frame.flat((beside - AWAY_CM * away * along)[None], marks.mean(0))[0]

        def px(points: Points) -> Points:
            flipped = points * [-self.size if self.mirrored else self.size, self.size]
            return frame.flat(flipped @ np.array([[along[1], -along[0]], [along[0], along[1]]]), at)

        unit = frame.scale * self.size
        arm = px(np.array([(0.0, -3.0), (0.1, -8.0), (0.3, -34.0)]))
        sheet.limb(arm, [2.7 * unit, 2.5 * unit, 3.7 * unit], self.skin)
        if not self.bare:
            sheet.limb(px(np.array([(0.1, -9.5), (0.4, -36.0)])), [3.7 * unit, 5.2 * unit], self.sleeve, 0.3 * unit)
        sheet.fill(px(_rounded(PALM)), self.skin, rounding=1.1 * unit)
        for finger in (3, 0, 2, 1):
            self._finger(sheet, px, unit, finger)
        if self.thumb is not None:
            lean = np.radians(self.thumb)
            foot = np.array([-2.6, -2.6])
            tip = foot + np.cumsum([3.9 * _toward(lean), 2.9 * _toward(lean - 0.35)], 0)
            line = px(np.array([foot, *tip]))
            sheet.limb(line, [1.5 * unit, 1.1 * unit, 0.85 * unit], self.skin, 0.22 * unit)
            if self.nails:
                self._nail(sheet, line, 0.85 * unit)

    def _finger(self, sheet: Sheet, px: Callable[[Points], Points], unit: float, finger: int) -> None:
        """Paint one finger, with the creases of its joints."""
        seen, leans = self.fingers
        ways = PHALANGES * seen[finger] * LENGTHS[finger]
        direction = _toward(np.radians(-leans[finger]))
        joints = KNUCKLES[finger] + np.concatenate([[0.0], np.cumsum(ways)])[:, None] * direction
        foot = joints[0] - 1.2 * direction
        line = px(np.stack([foot, joints[-1]]))
        half = HALF_WIDTHS[finger] * unit
        sheet.limb(line, [1.06 * half, 0.82 * half], self.skin, 0.2 * unit)
        across = np.array([direction[1], -direction[0]]) * HALF_WIDTHS[finger] * 0.75
        for joint in joints[:3]:
            sheet.line(px(np.stack([joint - across, joint + across])), 0.55 * self.skin, 0.12 * unit, opacity=0.6)
        if self.nails:
            self._nail(sheet, line, 0.8 * half)

    def _nail(self, sheet: Sheet, line: Points, half: float) -> None:
        """A pale nail on the last phalanx."""
        along = line[-1] - line[-2]
        length = float(np.hypot(*along))
        if length < 1e-6:
            return
        along = along / length
        around = np.radians(np.arange(0, 360, 30))
        ring = np.cos(around)[:, None] * along * 0.75 + np.sin(around)[:, None] * np.array([-along[1], along[0]]) * 0.55
        sheet.fill(line[-1] + half * ring, np.clip(1.08 * self.skin + [0.05, 0.02, 0.03], 0, 1), opacity=0.7)


def draw_hands(rng: np.random.Generator, person: Person) -> tuple[Hand, ...]:
    """One hand or, more rarely, both."""
    spot = str(rng.choice(list(SPOTS)))
    right = bool(rng.uniform() < 0.5)
    # The inside of a hand is lighter than its back.
    inside = rng.uniform(0, 0.4) if rng.uniform() < 0.5 else 0.0
    colour = person.skin + inside * (np.array([0.88, 0.68, 0.6]) - person.skin)
    colour = np.clip(colour * rng.normal(1.0, 0.05) * rng.normal(1.0, 0.025, 3), 0.05, 1.0)
    sleeve = person.clothes if rng.uniform() < 0.7 else rng.uniform(0.05, 0.9, 3)
    bare = bool(rng.uniform() < 0.45)
    first = _draw_hand(rng, spot, right, colour, sleeve, bare)
    if rng.uniform() > 0.25:
        return (first,)
    other = spot if rng.uniform() < 0.8 else "chin"
    second = _draw_hand(rng, other, not right, colour, sleeve, bare)
    return (second, first)


def _draw_hand(
    rng: np.random.Generator,
    spot: str,
    right: bool,
    colour: NDArray[np.float64],
    sleeve: NDArray[np.float64],
    bare: bool,
) -> Hand:
    seen, spread = HOLDS[str(rng.choice(list(HOLDS), p=[0.4, 0.2, 0.25, 0.15]))]
    lengths = np.clip(seen * rng.normal(1, 0.06, (4, 1)) * rng.normal(1, 0.06, (4, 3)), 0.15, 1.1)
    if seen < 0.7 and rng.uniform() < 0.3:
        lengths[0] = 1.0  # a finger that points
    angles = spread * np.array([-1.5, -0.5, 0.5, 1.5]) + rng.normal(0, 1.5, 4) + rng.normal(0, 4)
    # Mostly an arm comes from below and its own side; now and then from anywhere.
    inward = (1 if right else -1) * rng.normal(28, 26)
    angle = rng.uniform(-180, 180) if rng.uniform() < 0.15 else inward
    return Hand(
        spot=spot,
        shift=(float(rng.normal(0.3, 1.3)), float(rng.normal(-1.0, 1.6))),
        angle=float(angle),
        mirrored=bool(rng.uniform() < 0.5),
        right=right,
        size=float(rng.uniform(0.78, 1.08)),
        fingers=(lengths, angles),
        thumb=float(rng.uniform(10, 55)) if rng.uniform() < 0.8 else None,
        bare=bare,
        skin=colour,
        sleeve=np.asarray(sleeve),
        nails=bool(rng.uniform() < 0.5),
    )


def _toward(angle: float) -> NDArray[np.float64]:
    """A direction turned from upward to the left by an angle in radians."""
    return np.array([-np.sin(angle), np.cos(angle)])


def _rounded(outline: Points) -> Points:
    """An outline with its corners cut twice (Chaikin), so that it looks round."""
    for _ in range(2):
        following = np.roll(outline, -1, 0)
        outline = np.stack([0.75 * outline + 0.25 * following, 0.25 * outline + 0.75 * following], 1).reshape(-1, 2)
    return outline
