"""What the studies know of a trained model: faces, their embeddings, the heads, the clips and pairs to judge on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, read_table
from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import Clip, clips_of
from studies.plan import BASE, OUT
from studies.train import folder_of

EMBEDDINGS = "embeddings.npz"
TRAINING_FACES = 4000
"""Faces of the train split that are embedded at most, spread over it: banks are drawn from them."""
_BATCH = 64


@dataclass(frozen=True)
class World:
    """One trained model and the people it is judged on.

    Attributes:
        faces: Table of the faces store.
        pairs: The test pairs, the same for every model.
        embeddings: Of all validation and test faces and of some training faces.
        heads: The trained heads.
        clips: Labelled clips of the test people.
    """

    faces: pd.DataFrame
    pairs: pd.DataFrame
    embeddings: Embeddings
    heads: Heads
    clips: list[Clip]

    @property
    def bank_rows(self) -> np.ndarray:
        """Rows (n,) of the embedded training faces whose valence and arousal are known."""
        rows = self.embeddings.rows
        table = self.faces.loc[rows]
        known = table["valence"].notna() & table["arousal"].notna() & (table["split"] == "train")
        return rows[known.to_numpy()]


def rows_to_embed(faces: pd.DataFrame) -> np.ndarray:
    """Rows (n,), ascending: all faces of the validation and test splits, and of the train split at most some."""
    train = np.flatnonzero(faces["split"] == "train")
    some = train[np.unique(np.linspace(0, len(train) - 1, min(len(train), TRAINING_FACES)).round().astype(int))]
    return np.union1d(some, np.flatnonzero(faces["split"] != "train"))


def embed_faces(faces: Path, checkpoint: Path, change: Callable[[np.ndarray], np.ndarray] | None = None) -> Embeddings:
    """Embeds the faces of a store once; later calls read what was written beside the checkpoint.

    Args:
        faces: A faces store.
        checkpoint: What `mtclar train` wrote.
        change: Applied to uint8 crops (n, s, s, 3) before; nothing is written then, and only test faces are embedded.
    """
    from mtclar.model.predictor import TorchPredictor

    path = checkpoint / EMBEDDINGS
    weights = checkpoint / "model.safetensors"
    store = FacesStore(faces)
    rows = rows_to_embed(store.table)
    if change is not None:
        rows = rows[(store.table["split"] == "test").to_numpy()[rows]]
    elif path.is_file() and path.stat().st_mtime_ns >= weights.stat().st_mtime_ns:
        with np.load(path) as saved:
            if np.array_equal(saved["rows"], rows):
                return Embeddings(saved["rows"], saved["values"])
    predictor = TorchPredictor.from_checkpoint(checkpoint)
    values = np.concatenate(
        [predictor.embed(crops if change is None else change(crops)) for crops in store.batches(rows, _BATCH)]
    )
    if change is None:
        np.savez(path, rows=rows, values=values)
    return Embeddings(rows, values)


def load_world(variant: str, seed: int) -> World:
    """The model of one variant and seed, on the test people of the studies' faces store."""
    from mtclar.model.predictor import TorchPredictor

    checkpoint = folder_of(variant, seed)
    faces = FacesStore(OUT / "faces").table
    pairs = read_table(OUT / "models" / BASE / "pairs" / "pairs.parquet", PAIRS)
    return World(
        faces=faces,
        pairs=pairs[pairs["split"] == "test"].reset_index(drop=True),
        embeddings=embed_faces(OUT / "faces", checkpoint),
        heads=TorchPredictor.from_checkpoint(checkpoint),
        clips=clips_of(faces, "test"),
    )
