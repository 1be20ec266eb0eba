"""The faces store: one table of faces and their crops in a few memory-mapped Arrow files.

A folder with `faces.parquet` (schema `tables.FACES`) and `crops-00000.arrow`, `crops-00001.arrow`, ...: Arrow IPC files
of one binary column `image`, each cell an encoded square RGB picture. Row i of the table is crop i. The store opens
in milliseconds whatever its size, and a crop is decoded only when it is asked for. Faces that were made have a
`synthesis.parquet` besides (schema `tables.SYNTHESIS`): row i says how face i was made.
"""

from __future__ import annotations

import bisect
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mtclar.data.tables import FACES, SYNTHESIS, read_table, write_table
from mtclar.errors import MtclarError, brief

if TYPE_CHECKING:
    import pandas as pd

_IMAGE = pa.schema([("image", pa.binary())])
MADE = "synthesis.parquet"
SHARD_ROWS = 8192
BATCH_ROWS = 256


class FacesWriter:
    """Writes a faces store; the folder appears when the writer is left without an error.

    Example:
        with FacesWriter(Path("artifacts/crop"), size=288, quality=92) as writer:
            writer.add(row, crop)
    """

    def __init__(self, folder: Path, *, size: int, quality: int, facts: dict[str, Any] | None = None) -> None:
        """`facts` are written into store.json beside the crop size: detector, scale, what else a reader must know."""
        self.folder, self.size, self.quality, self.facts = folder, size, quality, dict(facts or {})
        self._partial = folder.with_name(folder.name + ".part")
        self._rows: list[dict[str, Any]] = []
        self._batch: list[bytes] = []
        self._sink: Any = None
        self._in_shard = self._shards = 0

    def __enter__(self) -> FacesWriter:
        shutil.rmtree(self._partial, ignore_errors=True)
        try:
            self._partial.mkdir(parents=True)
        except OSError as error:
            raise MtclarError(f"{self.folder}: cannot be written ({error.strerror}); choose another --out.") from error
        return self

    def add(self, row: dict[str, Any], crop: np.ndarray | bytes) -> None:
        """Adds one face: `row` by the names of `tables.FACES`, `crop` uint8 RGB (size, size, 3) or already encoded."""
        self._rows.append(row)
        self._batch.append(crop if isinstance(crop, bytes) else encode(crop, self.quality))
        if len(self._batch) >= BATCH_ROWS:
            self._flush()

    def __len__(self) -> int:
        return len(self._rows)

    def _flush(self) -> None:
        if not self._batch:
            return
        if self._sink is None:
            self._sink = pa.ipc.new_file(str(self._partial / f"crops-{self._shards:05d}.arrow"), _IMAGE)
        self._sink.write_batch(pa.record_batch([pa.array(self._batch, pa.binary())], schema=_IMAGE))
        self._in_shard += len(self._batch)
        self._batch = []
        if self._in_shard >= SHARD_ROWS:
            self._close_shard()

    def _close_shard(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink, self._in_shard, self._shards = None, 0, self._shards + 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._flush()
        self._close_shard()
        if kind is not None:
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        import pandas as pd  # where it is needed: labelling reads pictures and has no use for it

        write_table(pd.DataFrame(self._rows, columns=FACES.names), self._partial / "faces.parquet", FACES)
        facts = {"schema_version": 1, "rows": len(self._rows), "size": self.size, **self.facts}
        (self._partial / "store.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.replace(self._partial, self.folder)


class FacesStore:
    """Random access to a faces store.

    Attributes:
        table: pandas table with the columns of `tables.FACES`, indexed 0..n-1.
        size: Side of a crop in pixels.
        facts: Content of store.json.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the store at `folder`.

        Raises:
            MtclarError: The folder is not a faces store, a file of it is damaged, or its tables and its crops do not
                agree in number.
        """
        self.folder = Path(folder)
        try:
            self.facts: dict[str, Any] = json.loads((self.folder / "store.json").read_text(encoding="utf-8"))
            self.size = int(self.facts["size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MtclarError(f"{folder}: expected a faces store written by 'mtclar crop' ({error}).") from error
        self.table = read_table(self.folder / "faces.parquet", FACES)
        again = f"run 'mtclar {'synthesize' if (self.folder / MADE).is_file() else 'crop'}' again"
        self._batches: list[pa.Array] = []
        self._starts: list[int] = []
        rows = 0
        for shard in sorted(self.folder.glob("crops-*.arrow")):
            try:
                for batch in _batches(shard):
                    self._starts.append(rows)
                    self._batches.append(batch)
                    rows += len(batch)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise MtclarError(f"{shard}: the crops are damaged ({brief(error)}); {again}.") from error
        if rows != len(self.table):
            raise MtclarError(
                f"{folder}: {len(self.table)} faces in the table but {rows} crops; the store was cut short, {again}."
            )
        if (self.folder / MADE).is_file():
            made = _rows_of(self.folder / MADE)
            if made != rows:
                raise MtclarError(
                    f"{folder}: {rows} faces but {made} rows in {MADE}; the store was cut short, {again}."
                )

    def made(self) -> pd.DataFrame | None:
        """How each face was made, row for row, with the columns of `tables.SYNTHESIS`; None for faces that were not.

        Raises:
            MtclarError: The table is damaged, or speaks of other faces.
        """
        path = self.folder / MADE
        if not path.is_file():
            return None
        table = read_table(path, SYNTHESIS)
        if not table["face_id"].equals(self.table["face_id"]):
            raise MtclarError(f"{path}: speaks of other faces than faces.parquet; run 'mtclar synthesize' again.")
        return table

    def __len__(self) -> int:
        return len(self.table)

    def encoded(self, row: int) -> bytes:
        """The encoded picture of one row."""
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of a store of {len(self)} faces")
        part = bisect.bisect_right(self._starts, row) - 1
        return self._batches[part][row - self._starts[part]].as_py()

    def crop(self, row: int) -> np.ndarray:
        """The crop of one row: uint8 RGB (size, size, 3)."""
        return decode(self.encoded(row), f"{self.folder}, row {row}")

    def crops(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The crops of several rows: uint8 RGB (n, size, size, 3)."""
        out = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for i, row in enumerate(rows):
            out[i] = self.crop(int(row))
        return out

    def batches(self, rows: Sequence[int] | np.ndarray, size: int) -> Iterator[np.ndarray]:
        """The crops of `rows` in order, `size` at a time."""
        for start in range(0, len(rows), size):
            yield self.crops(rows[start : start + size])


def _batches(shard: Path) -> Iterator[pa.Array]:
    """The crops of one file, batch by batch, in memory that is mapped."""
    reader = pa.ipc.open_file(pa.memory_map(str(shard)))
    if reader.schema != _IMAGE:
        raise ValueError(f"its columns are {', '.join(reader.schema.names)}")
    for i in range(reader.num_record_batches):
        batch = reader.get_batch(i)
        batch.validate(full=True)  # a crop that reached out of its file would end the process, not the step
        yield batch.column(0)


def _rows_of(path: Path) -> int:
    """Rows of a Parquet file, from its last bytes."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise MtclarError(f"{path}: expected a Parquet table written by mtclar ({brief(error)}).") from error


def encode(crop: np.ndarray, quality: int) -> bytes:
    """uint8 RGB (h, w, 3) to JPEG bytes."""
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise MtclarError(f"a crop of shape {crop.shape} cannot be encoded as JPEG.")
    return data.tobytes()


def decode(data: bytes, name: str) -> np.ndarray:
    """Picture bytes to uint8 RGB (h, w, 3).

    Raises:
        MtclarError: The bytes are no picture OpenCV can read; the message begins with `name`.
    """
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if picture is None:
        raise MtclarError(f"{name}: not a picture that can be decoded.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
