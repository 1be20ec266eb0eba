"""The detectors by name, and the one that is used by default: a quick one first, a thorough one where it is unsure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError, nearest
from mtclar.faces.blaze import BLAZES, BlazeDetector
from mtclar.faces.centerface import CenterFaceDetector
from mtclar.faces.detect import Detector, Face, overlap
from mtclar.faces.hog import HogDetector

DETECTORS = ("ladder", "full-range", "back", "short-range", "centerface", "hog")
"""Names that `open_detector` knows."""
THRESHOLDS = {"full-range": 0.6, "back": 0.7, "short-range": 0.7, "centerface": 0.4, "hog": 0.0}
"""Score from which a box counts as a face where a detector is asked alone.

Chosen on 500 hard pictures of training people of `mtclar synthesize` (seed 2027) and 600 made pictures without a face
(walls, textures, shapes, and tiles of pictures of faces in another order): the most faces at about five false ones in
1,000 pictures."""
DOUBTFUL = 0.3
"""Score of the quick detector from which a box that it does not count is a reason to look closely.

Below it lie more walls than faces, on the same pictures."""
SAME = 0.3
"""Overlap from which two detectors mean the same face."""


def open_detector(name: str = "ladder", *, threshold: float | None = None, threads: int = 1) -> Detector:
    """A detector by name; its weights are read when it is first asked.

    Args:
        name: One of `DETECTORS`: `ladder` for single pictures; `full-range`, `back` and `short-range` are BlazeFace,
            `centerface` is slower and finds more, `hog` is dlib's and needs the extra `hog`.
        threshold: Score from which a box counts as a face; None takes the one of `THRESHOLDS`. For `ladder`, that of
            its thorough detector.
        threads: Of ONNX Runtime.

    Raises:
        MtclarError: No detector has that name.
    """
    if name not in DETECTORS:
        raise MtclarError(
            f"detector '{name}' is not known{nearest(name, DETECTORS)}; choose one of {', '.join(DETECTORS)}."
        )
    if name == "ladder":
        return Ladder(threshold=threshold, threads=threads)
    sure = THRESHOLDS[name] if threshold is None else threshold
    if name in BLAZES:
        return BlazeDetector(name, threshold=sure, threads=threads)
    if name == "centerface":
        return CenterFaceDetector(threshold=sure, threads=threads)
    return HogDetector(threshold=sure, long_side=640)


class Ladder:
    """BlazeFace full-range, and CenterFace at 480 pixels where that one found nothing or is in doubt.

    Example:
        open_detector().detect(picture)
    """

    name = "ladder"

    def __init__(self, *, threshold: float | None = None, threads: int = 1) -> None:
        """As `open_detector`."""
        self._quick = BlazeDetector("full-range", threshold=THRESHOLDS["full-range"], threads=threads)
        sure = THRESHOLDS["centerface"] if threshold is None else threshold
        self._thorough = CenterFaceDetector(threshold=sure, threads=threads)

    @property
    def identity(self) -> dict[str, Any]:
        """Those of both detectors."""
        return {"name": self.name, "quick": self._quick.identity, "thorough": self._thorough.identity}

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Finds the faces of a picture uint8 RGB (h, w, 3): canonical boxes in its pixels, the surest first."""
        proposed = self._quick.proposals(picture, DOUBTFUL)
        sure = [face for face in proposed if face.score >= self._quick.threshold]
        if sure and len(sure) == len(proposed):
            return sure
        found = self._thorough.detect(picture)
        found += [face for face in sure if all(overlap(face, other) < SAME for other in found)]
        return sorted(found, key=lambda face: -face.score)
