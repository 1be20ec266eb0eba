"""Faces in pictures: where they are (`detect`), how a followed one keeps still (`steady`), how they are cut (`crop`).

One geometry serves training and labelling alike.
"""

from mtclar.faces.crop import CropSpec, cut, resize, to_input
from mtclar.faces.detect import Detector, Face, box_from_landmarks, overlap, pick
from mtclar.faces.hog import HogDetector
from mtclar.faces.models import open_detector
from mtclar.faces.steady import Steady

__all__ = [
    "CropSpec",
    "Detector",
    "Face",
    "HogDetector",
    "Steady",
    "box_from_landmarks",
    "cut",
    "open_detector",
    "overlap",
    "pick",
    "resize",
    "to_input",
]
