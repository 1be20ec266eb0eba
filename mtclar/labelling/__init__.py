"""From a few labelled frames to all: one process of the labels, its bands, and baselines. numpy only, no files.

Evaluate and label both ask `process`, so what is judged is what labels.
"""

from mtclar.labelling.annotate import annotate
from mtclar.labelling.baselines import copy_latest, interpolate, pchip
from mtclar.labelling.calibration import Calibration
from mtclar.labelling.hyper import Process
from mtclar.labelling.intervals import Multiples, confidence
from mtclar.labelling.labels import Labels
from mtclar.labelling.nominal import nominal

__all__ = [
    "Calibration",
    "Labels",
    "Multiples",
    "Process",
    "annotate",
    "confidence",
    "copy_latest",
    "interpolate",
    "nominal",
    "pchip",
]
