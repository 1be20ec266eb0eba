"""Anchors files: the few frames a person labelled.

A CSV with the columns `video_id`, `frame` or `time_s`, `valence`, `arousal` and, where wanted, `track_id`,
`annotator` and `weight`. Other columns are left alone. Times are in seconds from the first displayed frame, frames
count from 0 in presentation order, valence and arousal lie in [-1, 1].
"""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from mtclar.errors import MtclarError, nearest
from mtclar.video.find import VIDEO_SUFFIXES

REQUIRED = ("video_id", "valence", "arousal")
KNOWN = (*REQUIRED, "frame", "time_s", "track_id", "annotator", "weight")
_LISTED = 8


@dataclass(frozen=True)
class Anchor:
    """One line of an anchors file; `frame` is None where only `time_s` is given, `track_id` where none is."""

    line: int
    video_id: str
    frame: int | None
    time_s: float | None
    valence: float
    arousal: float
    track_id: int | None = None
    annotator: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class VideoAnchors:
    """The anchors of one video, one a frame, in the order of the frames.

    Attributes:
        frames: int64 (k,), 0-based.
        labels: float64 (k, 2): valence and arousal in [-1, 1].
        weights: float64 (k,), > 0.
        notes: What was decided on the way, one sentence each.
    """

    frames: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Anchors:
    """The rows of an anchors file, checked; `notes` says what was decided while reading."""

    path: Path
    rows: tuple[Anchor, ...]
    notes: tuple[str, ...] = ()

    def match(self, video_ids: Iterable[str]) -> Anchors:
        """The same anchors by the ids of known videos; a suffix that only the file gives (`clip.mp4`) is dropped.

        Raises:
            MtclarError: A row names a video that is not among them.
        """
        known = sorted(set(video_ids))
        rows = []
        for row in self.rows:
            name = next((name for name in (row.video_id, _bare(row.video_id)) if name in known), None)
            if name is None:
                close = difflib.get_close_matches(row.video_id, known, n=_LISTED) or known[:_LISTED]
                raise self._error(row.line, f"unknown video '{row.video_id}'{nearest(row.video_id, close)}")
            rows.append(replace(row, video_id=name))
        return replace(self, rows=tuple(rows))

    def of(self, video_id: str) -> tuple[Anchor, ...]:
        """The rows of one video."""
        return tuple(row for row in self.rows if row.video_id == video_id)

    def on_frames(self, video_id: str, times_s: np.ndarray) -> VideoAnchors:
        """Lays the anchors of one video on its frames; a time means the frame displayed nearest to it.

        Several annotators of one frame are averaged by their weights, which are added up.

        Args:
            video_id: An id as `match` left it.
            times_s: Times of the video's frames in seconds (n,), ascending.

        Raises:
            MtclarError: The video has no anchor, one lies beyond its end, or two contradict each other.
        """
        rows = self.of(video_id)
        if not rows:
            raise MtclarError(f"{self.path}: no anchors for the video '{video_id}'; add at least one line for it.")
        placed = [replace(row, frame=self._frame(row, times_s)) for row in rows]
        self._one_track(placed)
        notes: list[str] = []
        frames, labels, weights = [], [], []
        for frame in sorted({int(row.frame or 0) for row in placed}):
            here = self._agreed([row for row in placed if row.frame == frame])
            if len(here) > 1:
                notes.append(f"frame {frame}: the labels of {len(here)} annotators were averaged")
            share = np.array([row.weight for row in here])
            frames.append(frame)
            labels.append(np.average([(row.valence, row.arousal) for row in here], axis=0, weights=share))
            weights.append(share.sum())
        return VideoAnchors(np.array(frames, np.int64), np.array(labels), np.array(weights), tuple(notes))

    def _frame(self, row: Anchor, times_s: np.ndarray) -> int:
        """The frame of one row, checked against the length of the video."""
        n, end_s = len(times_s), float(times_s[-1])
        if row.frame is not None:
            if row.frame >= n:
                raise self._error(
                    row.line, f"frame {row.frame} is out of range, '{row.video_id}' has {n} frames (0 to {n - 1})"
                )
            return row.frame
        interval = end_s / (n - 1) if n > 1 else 0.0
        time_s = float(row.time_s or 0)
        if time_s > end_s + interval:
            raise self._error(
                row.line, f"time {time_s:g} s is out of range, '{row.video_id}' ends at {end_s:.3f} s ({n} frames)"
            )
        return int(np.argmin(np.abs(times_s - time_s)))

    def _agreed(self, rows: Sequence[Anchor]) -> list[Anchor]:
        """One row an annotator; rows that say the same twice count once."""
        kept: dict[str, Anchor] = {}
        for row in rows:
            other = kept.setdefault(row.annotator, row)
            if (row.valence, row.arousal) != (other.valence, other.arousal):
                raise self._error(
                    row.line,
                    f"contradicts line {other.line}, which labels the same frame of '{row.video_id}' "
                    f"({other.valence:g}, {other.arousal:g}) instead of ({row.valence:g}, {row.arousal:g}); keep one",
                )
        return list(kept.values())

    def _one_track(self, rows: Sequence[Anchor]) -> None:
        """One face is followed in a video; a second track's anchors would be laid on the wrong person."""
        first = next((row for row in rows if row.track_id is not None), None)
        for row in rows:
            if first is not None and row.track_id not in (None, first.track_id):
                raise self._error(
                    row.line,
                    f"belongs to track {row.track_id} and line {first.line} to track {first.track_id}, but one face of "
                    f"'{row.video_id}' is followed; keep the lines of one track",
                )

    def _error(self, line: int, what: str) -> MtclarError:
        return MtclarError(f"{self.path}, line {line}: {what}.")


def _bare(video_id: str) -> str:
    path = PurePath(video_id)
    return path.with_suffix("").as_posix() if path.suffix.lower() in VIDEO_SUFFIXES else video_id


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
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        line = _Line(path, number, values, decimal_comma=separator != ",")
        rows.append(line.anchor())
        doubled += rows[-1].frame is not None and rows[-1].time_s is not None
    if not rows:
        raise MtclarError(f"{path}: the anchors file has a header but no line; label at least one frame.")
    notes = (f"{doubled} anchors give both frame and time; the frame was used",) if doubled else ()
    anchors = Anchors(path, tuple(rows), notes)
    for key in dict.fromkeys((row.video_id, row.frame) for row in rows if row.frame is not None):
        anchors._agreed([row for row in rows if (row.video_id, row.frame) == key])
    return anchors


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
        if weight is not None and weight <= 0:
            raise self._error(f"weight is {weight:g}, expected more than 0")
        return Anchor(
            self.number,
            self.values["video_id"].replace("\\", "/"),
            frame,
            time_s,
            self._affect("valence"),
            self._affect("arousal"),
            self._whole("track_id"),
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
