"""A small world of made-up faces whose embedding is their label, and models of known skill on it."""

from __future__ import annotations

import copy
import hashlib
import pickle
from unittest import mock

import numpy as np
import pandas as pd

from mtclar.data.tables import EXPRESSIONS, FACES, PAIRS
from mtclar.evaluation import calibrate
from mtclar.evaluation.judge import Embeddings, Judgement, judge, rows_needed
from mtclar.settings import EvaluateSettings

SETTINGS = EvaluateSettings(
    seed=7,
    split="test",
    clean=False,
    expressions=8,
    stride=20,
    budgets=(0.06,),
    supports=("first", "stride"),
    cluster="clip",
    bootstrap=200,
    coverage=0.9,
    fusion="time",
    time_scale_s=1.0,
    rater_level=0.0,
    rater_scale=0.0,
    real_anchors=(1, 2),
    real_placements=50,
)


def clip_rows(name: str, person: str, split: str, truth: np.ndarray, fps: float = 25.0) -> list[dict]:
    """Rows of the faces table for one clip with labels `truth` (n, 2)."""
    return [
        {
            "face_id": f"toy/{name}/{i:05d}",
            "dataset": "toy",
            "clip_id": name,
            "subject_id": person,
            "frame": i,
            "time_s": i / fps,
            "track_id": 0,
            "split": split,
            "valence": valence,
            "arousal": arousal,
        }
        for i, (valence, arousal) in enumerate(truth)
    ]


def walk(rng: np.random.Generator, frames: int) -> np.ndarray:
    """A smooth path of valence and arousal (frames, 2) on the 0.1 grid."""
    t = np.linspace(0, 1, frames)[:, None]
    path = rng.uniform(-0.5, 0.5, 2) + rng.uniform(0.2, 0.5, 2) * np.sin(2 * np.pi * (t + rng.uniform(0, 1, 2)))
    return np.clip(path, -1, 1).round(1)


def faces_table(rows: list[dict]) -> pd.DataFrame:
    """A table with the columns and types of FACES."""
    frame = pd.DataFrame(rows).reindex(columns=FACES.names).reset_index(drop=True)
    for name in ("expression", "clip_id"):
        frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame


def picture_rows(rng: np.random.Generator, people: list[str], split: str) -> list[dict]:
    """Eight pictures a person, one of each expression, each expression around a place of its own."""
    rows = []
    for person in people:
        for k, expression in enumerate(EXPRESSIONS):
            angle = 2 * np.pi * k / len(EXPRESSIONS)
            valence, arousal = 0.5 * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.1, 2)
            row = {"face_id": f"toy/{person}/{k}", "dataset": "toy", "subject_id": person, "split": split}
            rows.append({**row, "expression": expression, "valence": valence, "arousal": arousal, "track_id": 0})
    return rows


def toy_world(seed: int = 0, clips: int = 8, validation: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Faces and pairs of a training, a validation and a test split."""
    rng = np.random.default_rng(seed)
    rows = picture_rows(rng, ["t0", "t1", "t2"], "train") + picture_rows(rng, ["p0", "p1", "p2", "p3"], "test")
    for split, count in (("validation", validation), ("test", clips)):
        for i in range(count):
            rows += clip_rows(f"{split}-{i}", f"{split[0]}{i}", split, walk(rng, int(rng.integers(25, 50))))
    faces = faces_table(rows)
    return faces, pairs_table(faces, rng)


def pairs_table(faces: pd.DataFrame, rng: np.random.Generator, each: int = 200) -> pd.DataFrame:
    """Random pairs of the pictures of a split."""
    parts = []
    for split in ("train", "test"):
        rows = faces.index[(faces["split"] == split) & faces["clip_id"].isna()].to_numpy()
        if len(rows) == 0:
            continue
        left, right = rng.choice(rows, each), rng.choice(rows, each)
        a, b = faces.loc[left].reset_index(), faces.loc[right].reset_index()
        part = {"split": split, "block": 0, "left": left, "right": right, "similar": a["expression"] == b["expression"]}
        part |= {f"d_{name}": a[name] - b[name] for name in ("valence", "arousal")}
        parts.append(pd.DataFrame({**part, "wheel_distance": 1}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=PAIRS.names)


class Skilled:
    """Sees a share of every difference between two faces; of single pictures it sees all. 1: perfect; 0: blind."""

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        delta = self.skill * (left - right)
        return (left[:, 2] == right[:, 2]).astype(float), delta[:, 0], delta[:, 1]

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        expression = np.eye(len(EXPRESSIONS))[np.maximum(embedding[:, 2], 0).astype(int)]
        return expression, embedding[:, 0], embedding[:, 1]


def embedded(faces: pd.DataFrame, rows: np.ndarray) -> Embeddings:
    """Faces that are embedded as (valence, arousal, code of the expression)."""
    codes = faces["expression"].map({name: k for k, name in enumerate(EXPRESSIONS)}).fillna(-1)
    values = np.stack([faces["valence"], faces["arousal"], codes], axis=1).astype(np.float64)
    return Embeddings(rows, values[rows])


_JUDGED: dict[str, Judgement] = {}


def judged(faces: pd.DataFrame, pairs: pd.DataFrame, skill: float, settings: EvaluateSettings = SETTINGS) -> Judgement:
    """What evaluate finds out about a model of some skill; the same question is answered once.

    Bands are cross-fitted in two parts rather than in as many as in earnest, which takes a third of the time.
    """
    key = hashlib.sha256(pickle.dumps((faces, pairs, skill, settings.model_dump(), Skilled.__qualname__))).hexdigest()
    if key not in _JUDGED:
        rows = rows_needed(faces, pairs, settings)
        with mock.patch.object(calibrate, "FOLDS", 2):
            _JUDGED[key] = judge(settings, faces, pairs, embedded(faces, rows), Skilled(skill))
    return copy.deepcopy(_JUDGED[key])
