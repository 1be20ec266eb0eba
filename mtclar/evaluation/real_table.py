"""The test on real faces as tables of words: for the terminal, the report and the model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.real import SHOWN

RMSE_COLUMNS = [
    "anchors",
    "placements",
    "mtclar",
    "copy anchor",
    "linear",
    "smooth curve",
    "mtclar − linear",
    "skill",
    "in band",
]
AGREEMENT_COLUMNS = ["anchors", "CCC", "CCC, linear", "CCC, smooth curve", "PCC", "PCC, linear", "PCC, smooth curve"]
_ABSENT = "–"


def rmse_rows(found: Mapping[str, Any], placements: Mapping[str, int]) -> list[list[str]]:
    """RMSE by number of anchors and dimension, rows for `RMSE_COLUMNS`.

    Args:
        found: `anchors` of real.json, or one of `by_clip`.
        placements: How many there are, by number of anchors.
    """
    rows = []
    for dimension in DIMENSIONS:
        for count, block in found.items():
            methods = block[dimension]
            rows.append(
                [
                    f"{count}, {dimension}",
                    str(placements[count]),
                    cell(methods["mtclar"], "rmse"),
                    *(cell(methods.get(name, {}), "rmse", interval=False) for name in ("copy", "linear", "pchip")),
                    cell(methods["mtclar"], "to_linear", sign=True),
                    _share(methods["mtclar"].get("skill")),
                    _share(methods["mtclar"].get("coverage")),
                ]
            )
    return rows


def agreement_rows(found: Mapping[str, Any]) -> list[list[str]]:
    """CCC and PCC by number of anchors and dimension, rows for `AGREEMENT_COLUMNS`; `found` as in `rmse_rows`."""
    return [
        [
            f"{count}, {dimension}",
            *(
                cell(block[dimension].get(method, {}), metric, interval=method == "mtclar")
                for metric in ("ccc", "pcc")
                for method in ("mtclar", "linear", "pchip")
            ),
        ]
        for dimension in DIMENSIONS
        for count, block in found.items()
    ]


def error_records(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record a number of anchors, dimension and method, with its scores and the interval of RMSE: to be plotted."""
    return [
        {"anchors": int(count), "dimension": dimension, "method": method}
        | {name: scores[name] for name in SHOWN}
        | dict(zip(("rmse_low", "rmse_high"), scores["rmse_interval"], strict=True))
        for count, block in found.items()
        for dimension in DIMENSIONS
        for method, scores in block[dimension].items()
    ]


def interval_words(kind: str) -> str:
    """What a bracket beside a value is, as a sentence."""
    if kind == "clips":
        return "Brackets are 95 % intervals of a bootstrap over clips."
    return (
        "Brackets are the range from the 5th to the 95th percentile over the placements of the one clip. CCC and PCC "
        "are of all placements together and have none: one clip says nothing of others."
    )


def cell(block: Mapping[str, Any], name: str, *, interval: bool = True, sign: bool = False) -> str:
    """`0.131 [0.072, 0.240]`, or a dash where the value is not known."""
    value = block.get(name)
    if value is None or not math.isfinite(value):
        return _ABSENT
    form = "{:+.3f}" if sign else "{:.3f}"
    bounds = [bound for bound in block.get(f"{name}_interval", []) if bound is not None and math.isfinite(bound)]
    if not interval or len(bounds) != 2:
        return form.format(value)
    return f"{form.format(value)} [{', '.join(form.format(bound) for bound in bounds)}]"


def _share(value: float | None) -> str:
    return _ABSENT if value is None or not math.isfinite(value) else f"{value:.0%}"
