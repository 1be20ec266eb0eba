"""The pairs a model learns from, block by block: a few faces and many pairs among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtclar.learning.losses import PairTruth


@dataclass(frozen=True)
class Batch:
    """Pairs and the unique faces they need.

    Attributes:
        faces: int64 (f,), positions of the pictures.
        left: int64 (n,), positions in `faces`.
        right: int64 (n,), positions in `faces`.
        truth: Of the n pairs.
    """

    faces: np.ndarray
    left: Tensor
    right: Tensor
    truth: PairTruth

    def to(self, device: torch.device) -> Batch:
        """The same with its tensors on `device`."""
        left, right, *truth = (values.to(device, non_blocking=True) for values in (self.left, self.right, *self.truth))
        return Batch(self.faces, left, right, PairTruth(*truth))


class Blocks:
    """The pairs of one split, block by block, and of an epoch where they are drawn anew for each."""

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
        return Batch(faces, left, right, PairTruth(*(values[rows] for values in self._truth)))

    def faces(self, block: int) -> np.ndarray:
        """The unique faces of one block, as positions of pictures."""
        at = slice(self._edges[block], self._edges[block + 1])
        return np.unique(np.concatenate([self._left[at], self._right[at]]))


def dealt(blocks: int, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The numbers 0..`blocks` - 1 in random order, `size` at a time: the micro-batches of an epoch."""
    order = rng.permutation(blocks)
    return [order[start : start + size] for start in range(0, blocks, size)]
