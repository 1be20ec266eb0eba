"""A steady box for a face that is followed through a video."""

from __future__ import annotations

import math
from dataclasses import replace

from mtclar.faces.detect import Face, overlap

JUMP = 0.5
"""Overlap of two boxes in a row below which the face has moved, and is not merely shaking."""


class Steady:
    """Smooths the boxes of one face over time, by an exponential mean of their centre and of the log of their side.

    The HOG detector looks at a picture in sizes a sixth apart, so the box of a face that keeps still changes its side
    by that much from one frame to the next, and with it what the encoder sees.

    Example:
        steady = Steady(time_constant_s=0.15)
        for frame in video:
            face = steady(pick(detector.detect(frame.image), None), frame.time_s)
    """

    def __init__(self, time_constant_s: float) -> None:
        """`time_constant_s`: seconds after which a change has been followed by 63 %; 0 leaves boxes as they are."""
        self._time_constant_s = time_constant_s
        self._face: Face | None = None
        self._time_s = 0.0

    def __call__(self, face: Face, time_s: float) -> Face:
        """The steadied box of `face`, with its own score; a face that has jumped is taken as it is."""
        last, before = self._face, self._time_s
        if last is not None and self._time_constant_s > 0 and overlap(face, last) >= JUMP:
            keep = math.exp(-max(time_s - before, 0.0) / self._time_constant_s)
            side, old = math.sqrt(face.w * face.h), math.sqrt(last.w * last.h)
            ratio = (old / side) ** keep
            w, h = face.w * ratio, face.h * ratio
            x = keep * (last.x + last.w / 2) + (1 - keep) * (face.x + face.w / 2) - w / 2
            y = keep * (last.y + last.h / 2) + (1 - keep) * (face.y + face.h / 2) - h / 2
            face = replace(face, x=x, y=y, w=w, h=h)
        self._face, self._time_s = face, time_s
        return face

    def resize(self, across: float, down: float) -> None:
        """Brings what it remembers to a picture that is so many times as wide and as high."""
        if self._face is not None:
            x, y, w, h = self._face.box
            self._face = replace(self._face, x=x * across, y=y * down, w=w * across, h=h * down)
