"""How much of a face a picture shows, from 1 for a clear one towards 0: dark, blurred, turned and small faces say less.

No ground truth of quality exists, so it is no more than an order: each kind of defect is counted in powers of two by
which a face falls short of what is clear, and `quality` is two to the power of minus their sum. How fast the network's
errors grow as it falls is measured on the validation people (`haze` of `mtclar.labelling.kriging`).
"""

from __future__ import annotations

import cv2
import numpy as np

from mtclar.errors import MtclarError

SIDE = 64
"""Side to which the face is scaled before it is looked at, in pixels."""
FACE_SHARE = 2 / 3
"""Side of the part of a crop that is looked at over the crop's: with a crop of 1.5 boxes, the face box."""
CLEAR_LUMINANCE = 60.0
"""Mean luminance, 0..255, from which on a face is not dark: with less, the noise and the steps of 8 bits show."""
CLEAR_SHARPNESS = 0.45
"""Standard deviation of the Laplacian over that of the picture, at `SIDE` pixels, from which on a face is sharp."""
CLEAR_SCORE = 0.8
"""Score of the HOG detector from which on a face is frontal; it falls to 0 as the head turns."""
SCORE_STEP = 0.4
"""Loss of score that counts like half the light."""
CLEAR_SIDE = 80.0
"""Side of the face box in pixels from which on the picture holds all that detector and encoder ask for."""


def quality(crops: np.ndarray, sides: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The quality of faces.

    Args:
        crops: uint8 RGB (n, size, size, 3), as a faces store keeps them and `cut` makes them.
        sides: Sides of their boxes in pixels of the source picture (n,).
        scores: Of the detector (n,); NaN where the box was given, which tells nothing of how far a head is turned.

    Returns:
        float64 (n,), in (0, 1].

    Raises:
        MtclarError: The shapes do not fit.
    """
    if crops.ndim != 4 or crops.shape[3] != 3 or sides.shape != (len(crops),) or scores.shape != (len(crops),):
        raise MtclarError(
            f"expected crops (n, size, size, 3), sides (n,) and scores (n,), got {crops.shape}, {sides.shape} and "
            f"{scores.shape}."
        )
    looks = np.array([_look(crop) for crop in crops]).reshape(-1, 2)
    with np.errstate(invalid="ignore"):
        defects = (
            np.maximum(0.0, np.log2(CLEAR_LUMINANCE / looks[:, 0]))
            + np.maximum(0.0, np.log2(CLEAR_SHARPNESS / looks[:, 1]))
            + np.maximum(0.0, np.log2(CLEAR_SIDE / sides))
            + np.nan_to_num(np.maximum(0.0, (CLEAR_SCORE - scores) / SCORE_STEP))
        )
    return np.exp2(-defects)


def _look(crop: np.ndarray) -> tuple[float, float]:
    """Luminance and sharpness of the face in a crop, both at least a trifle above 0."""
    size = len(crop)
    edge = round(size * (1 - FACE_SHARE) / 2)
    face = cv2.cvtColor(crop[edge : size - edge, edge : size - edge], cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # One grey level of noise is added to the contrast, lest an even picture look sharp.
    sharpness = cv2.Laplacian(small, cv2.CV_32F).std() / (small.std() + 1.0)
    return max(float(small.mean()), 1.0), max(float(sharpness), 0.01)
