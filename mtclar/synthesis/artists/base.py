"""What an artist is asked for and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import Actions, no_actions
from mtclar.synthesis.identity import Person


@dataclass(frozen=True)
class Performance:
    """What a face does at one instant.

    Attributes:
        actions: float32 (actions, 2), resting face included.
        head: yaw, pitch and roll in degrees; positive yaw turns to the picture's right, positive pitch looks up.
        gaze: yaw and pitch of the eyes in the head, degrees.
    """

    actions: Actions = field(default_factory=no_actions)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gaze: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class View:
    """Where the camera stands: picture size in pixels, and what it sees around the face in centimetres.

    Attributes:
        width, height: pixels.
        height_cm: height of the visible field at the face.
        offset_cm: the face's centre beside the middle of the picture, right and up.
    """

    width: int
    height: int
    height_cm: float
    offset_cm: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Light:
    """A far light: direction it comes from (x right, y up, z to the viewer), RGB colour times strength."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Layer:
    """A drawn person: RGB uint8 (h, w, 3), opacity float32 (h, w) in [0, 1], landmarks float32 (68, 2) in pixels."""

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class Artist(Protocol):
    """Draws people. One artist works in one process; it keeps no memory that changes a picture."""

    name: str

    def draw(self, person: Person, performance: Performance, view: View, lights: tuple[Light, ...]) -> Layer:
        """Draw a person on nothing (transparent background)."""
        ...
