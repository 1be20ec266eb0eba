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
from mtclar.evaluation.few_shot import can_label
from mtclar.evaluation.process_fit import fit, stretches_of
from mtclar.labelling import Process
from mtclar.model.predictor import TorchPredictor
from mtclar.steps.embed import embed_rows, embed_spoilt
from studies.plan import BASE, OUT
from studies.train import folder_of

EMBEDDINGS, PROCESS = "embeddings.npz", "process.json"
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
        process: Of the labels, fitted on the validation people; None where it is not wanted.
    """

    faces: pd.DataFrame
    pairs: pd.DataFrame
    embeddings: Embeddings
    heads: Heads
    clips: list[Clip]
    process: Process | None = None

    @property
    def people(self) -> np.ndarray:
        """str (n,): who is seen in each row of the faces store."""
        return self.faces["subject_id"].to_numpy(str)

    def levels_of(self, rows: np.ndarray) -> np.ndarray:
        """float64 (n, 2), valence and arousal as the supervised head sees some rows, without any anchor."""
        _, valence, arousal = self.heads.single(self.embeddings[rows])
        return np.stack([valence, arousal], axis=1).astype(np.float64)

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
    store = FacesStore(faces)
    rows = rows_to_embed(store.table)
    path, made_of = checkpoint / EMBEDDINGS, _weights(checkpoint)
    if path.is_file():
        with np.load(path) as saved:
            if str(saved["made_of"]) == made_of and np.array_equal(saved["rows"], rows):
                return Embeddings(rows, saved["values"], saved["quality"])
    found = embed_rows(store, rows, TorchPredictor.from_checkpoint(checkpoint))
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        arrays: dict[str, Any] = {"rows": rows, "values": found.values, "quality": found.quality, "made_of": made_of}
        np.savez(file, **arrays)
    return found


def fit_process(faces: Path, checkpoint: Path, embeddings: Embeddings, seed: int) -> Process | None:
    """The process of the labels, fitted on the validation clips as `mtclar evaluate` does; fitted once, then read.

    Args:
        faces: A faces store.
        checkpoint: What `mtclar train` wrote.
        embeddings: Of the validation clips among others.
        seed: Of the fit.

    Returns:
        None for a model that does not see differences, and without validation clips.
    """
    path, made_of = checkpoint / PROCESS, _weights(checkpoint)
    if path.is_file():
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["made_of"] == made_of:
            return Process.from_dict(saved["process"])
    store, predictor = FacesStore(faces), TorchPredictor.from_checkpoint(checkpoint)
    clips = clips_of(store.table, "validation")
    spoilt = embed_spoilt(store, clips, predictor, seed)
    if spoilt is None or not can_label(embeddings.values, predictor):
        return None
    stretches = stretches_of(clips, embeddings, predictor) + stretches_of(clips, spoilt, predictor)
    process = fit(stretches, seed)
    with whole_file(path) as unfinished:
        unfinished.write_text(json.dumps({"process": process.to_dict(), "made_of": made_of}), encoding="utf-8")
    return process


def _weights(checkpoint: Path) -> str:
    """What tells one trained network from another."""
    return str(json.loads((checkpoint / "model.json").read_text(encoding="utf-8"))["weights_sha256"])


def load_world(variant: str, seed: int, *, process: bool = False) -> World:
    """The model of one variant and seed, on the test people of the studies' faces store; with the process of
    labels fitted to it if that is wanted."""
    checkpoint, folder = folder_of(variant, seed), OUT / "faces"
    faces = FacesStore(folder).table
    pairs = read_table(OUT / "models" / BASE / "pairs" / "pairs.parquet", PAIRS)
    embeddings = embed_faces(folder, checkpoint)
    return World(
        faces=faces,
        pairs=pairs[pairs["split"] == "test"].reset_index(drop=True),
        embeddings=embeddings,
        heads=TorchPredictor.from_checkpoint(checkpoint),
        clips=clips_of(faces, "test"),
        process=fit_process(folder, checkpoint, embeddings, seed) if process else None,
    )
