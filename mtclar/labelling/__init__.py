"""From a few labelled frames to all: anchors, fusion, bands and the baselines they must beat. numpy only, no files.

Evaluate and label both end in `fuse_compared`, so what is judged is what labels.
"""

from mtclar.labelling.annotate import annotate
from mtclar.labelling.bands import bound_krige, confidence, half_bands, half_widths
from mtclar.labelling.baselines import copy_latest, interpolate, pchip
from mtclar.labelling.calibration import Calibration
from mtclar.labelling.engine import Estimate, compare_all, fuse_compared, label_frames
from mtclar.labelling.fusion import METHODS, fuse, fusion_weights
from mtclar.labelling.kriging import Kriging, Terms
from mtclar.labelling.labels import Labels
from mtclar.labelling.support import Compare, Compared, Krige, Queries, Support, Votes
from mtclar.labelling.track import label_track
from mtclar.labelling.windows import krige

__all__ = [
    "METHODS",
    "Calibration",
    "Compare",
    "Compared",
    "Estimate",
    "Krige",
    "Kriging",
    "Labels",
    "Queries",
    "Support",
    "Terms",
    "Votes",
    "annotate",
    "bound_krige",
    "compare_all",
    "confidence",
    "copy_latest",
    "fuse",
    "fuse_compared",
    "fusion_weights",
    "half_bands",
    "half_widths",
    "interpolate",
    "krige",
    "label_frames",
    "label_track",
    "pchip",
]
