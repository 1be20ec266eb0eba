"""Who somebody is: the shape and colours of a face, its habits and how strongly it shows affect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import ACTIONS, INDEX, Actions, limit, no_actions
from mtclar.synthesis.affect import DISPLAYS

#: Modes of shape a person is made of (as many as the rendered artist's face model has).
SHAPE_MODES = 100
#: Higher modes are damped by exp(-k / SHAPE_DAMPING): undamped faces look lumpy.
SHAPE_DAMPING = 60.0

#: Colours along human skin, dark to light, RGB in [0, 1].
SKIN_TONES = np.array([(0.34, 0.22, 0.16), (0.45, 0.29, 0.2), (0.62, 0.42, 0.3), (0.77, 0.56, 0.43), (0.89, 0.71, 0.6)])
HAIR_COLOURS = np.array([(0.06, 0.05, 0.05), (0.16, 0.1, 0.07), (0.3, 0.19, 0.12), (0.55, 0.4, 0.22), (0.6, 0.6, 0.58)])
IRIS_COLOURS = np.array([(0.14, 0.08, 0.05), (0.25, 0.15, 0.07), (0.3, 0.35, 0.2), (0.3, 0.45, 0.55)])

#: The age at which a face looks as it is modelled: neither like a child's nor old.
GROWN = 0.5

Colour = NDArray[np.float64]


@dataclass(frozen=True)
class Person:
    """Somebody who does not exist.

    Attributes:
        person_id: name in the files, like `p0042`.
        shape: coefficients of the face model's identity modes, float32 (100,), damped N(0, 1).
        skin, hair, iris, lips, clothes: colours, RGB in [0, 1].
        brow: (thickness in centimetres, darkness 0..1).
        hair_volume: centimetres the hair stands off the skull.
        hairline: centimetres the hairline lies above (or below) the usual.
        stubble: darkness of the shaved beard, 0..1.
        rest: actions of the face at rest, float32 (actions, 2).
        gain: expressiveness times asymmetry, float32 (actions, 2); multiplies what affect does.
        displays: the way this person shows each expression (index into `affect.DISPLAYS`).
        texture: seed of the skin's unevenness.
        age: how old the face looks, from 0, like a child's, to 1, old.
    """

    person_id: str
    shape: NDArray[np.float32]
    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    clothes: Colour
    brow: tuple[float, float]
    hair_volume: float
    hairline: float
    stubble: float
    rest: Actions
    gain: Actions
    displays: tuple[int, ...]
    texture: int
    age: float = GROWN

    @property
    def young(self) -> float:
        """How much of a child's looks the face has, 0..1."""
        return max(0.0, 1 - self.age / GROWN)

    @property
    def old(self) -> float:
        """How much of an old face's looks it has, 0..1."""
        return max(0.0, (self.age - GROWN) / (1 - GROWN))

    def show(self, actions: Actions) -> Actions:
        """What this face does when affect asks for `actions`: strength, asymmetry and rest of its own."""
        return limit(self.rest + self.gain * actions)


def _between(palette: NDArray[np.float64], position: float) -> Colour:
    """Colour at a position 0..1 along a palette."""
    x = position * (len(palette) - 1)
    low = min(int(x), len(palette) - 2)
    return palette[low] + (x - low) * (palette[low + 1] - palette[low])


def draw_person(rng: np.random.Generator, person_id: str) -> Person:
    """Draw somebody at random."""
    damping = np.exp(-np.arange(SHAPE_MODES) / SHAPE_DAMPING)
    tone = rng.beta(1.1, 0.8)
    skin = np.clip(_between(SKIN_TONES, tone) * rng.normal(1.0, 0.03, 3), 0.1, 0.95)
    hair_position = rng.beta(1.2, 1.2) * (1.0 if tone > 0.55 else 0.35)
    hair = np.array(HAIR_COLOURS[-1]) if rng.uniform() < 0.12 else _between(HAIR_COLOURS[:-1], hair_position)
    iris = _between(IRIS_COLOURS, rng.uniform() if tone > 0.55 else 0.3 * rng.uniform())
    lips = np.clip(skin * np.array([0.9, 0.7, 0.7]) + np.array([0.05, 0.0, 0.01]) * rng.normal(1, 0.8), 0.05, 0.95)
    rest = no_actions()
    for name in ("smile", "lip_corner_down", "brow_down", "brow_inner_up", "lid_close", "lid_tighten", "lip_press"):
        rest[INDEX[name]] = max(0.0, rng.normal(0.0, 0.07))
    expressiveness = np.clip(rng.normal(1.0, 0.12), 0.75, 1.25)
    gain = expressiveness * rng.normal(1.0, 0.08, (len(ACTIONS), 1)) * rng.normal(1.0, 0.06, (len(ACTIONS), 2))
    return Person(
        person_id=person_id,
        shape=(rng.normal(size=SHAPE_MODES) * damping).astype(np.float32),
        skin=skin,
        hair=hair,
        iris=iris,
        lips=lips,
        clothes=np.clip(rng.uniform(0.05, 0.8) + rng.normal(0, 0.1, 3), 0, 1),
        brow=(float(rng.uniform(0.28, 0.5)), float(rng.uniform(0.6, 0.95))),
        hair_volume=float(rng.uniform(0.1, 1.8)) if rng.uniform() > 0.08 else 0.0,
        hairline=float(rng.normal(0.0, 0.6)),
        stubble=float(rng.uniform(0.1, 0.5)) if rng.uniform() < 0.3 else 0.0,
        rest=rest,
        gain=gain.astype(np.float32),
        displays=tuple(int(rng.integers(len(ways))) for ways in DISPLAYS),
        texture=int(rng.integers(2**31)),
    )
