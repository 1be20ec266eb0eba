"""A face's own frame of centimetres, what of a picture is face, and the light that falls on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Layer
from mtclar.synthesis.artists.rendered import rotation

Points = NDArray[np.float64]

#: Between the outer corners of the eyes, centimetres: the length by which a face is measured.
EYES_CM = 9.0
#: Beyond this turn (degrees) the corners of the eyes are too near to each other to measure by.
MEASURABLE = 60.0
#: Landmarks around the part of each cheek that the light is read from.
CHEEKS = ([1, 2, 3, 4, 48, 31, 40, 41, 36], [15, 14, 13, 12, 54, 35, 47, 46, 45])


@dataclass(frozen=True)
class Frame:
    """A face's own frame: x to the picture's right, y up, z to the viewer, in centimetres from between the eyes.

    Attributes:
        origin: between the eyes, pixels (2,).
        scale: pixels of a centimetre.
        turn: rotation of the head (3, 3).
        tilt: rotation of the head in the picture alone (3, 3).
        marks: the 68 landmarks, pixels (68, 2).
        yaw: of the head, degrees.
    """

    origin: Points
    scale: float
    turn: Points
    tilt: Points
    marks: Points
    yaw: float

    def solid(self, points: Points) -> Points:
        """Pixels (k, 2) of points (k, 3) that belong to the head and turn with it."""
        return self.origin + (points @ self.turn.T)[:, :2] * [self.scale, -self.scale]

    def flat(self, points: Points, at: Points) -> Points:
        """Pixels (k, 2) of points (k, 2) around a place `at` in pixels, in a plane that faces the camera."""
        return at + (points @ self.tilt[:2, :2].T) * [self.scale, -self.scale]


def frame_of(landmarks: NDArray[np.float32], head: tuple[float, float, float]) -> Frame:
    """The frame of a face whose landmarks (68, 2) and pose (yaw, pitch, roll in degrees) are known."""
    marks = landmarks.astype(np.float64)
    seen = np.cos(np.radians(min(abs(head[0]), MEASURABLE)))
    scale = float(np.linalg.norm(marks[45] - marks[36]) / (EYES_CM * seen))
    return Frame(
        origin=marks[[36, 39, 42, 45]].mean(0),
        scale=max(scale, 1e-3),
        turn=rotation(*head),
        tilt=rotation(0, 0, head[2]),
        marks=marks,
        yaw=head[0],
    )


def face_mask(landmarks: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The hull of the landmarks (68, 2) in a picture of some height and width."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(np.asarray(landmarks)).astype(np.int32)), 1)
    return mask > 0


def light_on(layer: Layer, skin: NDArray[np.float64]) -> tuple[float, float]:
    """How bright the light on a face is beside the colour of its skin, and how far it comes from the right (-1..1)."""
    found = []
    for cheek in CHEEKS:
        mask = np.zeros(layer.alpha.shape, np.uint8)
        outline = cv2.convexHull(np.round(layer.landmarks[cheek]).astype(np.int32))
        cv2.fillConvexPoly(mask, outline, 1)
        found.append(float(np.mean(cv2.mean(layer.rgb, mask)[:3])) / 255 if mask.any() else np.nan)
    left, right = np.where(np.isnan(found), np.nan_to_num(np.nanmax([*found, 0.0])), found)
    level = float(np.clip((left + right) / 2 / max(float(skin.mean()), 0.05), 0.08, 1.3))
    return level, float(np.clip((right - left) / max(left + right, 1e-3), -0.8, 0.8))
