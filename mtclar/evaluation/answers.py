"""What an evaluation holds of a model: the embeddings of faces, and the heads that work on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Heads(Protocol):
    """The part of a Predictor that works on embeddings; see docs/architecture.md."""

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of some rows of a faces store.

    Attributes:
        rows: int (m,), ascending.
        values: float32 (m, d).
        quality: float64 (m,), how much of a face its picture shows, see `mtclar.faces.quality`; None where not known.
    """

    rows: np.ndarray
    values: np.ndarray
    quality: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings (n, d) of store rows (n,), all of which must be among `rows`."""
        return self.values[np.searchsorted(self.rows, rows)]

    def quality_of(self, rows: np.ndarray) -> np.ndarray | None:
        """Quality (n,) of store rows (n,), None where not known."""
        return None if self.quality is None else self.quality[np.searchsorted(self.rows, rows)]
