"""Where the faces of a picture are, and which of them to follow.

Boxes are (x, y, w, h) in pixels of the source picture, with the pixel convention of `mtclar.faces.crop`; they may
reach over the border, so x and y may be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError
from mtclar.faces.crop import Box

LANDMARK_SIDE = 1.10
"""Side of the HOG detector's square box over the mean side of the box around the 68 landmarks of the same face.

Measured on 3,667 rendered faces of the sample with known landmarks: 1.10 on average, standard deviation 0.08 (the
detector's boxes come in steps of 6/5 in size and of some pixels in place). A box made so overlaps the detector's with
0.82 of their union on average."""

LANDMARK_OFFSET = (0.0, -0.09)
"""Centre of the HOG box beside the centre of the landmarks' box, right and down, in mean sides of the latter.

Measured on the same faces: 0.00 ± 0.06 and -0.09 ± 0.05; the box reaches higher up the forehead than the brows."""


STILL_THERE = 0.4
"""Overlap of two boxes from which an unsure one is believed to be the face that was there before."""


@dataclass(frozen=True)
class Face:
    """A face: its box in pixels of the picture, and the detector's score (NaN for a box that was given)."""

    x: float
    y: float
    w: float
    h: float
    score: float = float("nan")

    @property
    def box(self) -> Box:
        """The box as (x, y, w, h)."""
        return self.x, self.y, self.w, self.h


@cache
def _detector() -> Any:
    """dlib's detector, once a process: to unpack it takes half a second."""
    import dlib

    return dlib.get_frontal_face_detector()  # type: ignore[attr-defined]


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


def box_from_landmarks(landmarks: NDArray[np.floating] | Sequence[Sequence[float]]) -> Face:
    """The box that the HOG detector would draw around a face, from its landmarks.

    Args:
        landmarks: (68, 2) in the order of the 300-W annotation, in pixels.

    Returns:
        A square face box, score NaN.

    Raises:
        MtclarError: The landmarks are not 68 finite points that span an area.
    """
    points = np.asarray(landmarks, float)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise MtclarError(f"expected 68 finite landmarks (68, 2), got an array of shape {points.shape}.")
    low, high = points.min(0), points.max(0)
    side = float((high - low).mean())
    if not (high > low).all():
        raise MtclarError("the landmarks of a face all lie on one line.")
    x, y = (low + high) / 2 + np.array(LANDMARK_OFFSET) * side
    box = LANDMARK_SIDE * side
    return Face(float(x) - box / 2, float(y) - box / 2, box, box)


def overlap(a: Face, b: Face) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a.w * a.h + b.w * b.h - w * h)


def pick(faces: Sequence[Face], previous: Face | None = None) -> Face | None:
    """Which face to follow in a video.

    Args:
        faces: The faces of this frame.
        previous: The face of the frame before, if there was one.

    Returns:
        The face that overlaps `previous` most; where none does, or there is no previous one, the largest, and of
        faces alike in size (their areas within a tenth) the surest; None where there is no face.
    """
    if not faces:
        return None
    if previous is not None:
        best = max(faces, key=lambda face: overlap(face, previous))
        if overlap(best, previous) > 0:
            return best
    largest = max(face.w * face.h for face in faces)
    return max((face for face in faces if face.w * face.h >= 0.9 * largest), key=lambda face: face.score)
