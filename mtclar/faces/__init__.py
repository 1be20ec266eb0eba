"""Faces in pictures: where they are (`detect`) and how they are cut out (`crop`), alike for training and labelling."""

from mtclar.faces.crop import CropSpec, cut, resize, to_input
from mtclar.faces.detect import Face, HogDetector, box_from_landmarks, overlap, pick

__all__ = ["CropSpec", "Face", "HogDetector", "box_from_landmarks", "cut", "overlap", "pick", "resize", "to_input"]
