"""One face through a video: the largest at first, then the one that overlaps it, as one track."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtclar.faces import Face, HogDetector, Steady, overlap, pick
from mtclar.settings import ExtractSettings


class Follower:
    """Follows one face: the largest at first, then the one that overlaps it.

    While it is away for up to `lost_after_s` no other face is taken for it; after that, the largest is followed.
    """

    def __init__(self, lost_after_s: float) -> None:
        self._lost_after_s = lost_after_s
        self._last: Face | None = None
        self._seen_s = 0.0

    def followed(self, time_s: float) -> Face | None:
        """The face that is followed, unless it has been away too long by the time of the next frame."""
        return self._last if time_s - self._seen_s <= self._lost_after_s else None

    def next(self, faces: list[Face], time_s: float) -> Face | None:
        """The face to take among those of the next frame, if any."""
        self._last = self.followed(time_s)
        if self._last is not None:
            last = self._last
            faces = [face for face in faces if overlap(face, last) > 0]
        face = pick(faces, self._last)
        if face is not None:
            self._last, self._seen_s = face, time_s
        return face


class OneFace:
    """Finds and follows one face; each shot has its track."""

    def __init__(self, s: ExtractSettings) -> None:
        self._detector = HogDetector(threshold=s.threshold, long_side=s.long_side, keep_threshold=s.keep_threshold)
        self._s, self._track = s, -1

    @staticmethod
    def identity(s: ExtractSettings) -> dict[str, Any]:
        """What its boxes follow from besides the frames."""
        names = ("threshold", "keep_threshold", "long_side", "steady_s", "lost_after_s")
        return {"detector": {"name": "hog", **{name: getattr(s, name) for name in names}}}

    def push(self, index: int, time_s: float, picture: np.ndarray, new_shot: bool) -> list[tuple[int, Face]]:
        """Track and box of each face of the next frame, uint8 RGB (h, w, 3)."""
        if new_shot:
            self._follower, self._steady = Follower(self._s.lost_after_s), Steady(self._s.steady_s)
            self._track += 1
        detected = self._detector.detect(picture, self._follower.followed(time_s))
        face = self._follower.next(detected, time_s)
        return [] if face is None else [(self._track, self._steady(face, time_s))]
