"""The detectors by name, and the one for single pictures: a quick one first, a thorough one where it is unsure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError, nearest
from mtclar.faces.blaze import BLAZES, BlazeDetector
from mtclar.faces.centerface import CenterFaceDetector
from mtclar.faces.detect import Detector, Face, overlap
from mtclar.faces.hog import HogDetector
from mtclar.faces.mesh import MeshModel

DETECTORS = ("ladder", "full-range", "back", "short-range", "centerface", "hog")
"""Names that `open_detector` knows."""
THRESHOLDS = {"full-range": 0.6, "back": 0.7, "short-range": 0.7, "centerface": 0.35, "hog": 0.0}
"""Score from which a box counts as a face where a detector is asked alone.

Chosen on 768 hard pictures of training people of `mtclar synthesize` (seed 2027) and 2,000 made pictures without a face
by `bench/detect.py --thresholds`: the most faces at no more than five false ones in 1,000 walls, textures and shapes,
and 30 in 1,000 pictures that are tiles of faces in another order. HOG's is dlib's own."""
DOUBTFUL = {"full-range": 0.3, "centerface": 0.2}
"""Score from which a box that does not count by itself is worth a look by the mesh.

Below it lie far more walls than faces, on the same pictures."""
PRESENT = 0.5
"""Presence of the mesh from which it has confirmed a doubtful box.

On the same pictures it confirms 0.80 of BlazeFace's doubtful boxes that are faces, and 0.01 of those that are not."""
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
    """BlazeFace full-range, the mesh where that one is in doubt, and CenterFace at 480 pixels where both are.

    Of the hard pictures named above it finds 0.96; at these thresholds BlazeFace alone finds 0.63, CenterFace 0.94.

    Example:
        open_detector().detect(picture)
    """

    name = "ladder"

    def __init__(self, *, threshold: float | None = None, threads: int = 1) -> None:
        """As `open_detector`."""
        self._quick = BlazeDetector("full-range", threshold=THRESHOLDS["full-range"], threads=threads)
        sure = THRESHOLDS["centerface"] if threshold is None else threshold
        self._thorough = CenterFaceDetector(threshold=sure, threads=threads)
        self._mesh = MeshModel(threads)

    @property
    def identity(self) -> dict[str, Any]:
        """Those of its parts."""
        parts = {"quick": self._quick.identity, "thorough": self._thorough.identity, "mesh": self._mesh.identity}
        return {"name": self.name, **parts}

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Finds the faces of a picture uint8 RGB (h, w, 3): canonical boxes in its pixels, the surest first."""
        found, doubtful = self._judged(picture, self._quick)
        if doubtful or not found:
            closer, _ = self._judged(picture, self._thorough)
            found = closer + [face for face in found if all(overlap(face, other) < SAME for other in closer)]
        return sorted(found, key=lambda face: -face.score)

    def _judged(
        self, picture: NDArray[np.uint8], detector: BlazeDetector | CenterFaceDetector
    ) -> tuple[list[Face], bool]:
        """The faces that a detector is sure of or the mesh confirms, and whether a doubtful box is left."""
        lowest = min(DOUBTFUL[detector.name], detector.threshold)
        proposed = detector.proposals(picture, lowest)
        doubtful = [face for face in proposed if face.score < detector.threshold]
        meshes = self._mesh.fit_all(picture, doubtful)
        confirmed = [face for face, mesh in zip(doubtful, meshes, strict=True) if mesh.presence >= PRESENT]
        found = [face for face in proposed if face.score >= detector.threshold] + confirmed
        return found, len(confirmed) < len(doubtful)
