"""Another face than the one followed, for anchors that are of another track or person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mtclar.faces import CropSpec, Face, cut


class Others:
    """Keeps the one other face of the frames asked for, while the video streams by.

    Where a frame shows no other face or several, nothing is kept: nobody could say which of them was meant.

    Args:
        frames: Frames asked for.
        times_s: Times in seconds whose nearest frame is asked for.
    """

    def __init__(self, frames: Iterable[int] = (), times_s: Iterable[float] = ()) -> None:
        self._wanted = set(frames)
        self._nearest: dict[float, tuple[float, int]] = dict.fromkeys(times_s, (np.inf, -1))
        self._crops: dict[int, np.ndarray] = {}

    def offer(self, frame: int, time_s: float, image: np.ndarray, faces: Sequence[Face], spec: CropSpec) -> None:
        """Shows the next frame, uint8 RGB (h, w, 3), with the faces in it that are not followed."""
        nearer = [at for at, (distance, _) in self._nearest.items() if abs(at - time_s) < distance]
        for at in nearer:
            self._nearest[at] = abs(at - time_s), frame
        if len(faces) == 1 and (nearer or frame in self._wanted):
            self._crops[frame] = cut(image, faces[0].box, spec)
        kept = self._wanted | {index for _, index in self._nearest.values()}
        for gone in self._crops.keys() - kept:
            del self._crops[gone]

    def kept(self) -> dict[int, np.ndarray]:
        """The crops by frame."""
        return dict(self._crops)
