"""Anchors files: the few frames a person labelled.

A CSV with the columns `video_id`, `frame` or `time_s`, `valence`, `arousal` and, where wanted, `track_id`,
`person_id`, `annotator`, `weight`, `valence_sd` and `arousal_sd` (standard errors of the labels), and `face_x` and
`face_y`. Other columns are left alone. `label_lines` says which dialects and which other names of columns are read.
Files of ratings have the same form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtclar.data.anchor_rows import CLOCKS, Anchor, Anchors, Clock, VideoAnchors
from mtclar.data.label_lines import LabelLine, LabelTable, read_table, table_of
from mtclar.errors import MtclarError, counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLOCKS",
    "Anchor",
    "Anchors",
    "Clock",
    "VideoAnchors",
    "anchors_in",
    "given_anchors",
    "parse_range",
    "read_anchors",
]

COLUMNS = ("video_id", "frame", "valence", "arousal")
"""What a file must hold, or `time_s` in place of `frame`."""
FULL_RANGE = (-1.0, 1.0)
MAX_WEIGHT = 1e6
"""And its reciprocal the least: beyond, sums of weights would no longer be numbers."""

_SCALES = (
    *((1, 5), (1, 7), (1, 9), (0, 10), (0, 100), (-2, 2), (-3, 3), (-4, 4), (-5, 5), (-10, 10)),
    *((-100, 100), (0, 1000), (-1000, 1000)),
)
_ONE_SIDED = 10  # rows from which on it is said that none is below 0
_LISTED = 5


def read_anchors(
    path: Path,
    *,
    what: str = "anchors file",
    hint: str = "give a CSV with --anchors",
    video_id: str = "",
    va_range: tuple[float, float] | None = None,
) -> Anchors:
    """Reads an anchors file, or one of ratings, which has the same form; see `label_lines.read_table`.

    Where a line gives both frame and time, the frame wins. Lines whose valence or arousal is missing are left out.

    Args:
        path: The CSV.
        what: What messages call it.
        hint: What to do where it cannot be read.
        video_id: The video meant by a line that names none; empty where each must name one.
        va_range: The values of the file that mean -1 and 1; None for these themselves.

    Raises:
        MtclarError: One sentence with the number of the line: a column is missing, a value is missing, no number or
            out of range, or two lines contradict each other.
    """
    table = read_table(Path(path), what=what, hint=hint, expected=COLUMNS[1:] if video_id else COLUMNS)
    return anchors_in(table, video_id=video_id, va_range=va_range)


def given_anchors(
    rows: Iterable[Sequence[object] | Mapping[str, object]] | pd.DataFrame,
    video_id: str,
    *,
    va_range: tuple[float, float] | None = None,
) -> Anchors:
    """Anchors that a program has at hand.

    Args:
        rows: Frame, valence and arousal of each; or mappings, or a table, with the columns of an anchors file, of which
            `video_id` may be left out.
        video_id: The video meant by a row that names none.
        va_range: As in `read_anchors`.

    Raises:
        MtclarError: As `read_anchors`; a line is the number of a row from 1.

    Example:
        given_anchors([(0, 0.0, -0.1), (33, 0.7, 0.3)], "clip")
        given_anchors([{"time_s": 1.5, "valence": 0.2, "arousal": 0.0}], "clip")
    """
    path = Path("anchors")
    named: list[Mapping[str, object]] = []
    for number, row in enumerate(rows.to_dict("records") if hasattr(rows, "to_dict") else rows, start=1):
        if not isinstance(row, Mapping) and len(row) != 3:
            raise MtclarError(f"{path}, line {number}: has {len(row)} values, expected frame, valence and arousal.")
        named.append(row if isinstance(row, Mapping) else dict(zip(COLUMNS[1:], row, strict=True)))
    if not named:
        raise MtclarError(f"{path}: there is none; give at least one, or None to label without.")
    return anchors_in(table_of(named, path), video_id=video_id, va_range=va_range)


def anchors_in(table: LabelTable, *, video_id: str = "", va_range: tuple[float, float] | None = None) -> Anchors:
    """The anchors of a table that has been read; see `read_anchors`."""
    _check_columns(table, COLUMNS[2:] if video_id else ("video_id", *COLUMNS[2:]))
    notes = list(table.notes)
    known = [line for line in table.lines if _labelled(line)]
    if len(known) < len(table.lines):
        left_out = [line.number for line in table.lines if not _labelled(line)]
        listed = ", ".join(map(str, left_out[:_LISTED])) + ", ..." * (len(left_out) > _LISTED)
        notes.append(
            f"left out {counted(len(left_out), 'line')} of {table.path.name} without valence or arousal ({listed})"
        )
    if not known:
        raise MtclarError(f"{table.path}: no line gives both valence and arousal; label at least one frame.")
    rows = [_anchor(line, table, video_id, va_range) for line in known]
    doubled = sum(row.frame is not None and row.time_s is not None for row in rows)
    if doubled:
        notes.append(f"{counted(doubled, 'anchor')} with both frame and time: the frame was used")
    if va_range is None and len(rows) >= _ONE_SIDED and all(min(row.valence, row.arousal) >= 0 for row in rows):
        notes.append(f"no value of {table.path.name} is below 0; if its scale runs from 0 to 1, give --va-range 0,1")
    anchors = Anchors(table.path, tuple(rows), tuple(notes), table.foreign_letters)
    faces: dict[tuple[object, ...], list[Anchor]] = {}
    for row in rows:
        if row.frame is not None:
            key = (row.video_id, row.frame, row.track_id, row.person_id, row.face_xy)
            faces.setdefault(key, []).append(row)
    for same in faces.values():
        anchors.agreed(same)
    return anchors


def parse_range(text: str) -> tuple[float, float]:
    """The two ends of a scale from `LO,HI`, such as `-100,100` or `1,9`.

    Raises:
        MtclarError: It is something else, or LO is not below HI.
    """
    plain = text.strip().replace("\u2212", "-")
    found = re.fullmatch(r"([^\s,;:]+?)\s*(?:[,;:\s]|\.\.)\s*([^\s,;:]+)", plain)
    try:
        low, high = (float(part) for part in found.groups()) if found else (math.nan, math.nan)
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise MtclarError(f"--va-range is '{text}', expected LO,HI with LO below HI, such as -100,100 or 1,9.")
    return low, high


def _check_columns(table: LabelTable, required: Sequence[str]) -> None:
    found = f"(found: {', '.join(table.names)})"
    for name in required:
        if name not in table.names:
            raise MtclarError(f"{table.path}: the column '{name}' is missing {found}.")
    if not {"frame", "time_s", "time_ms"} & set(table.names):
        raise MtclarError(f"{table.path}: the column 'frame' or 'time_s' is missing {found}.")
    if ("face_x" in table.names) != ("face_y" in table.names):
        raise MtclarError(f"{table.path}: of the columns 'face_x' and 'face_y' one is missing {found}.")


def _labelled(line: LabelLine) -> bool:
    """Whether a line gives both labels.

    Raises:
        MtclarError: It ends before them.
    """
    for name in COLUMNS[2:]:
        if name not in line.values:
            raise line.error(f"{name} is not given, the line ends before it; leave the line out or label it")
    return bool(line.text("valence") and line.text("arousal"))


def _anchor(line: LabelLine, table: LabelTable, video_id: str, va_range: tuple[float, float] | None) -> Anchor:
    """A line of the file as an anchor."""
    named = line.values.get("video_id") or video_id
    if not named:
        raise line.error("no video_id is given")
    frame, time_s = line.whole("frame"), line.time("time_s")
    if time_s is None and (milliseconds := line.given("time_ms")) is not None:
        time_s = milliseconds / 1000
    if frame is None and time_s is None:
        raise line.error("neither frame nor time_s is given")
    if time_s is not None and time_s < 0:
        raise line.error(f"time_s is {time_s:g}, but times count from 0 at the first displayed frame")
    weight = line.given("weight")
    if weight is not None and not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT:
        raise line.error(f"weight is {weight:g}, expected a number from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return Anchor(
        line=line.number,
        video_id=named.replace("\\", "/"),
        frame=frame,
        time_s=time_s,
        valence=affect(line, "valence", table, va_range),
        arousal=affect(line, "arousal", table, va_range),
        track_id=line.whole("track_id"),
        person_id=line.text("person_id"),
        annotator=line.text("annotator"),
        weight=1.0 if weight is None else weight,
        face_xy=_point(line),
        sd=_errors(line, va_range),
    )


def _errors(line: LabelLine, va_range: tuple[float, float] | None) -> tuple[float, float] | None:
    """The standard errors that a line gives, `valence_sd` and `arousal_sd`, in labels from -1 to 1."""
    low, high = va_range or FULL_RANGE
    found = []
    for name in ("valence_sd", "arousal_sd"):
        value = line.given(name)
        if value is not None and not 0 <= value <= high - low:
            raise line.error(f"{name} is {value:g}, expected a standard error from 0 to {high - low:g}")
        found.append(0.0 if value is None else 2 * value / (high - low))
    return (found[0], found[1]) if any(found) else None


def _point(line: LabelLine) -> tuple[float, float] | None:
    """The point on the face that a line names: `face_x`, `face_y`, or the centre of the box that starts there."""
    x, y = line.given("face_x"), line.given("face_y")
    if x is None or y is None:
        if x is not None or y is not None:
            raise line.error("of face_x and face_y one is not given; give both or neither")
        return None
    return x + (line.given("face_w") or 0) / 2, y + (line.given("face_h") or 0) / 2


def affect(line: LabelLine, name: str, table: LabelTable, va_range: tuple[float, float] | None) -> float:
    """Valence or arousal of a line in [-1, 1].

    On another scale, x = 2 (y − low) / (high − low) − 1.

    Raises:
        MtclarError: It is missing, no number, or outside the scale; then the sentence says which scale would fit.
    """
    low, high = va_range or FULL_RANGE
    text = line.text(name)
    if text.endswith("%") and va_range is None:
        raise line.error(f"{name} is '{text}', expected a value from -1 to 1; give the scale with --va-range 0,100")
    value = line.given(name, text.removesuffix("%"))
    if value is None:
        raise line.error(f"{name} is not given; leave the line out or label it")
    scaled = value if va_range is None else round(2 * (value - low) / (high - low) - 1, 12)
    if not abs(scaled) <= 1 + 1e-6:  # as much as a value may lose when it is written with single precision
        way_out = f" (--va-range {low:g},{high:g})" if va_range else _guessed(table)
        raise line.error(f"{name} is {value:g}, expected a value from {low:g} to {high:g}{way_out}")
    return min(1.0, max(-1.0, scaled))


def _guessed(table: LabelTable) -> str:
    """The scale that the values of a table may be on."""
    values: list[float] = []
    for line in table.lines:
        for name in COLUMNS[2:]:
            try:
                value = line.given(name)
            except MtclarError:
                continue
            values += [] if value is None else [value]
    least, most = min(values), max(values)
    fitting = [scale for scale in _SCALES if scale[0] <= least and most <= scale[1]]
    runs = f"; the values of the file run from {least:g} to {most:g}: if they are on another scale"
    if not fitting:
        return f"{runs}, give it with --va-range LO,HI"
    low, high = min(fitting, key=lambda scale: scale[1] - scale[0])
    return f"{runs}, such as {low} to {high}, give it with --va-range {low},{high}"
