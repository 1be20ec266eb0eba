"""Faces a child would draw: the mouth bends with valence, the eyes open with arousal. For tests of learning."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mtclar.data.store import FacesWriter
from mtclar.data.tables import EXPRESSIONS

REVISION = "0123456789abcdef" * 4

CLASSES = {  # valence and arousal around which an expression lies
    "neutral": (0.0, 0.0),
    "happy": (0.7, 0.1),
    "sad": (-0.6, -0.4),
    "surprise": (0.2, 0.8),
    "fear": (-0.3, 0.8),
    "disgust": (-0.7, 0.3),
    "anger": (-0.5, 0.6),
    "contempt": (-0.6, 0.0),
}


def draw_face(valence: float, arousal: float, person: np.random.Generator) -> np.ndarray:
    """uint8 RGB (288, 288, 3) of somebody whose looks `person` decides."""
    picture = np.full((288, 288, 3), int(person.integers(60, 120)), np.uint8)
    skin = tuple(int(x) for x in person.integers(150, 230, 3))
    x, y = (int(v) for v in person.integers(136, 152, 2))
    cv2.ellipse(picture, (x, y), (84, 108), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        cv2.ellipse(
            picture, (x + side * 34, y - 26), (17, max(2, round(10 + 9 * arousal))), 0, 0, 360, (10, 10, 10), -1
        )
    t = np.linspace(-1, 1, 21)
    mouth = np.stack([x + 42 * t, y + 52 + 26 * valence * (1 - 2 * t**2)], 1)
    cv2.polylines(picture, [mouth.round().astype(np.int32)], False, (10, 10, 10), 7)
    return picture


def write_faces(folder: Path, *, train: int, validation: int, test: int = 0, seed: int = 0) -> None:
    """A faces store of that many people in each split: a picture of each expression and a clip of six frames each."""
    rng = np.random.default_rng(seed)
    with FacesWriter(folder, size=288, quality=90, facts={"scale": 1.5, "data_revision": REVISION}) as writer:
        person = 0
        for split, people in (("train", train), ("validation", validation), ("test", test)):
            for _ in range(people):
                looks = int(rng.integers(1 << 30))

                def add(v: float, a: float, split=split, who=person, looks=looks, **row) -> None:
                    v, a = (float(np.clip(x + rng.normal(0, 0.1), -1, 1)) for x in (v, a))
                    common = {"dataset": "toy", "subject_id": f"p{who}", "split": split, "valence": v, "arousal": a}
                    row = {"face_id": f"p{who}/{len(writer)}", "x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0, **common, **row}
                    writer.add(row, draw_face(v, a, np.random.default_rng(looks)))

                for name in EXPRESSIONS:
                    add(*CLASSES[name], expression=name)
                for frame, (v, a) in enumerate([(0, 0), (0.3, 0.1), (0.6, 0.4), (0.2, 0.5), (-0.3, 0.4), (-0.6, 0)]):
                    add(v, a, clip_id=f"c{person}", frame=frame, time_s=frame / 25)
                person += 1
