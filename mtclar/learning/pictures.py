"""The faces a model learns from, in memory, and the pairs that point at them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtclar.data.store import FacesStore
from mtclar.faces.crop import CropSpec, resize
from mtclar.learning.losses import PairTruth
from mtclar.progress import Progress, silent

CHUNK = 256


def load_pictures(
    store: FacesStore, rows: np.ndarray, crop: CropSpec, *, grey: bool, progress: Progress = silent
) -> Tensor:
    """Decodes the crops of `rows` at the scale of the encoder's input, with the margin around it that crops have.

    Returns:
        uint8 (n, 1 or 3, s, s) with s = input_size * size / centre, rounded to even.
    """
    whole = replace(crop, centre=crop.size, input_size=2 * round(crop.input_size * crop.size / crop.centre / 2))
    side = whole.input_size
    out = np.empty((len(rows), 1 if grey else 3, side, side), np.uint8)

    def load(start: int) -> int:
        pictures = resize(store.crops(rows[start : start + CHUNK]), whole)
        for i, picture in enumerate(pictures, start):
            out[i] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if grey else picture.transpose(2, 0, 1)
        return start + len(pictures)

    with ThreadPoolExecutor(2) as pool:  # decoding does not hold the interpreter's lock
        for done in pool.map(load, range(0, len(rows), CHUNK)):
            progress(done, len(rows), "reading faces")
    return torch.from_numpy(out)


@dataclass(frozen=True)
class Batch:
    """Pairs and the unique faces they need.

    Attributes:
        faces: int64 (f,), positions of the pictures.
        left: int64 (n,), positions in `faces`.
        right: int64 (n,), positions in `faces`.
        truth: Of the n pairs.
    """

    faces: Tensor
    left: Tensor
    right: Tensor
    truth: PairTruth


class Blocks:
    """The pairs of one split, block by block."""

    def __init__(self, pairs: pd.DataFrame, position: pd.Series) -> None:
        """`pairs` has the columns of `tables.PAIRS`; `position` maps a row of the store to that of its picture."""
        pairs = pairs.sort_values("block", kind="stable")
        self._left = position.loc[pairs["left"]].to_numpy()
        self._right = position.loc[pairs["right"]].to_numpy()
        similar = pairs["similar"].astype("boolean").astype("Int64").fillna(-1).to_numpy(np.int64)
        deltas = pairs[["d_valence", "d_arousal"]].to_numpy(np.float32)
        self._truth = PairTruth(
            torch.from_numpy(similar),
            torch.from_numpy(deltas[:, 0].copy()),
            torch.from_numpy(deltas[:, 1].copy()),
        )
        _, first = np.unique(pairs["block"].to_numpy(), return_index=True)
        self._edges = np.append(first, len(pairs))

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self._edges) - 1

    def batch(self, blocks: np.ndarray) -> Batch:
        """The pairs of some blocks together."""
        at = np.concatenate([np.arange(self._edges[b], self._edges[b + 1]) for b in blocks])
        faces, where = np.unique(np.concatenate([self._left[at], self._right[at]]), return_inverse=True)
        left, right = torch.from_numpy(where[: len(at)]), torch.from_numpy(where[len(at) :])
        rows = torch.from_numpy(at)
        return Batch(torch.from_numpy(faces), left, right, PairTruth(*(values[rows] for values in self._truth)))

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Batch]:
        """All blocks in random order, `size` at a time."""
        order = rng.permutation(len(self))
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size])
