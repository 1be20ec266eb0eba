"""A clip of a face that grows brighter and leaves, and what it takes to label it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from make_video import numbered, with_face

from mtclar.labelling.intervals import Multiples
from mtclar.labelling.nominal import nominal
from mtclar.settings import load_settings

CALIBRATION = {
    "coverage": 0.9,
    "process": nominal().to_dict(),
    "multiples": Multiples(np.array([0.0, 1.0, 10.0]), np.array([[2.0, 1.5], [1.6, 1.2], [1.0, 1.0]])).to_dict(),
}
"""What a toy model's evaluation has measured."""
TIMES_MS = [0, 40, 80, 130, 170, 200, 260, 300, 400, 440, 480, 520]
GONE = range(8, 12)


def picture(index: int) -> np.ndarray:
    """A face that grows brighter, then none."""
    return numbered(index, 288, 192) if index in GONE else with_face(0.6 + 0.05 * index)


PLAIN, EXTRACT = load_settings().label, load_settings().extract


def write_anchors(folder: Path, *lines: str) -> Path:
    """An anchors file of the lines given."""
    path = folder / "anchors.csv"
    path.write_text("\n".join(["video_id,frame,valence,arousal", *lines]) + "\n", encoding="utf-8")
    return path
