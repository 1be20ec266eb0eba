"""Tables: our own labels as CSV and Parquet, anchors files, rows as OpenFace writes them, and a script for R."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from mtclar.data.anchors import read_anchors
from mtclar.data.tables import LABELS
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, brief
from mtclar.formats.annotations import NUMBERS, Annotations
from mtclar.formats.scale import Options, inward, number, outward

AFFECT = ("valence", "arousal", "valence_lo", "valence_hi", "arousal_lo", "arousal_hi")

R_SCRIPT = """# Reads {csv} and draws valence and arousal with their 90 % prediction intervals; base R alone.
# Run it in the folder of the CSV: Rscript {script}
labels <- read.csv("{csv}", na.strings = "")
labels$track_id <- ifelse(is.na(labels$track_id), 0, labels$track_id)
pdf("{pdf}", width = 9, height = 6)
for (track in unique(labels$track_id)) {{
  rows <- labels[labels$track_id == track, ]
  par(mfrow = c(2, 1), mar = c(4, 4, 1, 1))
  for (name in c("valence", "arousal")) {{
    plot(rows$time_s, rows[[name]], type = "n", ylim = c({low:g}, {high:g}), xlab = "time in s", ylab = name)
    known <- is.finite(rows[[paste0(name, "_lo")]])
    low <- rows[[paste0(name, "_lo")]][known]
    high <- rows[[paste0(name, "_hi")]][known]
    at <- rows$time_s[known]
    polygon(c(at, rev(at)), c(low, rev(high)), col = "grey85", border = NA)
    lines(rows$time_s, rows[[name]])
    anchors <- rows[rows$source == "anchor", ]
    points(anchors$time_s, anchors[[name]], pch = 19)
  }}
}}
dev.off()
"""


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes one of the tables."""
    if name == "r":
        csv = path.with_suffix(".csv")
        low, high = options.get("va_range") or (-1.0, 1.0)
        words = {"csv": csv.name, "script": path.name, "pdf": path.with_suffix(".pdf").name}
        if any(c in "".join(words.values()) for c in '"\\\n'):
            raise MtclarError(f"{path}: a name with quotes or backslashes cannot stand in an R script; choose another.")
        written = [] if csv.is_file() else write(given, csv, "csv", options)
        with whole_file(path) as partial:
            partial.write_text(R_SCRIPT.format(**words, low=low, high=high), encoding="utf-8")
        return [path, *written]
    if name == "anchors":
        table = _anchors(given, options)
    elif name == "openface":
        table = _openface(given, options)
    else:
        table = _labels(given, options)
    with whole_file(path) as partial:
        if name == "parquet":
            table.to_parquet(partial, index=False)
        else:
            table.to_csv(partial, index=False, float_format="%.6f", lineterminator="\n")
    return [path]


def _labels(given: Annotations, options: Options) -> pd.DataFrame:
    table = given.table.assign(video_id=given.video_id)
    for column in AFFECT:
        table[column] = outward(table[column], options)
    for column in LABELS.names:
        if column not in table:
            table[column] = None
    table["status"] = ["ok" if seen else None for seen in table["face_x"].notna()]
    return table[LABELS.names].astype({"frame": "Int64", "track_id": "Int64"})


def _anchors(given: Annotations, options: Options) -> pd.DataFrame:
    rows = given.human()
    rows = rows.dropna(subset=["valence", "arousal"])
    if rows.empty:
        raise MtclarError(f"{given.video_id}: nobody's valence and arousal stand in the file, so it has no anchors.")
    table = rows[["frame", "time_s"]].assign(video_id=given.video_id)
    for column in ("valence", "arousal"):
        table[column] = outward(rows[column], options)
    several = given.table["track_id"].nunique() > 1
    table["track_id"] = rows["track_id"] if several else pd.NA
    columns = ["video_id", "frame", "time_s", "valence", "arousal", *(["track_id"] if several else [])]
    return table[columns].astype({"frame": "Int64"})


def _openface(given: Annotations, options: Options) -> pd.DataFrame:
    rows = given.table
    seen = rows["valence"].notna().astype(int)
    return pd.DataFrame(
        {
            "frame": rows["frame"].astype(int) + 1,
            "face_id": rows["track_id"],
            "timestamp": rows["time_s"].round(6),
            "confidence": rows["confidence"],
            "success": seen,
            "valence": outward(rows["valence"], options),
            "arousal": outward(rows["arousal"], options),
        }
    )


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads one of the tables; `video_id` chooses one video where there are several."""
    if name == "anchors":
        return _read_anchors(path, options)
    try:
        table = pq.read_table(path).to_pandas() if name == "parquet" else pd.read_csv(path, encoding="utf-8-sig")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise MtclarError(f"{path}: expected a table of labels ({brief(error)}).") from error
    table.columns = [str(column).strip() for column in table.columns]
    if name == "openface":
        return _read_openface(path, table, options)
    missing = {"video_id", "frame", "valence", "arousal"} - set(table.columns)
    if missing:
        raise MtclarError(f"{path}: expected labels of mtclar; the column(s) {', '.join(sorted(missing))} are missing.")
    table = table[_chosen(path, table["video_id"].astype(str), options)]
    for column in NUMBERS:
        if column in table:
            table[column] = [
                number(v, f"{path}: {column}") if v == v and v is not None else np.nan for v in table[column]
            ]
    for column in AFFECT:
        if column in table:
            table[column] = inward(table[column], options)
    facts = _facts(path)
    size = (int(facts["width"]), int(facts["height"])) if facts.get("width") and facts.get("height") else None
    video = str(table["video_id"].iloc[0]) if len(table) else path.stem
    return Annotations(video, table, size=size, media=str(facts.get("video", "")).rsplit("/", 1)[-1])


def _read_anchors(path: Path, options: Options) -> Annotations:
    anchors = read_anchors(path, va_range=options.get("va_range"), video_id=options.get("video_id") or "")
    names = pd.Series([row.video_id for row in anchors.rows])
    kept = _chosen(path, names, options)
    rows = [row for row, keep in zip(anchors.rows, kept, strict=True) if keep]
    table = pd.DataFrame(
        {
            "frame": [row.frame for row in rows],
            "time_s": [None if row.frame is not None else row.time_s for row in rows],
            "track_id": [row.track_id for row in rows],
            "person_id": [row.person_id for row in rows],
            "valence": [row.valence for row in rows],
            "arousal": [row.arousal for row in rows],
        }
    )
    return Annotations(rows[0].video_id, table, notes=anchors.notes)


def _read_openface(path: Path, table: pd.DataFrame, options: Options) -> Annotations:
    missing = {"frame", "timestamp", "valence", "arousal"} - set(table.columns)
    if missing:
        raise MtclarError(
            f"{path}: expected a row a frame with frame, timestamp, valence and arousal; {', '.join(sorted(missing))} "
            "missing. (OpenFace itself gives action units only.)"
        )
    rows = pd.DataFrame({"frame": table["frame"] - 1, "time_s": table["timestamp"], "source": "model"})
    rows["track_id"] = table.get("face_id", pd.Series(0, index=table.index))
    if "confidence" in table:
        rows["confidence"] = table["confidence"]
    for column in ("valence", "arousal"):
        rows[column] = inward(table[column], options)
    return Annotations(options.get("video_id") or path.stem, rows)


def _chosen(path: Path, names: pd.Series, options: Options) -> np.ndarray:
    """Which rows are of the video that is asked for."""
    wanted, known = options.get("video_id"), list(dict.fromkeys(names))
    if not known:
        raise MtclarError(f"{path}: holds no row.")
    if wanted and wanted not in known:
        raise MtclarError(f"{path}: holds no row of video {wanted}; there are {', '.join(known[:9])}.")
    if len(known) > 1 and not wanted:
        raise MtclarError(
            f"{path}: holds {len(known)} videos; choose one with --video-id ({', '.join(known[:9])}"
            + ("...)." if len(known) > 9 else ").")
        )
    return (names == (wanted or known[0])).to_numpy()


def _facts(path: Path) -> dict[str, Any]:
    """NAME.va.json beside NAME.va.csv; empty where there is none."""
    beside = path.with_suffix(".json")
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
