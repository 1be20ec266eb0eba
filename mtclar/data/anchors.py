"""Anchors files: the few frames a person labelled.

A CSV with the columns `video_id`, `frame` or `time_s`, `valence`, `arousal` and, where wanted, `track_id`,
`person_id`, `annotator` and `weight`. Other columns are left alone. Times are in seconds from the first displayed
frame, frames count from 0 in presentation order, valence and arousal lie in [-1, 1].
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from mtclar.data.anchor_rows import Anchor, Anchors, VideoAnchors
from mtclar.errors import MtclarError

__all__ = ["Anchor", "Anchors", "VideoAnchors", "read_anchors"]

REQUIRED = ("video_id", "valence", "arousal")
MAX_WEIGHT = 1e6
"""And its reciprocal the least: beyond, sums of weights would no longer be numbers."""
KNOWN = (*REQUIRED, "frame", "time_s", "track_id", "person_id", "annotator", "weight")


def read_anchors(path: Path) -> Anchors:
    """Reads an anchors file; a byte order mark, spaces around names and `;` between columns are taken in stride.

    In a file with `;` a comma is a decimal point. Where a line gives both frame and time, the frame wins.

    Raises:
        MtclarError: One sentence with the number of the line: a column is missing, a value is missing, no number or
            out of range, or two lines contradict each other.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise MtclarError(f"{path}: the anchors file cannot be read ({reason}); give a CSV with --anchors.") from error
    lines = text.splitlines()
    head = next((number for number, line in enumerate(lines) if line.strip()), None)
    if head is None:
        raise MtclarError(f"{path}: the anchors file is empty; expected the columns {', '.join(KNOWN[:5])}.")
    separator = next((mark for mark in (";", "\t") if mark in lines[head] and "," not in lines[head]), ",")
    reader = csv.reader(lines[head:], delimiter=separator)
    try:
        table = [(head + reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise MtclarError(f"{path}, line {head + reader.line_num}: not a CSV line ({error}).") from error
    names = [name.strip().lower() for name in table[0][1]]
    _check_columns(path, names)
    rows, doubled = [], 0
    for number, cells in table[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise MtclarError(
                f"{path}, line {number}: has {len(cells)} values under {len(names)} columns; write a decimal point, "
                "or ';' between the columns."
            )
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        line = _Line(path, number, values, decimal_comma=separator != ",")
        rows.append(line.anchor())
        doubled += rows[-1].frame is not None and rows[-1].time_s is not None
    if not rows:
        raise MtclarError(f"{path}: the anchors file has a header but no line; label at least one frame.")
    notes = (f"{doubled} anchors give both frame and time; the frame was used",) if doubled else ()
    anchors = Anchors(path, tuple(rows), notes)
    for key in dict.fromkeys(_face(row) for row in rows if row.frame is not None):
        anchors.agreed([row for row in rows if _face(row) == key])
    return anchors


def _face(row: Anchor) -> tuple[str, int | None, int, str]:
    """Which face of which frame a row labels."""
    return row.video_id, row.frame, row.track_id or 0, row.person_id


def _check_columns(path: Path, names: list[str]) -> None:
    for name in REQUIRED:
        if name not in names:
            raise MtclarError(f"{path}: the column '{name}' is missing (found: {', '.join(names)}).")
    if not {"frame", "time_s"} & set(names):
        raise MtclarError(f"{path}: the column 'frame' or 'time_s' is missing (found: {', '.join(names)}).")
    twice = [name for name in KNOWN if names.count(name) > 1]
    if twice:
        raise MtclarError(f"{path}: the column '{twice[0]}' is there twice; keep one of them.")


@dataclass(frozen=True)
class _Line:
    """One line of the file, with its number for what is wrong with it."""

    path: Path
    number: int
    values: dict[str, str]
    decimal_comma: bool

    def anchor(self) -> Anchor:
        if not self.values.get("video_id"):
            raise self._error("no video_id is given")
        frame, time_s = self._whole("frame"), self._number("time_s")
        if frame is None and time_s is None:
            raise self._error("neither frame nor time_s is given")
        if time_s is not None and time_s < 0:
            raise self._error(f"time_s is {time_s:g}, but times count from 0 at the first displayed frame")
        weight = self._number("weight")
        if weight is not None and not 1 / MAX_WEIGHT <= weight <= MAX_WEIGHT:
            raise self._error(f"weight is {weight:g}, expected a number from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
        return Anchor(
            self.number,
            self.values["video_id"].replace("\\", "/"),
            frame,
            time_s,
            self._affect("valence"),
            self._affect("arousal"),
            self._whole("track_id"),
            self.values.get("person_id", ""),
            self.values.get("annotator", ""),
            1.0 if weight is None else weight,
        )

    def _affect(self, name: str) -> float:
        value = self._number(name)
        if value is None:
            raise self._error(f"{name} is not given; leave the line out or label it")
        if not -1 <= value <= 1:
            raise self._error(f"{name} is {value:g}, expected a value from -1 to 1")
        return value

    def _whole(self, name: str) -> int | None:
        value = self._number(name)
        if value is not None and (value < 0 or value != int(value)):
            raise self._error(f"{name} is {value:g}, expected a whole number from 0")
        return None if value is None else int(value)

    def _number(self, name: str) -> float | None:
        text = self.values.get(name, "")
        if not text:
            return None
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            raise self._error(f"{name} is '{text}', expected a number") from None
        if not math.isfinite(value):
            raise self._error(f"{name} is {text}, expected a finite number")
        return value

    def _error(self, what: str) -> MtclarError:
        return MtclarError(f"{self.path}, line {self.number}: {what}.")
