"""The part of an evaluation's page on groups: for whom, and in what view, the model labels less well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.report.anchors_page import span
from mtclar.report.page import Markup, table, text

_NAMES = {
    "skin": "skin colour",
    "age": "age-like shape",
    "yaw": "head turned by (degrees)",
    "face_px": "width of the face (pixels)",
    "covering": "before the face",
    "mouth": "what the mouth does besides",
}


def groups_part(metrics: Mapping[str, Any]) -> Markup:
    """The worst groups in words, and a table of all."""
    words = (
        "These people were made, so it is known how: every face is labelled without an anchor, and each group's labels "
        "are compared with its truth; intervals are over people. RMSE compares groups; CCC depends on how far the "
        "truth of a group spreads as well."
    )
    rows = [
        [
            f"{_NAMES[trait]}: {name}",
            entry["n_faces"],
            entry["n_people"],
            *(
                value
                for dimension in DIMENSIONS
                for block in [entry.get(dimension, {})]
                for value in (block.get("rmse"), span(block, "rmse"), block.get("ccc"))
            ),
        ]
        for trait, entries in metrics["groups"].items()
        for name, entry in entries.items()
    ]
    head = ["group", "faces", "people"]
    for dimension in DIMENSIONS:
        head += [f"RMSE, {dimension}", "95 % interval", f"CCC, {dimension}"]
    return text(words) + text(_worst(metrics)) + table(pd.DataFrame(rows, columns=head))


def _worst(metrics: Mapping[str, Any]) -> str:
    """One sentence that names the worst group of each dimension."""
    parts = [
        f"in {dimension} the group “{_NAMES[worst['trait']]}: {worst['group']}” (RMSE {worst['rmse']:.3f}, "
        f"{worst['n_faces']} faces)"
        for dimension, worst in metrics["worst_groups"].items()
    ]
    return f"Worst labelled is {' and '.join(parts)}." if parts else "No group is large enough to tell which is worst."
