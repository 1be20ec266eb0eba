"""How much of a face a picture shows, from 1 for a clear one towards 0: hidden, turned, blurred, small ones say less.

Each kind of defect is counted in halvings, and `quality` is two to the power of minus their sum. How much each counts
beside the others is what it adds to the logarithm of the squared error of the shipped model's supervised head: the
maximum-likelihood fit of an error that is normal around the truth, on half of the 110 validation people of
recipes/shipped.yaml (440 pictures, and a copy of each for every kind of spoiling), with the mesh laid twice as on a
video. `tools/face_quality.py` fits anew on all of them with one look of the mesh at each crop, and then gives a turned
head more (2.9) and blur and size next to nothing; it orders the errors of test people as well: the rank correlation of
quality with smallness of error is 0.18, and 0.20 with what is left of the error when that of equally strong expressions
is taken off. Most of an error has nothing to do with the picture. Light adds nothing to what presence and blur tell.

The unit is free and set such that a face that the mesh does not see counts three halvings. The squared error then grows
with `quality` to the power of -0.18; how it does for another model is measured on its validation people.
"""

from __future__ import annotations

import cv2
import numpy as np

from mtclar.errors import MtclarError
from mtclar.faces.geometry import pose_of_points
from mtclar.faces.mesh import MARGIN, MeshModel, Region, square_of

FACE_SHARE = 2 / 3
"""Side of the face box over that of a crop, of 1.5 boxes."""
PRESENCE_WEIGHT, LEAST_PRESENCE = 0.53, 0.02
"""Halvings for each halving of the mesh's presence, and the presence below which it makes no difference."""
TURN_WEIGHT, FRONTAL = 1.65, 10.0
"""Halvings for each 30 degrees by which yaw and pitch together exceed what is frontal, in degrees."""
BLUR_WEIGHT, SHARP = 0.41, 0.67
"""Halvings for each halving of the sharpness, and the sharpness from which on a face is sharp."""
SIZE_WEIGHT, LARGE = 0.36, 30.0
"""Halvings for each halving of the side of the face box, and the side in pixels from which on it is large enough."""
LOOK = 64
"""Side to which a face is scaled before its sharpness is measured, in pixels."""
BATCH = 16
"""Faces that the mesh is shown at once; more are no quicker."""
GRAIN = 0.5
"""Contrast in grey levels that noise and the steps of 8 bits have, so that an even picture does not look sharp."""


def quality(
    crops: np.ndarray,
    sides: np.ndarray,
    scores: np.ndarray | None = None,
    *,
    pose: np.ndarray | None = None,
    presence: np.ndarray | None = None,
) -> np.ndarray:
    """The quality of faces.

    Args:
        crops: uint8 RGB (n, size, size, 3), as a faces store keeps them and `cut` makes them.
        sides: Sides of their boxes in pixels of the source picture (n,).
        scores: Of the detector (n,), NaN where a box was given. Stands in for presence where that is not given; what
            lies outside [0, 1] is cut off.
        pose: Yaw, pitch and roll of the heads in degrees (n, 3); NaN or None where not known, which counts as frontal.
        presence: Of the mesh (n,), in [0, 1]; NaN where not known, which counts as seen. `look` finds pose and presence
            of stored crops.

    Returns:
        float64 (n,), in (0, 1].

    Raises:
        MtclarError: The shapes do not fit.
    """
    n = len(crops)
    if presence is None:
        presence = np.full(n, np.nan) if scores is None else scores
    pose = np.full((n, 3), np.nan) if pose is None else pose
    if crops.ndim != 4 or crops.shape[3] != 3:
        raise MtclarError(f"expected crops (n, size, size, 3), got {crops.shape}.")
    for name, values, shape in (("sides", sides, (n,)), ("scores", presence, (n,)), ("pose", pose, (n, 3))):
        if np.shape(values) != shape:
            raise MtclarError(f"expected {name} {shape} of {n} crops, got {np.shape(values)}.")
    seen = np.clip(np.nan_to_num(np.asarray(presence, np.float64), nan=1.0), LEAST_PRESENCE, 1.0)
    angles = np.nan_to_num(np.asarray(pose, np.float64))
    turned = np.hypot(angles[:, 0], angles[:, 1])
    sharp = np.array([sharpness(crop) for crop in crops])
    defects = (
        PRESENCE_WEIGHT * np.log2(1 / seen)
        + TURN_WEIGHT * np.maximum(0.0, turned - FRONTAL) / 30
        + BLUR_WEIGHT * np.maximum(0.0, np.log2(SHARP / np.maximum(sharp, 0.01)))
        + SIZE_WEIGHT * np.maximum(0.0, np.log2(LARGE / np.maximum(sides, 1.0)))
    )
    return np.exp2(-defects)


def look(crops: np.ndarray, model: MeshModel) -> tuple[np.ndarray, np.ndarray]:
    """What the mesh says of faces in the middle of their crops, at one look.

    Args:
        crops: uint8 RGB (n, size, size, 3), of which the face box takes `FACE_SHARE`.
        model: The mesh.

    Returns:
        Poses in degrees (n, 3) and presences (n,), to be given to `quality`.
    """
    if not len(crops):
        return np.empty((0, 3)), np.empty(0)
    size = crops.shape[1]
    region = Region(size / 2, size / 2, MARGIN * FACE_SHARE * size, 0.0)
    pose, presence = [], []
    for start in range(0, len(crops), BATCH):
        points, sure = model.ask(np.stack([square_of(crop, region) for crop in crops[start : start + BATCH]]))
        pose += [pose_of_points(mesh) for mesh in points]
        presence.append(sure)
    return np.array(pose), np.concatenate(presence)


def sharpness(crop: np.ndarray) -> float:
    """Contrast of what is fine over that of what is twice as large, of the face in a crop uint8 RGB (size, size, 3).

    What is fine: the difference of the face smoothed by one and by two pixels of `LOOK`; twice as large: by two and by
    four. Noise of single pixels is not counted.
    """
    size = len(crop)
    edge = round(size * (1 - FACE_SHARE) / 2)
    face = cv2.cvtColor(crop[edge : size - edge, edge : size - edge], cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(face, (LOOK, LOOK), interpolation=cv2.INTER_AREA)
    one, two, four = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (1.0, 2.0, 4.0))
    return float((one - two).std() / ((two - four).std() + GRAIN))
