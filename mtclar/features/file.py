"""The features file: all that is kept of one video, in one Arrow IPC file that pandas and R read as a table.

There is one row per frame and track, ordered by frame and then by track, and one row with an empty `track` for a frame
without a face. What is about the video as a whole stands in the schema's metadata under `mtclar.features`, as JSON:
`schema_version`, `video` (facts of the file, the sha256 of its content among them), `identity` (what detected, what
embedded), `person` (names of tracks), `notes`, and how many frames and faces there are.

Example:
    table = pyarrow.feather.read_table("clip.features")
    frame = pandas.read_feather("clip.features", columns=["time_s", "track", "prediction_valence"])
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mtclar.data.tables import EXPRESSIONS, NUMPY
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, brief
from mtclar.features.table import LANDMARKS, Faces, Features

SUFFIX = ".features"
SCHEMA_VERSION = 1
ROWS_A_BATCH = 16384
_KEY = b"mtclar.features"
_MAGIC = b"ARROW1"
_AFFECT = ("valence", "arousal")
_SCALARS: dict[str, tuple[tuple[str, ...], pa.DataType]] = {
    "box": (("x", "y", "w", "h"), pa.float32()),
    "score": (("score",), pa.float32()),
    "quality": (("quality",), pa.float32()),
    "pose": (("yaw", "pitch", "roll"), pa.float32()),
    "expression": (tuple(f"expression_{name}" for name in EXPRESSIONS), pa.float16()),
    "head": (tuple(f"head_{name}" for name in _AFFECT), pa.float32()),
    "prediction": (tuple(f"prediction_{name}" for name in _AFFECT), pa.float32()),
}
"""Fields of `Faces` that are columns of numbers: their names and type."""


def schema(dimensions: int) -> pa.Schema:
    """The columns of a features file whose embeddings have so many dimensions."""
    frame = [
        ("frame", pa.int64()),  # 0-based, in presentation order
        ("pts", pa.int64()),  # in units of the time base that the metadata gives
        ("time_s", pa.float64()),  # seconds from the first displayed frame
        ("shot", pa.int64()),
        ("track", pa.int64()),  # null, as all that follows: a frame without a face
    ]
    numbers = [(name, kind) for names, kind in _SCALARS.values() for name in names]
    arrays = [
        ("landmarks", pa.list_(pa.float16(), 2 * LANDMARKS)),  # x and y of each in turn, relative to the box
        ("embedding", pa.list_(pa.float16(), dimensions)),
    ]
    pictures = [("face_picture", pa.binary()), ("shot_picture", pa.binary())]  # JPEG, null in most rows
    return pa.schema([*frame, *numbers, *arrays, *pictures])


def write_features(features: Features, path: Path | str) -> None:
    """Writes a features file, whole or not at all.

    Args:
        features: What to write.
        path: Where to; a file that lies there is replaced.

    Raises:
        MtclarError: `path` cannot be written.
    """
    path, faces, n = Path(path), features.faces, len(features)
    empty = np.setdiff1d(np.arange(n), faces.frame)
    m, dimensions = len(faces), faces.embedding.shape[1]
    frame = np.concatenate([faces.frame, empty]).astype(np.int64)
    track = np.concatenate([faces.track, np.zeros(len(empty), np.int64)]).astype(np.int64)
    order = np.lexsort((track, frame))
    # Rows of the faces, the last of which stands for all frames without one: what it holds is masked.
    source, faceless = np.minimum(order, max(m - 1, 0)), order >= m
    frame, track = frame[order], track[order]

    places = {(int(frame[row]), int(track[row])): row for row in _rows_of(features.face_pictures, frame)}
    face_pictures = {places[key]: data for key, data in features.face_pictures.items()}
    firsts = np.searchsorted(frame, list(features.shot_pictures)).tolist()
    shot_pictures = dict(zip(firsts, features.shot_pictures.values(), strict=True))

    def batch(rows: slice) -> pa.Table:
        """The table of some rows; all rows at once would be a second copy of a long video's embeddings."""
        some, empty = source[rows], faceless[rows]

        def numbers(values: np.ndarray, kind: pa.DataType) -> pa.Array:
            values = values[some] if m else np.zeros(len(some))
            return pa.array(values.astype(NUMPY[kind], copy=False), kind, mask=empty)

        def lists(values: np.ndarray, width: int) -> pa.Array:
            flat = values.reshape(m, width)[some] if m else np.zeros((len(some), width))
            flat = pa.array(flat.astype(np.float16, copy=False).reshape(-1))
            return pa.FixedSizeListArray.from_arrays(flat, width, mask=pa.array(empty))

        columns = [
            pa.array(frame[rows]),
            pa.array(features.pts.astype(np.int64, copy=False)[frame[rows]]),
            pa.array(features.time_s.astype(np.float64, copy=False)[frame[rows]]),
            pa.array(features.shot.astype(np.int64, copy=False)[frame[rows]]),
            pa.array(track[rows], mask=empty),
        ]
        for name, (names, kind) in _SCALARS.items():
            values = np.asarray(getattr(faces, name)).reshape(m, len(names))
            columns += [numbers(values[:, k], kind) for k in range(len(names))]
        columns += [lists(faces.landmarks, 2 * LANDMARKS), lists(faces.embedding, dimensions)]
        columns += [_pictures(pictures, rows) for pictures in (face_pictures, shot_pictures)]
        return pa.Table.from_arrays(columns, schema=known)

    facts = {
        "schema_version": SCHEMA_VERSION,
        "frames": n,
        "faces": m,
        "video": features.video,
        "identity": features.identity,
        "person": {str(number): name for number, name in features.person.items()},
        "notes": list(features.notes),
    }
    known = schema(dimensions).with_metadata({_KEY: json.dumps(facts, allow_nan=False).encode()})
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with whole_file(path) as partial:
        with (
            pa.OSFile(str(partial), "wb") as sink,
            pa.ipc.new_file(sink, known, options=options) as writer,
        ):
            for start in range(0, len(order), ROWS_A_BATCH):
                writer.write_table(batch(slice(start, min(start + ROWS_A_BATCH, len(order)))))
        with partial.open("rb") as written:
            os.fsync(written.fileno())  # on the disk before it has its name


def read_features(path: Path | str) -> Features:
    """Reads a features file back.

    Raises:
        MtclarError: It is missing, no features file, cut short or damaged, or written by a newer mtclar.
    """
    path = Path(path)
    with _opened(path) as source, _damage_said(path):
        reader = pa.ipc.open_file(source)
        facts = _facts(path, reader.schema)
        return _features(reader.read_all(), facts)


def read_origin(path: Path) -> tuple[str, dict[str, Any]]:
    """What a features file was made from, without reading its rows: sha256 of the video, and `Features.identity`.

    Raises:
        MtclarError: As `read_features`.
    """
    path = Path(path)
    with _opened(path) as source, _damage_said(path):
        facts = _facts(path, pa.ipc.open_file(source).schema)
        return str(facts["video"]["sha256"]), dict(facts["identity"])


@contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    """Says in one sentence what is wrong with a file whose bytes are not as they were written."""
    try:
        yield
    except MtclarError:
        raise
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise MtclarError(
            f"{path}: the features file is cut short or damaged ({brief(error)}); delete it and run 'mtclar extract' "
            "again."
        ) from error


def _opened(path: Path) -> pa.MemoryMappedFile:
    """The file, mapped into memory, after a look at its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
        if head == _MAGIC:
            return pa.memory_map(str(path))
    except OSError as error:
        raise MtclarError(
            f"{path}: the features file cannot be read ({error.strerror or error}); make one with 'mtclar extract'."
        ) from error
    raise MtclarError(f"{path}: expected a features file, which 'mtclar extract' writes; this is something else.")


def _facts(path: Path, found: pa.Schema) -> dict[str, Any]:
    """The metadata, after checks of version and columns."""
    stored = (found.metadata or {}).get(_KEY)
    if stored is None:
        raise MtclarError(f"{path}: an Arrow file, but not one of features; give one that 'mtclar extract' wrote.")
    facts = json.loads(stored)
    version = facts["schema_version"]
    if version != SCHEMA_VERSION:
        way = "install the mtclar that wrote it" if version > SCHEMA_VERSION else "extract the video again"
        raise MtclarError(f"{path}: has schema version {version}, this mtclar reads {SCHEMA_VERSION}; {way}.")
    width = found.field("embedding").type.list_size
    for field in schema(width):
        if found.field(field.name).type != field.type:
            raise ValueError(f"the column '{field.name}' is {found.field(field.name).type}, expected {field.type}")
    return facts


def _features(table: pa.Table, facts: dict[str, Any]) -> Features:
    """The arrays of a table whose schema has been checked."""
    n = int(facts["frames"])
    frame, tracks, seen = _numbers(table, "frame"), _numbers(table, "track"), _valid(table, "track")
    first = np.flatnonzero(np.diff(frame, prepend=-1))
    if len(first) != n or (frame[first] != np.arange(n)).any() or int(seen.sum()) != int(facts["faces"]):
        raise ValueError(f"its rows are not of {n} frames and {facts['faces']} faces")
    rows: Any = np.flatnonzero(seen)
    rows = rows[np.argsort(tracks[rows], kind="stable")]
    if len(rows) == len(frame) and (np.diff(rows) == 1).all():
        rows = slice(None)  # one face in every frame: nothing to sort, and no copy
    values: dict[str, np.ndarray] = {"frame": frame[rows], "track": tracks[rows]}
    for name, (names, _) in _SCALARS.items():
        columns = [_numbers(table, column)[rows] for column in names]
        values[name] = columns[0] if len(names) == 1 else np.stack(columns, axis=1)
    values["landmarks"] = _numbers(table, "landmarks")[rows].reshape(-1, LANDMARKS, 2)
    values["embedding"] = _numbers(table, "embedding")[rows]
    return Features(
        pts=_numbers(table, "pts")[first],
        time_s=_numbers(table, "time_s")[first],
        shot=_numbers(table, "shot")[first],
        faces=Faces(**values),
        video=dict(facts["video"]),
        identity=dict(facts["identity"]),
        notes=tuple(facts["notes"]),
        person={int(number): name for number, name in facts["person"].items()},
        face_pictures={(int(frame[row]), int(tracks[row])): data for row, data in _kept(table, "face_picture")},
        shot_pictures={int(frame[row]): data for row, data in _kept(table, "shot_picture")},
    )


def _rows_of(keys: Iterable[tuple[int, int]], frame: np.ndarray) -> Iterable[int]:
    """Rows of the frames that are named first in `keys`, `frame` being the frame of each row, ascending."""
    for number in {number for number, _ in keys}:
        yield from range(*np.searchsorted(frame, [number, number + 1]).tolist())


def _pictures(by_row: dict[int, bytes], rows: slice) -> pa.Array:
    return pa.array([by_row.get(row) for row in range(rows.start, rows.stop)], pa.binary())


def _kept(table: pa.Table, name: str) -> list[tuple[int, bytes]]:
    """Row and content of every picture of a column."""
    column = table.column(name)
    return [(row, column[row].as_py()) for row in np.flatnonzero(_valid(table, name)).tolist()]


def _valid(table: pa.Table, name: str) -> np.ndarray:
    """bool (rows,), whether a column is not null. (That which pyarrow offers for it loads much that is not needed.)"""
    parts = [np.empty(0, bool)]
    for chunk in table.column(name).chunks:
        bitmap, rows = chunk.buffers()[0], slice(chunk.offset, chunk.offset + len(chunk))
        there = np.ones(rows.stop, bool)
        if bitmap is not None:
            there = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little").astype(bool)
        parts.append(there[rows])
    return np.concatenate(parts)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers (rows,), or of lists of one length (rows, length); what is null holds whatever was written.

    Read from the file's memory as it is: `to_numpy` of pyarrow loads pandas.
    """
    column = table.column(name)
    width = column.type.list_size if pa.types.is_fixed_size_list(column.type) else 0
    dtype = np.dtype(NUMPY[column.type.value_type if width else column.type])
    parts = []
    for chunk in column.chunks:
        values, first = (chunk.values, chunk.offset * width) if width else (chunk, 0)
        count = len(chunk) * max(width, 1)
        if count:
            start = (values.offset + first) * dtype.itemsize
            parts.append(np.frombuffer(values.buffers()[1], dtype, count, start))
    joined = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])
    return joined.reshape(-1, width) if width else joined
