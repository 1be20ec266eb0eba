"""convert and sync: labels into the files of other tools, and what people changed there back into anchors.

Beside each file that is written stands NAME.mtclar.json with the values that can be read from it. What differs when the
file comes back was changed by a person.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, counted
from mtclar.formats import (
    FORMATS,
    Annotations,
    Placed,
    Timeline,
    format_of,
    place,
    read_annotations,
    write_annotations,
)
from mtclar.formats.annotations import HUMAN, even_timeline

FINGERPRINT = ".mtclar.json"
DIGITS = 6
_Key: TypeAlias = tuple[int, str, float, bool]
"""Track, `frame` or `time_s`, that, and whether a person said so."""
FOREIGN = {"anchors", "carma", "darma", "boris", "nova", "elan", "label-studio", "cvat", "afew-va"}
"""Formats from which a CSV is made as an anchors file; labels stay labels."""


@dataclass(frozen=True)
class Converted:
    """What `convert` wrote.

    Attributes:
        written: The files.
        placed: How rows found their frames.
        source: Name of the format that was read.
        target: Name of the format that was written.
        notes: What had to be assumed.
    """

    written: list[Path]
    placed: Placed
    source: str
    target: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.source} to {self.target}: {self.placed}", *self.notes]
        return "\n".join([*lines, "written: " + ", ".join(map(str, self.written))])


def run(
    source: Path,
    target: Path,
    *,
    source_format: str = "",
    target_format: str = "",
    features: Path | None = None,
    fps: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> Converted:
    """Converts a file.

    Args:
        source: The file to read.
        target: The file to write; may be there.
        source_format: Name in `FORMATS`; empty to look into the file.
        target_format: The same of the target; empty for that of its ending. A CSV made of another tool's file is an
            anchors file.
        features: Of the video, whose frame times are then used.
        fps: Frames a second where the file states none, or another than it was made at.
        options: Of `read_annotations` and `write_annotations`; `out_range` is the `va_range` of what is written.

    Raises:
        MtclarError: A file cannot be read or written, or the rows do not fit the video.
    """
    given = dict(options or {})
    out_range = given.pop("out_range", None)
    name = format_of(source, source_format)
    to = format_of(target, target_format, writing=True)
    if to == "csv" and not target_format and name in FOREIGN:
        to = "anchors"
    if source.resolve() == target.resolve():
        raise MtclarError(f"{target}: is the file that is read; name another to write.")
    found = read_annotations(source, name, fps=fps, **given)
    timeline = _timeline(found, features, fps)
    if fps is not None:
        found = replace(found, fps=fps)
    placed = place(found, timeline)
    written = write_annotations(placed.annotations, target, to, va_range=out_range)
    if FORMATS[to].reads:
        written.append(_fingerprint(target, written, to, placed.annotations, features, out_range))
    return Converted(written, placed, name, to, found.notes)


def _timeline(found: Annotations, features: Path | None, fps: float | None) -> Timeline:
    if features is None:
        return even_timeline(found, fps)
    from mtclar.features.file import read_features

    return Timeline(read_features(features).time_s)


def _fingerprint(
    path: Path,
    written: Sequence[Path],
    name: str,
    given: Annotations,
    features: Path | None,
    va_range: tuple[float, float] | None,
) -> Path:
    """Writes what can be read from files that have just been written, beside the file that was asked for."""
    main = [file.name for file in written if file.suffix == path.suffix and not file.name.startswith("arousal.")]
    tracks = [track for track, _ in given.people]
    # formats of one file a person write them in the order of the people; the others hold all of them
    files = list(zip(main, tracks if len(main) > 1 or name == "nova" else [None], strict=True))
    content = {
        "format": name,
        "video_id": given.video_id,
        "features": None if features is None else str(features),
        "va_range": va_range,
        "files": files,
        "rows": _rows(_read_back(path, files, name, va_range)),
    }
    beside = path.with_name(path.name + FINGERPRINT)
    with whole_file(beside) as partial:
        partial.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
    return beside


def _read_back(
    path: Path, files: Sequence[tuple[str, int | None]], name: str, va_range: tuple[float, float] | None
) -> Annotations:
    """What stands in the files beside `path` together; the track of a file that holds one person is the one given."""
    found = []
    for file, track in files:
        one = read_annotations(path.with_name(Path(file).name), name, va_range=va_range)
        found.append(one if track is None else replace(one, table=one.table.assign(track_id=track)))
    return replace(found[0], table=pd.concat([one.table for one in found], ignore_index=True))


def _rows(found: Annotations) -> list[list[Any]]:
    """Of each row the track, whether it says frame or time, that, valence, arousal, and whether a person said so."""
    table = found.table
    numbered = table["frame"].notna()
    at = table["frame"].where(numbered, table["time_s"].round(3))
    values = table[["valence", "arousal"]].round(DIGITS).to_numpy().tolist()
    return [
        [int(track), "frame" if frame else "time_s", float(when), *(None if v != v else v for v in pair), bool(said)]
        for track, frame, when, pair, said in zip(
            table["track_id"], numbered, at, values, table["source"] == HUMAN, strict=True
        )
    ]


@dataclass(frozen=True)
class Synced:
    """What `sync` found and did.

    Attributes:
        changed: Rows whose values a person changed, or that are new.
        removed: Anchors that are gone from the file.
        anchors: The anchors file that was written; None where nothing had changed.
        written: Files that hold the labels that follow; empty without features.
    """

    changed: int
    removed: int
    anchors: Path | None
    written: list[Path]

    def __str__(self) -> str:
        if self.anchors is None:
            return "nothing was changed since the file was written."
        said = f"{counted(self.changed, 'frame')} changed by hand"
        said += f", {counted(self.removed, 'anchor')} removed" if self.removed else ""
        said += f"; anchors in {self.anchors}"
        if not self.written:
            return said + "; give --features to label again, or label with these anchors."
        return said + f"; labelled again, written: {', '.join(map(str, self.written))}"


def sync(path: Path, *, anchors: Path | None = None, features: Path | None = None, model: str = "default") -> Synced:
    """Takes what a person changed in a file that `run` wrote as anchors, labels again, and writes the file anew.

    Args:
        path: The file.
        anchors: The anchors file to add to; by default NAME.anchors.csv beside the file.
        features: Of the video; by default those `run` was given.
        model: As in `mtclar label`.

    Raises:
        MtclarError: The file was not written by `run`, cannot be read, or the anchors are of no frame or face.
    """
    known = _read_fingerprint(path)
    name, video_id = known["format"], known["video_id"]
    va_range = tuple(known["va_range"]) if known["va_range"] else None
    features = features or (Path(known["features"]) if known["features"] else None)
    found = _read_back(path, known["files"], name, va_range)
    before: dict[_Key, Any] = {(track, kind, at, human): (v, a) for track, kind, at, v, a, human in known["rows"]}
    now: dict[_Key, Any] = {(track, kind, at, human): (v, a) for track, kind, at, v, a, human in _rows(found)}
    changed = [key for key, value in now.items() if before.get(key) != value and None not in value]
    gone = [key for key in before if key[-1] and key not in now]
    if not changed and not gone:
        return Synced(0, 0, None, [])
    timeline = _timeline(found, features, None)
    kept = [key for key in changed if not key[-1]] + [
        key for key, value in now.items() if key[-1] and None not in value
    ]
    said = _placed(kept, now, found, timeline)
    out = anchors or path.with_name(f"{path.stem}.anchors.csv")
    if said.table.empty:
        raise MtclarError(f"{path}: no anchor is left; keep at least one, or label without anchors.")
    away = _placed(gone, before, found, timeline).table
    _add(said, set(zip(away["track_id"], away["frame"].astype(int), strict=True)), out)
    if features is None:
        return Synced(len(changed), len(gone), out, [])
    from mtclar.api import annotate
    from mtclar.features.file import read_features

    stored = read_features(features)
    several: dict[str, Any] = {"subject": "all"} if said.table["track_id"].nunique() > 1 else {}
    labels = annotate(stored, out, model=model, **several)
    table = labels.to_pandas(video_id)
    size = (int(stored.video["width"]), int(stored.video["height"])) if stored.video.get("width") else None
    again = Annotations(video_id, table[table["valence"].notna()], size=size, media=found.media)
    written = write_annotations(again, path, name, va_range=va_range)
    _fingerprint(path, written, name, again, features, va_range)
    return Synced(len(changed), len(gone), out, written)


def _placed(keys: list[_Key], values: Mapping[_Key, Any], found: Annotations, timeline: Timeline) -> Annotations:
    """Rows of a file on the frames of its video; of two on one frame the later stays."""
    rows = [
        {"track_id": key[0], key[1]: key[2], **dict(zip(("valence", "arousal"), values[key], strict=True))}
        for key in keys
    ]
    table = pd.DataFrame(rows, columns=["track_id", "frame", "time_s", "valence", "arousal"])
    return place(replace(found, table=table), timeline).annotations


def _add(said: Annotations, gone: set[tuple[int, int]], out: Path) -> None:
    """Puts anchors into a file that may be there: rows of the same frame and track give way, all others stay.

    Raises:
        MtclarError: What is there has not the form that `mtclar convert` writes.
    """
    several = said.table["track_id"].nunique() > 1
    new = pd.DataFrame(
        {
            "video_id": said.video_id,
            "frame": said.table["frame"].astype(int).astype(str),
            "time_s": [f"{at:.6f}" for at in said.table["time_s"]],
            "valence": [f"{value:.6f}" for value in said.table["valence"]],
            "arousal": [f"{value:.6f}" for value in said.table["arousal"]],
            **({"track_id": said.table["track_id"].astype(str)} if several else {}),
        }
    )
    if out.is_file():
        old = pd.read_csv(out, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        if not {"video_id", "frame", "valence", "arousal"} <= set(old.columns):
            raise MtclarError(
                f"{out}: expected an anchors file with commas and the columns video_id, frame, valence and arousal, "
                f"found {', '.join(map(str, old.columns))}; name another with --anchors."
            )
        tracks = old["track_id"] if "track_id" in old else pd.Series("", index=old.index)
        taken = {(str(frame), str(track)) for track, frame in gone}
        taken |= set(zip(new["frame"], new.get("track_id", pd.Series("", index=new.index)), strict=True))
        frames = {frame for frame, _ in taken}
        own = (old["video_id"] == said.video_id).to_numpy() & np.array(
            [
                (frame, track) in taken or (track in ("", "0") and not several and frame in frames)
                for frame, track in zip(old["frame"], tracks, strict=True)
            ],
            bool,
        )
        new = pd.concat([old[~own], new], ignore_index=True)
    with whole_file(out) as partial:
        new.to_csv(partial, index=False, lineterminator="\n")


def _read_fingerprint(path: Path) -> dict[str, Any]:
    beside = path.with_name(path.name + FINGERPRINT)
    try:
        known = json.loads(beside.read_text(encoding="utf-8"))
        if {"format", "video_id", "files", "rows", "features", "va_range"} - set(known):
            raise ValueError("a key is missing")
    except (OSError, ValueError, TypeError) as error:
        raise MtclarError(
            f"{path}: there is no {beside.name} beside it that says what mtclar wrote ({error}); keep the two files "
            "together, or use 'mtclar convert' to make anchors of the file."
        ) from error
    return dict(known)
