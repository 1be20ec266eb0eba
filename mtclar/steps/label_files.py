"""The files of a labelled video: where they are written, and the facts that go with the table."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from mtclar import __version__
from mtclar.data.anchors import Anchors, VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.labelling.kriging import DIMENSIONS
from mtclar.settings import LabelSettings

SCHEMA_VERSION = 1
SOURCES = ("anchor", "model", "zero-shot", "interpolated", "none")
"""Where a row's label comes from: `zero-shot` is the model without any anchor."""


class OutFolder:
    """A folder to write into, where the files of one video appear together when all are there.

    It is tried at once, so that nobody waits for labels that cannot be written; and it is gone again if nothing came
    of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts = path / ".labels.part"

    def __enter__(self) -> OutFolder:
        self._made = not self.path.exists()
        with self._said():
            self.path.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self._parts, ignore_errors=True)
            self._parts.mkdir()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._parts, ignore_errors=True)
        if self._made and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()

    @contextlib.contextmanager
    def stage(self, below: str | PurePosixPath = ".") -> Iterator[Path]:
        """A folder for the files of one video; left without an error, they move to the folder `below` this one.

        Raises:
            MtclarError: They cannot be written.
        """
        with self._said():
            shutil.rmtree(self._parts, ignore_errors=True)
            self._parts.mkdir(parents=True)
            yield self._parts
            target = self.path / below
            target.mkdir(parents=True, exist_ok=True)
            for file in sorted(self._parts.iterdir()):
                os.replace(file, target / file.name)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MtclarError(f"{self.path}: cannot be written ({error.strerror}); choose another --out.") from error


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Writes the labels as CSV: times with 6 decimals, other numbers with 6 digits, nothing for what is not known."""
    table = table.assign(time_s=table["time_s"].map("{:.6f}".format))
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n", encoding="utf-8")


def write_json(content: dict[str, Any], path: Path) -> None:
    """Writes JSON for people and programs alike; what is not known is null."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def model_facts(predictor: Predictor) -> dict[str, Any]:
    """Which model labelled: name, versions, sha256, licences, and the crop it asks for."""
    facts = predictor.facts
    return {
        "name": str(facts.get("name", "mtclar")),
        "version": str(facts.get("version", facts.get("mtclar_version", ""))),
        "sha256": predictor.identity,
        "licences": dict(facts.get("licences", {})),
        "data_revision": facts.get("data_revision"),
        "git_revision": facts.get("git_revision"),
        "crop": predictor.crop_spec.to_dict(),
    }


def side_facts(
    s: LabelSettings,
    path: Path,
    name: str,
    features: Features,
    table: pd.DataFrame,
    marks: Anchors | None,
    placed: VideoAnchors,
    predictor: Predictor,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What a reader of the labels must know, as NAME.va.json and the Parquet file's metadata hold it."""
    known = predictor.calibration or {}
    if not len(placed.frames):
        known = known | {key: (known.get("zero_shot") or {}).get(key) for key in DIMENSIONS}
    seen = {key: value for key, value in features.video.items() if key != "name"}
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "video_id": name,
        "video": path.name,
        **seen,
        "va_range": [-1.0, 1.0],
        "model": model_facts(predictor),
        "band": {key: float(value) for key, value in known.items() if _is_number(value)},
        "fusion": {"method": s.fusion, "time_scale_s": s.time_scale_s},
        "extraction": features.identity,
        "anchors_file": None if marks is None else marks.path.name,
        "anchors_sha256": None if marks is None else hashlib.sha256(marks.path.read_bytes()).hexdigest(),
        "anchors": [
            {
                "frame": int(frame),
                "time_s": round(float(table["time_s"].iloc[frame]), 6),
                "valence": float(valence),
                "arousal": float(arousal),
                "weight": float(weight),
                **({} if own else {"foreign": True}),
            }
            for frame, (valence, arousal), weight, own in zip(
                placed.frames, placed.labels, placed.weights, placed.own, strict=True
            )
        ],
        "counts": {
            "rows": len(table),
            **{status: int((table["status"] == status).sum()) for status in ("ok", "no_face")},
            **{source: int((table["source"] == source).sum()) for source in SOURCES},
        },
        "notes": list(notes),
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
