"""The faces of the study `carry`: a store for each condition, and one of the rated frames of real clips."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mtclar.data.anchors import VideoAnchors
from mtclar.data.ratings import find_ratings
from mtclar.data.regroup import write_regrouped
from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import EXPRESSIONS, FACES
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, cut
from mtclar.features import Features
from mtclar.revision import STAMP
from mtclar.settings import ExtractSettings
from mtclar.steps.extract import Opened
from mtclar.steps.videos import Source
from mtclar.video import open_video
from studies.carry_plan import CarryPlan, rows_of
from studies.plan import OUT

HERE = OUT / "carry"
REAL, BESIDE = "MTCLAR_REAL", Path("../shared/real")
MADE_OF = "made_of"


def digest_of(folder: Path) -> str:
    """What tells one store from another: its facts and tables; its crops follow from them."""
    names = ("store.json", "faces.parquet", "synthesis.parquet")
    parts = (folder / name for name in names)
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts if part.is_file())).hexdigest()[:16]


def condition_store(plan: CarryPlan, name: str, store: FacesStore) -> Path:
    """Writes the faces of a condition into a store of its own; one that is there already is kept.

    Raises:
        MtclarError: The big store does not say how its faces were made, or the condition leaves too few of them.
    """
    made = store.made()
    if made is None:
        raise MtclarError(
            f"{store.folder}: nothing says how these faces were made; give `faces` in studies/carry.yaml a store that "
            "'mtclar synthesize' wrote."
        )
    rows = rows_of(plan, name, store.table, made)
    made_of = hashlib.sha256(digest_of(store.folder).encode() + rows.tobytes()).hexdigest()
    out = HERE / name / "faces"
    if not _is_made(out, made_of):
        with whole_folder(out, known_by="store.json") as folder:
            facts = {name: store.facts[name] for name in ("scale", STAMP) if name in store.facts} | {MADE_OF: made_of}
            write_regrouped([store], store.table.loc[rows], folder, facts)
    return out


def real_folder() -> Path | None:
    """Where rated clips of real people are: $MTCLAR_REAL, else beside the repository, else nowhere."""
    named = os.environ.get(REAL)
    if named:
        return Path(named)
    return BESIDE if BESIDE.is_dir() else None


class _Eyes:
    """Stands where extraction asks a model: it says nothing of a face, whose place is all that is wanted."""

    def __init__(self, spec: CropSpec) -> None:
        self.crop_spec, self.identity, self.card = spec, "eyes", None
        self.calibration: dict[str, Any] | None = None
        self.facts: dict[str, Any] = {}

    def embed(self, crops: np.ndarray) -> np.ndarray:
        return np.zeros((len(crops), 1), np.float32)

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nothing = np.full(len(left), np.nan, np.float32)
        return nothing, nothing, nothing

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nothing = np.full((len(embedding), len(EXPRESSIONS)), np.nan, np.float32)
        return nothing, nothing[:, 0], nothing[:, 0]


def real_store(clips: Path, like: FacesStore, s: ExtractSettings) -> Path:
    """The rated frames of real clips, found and cut as `mtclar label` does it, as test clips of a store.

    Args:
        clips: A folder as `mtclar evaluate --real` takes it.
        like: A store whose crops have the size and scale of these.
        s: The section `extract`.

    Raises:
        MtclarError: Nothing there is rated, or a clip cannot be read.
    """
    rated = find_ratings(clips).clips
    about = [(str(path), path.stat().st_size, repr(marks.rows)) for path, (_, marks) in rated.items()]
    made_of = hashlib.sha256(json.dumps([about, s.model_dump(mode="json")]).encode()).hexdigest()
    out = HERE / "real"
    if _is_made(out, made_of):
        return out
    scale = float(like.facts["scale"])
    spec = CropSpec(scale=scale, size=like.size, centre=like.size, input_size=like.size)
    facts = {"scale": scale, MADE_OF: made_of}
    with FacesWriter(out, size=like.size, quality=95, facts=facts) as writer:
        for path, (name, marks) in rated.items():
            with Opened(Source(str(path), name), _Eyes(spec), s) as opened:
                features, _ = opened.features()
            _add(writer, path, name, features, marks.on_frames(name, features.time_s), spec)
    return out


def _add(writer: FacesWriter, path: Path, name: str, features: Features, marks: VideoAnchors, spec: CropSpec) -> None:
    """The rated frames of one clip that show the face."""
    faces = features.faces
    at = {int(frame): row for row, frame in enumerate(faces.frame) if faces.track[row] == 0}
    rated = {int(frame): label for frame, label in zip(marks.frames, marks.labels.tolist(), strict=True)}
    with open_video(path) as video:
        for frame in video:
            if frame.index not in rated or frame.index not in at:
                continue
            x, y, w, h = faces.box[at[frame.index]].tolist()
            valence, arousal = rated[frame.index]
            row: dict[str, Any] = dict.fromkeys(FACES.names)
            row |= {"face_id": f"real/{name}/{frame.index}", "dataset": "real", "clip_id": name, "split": "test"}
            row |= {"subject_id": name, "frame": frame.index, "time_s": float(features.time_s[frame.index])}
            row |= {"x": x, "y": y, "w": w, "h": h, "score": float(faces.score[at[frame.index]]), "track_id": 0}
            row |= {"valence": valence, "arousal": arousal}
            writer.add(row, cut(frame.image, (x, y, w, h), spec))


def _is_made(out: Path, made_of: str) -> bool:
    try:
        return bool(json.loads((out / "store.json").read_text(encoding="utf-8"))[MADE_OF] == made_of)
    except (OSError, ValueError, KeyError):
        return False
