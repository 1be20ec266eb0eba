"""Anchors files: the few frames a person labelled.

A CSV with the columns `video_id`, `frame` or `time_s`, `valence`, `arousal` and, where wanted, `track_id`,
`person_id`, `annotator` and `weight`. Other columns are left alone. Times are in seconds from the first displayed
frame, frames count from 0 in presentation order, valence and arousal lie in [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

from mtclar.data.anchor_rows import Anchor, Anchors, VideoAnchors
from mtclar.data.label_lines import LabelLine, read_lines
from mtclar.errors import MtclarError

__all__ = ["Anchor", "Anchors", "VideoAnchors", "read_anchors"]

REQUIRED = ("video_id", "valence", "arousal")
MAX_WEIGHT = 1e6
"""And its reciprocal the least: beyond, sums of weights would no longer be numbers."""
KNOWN = (*REQUIRED, "frame", "time_s", "track_id", "person_id", "annotator", "weight")


def read_anchors(
    path: Path, *, what: str = "anchors file", hint: str = "give a CSV with --anchors", video_id: str = ""
) -> Anchors:
    """Reads an anchors file, or one of ratings, which has the same form; see `label_lines.read_lines`.

    Where a line gives both frame and time, the frame wins.

    Args:
        path: The CSV.
        what: What messages call it.
        hint: What to do where it cannot be read.
        video_id: The video meant by a line that names none; empty where each must name one.

    Raises:
        MtclarError: One sentence with the number of the line: a column is missing, a value is missing, no number or
            out of range, or two lines contradict each other.
    """
    path = Path(path)
    names, lines = read_lines(path, what=what, hint=hint, columns=KNOWN[:5])
    _check_columns(path, names, REQUIRED[1:] if video_id else REQUIRED)
    rows = [_anchor(line, video_id) for line in lines]
    doubled = sum(row.frame is not None and row.time_s is not None for row in rows)
    notes = (f"{doubled} anchors give both frame and time; the frame was used",) if doubled else ()
    anchors = Anchors(path, tuple(rows), notes)
    for key in dict.fromkeys(_face(row) for row in rows if row.frame is not None):
        anchors.agreed([row for row in rows if _face(row) == key])
    return anchors


def _face(row: Anchor) -> tuple[str, int | None, int, str]:
    """Which face of which frame a row labels."""
    return row.video_id, row.frame, row.track_id or 0, row.person_id


def _check_columns(path: Path, names: list[str], required: tuple[str, ...]) -> None:
    for name in required:
        if name not in names:
            raise MtclarError(f"{path}: the column '{name}' is missing (found: {', '.join(names)}).")
    if not {"frame", "time_s"} & set(names):
        raise MtclarError(f"{path}: the column 'frame' or 'time_s' is missing (found: {', '.join(names)}).")
    twice = [name for name in KNOWN if names.count(name) > 1]
    if twice:
        raise MtclarError(f"{path}: the column '{twice[0]}' is there twice; keep one of them.")


def _anchor(line: LabelLine, video_id: str) -> Anchor:
    """A line of the file as an anchor."""
    named = line.values.get("video_id") or video_id
    if not named:
        raise line.error("no video_id is given")
    frame, time_s = line.whole("frame"), line.given("time_s")
    if frame is None and time_s is None:
        raise line.error("neither frame nor time_s is given")
    if time_s is not None and time_s < 0:
        raise line.error(f"time_s is {time_s:g}, but times count from 0 at the first displayed frame")
    weight = line.given("weight")
    if weight is not None and not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT:
        raise line.error(f"weight is {weight:g}, expected a number from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return Anchor(
        line.number,
        named.replace("\\", "/"),
        frame,
        time_s,
        line.affect("valence"),
        line.affect("arousal"),
        line.whole("track_id"),
        line.values.get("person_id", ""),
        line.values.get("annotator", ""),
        1.0 if weight is None else weight,
    )
