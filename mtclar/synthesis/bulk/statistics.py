"""What is in a faces store made in bulk, counted: labels, poses, sizes, who, what hides them, what a detector finds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.tables import CODECS, COVERINGS, EXPRESSIONS, MOUTHS, SPLITS

LABEL_EDGES = np.linspace(-1, 1, 21)
EDGES: dict[str, np.ndarray] = {
    "skin": np.linspace(0, 1, 11),
    "age": np.linspace(0, 1, 11),
    "yaw": np.arange(-60, 61, 10.0),
    "pitch": np.arange(-40, 41, 10.0),
    "roll": np.arange(-40, 41, 10.0),
    "brightness": np.linspace(0, 1, 11),
    "face_px": np.arange(0, 201, 20.0),
    "blur_px": np.arange(0, 6.1, 0.5),
    "noise": np.arange(0, 21, 2.0),
    "quality": np.arange(0, 101, 10.0),
    "covered": np.linspace(0, 1, 11),
}
"""Edges of the histograms of what was measured, in the units of `tables.SYNTHESIS`; each bin holds its lower edge, the
last both. What lies beyond counts in the first or the last bin."""

BANDS = {
    "yaw": (0.0, 15.0, 30.0, np.inf),
    "face_px": (0.0, 40.0, 80.0, np.inf),
    "covered": (0.0, 0.1, 0.3, np.inf),
    "brightness": (0.0, 0.15, 0.3, np.inf),
    "blur_px": (0.0, 0.5, 1.5, np.inf),
}
"""Bands in which the detector's rate is told besides; of yaw the absolute value counts. Each holds its lower edge."""


def statistics(faces: pd.DataFrame, made: pd.DataFrame, found: np.ndarray) -> dict[str, Any]:
    """Counts a store.

    Args:
        faces: Columns of `tables.FACES`.
        made: Columns of `tables.SYNTHESIS`, row for row.
        found: object (n,): whether the detector found the face; None where it was not tried.

    Returns:
        `faces`, `people` and `clips` of each split; `labels`, the 2-D histogram of all labels (rows valence, columns
        arousal); `measured`, a histogram and percentiles of each of `EDGES`; `counted`, how often each value of the
        others comes; `detection`, tried and found, in all and by band.
    """
    labels, _, _ = np.histogram2d(faces["valence"], faces["arousal"], bins=[LABEL_EDGES, LABEL_EDGES])
    counted = {
        "expression": _counts(faces["expression"], (*EXPRESSIONS, None)),
        "covering": _counts(made["covering"], COVERINGS),
        "codec": _counts(made["codec"], CODECS),
        "lights": _counts(made["lights"], tuple(sorted(made["lights"].unique()))),
        "mouth": _counts(made["mouth"], MOUTHS),
        "blink": _counts(made["blink"], (True, False)),
    }
    each = {"faces": "face_id", "people": "subject_id", "clips": "clip_id"}
    return {
        "schema_version": 1,
        **{name: _of_each_split(faces, column) for name, column in each.items()},
        "labels": {"edges": LABEL_EDGES.round(3).tolist(), "counts": labels.astype(int).tolist()},
        "measured": {name: _measured(made[name].to_numpy(float), edges) for name, edges in EDGES.items()},
        "counted": counted,
        "detection": _detection(made, found),
    }


def _of_each_split(faces: pd.DataFrame, column: str) -> dict[str, int]:
    counts = faces.groupby("split")[column].nunique()
    return {split: int(counts.get(split, 0)) for split in SPLITS}


def _counts(values: pd.Series, known: tuple[Any, ...]) -> dict[str, int]:
    """How often each known value comes; None stands for one that is not given."""
    names = {value: "not named" if value is None else str(value).lower() for value in known}
    return {name: int((values.isna() if value is None else values == value).sum()) for value, name in names.items()}


def _measured(values: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), bins=edges)
    low, middle, high = np.quantile(values, (0.01, 0.5, 0.99)).round(4).tolist()
    return {"edges": edges.round(3).tolist(), "counts": counts.tolist(), "p01": low, "p50": middle, "p99": high}


def _detection(made: pd.DataFrame, found: np.ndarray) -> dict[str, Any]:
    tried = np.array([value is not None for value in found], bool)
    hit = np.array([value is True for value in found], bool)
    bands: dict[str, dict[str, dict[str, int]]] = {}
    for name, edges in BANDS.items():
        place = np.searchsorted(edges, np.abs(made[name].to_numpy(float)), side="right") - 1
        bands[name] = {}
        for i, (low, high) in enumerate(pairwise(edges)):
            inside = tried & (place == i)
            band = f"{low:g}+" if np.isinf(high) else f"{low:g}-{high:g}"
            bands[name][band] = {"tried": int(inside.sum()), "found": int((inside & hit).sum())}
    return {"tried": int(tried.sum()), "found": int(hit.sum()), "bands": bands}
