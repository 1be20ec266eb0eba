"""A few small pictures of a long video, kept while it streams by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 112
_KEPT = 256


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of one frame: uint8 RGB, at most `SIDE` pixels wide and high."""

    frame: int
    image: np.ndarray


class Thumbnails:
    """Keeps the pictures of the frames and times asked for and, evenly spread, at most 256 others.

    The others are every m-th frame, where m doubles whenever there are too many, so that memory stays bounded
    whatever the length of the video.

    Args:
        frames: Frames whose picture must be kept.
        times_s: Times in seconds whose nearest frame must be kept.
    """

    def __init__(self, frames: Iterable[int] = (), times_s: Iterable[float] = ()) -> None:
        self._wanted = set(frames)
        self._nearest: dict[float, tuple[float, Thumbnail | None]] = dict.fromkeys(times_s, (np.inf, None))
        self._asked: dict[int, Thumbnail] = {}
        self._spread: list[Thumbnail] = []
        self._every = 1

    def offer(self, frame: int, time_s: float, image: np.ndarray) -> None:
        """Shows the next frame, uint8 RGB (h, w, 3); frames come in order."""
        nearer = [at for at, (distance, _) in self._nearest.items() if abs(at - time_s) < distance]
        if not (nearer or frame in self._wanted or frame % self._every == 0):
            return
        small = Thumbnail(frame, _small(image))
        for at in nearer:
            self._nearest[at] = abs(at - time_s), small
        if frame in self._wanted:
            self._asked[frame] = small
        if frame % self._every == 0:
            self._spread.append(small)
            if len(self._spread) > _KEPT:
                self._every *= 2
                self._spread = [kept for kept in self._spread if kept.frame % self._every == 0]

    def kept(self) -> dict[int, np.ndarray]:
        """The pictures by frame, in order."""
        near = [thumbnail for _, thumbnail in self._nearest.values() if thumbnail is not None]
        pictures = {item.frame: item.image for item in (*self._spread, *near, *self._asked.values())}
        return dict(sorted(pictures.items()))


def choose(kept: Sequence[int], must: Sequence[int], values: np.ndarray, count: int) -> list[int]:
    """Which of the kept frames to show: those that must be, the extremes of each value, and evenly spaced ones.

    Args:
        kept: Frames that have a picture, ascending.
        must: Frames to show if they have one.
        values: One row a frame of the video (n, dimensions), NaN where not known.
        count: How many to show besides `must`.
    """
    others = [frame for frame in kept if frame not in set(must)]
    known = [frame for frame in others if not np.isnan(values[frame]).any()]
    chosen: dict[int, None] = {}
    for column in values.T if known else ():
        chosen[known[int(np.argmax(column[known]))]] = None
        chosen[known[int(np.argmin(column[known]))]] = None
    rest = [frame for frame in others if frame not in chosen]
    spaced = np.linspace(0, len(rest) - 1, num=max(0, min(count - len(chosen), len(rest))))
    chosen.update(dict.fromkeys(rest[round(i)] for i in spaced))
    return sorted({*list(chosen)[:count], *(frame for frame in must if frame in set(kept))})


def _small(image: np.ndarray) -> np.ndarray:
    scale = SIDE / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
