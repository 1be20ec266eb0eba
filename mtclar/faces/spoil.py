"""Clips made worse for a while: dark, out of focus, coarse, squeezed or covered, as a film may be.

Clean clips show too few faces that are hard to see to learn how a network errs on them, so `mtclar evaluate` lets it
look at spoilt copies of the validation people's clips too. What is judged is never spoilt.
"""

from __future__ import annotations

import cv2
import numpy as np

KINDS = ("dark", "blurred", "small", "compressed", "covered")
GAINS = 0.05, 0.35
"""Least and greatest factor of the light."""
BLURS = 0.015, 0.045
"""Least and greatest standard deviation of the blur over the side of the face box."""
SIDES = 16, 40
"""Least and greatest side of the face box, in pixels, of a face that is small in its picture."""
QUALITIES = 4, 15
"""Least and greatest JPEG quality of a face that is squeezed."""
COVERED = 0.25, 0.5
"""Least and greatest side of what covers a face over the side of its box."""
SPAN = 0.3, 1.0
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
    n = len(crops)
    length = rng.uniform(*SPAN) * n
    start = rng.uniform(0, n - length)
    at = np.arange(n) + 0.5
    course = np.clip(np.minimum(at - start, start + length - at) / RAMP, 0, 1)
    strength, place = rng.uniform(), rng.uniform(size=2)
    out = crops.copy()
    for i in np.flatnonzero(course > 0):
        out[i] = spoil_one(crops[i], kind, strength, place, course[i])
    return out


def spoil_one(crop: np.ndarray, kind: str, strength: float, place: np.ndarray, share: float) -> np.ndarray:
    """One crop, spoilt by a strength in [0, 1], of which a share in (0, 1] has come by now."""
    size = len(crop)
    face = size * FACE_SHARE
    if kind == "dark":
        return np.rint(crop * _between(GAINS, strength) ** share).astype(np.uint8)
    if kind == "blurred":
        return cv2.GaussianBlur(crop, (0, 0), share * _between(BLURS, strength) * face)
    if kind == "small":
        side = max(4, round(size * min(1.0, _between(SIDES, strength) / face) ** share))
        coarse = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    if kind == "compressed":
        quality = round(100 - share * (100 - _between(QUALITIES, strength)))
        packed = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    # A thing of one colour that comes from below before the face.
    width = round(face * _between(COVERED, strength))
    left = round((size - face) / 2 + place[0] * (face - width))
    top = round(size - share * (size - (size - face) / 2 - place[1] * (face - width)))
    covered = crop.copy()
    covered[top : top + width, left : left + width] = crop.reshape(-1, 3).mean(axis=0)
    return covered


def _between(ends: tuple[float, float], strength: float) -> float:
    """From the first to the second end in equal ratios."""
    return float(ends[0] * (ends[1] / ends[0]) ** strength)
