"""What the studies know of a trained model: faces, their embeddings, the heads, the clips and pairs to judge on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, read_table
from mtclar.data.whole import whole_file
from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import Clip, clips_of
from mtclar.labelling import Krige
from mtclar.model.predictor import TorchPredictor
from mtclar.steps.embed import embed_rows
from studies.plan import BASE, OUT
from studies.train import folder_of

EMBEDDINGS = "embeddings.npz"
TRAINING_FACES = 4000
"""Faces of the train split that are embedded at most, spread over it: banks are drawn from them."""


@dataclass(frozen=True)
class World:
    """One trained model and the people it is judged on.

    Attributes:
        faces: Table of the faces store.
        pairs: The test pairs, the same for every model.
        embeddings: Of all validation and test faces and of some training faces.
        heads: The trained heads.
        clips: Labelled clips of the test people.
        krige: The fusion `kriging`, fitted on the validation people.
    """

    faces: pd.DataFrame
    pairs: pd.DataFrame
    embeddings: Embeddings
    heads: Heads
    clips: list[Clip]
    krige: Krige | None = None

    @property
    def people(self) -> np.ndarray:
        """str (n,): who is seen in each row of the faces store."""
        return self.faces["subject_id"].to_numpy(str)

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


def embed_faces(faces: Path, checkpoint: Path) -> Embeddings:
    """Embeds the faces of a store once; later calls read what was written beside the checkpoint.

    Args:
        faces: A faces store.
        checkpoint: What `mtclar train` wrote.
    """
    path = checkpoint / EMBEDDINGS
    store = FacesStore(faces)
    rows = rows_to_embed(store.table)
    made_of = json.loads((checkpoint / "model.json").read_text(encoding="utf-8"))["weights_sha256"]
    if path.is_file():
        with np.load(path) as saved:
            if str(saved["made_of"]) == made_of and np.array_equal(saved["rows"], rows):
                return Embeddings(rows, saved["values"], saved["quality"])
    found = embed_rows(store, rows, TorchPredictor.from_checkpoint(checkpoint))
    with whole_file(path) as partial, partial.open("wb") as file:
        arrays: dict[str, Any] = {"rows": rows, "values": found.values, "quality": found.quality, "made_of": made_of}
        np.savez(file, **arrays)
    return found


def load_world(variant: str, seed: int) -> World:
    """The model of one variant and seed, on the test people of the studies' faces store."""
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
