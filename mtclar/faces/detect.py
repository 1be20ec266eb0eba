"""Where the faces of a picture are, and which of them to follow.

Boxes are (x, y, w, h) in pixels of the source picture, with the pixel convention of `mtclar.faces.crop`; they may
reach over the border, so x and y may be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError
from mtclar.faces.crop import Box

LANDMARK_ACROSS = (
    *(16 - i for i in range(17)),  # jaw
    *(43 - i for i in range(17, 27)),  # brows
    *range(27, 31),  # bridge of the nose
    *(66 - i for i in range(31, 36)),  # nostrils
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(102 - i for i in range(48, 55)),  # outer lips, upper and lower
    *(114 - i for i in range(55, 60)),
    *(124 - i for i in range(60, 65)),  # inner lips
    *(132 - i for i in range(65, 68)),
)
"""The landmark of 300-W that lies across the face from each."""
LANDMARK_SIDE = 1.10
"""Side of the HOG detector's square box over the mean side of the box around the 68 landmarks of the same face.

Measured on 3,667 rendered faces of the sample with known landmarks: 1.10 on average, standard deviation 0.08 (the
detector's boxes come in steps of 6/5 in size and of some pixels in place). A box made so overlaps the detector's with
0.82 of their union on average."""

LANDMARK_OFFSET = (0.0, -0.09)
"""Centre of the HOG box beside the centre of the landmarks' box, right and down, in mean sides of the latter.

Measured on the same faces: 0.00 ± 0.06 and -0.09 ± 0.05; the box reaches higher up the forehead than the brows."""


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


class Detector(Protocol):
    """Finds faces in pictures."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> dict[str, Any]:
        """What the boxes follow from: name, sha256 of the weights, thresholds."""
        ...

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """The faces of a picture uint8 RGB (h, w, 3): canonical boxes in its pixels, the surest first."""
        ...


@dataclass(frozen=True)
class Canonical:
    """From a detector's own boxes to the canonical face box, the one that `box_from_landmarks` defines.

    Attributes:
        side: Side of the canonical box over the mean side of the detector's.
        right, down: Centre of the canonical box beside the detector's, in mean sides of the latter.
    """

    side: float
    right: float
    down: float

    def faces(self, boxes: NDArray[np.float64], scores: NDArray[np.floating]) -> list[Face]:
        """Faces with canonical boxes.

        Args:
            boxes: Of the detector (n, 4): x and y of the centre, width and height, in pixels.
            scores: (n,).
        """
        found = []
        for (x, y, w, h), score in zip(boxes.tolist(), scores.tolist(), strict=True):
            mean = (w + h) / 2
            half = self.side * mean / 2
            found.append(
                Face(x + self.right * mean - half, y + self.down * mean - half, 2 * half, 2 * half, float(score))
            )
        return found


def check_picture(picture: NDArray[np.uint8]) -> None:
    """Checks that a detector is asked about a picture.

    Raises:
        MtclarError: It is not uint8 RGB (h, w, 3), or empty.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise MtclarError(f"expected a picture uint8 RGB (h, w, 3), got {picture.dtype} {picture.shape}.")


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
