"""From a few labelled frames to all: anchors, fusion, bands and the baselines they must beat. numpy only, no files.

Evaluate and label both call `label_track`, so what is judged is what labels.
"""

from mtclar.labelling.bands import confidence, half_widths
from mtclar.labelling.baselines import copy_latest, interpolate
from mtclar.labelling.engine import Compare, Estimate, label_track
from mtclar.labelling.fusion import METHODS, fuse, fusion_weights

__all__ = [
    "METHODS",
    "Compare",
    "Estimate",
    "confidence",
    "copy_latest",
    "fuse",
    "fusion_weights",
    "half_widths",
    "interpolate",
    "label_track",
]
