"""The tables that pass between steps, each with its declared schema.

`read_table` and `write_table` are the only way in and out: a file whose columns differ from the schema is refused by
name, and a file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, brief

if TYPE_CHECKING:
    import pandas as pd

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
"""The eight expressions in AffectNet's order: the position is AffectNet's code."""

NUMPY = {pa.int64(): np.int64, pa.float64(): np.float64, pa.float32(): np.float32, pa.float16(): np.float16}
"""What numpy calls a type of Arrow. (Arrow's own answer loads pandas, which takes a third of a second.)"""

SPLITS = ("train", "validation", "test")

FACES = pa.schema(
    [
        ("face_id", pa.string()),  # unique: dataset/clip/frame
        ("dataset", pa.string()),
        ("clip_id", pa.string()),  # null for single pictures
        ("subject_id", pa.string()),
        ("frame", pa.int64()),  # 0-based, null for single pictures
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("x", pa.float64()),  # face box in pixels of the source picture: left, top, width, height
        ("y", pa.float64()),
        ("w", pa.float64()),
        ("h", pa.float64()),
        ("score", pa.float64()),  # of the detector; NaN for given boxes
        ("track_id", pa.int64()),
        ("split", pa.string()),
        ("valence", pa.float64()),  # in [-1, 1], NaN where not known
        ("arousal", pa.float64()),
        ("expression", pa.string()),  # one of EXPRESSIONS, null where not known
    ]
)
"""One row per face; the row number is the index by which every other table refers to it."""

SYNTHESIS = pa.schema(
    [
        ("face_id", pa.string()),
        ("skin", pa.float64()),  # 0 dark .. 1 light
        ("age", pa.float64()),  # of the shape of the head: 0 child-like .. 1 old
        ("yaw", pa.float64()),  # of the head, in degrees
        ("pitch", pa.float64()),
        ("roll", pa.float64()),
        ("lights", pa.int64()),
        ("brightness", pa.float64()),  # mean of the face's luma, 0..1
        ("covering", pa.string()),  # what hides a part of the face: one of COVERINGS
        ("covered", pa.float64()),  # share of the face that is hidden, 0..1
        ("face_px", pa.float64()),  # width of the face in the picture that the camera took
        ("blur_px", pa.float64()),
        ("quality", pa.int64()),  # of the camera's compression, 1..100
        ("codec", pa.string()),  # of the camera: one of CODECS
        ("noise", pa.float64()),
        ("mouth", pa.string()),  # what it does besides showing affect: one of MOUTHS
        ("blink", pa.bool_()),
        ("actions", pa.list_(pa.float32())),  # strength of each of `synthesis.actions.ACTIONS`, mean of both sides
        ("landmarks", pa.list_(pa.float32())),  # x, y of the 68 of 300-W, from the middle of their box, in its sides
    ]
)
"""How each face of a store was made that `mtclar synthesize` wrote: row i is face i of its table."""

COVERINGS = ("none", "hand", "object", "hair", "glasses")

CODECS = ("none", "jpeg", "h264")

MOUTHS = ("none", "speech", "song", "yawn", "open", "press", "pout")

PAIRS = pa.schema(
    [
        ("split", pa.string()),
        ("block", pa.int32()),  # pairs of one block share a few unique faces
        ("left", pa.int32()),  # rows of the faces store; left is the query, right the anchor
        ("right", pa.int32()),
        ("similar", pa.bool_()),  # whether both show one expression, null where one is not known
        ("d_valence", pa.float32()),  # label(left) - label(right), NaN where one is not known
        ("d_arousal", pa.float32()),
        ("wheel_distance", pa.float64()),  # of the two expressions, null where one is not known
    ]
)
"""One row per pair; there may be ten million, hence numbers of four bytes."""

LABELS = pa.schema(
    [
        ("video_id", pa.string()),
        ("track_id", pa.int64()),
        ("person_id", pa.string()),
        ("frame", pa.int64()),  # 0-based, in presentation order
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("valence", pa.float64()),
        ("arousal", pa.float64()),
        ("valence_lo", pa.float64()),
        ("valence_hi", pa.float64()),
        ("arousal_lo", pa.float64()),
        ("arousal_hi", pa.float64()),
        ("confidence", pa.float64()),
        ("source", pa.string()),  # anchor | model | zero-shot | interpolated | none
        ("status", pa.string()),  # ok | no_face
        ("anchor_ids", pa.string()),  # frames of the anchors used, separated by spaces
        ("face_x", pa.float64()),
        ("face_y", pa.float64()),
        ("face_w", pa.float64()),
        ("face_h", pa.float64()),
        ("face_score", pa.float64()),
        ("quality", pa.float64()),
        ("shot_id", pa.int64()),
    ]
)
"""One row per frame and track of a labelled video; NaN, never 0, for what is not known."""


def write_table(frame: pd.DataFrame, path: Path, schema: pa.Schema, metadata: dict[str, str] | None = None) -> None:
    """Writes `frame` as Parquet in the column order and types of `schema`, whole or not at all.

    Raises:
        MtclarError: A column is missing or cannot be cast to its declared type.
    """
    missing = [name for name in schema.names if name not in frame.columns]
    if missing:
        raise MtclarError(f"{path}: the table lacks the column(s) {', '.join(missing)}.")
    try:
        table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise MtclarError(f"{path}: a column does not have its declared type ({error}).") from error
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **(metadata or {})})
    with whole_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def write_columns(
    columns: Mapping[str, np.ndarray], path: Path, schema: pa.Schema, metadata: dict[str, str] | None = None
) -> None:
    """As `write_table`, from arrays; NaN and None become null.

    Raises:
        MtclarError: A column is missing or cannot be cast to its declared type.
    """
    try:
        arrays = [_array(columns[field.name], field.type) for field in schema]
    except KeyError as error:
        raise MtclarError(f"{path}: the table lacks the column(s) {error.args[0]}.") from error
    except (pa.ArrowInvalid, TypeError, ValueError) as error:
        raise MtclarError(f"{path}: a column does not have its declared type ({error}).") from error
    table = pa.Table.from_arrays(arrays, schema=schema).replace_schema_metadata(metadata)
    with whole_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def _array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    """An array of a column of numbers or text; NaN and None become null.

    It is put together from its memory: given something else, Arrow would load pandas.
    """
    if values.dtype == NUMPY.get(kind):
        known = ~np.isnan(values)
        memory = [pa.py_buffer(np.ascontiguousarray(values))]
    else:
        items = values.tolist()
        known = np.array([item is not None and item == item for item in items], bool)
        if kind == pa.string():
            if not all(isinstance(item, str) for item, there in zip(items, known.tolist(), strict=True) if there):
                raise pa.ArrowTypeError("expected text")
            parts = [item.encode() if there else b"" for item, there in zip(items, known.tolist(), strict=True)]
            ends = np.cumsum([0, *map(len, parts)]).astype(np.int32)
            memory = [pa.py_buffer(ends), pa.py_buffer(b"".join(parts))]
        else:
            numbers = [item if there else 0 for item, there in zip(items, known.tolist(), strict=True)]
            memory = [pa.py_buffer(np.array(numbers, NUMPY[kind]))]
    bitmap = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [bitmap, *memory])


def read_notes(path: Path) -> dict[str, str]:
    """What a Parquet table says of itself beside its columns: the `metadata` that `write_table` was given.

    Raises:
        MtclarError: The file is missing or is not Parquet.
    """
    try:
        found = pq.read_schema(path).metadata or {}
        return {
            name.decode(): value.decode() for name, value in found.items() if name not in (b"pandas", b"ARROW:schema")
        }
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MtclarError(f"{path}: expected a Parquet table written by mtclar ({brief(error)}).") from error


def read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Reads a Parquet table and checks that it has the columns of `schema`.

    Raises:
        MtclarError: The file is missing, is not Parquet, or lacks a column.
    """
    try:
        # What pandas once noted of itself is not needed, and may be what is damaged.
        table = pq.read_table(path).replace_schema_metadata(None)
        there = table.column_names
        frame = table.select([name for name in schema.names if name in there]).to_pandas()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MtclarError(f"{path}: expected a Parquet table written by mtclar ({brief(error)}).") from error
    missing = [name for name in schema.names if name not in there]
    if missing:
        raise MtclarError(f"{path}: the table lacks the column(s) {', '.join(missing)}; write it anew with mtclar.")
    return frame
