"""The faces a model learns from, at the scale of the encoder's input: all in memory, or decoded as they are needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from os import cpu_count

import cv2
import numpy as np
import torch
from torch import Tensor

from mtclar.data.store import FacesStore
from mtclar.faces.crop import CropSpec, resize
from mtclar.progress import Progress, silent

CHUNK = 32
"""Faces that a thread decodes at a time."""
AHEAD = 3
"""Batches that are made ready while one is used."""
GIGABYTE = 1e9


class Pictures:
    """Faces by position: uint8 (c, s, s) with s = input_size * size / centre of the crop spec, rounded to even.

    That is the encoder's scale, with the margin around its input that stored crops have. The same pictures come out
    whether they are held in memory or not.

    Args:
        store: Where the crops are.
        rows: The row of the store at each position.
        crop: How a crop becomes the encoder's input.
        grey: Whether one channel will do.
        gigabytes: Memory in which they must fit to be held.
        workers: Threads that decode; 0 for one a core.
        pinned: Whether batches are put where a GPU can fetch them by itself.
        progress: Told how much has been read.
    """

    def __init__(
        self,
        store: FacesStore,
        rows: np.ndarray,
        crop: CropSpec,
        *,
        grey: bool,
        gigabytes: float,
        workers: int,
        pinned: bool = False,
        progress: Progress = silent,
    ) -> None:
        self._store, self._rows, self._grey, self._pinned = store, rows, grey, pinned
        side = 2 * round(crop.input_size * crop.size / crop.centre / 2)
        self._whole = replace(crop, centre=crop.size, input_size=side)
        self._shape = (1 if grey else 3, side, side)
        self._workers = workers or cpu_count() or 1
        self._held: Tensor | None = None
        if len(rows) * int(np.prod(self._shape)) <= gigabytes * GIGABYTE:
            held, done = torch.empty((len(rows), *self._shape), dtype=torch.uint8), 0
            everything = np.arange(len(rows))
            with ThreadPoolExecutor(self._workers) as pool:
                for part in self._decoding(pool, everything, held):
                    done += part.result()
                    progress(done, len(rows), "reading faces")
            self._held = held

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def in_memory(self) -> bool:
        """Whether all are held."""
        return self._held is not None

    def batches(self, wanted: Iterable[np.ndarray]) -> Iterator[Tensor]:
        """The pictures uint8 (n, c, s, s) at each of several lists of positions, a few lists ahead of the caller."""
        if self._held is not None and not self._pinned:
            for positions in wanted:
                yield self._held[torch.tensor(positions)]
            return
        with ThreadPoolExecutor(self._workers) as pool:
            ready: deque[tuple[Tensor, list[Future[int]]]] = deque()
            try:
                for positions in wanted:
                    out = self._empty(len(positions))
                    ready.append((out, self._decoding(pool, positions, out)))
                    if len(ready) > AHEAD:
                        yield _whole(*ready.popleft())
                while ready:
                    yield _whole(*ready.popleft())
            finally:  # a caller who leaves early does not wait for what nobody will use
                for _, parts in ready:
                    for part in parts:
                        part.cancel()

    def _empty(self, n: int) -> Tensor:
        # a tensor of inference mode could not be filled by the threads, which are not in it
        with torch.inference_mode(False):
            return torch.empty((n, *self._shape), dtype=torch.uint8, pin_memory=self._pinned)

    def _decoding(self, pool: ThreadPoolExecutor, positions: np.ndarray, out: Tensor) -> list[Future[int]]:
        """Begins to fill `out` with the pictures at `positions`; decoding does not hold the interpreter's lock."""
        return [
            pool.submit(self._fill, positions[start : start + CHUNK], out[start : start + CHUNK])
            for start in range(0, len(positions), CHUNK)
        ]

    def _fill(self, positions: np.ndarray, out: Tensor) -> int:
        if self._held is not None:
            torch.index_select(self._held, 0, torch.tensor(positions), out=out)
            return len(positions)
        into = out.numpy()
        for i, picture in enumerate(resize(self._store.crops(self._rows[positions]), self._whole)):
            into[i] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if self._grey else picture.transpose(2, 0, 1)
        return len(positions)


def _whole(out: Tensor, parts: list[Future[int]]) -> Tensor:
    """`out` once all its parts are filled."""
    for part in parts:
        part.result()
    return out
