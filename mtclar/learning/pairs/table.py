"""Drawn pairs as a table, and whether a table belongs to the faces it names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mtclar.data.tables import EXPRESSIONS, SPLITS
from mtclar.errors import MtclarError
from mtclar.learning.pairs.deal import Draw


def pairs_table(faces: pd.DataFrame, draw: Draw, split: str, apart: np.ndarray) -> pd.DataFrame:
    """The columns of `tables.PAIRS`.

    Args:
        faces: Whose index holds the rows of the faces store.
        draw: Pairs of positions in `faces`.
        split: That they are of.
        apart: Distances of the expressions, (8, 8).
    """
    codes = expression_codes(faces).astype(np.int8)
    left, right = codes[draw.left], codes[draw.right]
    unknown = (left < 0) | (right < 0)
    rows = faces.index.to_numpy(np.int32)
    labels = faces[["valence", "arousal"]].to_numpy(float).T
    d_valence, d_arousal = ((label[draw.left] - label[draw.right]).astype(np.float32) for label in labels)
    return pd.DataFrame(
        {
            "split": pd.Categorical.from_codes(np.full(len(left), SPLITS.index(split), np.int8), pd.Index(SPLITS)),
            "block": draw.block,
            "left": rows[draw.left],
            "right": rows[draw.right],
            "similar": pd.arrays.BooleanArray(left == right, unknown),
            "d_valence": d_valence,
            "d_arousal": d_arousal,
            "wheel_distance": np.where(unknown, np.nan, apart[left, right]),
        },
        copy=False,
    )


def check_belong(pairs: pd.DataFrame, faces: pd.DataFrame) -> None:
    """Holds the differences that pairs state against the labels of the faces that they name.

    Args:
        pairs: The columns of `tables.PAIRS`, naming rows that there are.
        faces: Table of the whole faces store.

    Raises:
        MtclarError: They differ: the pairs were drawn from another store.
    """
    for label in ("valence", "arousal"):
        known = faces[label].to_numpy(float)
        delta = known[pairs["left"].to_numpy()] - known[pairs["right"].to_numpy()]
        if not np.allclose(delta, pairs[f"d_{label}"].to_numpy(float), atol=1e-5, equal_nan=True):
            raise MtclarError(
                f"the pairs state other differences in {label} than the faces they name; "
                "run 'mtclar pair' on these faces."
            )


def expression_codes(faces: pd.DataFrame) -> np.ndarray:
    """Positions in EXPRESSIONS, int64 (n,), -1 where the expression is not known."""
    return pd.Categorical(faces["expression"], categories=list(EXPRESSIONS)).codes.astype(np.int64)
