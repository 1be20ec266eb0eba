"""Faces of the sample, whose landmarks are known."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtclar.data.tracked import tracked_files

EVERY = 30
"""One frame in so many is taken."""


@pytest.fixture(scope="session")
def sample_faces() -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames of rendered people, uint8 RGB (h, w, 3), and the landmarks of their faces (68, 2)."""
    repository = Path(__file__).parents[2]
    files = tracked_files(repository / "data.dvc", repository / "dvc-remote")
    found = []
    with zipfile.ZipFile(files["sample/afew-va/01.zip"]) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".json")):
            frames = json.loads(archive.read(name))["frames"]
            for frame in sorted(frames)[::EVERY]:
                picture = archive.read(f"{name.rsplit('/', 1)[0]}/{frame}.jpg")
                pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
                found.append((cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.array(frames[frame]["landmarks"])))
    return found
