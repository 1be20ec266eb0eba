"""Faces in pictures: where they are (`detect`), how they are cut (`crop`, `align`); in videos: `shots` and `tracks`.

One geometry serves training and labelling alike.
"""

from mtclar.faces.align import Aligner, cut_aligned
from mtclar.faces.crop import CropSpec, cut, resize, to_input
from mtclar.faces.detect import Detector, Face, box_from_landmarks, overlap, pick
from mtclar.faces.hog import HogDetector
from mtclar.faces.models import open_detector
from mtclar.faces.shots import by_shot
from mtclar.faces.steady import Steady
from mtclar.faces.tracks import Seen, Tracker, open_tracker

__all__ = [
    "Aligner",
    "CropSpec",
    "Detector",
    "Face",
    "HogDetector",
    "Seen",
    "Steady",
    "Tracker",
    "box_from_landmarks",
    "by_shot",
    "cut",
    "cut_aligned",
    "open_detector",
    "open_tracker",
    "overlap",
    "pick",
    "resize",
    "to_input",
]
