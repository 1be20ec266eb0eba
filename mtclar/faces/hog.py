"""dlib's frontal face detector, which needs the extra `hog`; kept to compare with what is used by default."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError
from mtclar.faces.detect import Face, overlap

STILL_THERE = 0.4
"""Overlap of two boxes from which an unsure one is believed to be the face that was there before."""


def _dlib() -> Any:
    try:
        import dlib
    except ImportError as error:
        raise MtclarError(
            "the detector 'hog' needs dlib, which is not installed; `pip install 'mtclar[hog]'`, or choose another one."
        ) from error
    return dlib


@cache
def _detector() -> Any:
    """dlib's detector, once a process: to unpack it takes half a second."""
    return _dlib().get_frontal_face_detector()


class HogDetector:
    """dlib's frontal face detector: histograms of gradients, its model inside the wheel, nothing to fetch.

    Finds upright, frontal faces from about 80 pixels (40 with the second look that small pictures get). May be sent
    to another process; dlib is loaded at the first picture.

    Example:
        HogDetector(threshold=0.0, long_side=640).detect(picture)
    """

    name = "hog"

    def __init__(self, *, threshold: float, long_side: int, keep_threshold: float | None = None) -> None:
        """Chooses how sure the detector must be.

        Args:
            threshold: Score from which a box counts.
            long_side: Larger pictures are scaled down to it, in pixels.
            keep_threshold: Score from which a box counts where a face was just before; None for `threshold`.
        """
        self.threshold, self.long_side = threshold, long_side
        self.keep_threshold = threshold if keep_threshold is None else min(threshold, keep_threshold)

    @property
    def identity(self) -> dict[str, Any]:
        """Name, version of the package that holds the weights, threshold and size."""
        version = str(_dlib().__version__)
        return {
            "name": self.name,
            "weights": f"dlib {version}",
            "threshold": self.threshold,
            "long_side": self.long_side,
        }

    def detect(self, picture: NDArray[np.uint8], followed: Face | None = None) -> list[Face]:
        """Finds the faces of a picture, the surest first.

        Args:
            picture: uint8 RGB (h, w, 3).
            followed: A face of the picture before. A hand, a shadow or a turn of the head lowers the score of a face
                that is still there, so boxes close to this one count from `keep_threshold` on.

        Returns:
            Faces with boxes in pixels of `picture`; none, if there is none.
        """
        faces = self._detect(picture, self.threshold if followed is None else self.keep_threshold)
        if followed is None:
            return faces
        return [face for face in faces if face.score >= self.threshold or overlap(face, followed) >= STILL_THERE]

    def _detect(self, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
        detector = _detector()
        height, width = picture.shape[:2]
        shrink = min(1.0, self.long_side / max(height, width))
        small = np.ascontiguousarray(picture)
        if shrink < 1:
            sides = max(1, round(width * shrink)), max(1, round(height * shrink))
            small = cv2.resize(small, sides, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        boxes, scores, _ = detector.run(small, 0, threshold)
        if not boxes and max(height, width) < self.long_side:
            boxes, scores, _ = detector.run(small, 1, threshold)
        across, down = width / small.shape[1], height / small.shape[0]
        faces = [
            Face(b.left() * across, b.top() * down, b.width() * across, b.height() * down, float(score))
            for b, score in zip(boxes, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: -face.score)
