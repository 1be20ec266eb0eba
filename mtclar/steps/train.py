"""`mtclar train`: faces and pairs in, a checkpoint out."""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar import __version__
from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, read_table
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.learning.loop import embed, threads, train_pairs, train_single
from mtclar.learning.pictures import Blocks, load_pictures
from mtclar.learning.sampler import check_belong, expression_codes
from mtclar.learning.state import prepare
from mtclar.learning.watch import Watch
from mtclar.model.build import build_model, model_spec
from mtclar.model.checkpoint import FACTS, WEIGHTS, save_checkpoint
from mtclar.model.mtclar import ModelSpec
from mtclar.progress import Progress, silent
from mtclar.registry.tracking import NullTracking, start
from mtclar.revision import data_revision, git_revision
from mtclar.settings import RegisterSettings, TrainSettings

log = logging.getLogger(__name__)

HISTORY = "history.csv"


@dataclass(frozen=True)
class TrainResult:
    """The last row of the history, and where the checkpoint is."""

    last: dict[str, Any]
    out: Path

    def __str__(self) -> str:
        names = ("validation_few_shot_valence_ccc", "validation_few_shot_arousal_ccc")
        valence, arousal = (self.last[name] for name in names)
        said = f"trained for {self.last['epoch']} epochs, checkpoint in {self.out}"
        if np.isnan(valence):
            return said
        return f"{said}; on validation clips, from one anchor each: CCC {valence:.2f} valence, {arousal:.2f} arousal"


def run(
    s: TrainSettings,
    *,
    faces: Path,
    pairs: Path,
    out: Path,
    registry: RegisterSettings | None = None,
    progress: Progress = silent,
) -> TrainResult:
    """Trains MT-CLAR on the pairs, then the supervised heads on its frozen embedding.

    Writes model.safetensors and model.json, history.csv (one row an epoch), and last/, from which a killed run with
    the same settings and data goes on to the same weights.

    Args:
        s: The section `train` of params.yaml.
        faces: A faces store.
        pairs: What `mtclar pair` wrote about it.
        out: Folder to write; may exist.
        registry: Where to log the run; nothing is logged without it.
        progress: Told each step.

    Raises:
        MtclarError: The pairs do not belong to the faces, a loss is not finite, or `out` cannot be written.
    """
    store = FacesStore(faces)
    table = read_table(pairs / "pairs.parquet", PAIRS)
    needed = _needed(store, table)
    position = pd.Series(np.arange(len(needed)), index=needed)
    spec = model_spec(s)
    crop = CropSpec(
        scale=float(store.facts.get("scale", 1.0)),
        size=store.size,
        centre=round(store.size * spec.encoder.centre / 288 / 2) * 2,
        input_size=spec.encoder.input_size,
    )
    revisions = {"data_rev": data_revision(faces), "git_sha": git_revision(Path.cwd())}
    fingerprint = _fingerprint(s, spec, crop, faces, pairs)
    prepare(out, fingerprint)
    log_of_run = (
        nullcontext(NullTracking())
        if registry is None
        else start(registry, run_name="train", params=s.model_dump(), tags=revisions)
    )
    with threads(s.threads), log_of_run as run_log:
        pictures = load_pictures(store, needed, crop, grey=spec.encoder.local_contrast, progress=progress)
        known = store.table.loc[needed].reset_index(drop=True)
        model = build_model(s)

        def told(history: list[dict[str, Any]]) -> None:
            pd.DataFrame(history).to_csv(out / HISTORY, index=False)
            for name, value in history[-1].items():
                if name != "epoch" and np.isfinite(value):
                    run_log.metric(name, value, step=history[-1]["epoch"])

        history = train_pairs(
            s,
            model,
            pictures,
            Blocks(table[table["split"] == "train"], position),
            _watch(known, pictures, table[table["split"] == "validation"], position, s.margin),
            last=out / "last",
            fingerprint=fingerprint,
            told=told,
            progress=progress,
        )
        train = np.flatnonzero(known["split"] == "train")
        train_single(
            s,
            model,
            pictures[train],
            expression_codes(known.iloc[train]),
            known.loc[train, "valence"].to_numpy(),
            known.loc[train, "arousal"].to_numpy(),
            progress=progress,
        )
        facts = {
            "crop": crop.to_dict(),
            "settings": s.model_dump(mode="json"),
            **revisions,
            "fingerprint": fingerprint,
            "faces": {split: int(n) for split, n in known["split"].value_counts().items()},
            "last_epoch": history[-1],
        }
        save_checkpoint(out, model, facts)
        for name in (WEIGHTS, FACTS, HISTORY):
            run_log.artifact(out / name)
    return TrainResult(history[-1], out)


def _needed(store: FacesStore, pairs: pd.DataFrame) -> np.ndarray:
    """Rows of the store to load: all labelled faces of the train and validation splits."""
    if not (pairs["split"] == "train").any():
        raise MtclarError("there are no pairs in the train split; run 'mtclar pair' on more faces.")
    pairs = pairs[pairs["split"] != "test"]
    rows = pairs[["left", "right"]].to_numpy()
    if rows.min() < 0 or rows.max() >= len(store):
        raise MtclarError(
            f"the pairs point at row {rows.max()} of a faces store of {len(store)}; run 'mtclar pair' on these faces."
        )
    table = store.table
    if (table["split"].to_numpy()[rows[:, 0]] != pairs["split"].to_numpy()).any():
        raise MtclarError("the pairs and the faces differ in their splits; run 'mtclar pair' on these faces.")
    check_belong(pairs, table)
    labelled = table["valence"].notna() | table["arousal"].notna() | table["expression"].notna()
    return np.flatnonzero(labelled & table["split"].isin(["train", "validation"]))


def _watch(known: pd.DataFrame, pictures: Any, pairs: pd.DataFrame, position: pd.Series, margin: float) -> Watch:
    """Looks at the validation people alone, whose pictures are taken out once."""
    rows = np.flatnonzero(known["split"] == "validation").copy()
    own = pd.Series(np.arange(len(rows)), index=position.index[rows])
    seen = pictures[rows]
    return Watch(
        known.iloc[rows].reset_index(drop=True), Blocks(pairs, own), lambda model: embed(model, seen), margin=margin
    )


def _fingerprint(s: TrainSettings, spec: ModelSpec, crop: CropSpec, faces: Path, pairs: Path) -> str:
    """Changes with whatever changes the weights; the number of threads is left out."""
    digest = hashlib.sha256()
    about = [__version__, s.model_dump(exclude={"threads"}, mode="json"), asdict(spec), crop.to_dict()]
    digest.update(json.dumps(about, sort_keys=True).encode())
    for path in (faces / "store.json", faces / "faces.parquet", pairs / "pairs.parquet"):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    for shard in sorted(faces.glob("crops-*.arrow")):
        with shard.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
