"""The files of a labelled video: its table and the facts that go with it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mtclar import __version__
from mtclar.data.anchors import Anchors, VideoAnchors
from mtclar.data.tables import LABELS
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.labelling.labels import SOURCES, STATUSES
from mtclar.report.label_data import Columns
from mtclar.settings import LabelSettings

SCHEMA_VERSION = 1


ROWS_AT_ONCE = 10_000
"""Rows whose text is in memory at the same time."""


def write_csv(columns: Columns, path: Path) -> None:
    """Writes the labels as CSV: times with 6 decimals, other numbers with 6 digits, nothing for what is not known."""

    def cells(name: str, rows: slice) -> Iterable[object]:
        values = columns[name][rows]
        if values.dtype.kind != "f":
            return values.tolist()
        form = "%.6f" if name == "time_s" else "%.6g"
        return ["" if value != value else form % value for value in values.tolist()]

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(LABELS.names)
        for start in range(0, len(columns["frame"]), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            writer.writerows(zip(*(cells(name, rows) for name in LABELS.names), strict=True))


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
    file: str,
    name: str,
    features: Features,
    columns: Columns,
    marks: Anchors | None,
    placed: VideoAnchors,
    predictor: Predictor,
    notes: Sequence[str],
) -> dict[str, Any]:
    """What a reader of the labels must know, as NAME.va.json and the Parquet file's metadata hold it."""
    known = predictor.calibration or {}
    seen = {key: value for key, value in features.video.items() if key != "name"}
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "video_id": name,
        "video": file,
        **seen,
        "va_range": [-1.0, 1.0],
        "model": model_facts(predictor),
        "subject": s.subject,
        "band": {key: known[key] for key in ("coverage", "multiples") if key in known},
        "extraction": features.identity,
        "anchors_file": None if marks is None else marks.path.name,
        "anchors_sha256": None if marks is None else hashlib.sha256(marks.path.read_bytes()).hexdigest(),
        "anchors": [
            {
                "frame": int(frame),
                "time_s": round(float(features.time_s[frame]), 6),
                "valence": float(valence),
                "arousal": float(arousal),
                "weight": float(weight),
                "track_id": int(track) if track >= 0 else None,
            }
            for frame, (valence, arousal), weight, track in zip(
                placed.frames, placed.labels, placed.weights, placed.track, strict=True
            )
        ],
        "counts": {
            "rows": len(columns["frame"]),
            **{status: int((columns["status"] == status).sum()) for status in STATUSES},
            **{source: int((columns["source"] == source).sum()) for source in SOURCES},
        },
        "notes": list(notes),
    }
