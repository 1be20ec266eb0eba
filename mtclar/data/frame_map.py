"""Which frame of a copy is which frame of its source, and when: NAME.frames.csv, and labels carried back by it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtclar import storage
from mtclar.data.out_folder import safe
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError

SUFFIX = ".frames.csv"
COLUMNS = ("frame", "time_s", "source_frame", "source_pts", "source_time_s")


@dataclass(frozen=True, eq=False)
class FrameMap:
    """Frames of a copy in their order, n of them: frame k of the copy is `source_frame[k]` of the source.

    Attributes:
        time_s: float64 (n,), when they are shown in the copy, from its first frame.
        source_frame, source_pts: int64 (n,).
        source_time_s: float64 (n,), when they are shown in the source, from its first frame.
    """

    time_s: np.ndarray
    source_frame: np.ndarray
    source_pts: np.ndarray
    source_time_s: np.ndarray

    def __len__(self) -> int:
        return len(self.time_s)

    def source_time_of(self, time_s: float) -> float | None:
        """The time of the source at a time of the copy, in proportion between frames; None where there is no frame.

        So a time that is nearest to a frame of the copy is nearest to the same frame in the source.
        """
        step = float(np.median(np.diff(self.time_s))) if len(self) > 1 else 0.04
        first, last = float(self.time_s[0]), float(self.time_s[-1])
        if not first - step <= time_s <= last + step:
            return None
        outside = min(time_s - first, 0.0) + max(time_s - last, 0.0)
        return float(np.interp(time_s, self.time_s, self.source_time_s)) + outside

    def write(self, path: Path) -> None:
        """Writes the table, whole or not at all; times with 6 decimals."""
        with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for k in range(len(self)):
                source = int(self.source_frame[k]), int(self.source_pts[k]), f"{self.source_time_s[k]:.6f}"
                writer.writerow([k, f"{self.time_s[k]:.6f}", *source])


def read_frame_map(path: Path) -> FrameMap:
    """Reads NAME.frames.csv.

    Raises:
        MtclarError: It is not there or not such a table.
    """
    expected = f"{path}: expected the table that 'mtclar normalise' writes beside a copy"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        values = {name: [float(row[name]) for row in rows] for name in COLUMNS}
    except OSError as error:
        raise MtclarError(f"{expected}, but it cannot be read ({error.strerror}).") from error
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise MtclarError(f"{expected}, with the columns {', '.join(COLUMNS)}; make it anew.") from error
    if not rows or values["frame"] != list(range(len(rows))) or (np.diff(values["time_s"]) <= 0).any():
        raise MtclarError(f"{expected}, its frames counted from 0; make it anew.")
    whole = {name: np.array(values[name], np.int64) for name in ("source_frame", "source_pts")}
    times = {name: np.array(values[name]) for name in ("time_s", "source_time_s")}
    return FrameMap(**whole, **times)


def map_back(file: Path, maps: Path | str, out: Path) -> int:
    """Labels or anchors of copies -> the same of their sources; all but frames, stamps and times stays as it is.

    Args:
        file: CSV with `video_id` and `frame` or `time_s`, or Parquet with `video_id`, `frame` and `time_s`: anchors of
            any tool, or labels of `mtclar label`.
        maps: The folder or address of the copies, with VIDEO_ID.frames.csv of each.
        out: Where to write, in the same format; whole or not at all.

    Returns:
        The number of rows.

    Raises:
        MtclarError: A row is of no copy or of a frame or time that its copy does not have, or a file cannot be used.
    """
    known: dict[str, FrameMap] = {}

    def of(video: str) -> FrameMap:
        if video not in known:
            table = f"{safe(video)}{SUFFIX}"
            place = storage.join(str(maps), table) if storage.is_remote(maps) else Path(maps) / table
            if not storage.exists(place):
                raise MtclarError(f"{file}: the video '{video}' has no {table} in {maps}; normalise it there first.")
            with storage.local(place) as path:
                known[video] = read_frame_map(path)
        return known[video]

    return (_parquet_back if file.suffix == ".parquet" else _csv_back)(file, of, out)


def _csv_back(file: Path, of: Callable[[str], FrameMap], out: Path) -> int:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            header, lines = next(reader, []), [line for line in reader if line]
    except (OSError, UnicodeDecodeError) as error:
        raise MtclarError(f"{file}: the table cannot be read; expected CSV in UTF-8.") from error
    at = {name.strip(): k for k, name in enumerate(header)}
    if "video_id" not in at or not {"frame", "time_s"} & set(at):
        raise MtclarError(
            f"{file}: expected the columns video_id and frame or time_s, got {', '.join(header) or 'none'}."
        )
    for number, line in enumerate(lines, start=2):
        where = f"{file}, line {number}"
        if len(line) != len(header):
            raise MtclarError(f"{where}: expected {len(header)} cells as in the first line, got {len(line)}.")
        cells = {name: line[k].strip() for name, k in at.items()}
        line_map = of(cells["video_id"])
        for name, value in _moved(line_map, cells, where).items():
            line[at[name]] = value
    with whole_file(out) as partial, partial.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written, lineterminator="\n")
        writer.writerows([header, *lines])
    return len(lines)


def _moved(frames: FrameMap, cells: Mapping[str, str], where: str) -> dict[str, str]:
    """The cells of a row that are different in the source."""
    if cells.get("frame"):
        k = _frame(frames, cells["frame"], where)
        moved = {
            "frame": str(frames.source_frame[k]),
            "pts": str(frames.source_pts[k]),
            "time_s": f"{frames.source_time_s[k]:.6f}",
        }
        return {name: value for name, value in moved.items() if cells.get(name)}
    try:
        time_s = frames.source_time_of(float(cells.get("time_s", "")))
    except ValueError:
        raise MtclarError(f"{where}: expected a frame or a time in seconds, got neither.") from None
    if time_s is None:
        raise MtclarError(
            f"{where}: the copy ends at {frames.time_s[-1]:.3f} s, so there is no {cells['time_s']} s in it."
        )
    return {"time_s": f"{time_s:.6f}"}


def _frame(frames: FrameMap, text: str, where: str) -> int:
    try:
        k = int(text)
    except ValueError:
        k = -1
    if not 0 <= k < len(frames):
        raise MtclarError(f"{where}: expected a frame of the copy, 0 to {len(frames) - 1}, got '{text}'.")
    return k


def _parquet_back(file: Path, of: Callable[[str], FrameMap], out: Path) -> int:
    try:
        table = pq.read_table(file)
        videos, frames = (_listed(table, name) for name in ("video_id", "frame"))
    except (OSError, KeyError, pa.ArrowException) as error:
        raise MtclarError(f"{file}: expected labels that 'mtclar label' wrote, with video_id and frame.") from error
    rows = [
        (of(str(video)), _frame(of(str(video)), str(frame), f"{file}, row {number}"))
        for number, (video, frame) in enumerate(zip(videos, frames, strict=True))
    ]
    columns: dict[str, Iterable[float]] = {
        "frame": [int(one.source_frame[k]) for one, k in rows],
        "pts": [int(one.source_pts[k]) for one, k in rows],
        "time_s": [float(one.source_time_s[k]) for one, k in rows],
    }
    for name, values in columns.items():
        if name in table.column_names:
            place, field = table.column_names.index(name), table.schema.field(name)
            table = table.set_column(place, field, pa.array(list(values), field.type))
    with whole_file(out) as partial:
        pq.write_table(table, partial)
    return len(rows)


def _listed(table: pa.Table, name: str) -> Sequence[object]:
    return table.column(name).to_pylist()
