"""What a model has learned from, in the few numbers that its card states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import SPLITS
from mtclar.revision import STAMP, stamped

MEASURED = ("skin", "age", "yaw", "pitch", "roll", "brightness", "face_px", "blur_px", "covered")
"""Columns of `tables.SYNTHESIS` that are told by their range."""

COUNTED = ("covering", "codec")
"""Columns of `tables.SYNTHESIS` that are told by the share of each value."""

_RANGE = (0.01, 0.5, 0.99)


def learned_from(store: FacesStore) -> dict[str, Any]:
    """Who is in a faces store, and what is known of those people who were made.

    Returns:
        `datasets`: names; `faces`, `people` and `clips`: how many in each split; and of the training faces that
        `mtclar synthesize` made `ranges`: 1st, 50th and 99th percentile of each of `MEASURED`, and `shares` of each
        value of `COUNTED`.
    """
    table = store.table
    found: dict[str, Any] = {"datasets": sorted(table["dataset"].dropna().unique())}
    for name, column in (("faces", "face_id"), ("people", "subject_id"), ("clips", "clip_id")):
        each = table.groupby("split")[column].nunique()
        found[name] = {split: int(each.get(split, 0)) for split in SPLITS}
    made = store.made()
    return found | ({} if made is None else _made(made, table))


def training(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint says of its training: the settings, and the epoch whose weights were kept.

    The weights it began from are given by their file's name alone: where they lie is nobody's business.

    Args:
        checkpoint: One that has been loaded before, so that it is known to be whole.
    """
    facts = json.loads((checkpoint / "model.json").read_text(encoding="utf-8"))["facts"]
    found = {name: facts[name] for name in ("settings", "kept_epoch") if name in facts}
    if pretrained := found.get("settings", {}).get("pretrained"):
        found["settings"] = found["settings"] | {"pretrained": Path(pretrained).name}
    return found


def lineage(checkpoint: Path) -> dict[str, str]:
    """Where a checkpoint comes from: `data_revision`, and `training_run`, its run in MLflow, where it was logged.

    Args:
        checkpoint: One that has been loaded before, so that it is known to be whole.

    Raises:
        MtclarError: What it states is not a revision.
    """
    path = checkpoint / "model.json"
    facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
    run = str(facts.get("run_id", ""))
    return {STAMP: stamped(facts, path)} | ({"training_run": run} if run else {})


def _made(made: pd.DataFrame, table: pd.DataFrame) -> dict[str, Any]:
    made = made[(table["split"] == "train").to_numpy()]
    known = {name: made[name].dropna() for name in (*MEASURED, *COUNTED)}
    known = {name: values for name, values in known.items() if len(values)}
    return {
        "ranges": {
            name: np.quantile(known[name].to_numpy(float), _RANGE).round(3).tolist()
            for name in MEASURED
            if name in known
        },
        "shares": {
            name: known[name].value_counts(normalize=True).round(4).to_dict() for name in COUNTED if name in known
        },
    }
