"""Faces in pictures: where they are (`detect`), how a followed one keeps still (`steady`), how they are cut (`crop`).

One geometry serves training and labelling alike.
"""

from mtclar.faces.crop import CropSpec, cut, resize, to_input
from mtclar.faces.detect import Face, HogDetector, box_from_landmarks, overlap, pick
from mtclar.faces.steady import Steady

__all__ = [
    "CropSpec",
    "Face",
    "HogDetector",
    "Steady",
    "box_from_landmarks",
    "cut",
    "overlap",
    "pick",
    "resize",
    "to_input",
]
