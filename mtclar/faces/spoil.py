"""Clips made worse for a while: dark or out of focus, as a film may be.

Clean clips show too few faces that are hard to see to learn how a network errs on them, so `mtclar evaluate` lets it
look at spoilt copies of the validation people's clips too. What is judged is never spoilt.
"""

from __future__ import annotations

import cv2
import numpy as np

KINDS = ("dark", "blurred")
GAINS = 0.05, 0.35
"""Least and greatest factor of the light."""
BLURS = 0.015, 0.045
"""Least and greatest standard deviation of the blur over the side of the face box."""
SPAN = 0.3, 0.6
"""Least and greatest share of a clip that is spoilt."""
RAMP = 3
"""Frames in which it comes and goes."""
FACE_SHARE = 2 / 3
"""Side of the face box over that of a crop."""


def spoil(crops: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A copy of a clip's crops of which a random span is spoilt.

    Args:
        crops: uint8 RGB (n, size, size, 3), in the order of time.
        kind: One of `KINDS`.
        rng: Where strength, place and length of the span come from.
    """
    n, size = len(crops), crops.shape[1]
    length = rng.uniform(*SPAN) * n
    start = rng.uniform(0, n - length)
    at = np.arange(n) + 0.5
    course = np.clip(np.minimum(at - start, start + length - at) / RAMP, 0, 1)
    strength = np.exp(rng.uniform(*np.log(GAINS if kind == "dark" else BLURS)))
    out = crops.copy()
    for i in np.flatnonzero(course > 0):
        if kind == "dark":
            out[i] = np.rint(crops[i] * strength ** course[i])
        else:
            out[i] = cv2.GaussianBlur(crops[i], (0, 0), course[i] * strength * size * FACE_SHARE)
    return out
