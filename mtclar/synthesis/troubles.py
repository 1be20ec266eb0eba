"""Spans of a clip in which the face is hard to see: dark, out of focus, or turned away. The label goes on as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Performance
from mtclar.synthesis.scene import Scene

Kind = Literal["none", "dark", "blurred", "turned"]
#: Share of clips with a span of trouble, and the span's least and greatest share of the clip.
TROUBLED, SPAN = 0.5, (0.25, 0.5)
#: Frames in which a trouble comes and goes.
RAMP = 3


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in a clip.

    Attributes:
        kind: what it is.
        strength: dark: the factor of the light; blurred: standard deviation in pixels; turned: degrees of yaw.
        course: (frames,) from 0, all is well, to 1, in full.
    """

    kind: Kind
    strength: float
    course: NDArray[np.float64]

    def turned(self, performance: Performance, share: float) -> Performance:
        """The performance with the head turned as far as it is at this share of the trouble."""
        if self.kind != "turned":
            return performance
        yaw, pitch, roll = performance.head
        return replace(performance, head=(yaw + share * self.strength, pitch, roll))

    def spoilt(self, scene: Scene, share: float) -> Scene:
        """The scene as the camera sees it at this share of the trouble."""
        if self.kind == "dark":
            return replace(scene, gain=scene.gain * self.strength**share)
        if self.kind == "blurred":
            return replace(scene, blur_px=float(np.hypot(scene.blur_px, share * self.strength)))
        return scene


def draw_trouble(rng: np.random.Generator, frames: int) -> Trouble:
    """Draws what goes wrong in a clip of `frames` frames; in about half of all clips nothing does."""
    kinds: tuple[Kind, ...] = ("dark", "blurred", "turned")
    troubled, kind = rng.uniform() < TROUBLED, kinds[int(rng.integers(3))]
    strengths = {
        "dark": rng.uniform(0.25, 0.38),
        "blurred": rng.uniform(2.0, 3.5),
        "turned": rng.choice([-1.0, 1.0]) * rng.uniform(20, 28),
    }
    length = rng.uniform(*SPAN) * frames
    start = rng.uniform(0, frames - length)
    if not troubled:
        return Trouble("none", 0.0, np.zeros(frames))
    at = np.arange(frames) + 0.5
    course = np.clip(np.minimum(at - start, start + length - at) / RAMP, 0, 1)
    return Trouble(kind, float(strengths[kind]), course)
