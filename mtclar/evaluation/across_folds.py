"""Several evaluations, one a fold, as one result.

The release prints the mean and the spread of each metric over the folds; beside it stands the metric over the frames
of all folds together, exactly, from the sums that each evaluation keeps. The two differ, for CCC and PCC hang on the
spread of the labels within what they are computed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtclar.errors import MtclarError
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.pooling import over_folds, poolings
from mtclar.evaluation.summary import value_at

FOLD_COLUMNS = ["metric", "mtclar: mean ± sd", "pooled", "copy anchor", "interpolate", "training mean"]

_MUST_AGREE = ("split", "stride", "fusion", "expressions", "clean")
_ABSENT = "–"
_ACCURACIES = {
    "pair similarity accuracy": "pairs.similarity.accuracy",
    "picture expression accuracy": "single.expression.accuracy",
}


def pool_folds(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every metric of every method over the folds.

    Args:
        evaluations: Contents of metrics.json, one a fold.

    Returns:
        `{"folds": how many, "few_shot": {protocol: {method: {dimension: scores}}}, "single": {dimension: scores},
        "accuracy": {path: {"mean", "sd", ...}}}`. Scores are `{"pooled": {metric: value}, "per_fold": ...}` as
        `pooling.poolings` gives them. A method or a part that one of the folds lacks is left out.

    Raises:
        MtclarError: There is no evaluation, or two were not made alike.
    """
    if not evaluations:
        raise MtclarError("expected the evaluations of several folds, got none.")
    for key in _MUST_AGREE:
        values = [one.get(key) for one in evaluations]
        if any(value != values[0] for value in values):
            raise MtclarError(
                f"the evaluations of the folds differ in evaluate.{key} ({', '.join(map(str, values))}); they must be "
                "made alike."
            )
    few: dict[str, Any] = {}
    for protocol, block in evaluations[0].get("few_shot", {}).items():
        methods = [name for name, part in block.items() if isinstance(part, Mapping) and DIMENSIONS[0] in part]
        found = {name: _pooled(evaluations, f"few_shot.{protocol}.{name}") for name in methods if name != "gain"}
        few |= {protocol: kept} if (kept := {name: scores for name, scores in found.items() if scores}) else {}
    accuracy = {path: [value_at(one, path) for one in evaluations] for path in _ACCURACIES.values()}
    return {
        "folds": len(evaluations),
        "few_shot": few,
        "single": _pooled(evaluations, "single"),
        "accuracy": {
            path: over_folds([{"accuracy": value} for value in values])
            for path, values in accuracy.items()
            if None not in values
        },
    }


def _pooled(evaluations: Sequence[Mapping[str, Any]], path: str) -> dict[str, Any]:
    """Both poolings of each dimension, from the sums at a path; nothing for what a fold lacks."""
    found = {}
    for dimension in DIMENSIONS:
        total = [value_at(one, f"{path}.{dimension}.sums") for one in evaluations]
        if None not in total:
            scores = poolings(np.array(total), np.arange(len(total)))
            found[dimension] = {kind: scores[kind] for kind in ("pooled", "per_fold")}
    return found


def fold_rows(pooled: Mapping[str, Any], stride: int) -> list[list[str]]:
    """Rows for `FOLD_COLUMNS` of what `pool_folds` gave; baselines are given as mean ± sd."""
    rows = []
    for protocol, words in (("first", "one anchor a clip"), ("stride", f"anchor every {stride} frames")):
        methods = pooled["few_shot"].get(protocol, {})
        for metric in ("ccc", "pcc", "rmse", "sagr"):
            for dimension in DIMENSIONS:
                each = [
                    methods.get(name, {}).get(dimension) for name in ("mtclar", "copy", "interpolate", "train_mean")
                ]
                if each[0]:
                    cells = [_spread(scores, metric) for scores in each]
                    total = _number(each[0]["pooled"][metric])
                    rows.append([f"{dimension} {metric.upper()}, {words}", cells[0], total, *cells[1:]])
    for metric in ("ccc", "rmse"):
        for dimension, scores in pooled["single"].items():
            total = _number(scores["pooled"][metric])
            rows.append([f"picture {dimension} {metric.upper()}", _spread(scores, metric), total, *[_ABSENT] * 3])
    for words, path in _ACCURACIES.items():
        if path in pooled["accuracy"]:
            rows.append([words, _spread({"per_fold": pooled["accuracy"][path]}, "accuracy"), *[_ABSENT] * 4])
    return rows


def _spread(scores: Mapping[str, Any] | None, metric: str) -> str:
    """`0.812 ± 0.034`."""
    if scores is None or not np.isfinite(scores["per_fold"]["mean"][metric]):
        return _ABSENT
    return f"{scores['per_fold']['mean'][metric]:.3f} ± {scores['per_fold']['sd'][metric]:.3f}"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else _ABSENT
