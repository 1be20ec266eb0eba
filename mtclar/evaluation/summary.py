"""The short table at the end of an evaluation: each metric of mtclar beside its baselines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mtclar.evaluation.clips import DIMENSIONS

SUMMARY_COLUMNS = ["metric", "mtclar [95 % CI]", "copy anchor", "interpolate", "training mean", "class mean", "chance"]

_ABSENT = "–"


def value_at(metrics: Mapping[str, Any], path: str) -> Any:
    """The entry at a dotted path of nested metrics, None where there is none."""
    found: Any = metrics
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found


def summary_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Rows for `SUMMARY_COLUMNS`, a dash where a cell has no meaning or its value is not known.

    Args:
        metrics: Content of metrics.json, or the same before it was written.
    """
    return [
        [
            words.format(stride=metrics.get("stride", "k")),
            _cell(metrics, ours, interval=True),
            *(_cell(metrics, baselines[column]) if column in baselines else _ABSENT for column in SUMMARY_COLUMNS[2:]),
        ]
        for words, ours, baselines in _rows()
    ]


def headline(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The few numbers by which two evaluations are compared at a glance: `first_valence_ccc` and the like.

    One that was not measured is left out.
    """
    chosen = {
        **{
            f"{protocol}_{dimension}_ccc{suffix}": f"few_shot.{protocol}.{method}.{dimension}.ccc"
            for protocol in ("first", "stride")
            for dimension in DIMENSIONS
            for suffix, method in (("", "mtclar"), ("_copy", "copy"))
        },
        "similarity_accuracy": "pairs.similarity.accuracy",
        **{f"delta_{dimension}_ccc": f"pairs.delta.{dimension}.ccc" for dimension in DIMENSIONS},
        "expression_accuracy": "single.expression.accuracy",
        **{f"picture_{dimension}_ccc": f"single.{dimension}.ccc" for dimension in DIMENSIONS},
    }
    found = {name: _number(value_at(metrics, path)) for name, path in chosen.items()}
    return {name: value for name, value in found.items() if value is not None}


def _rows() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name of a metric, where mtclar's value stands, and where those of the columns of baselines stand."""
    clips = {"copy anchor": "copy", "interpolate": "interpolate", "training mean": "train_mean"}
    for protocol, words in (("first", "one anchor a clip"), ("every", "anchor every {stride} frames")):
        for name in ("ccc", "rmse"):
            for dimension in DIMENSIONS:
                base, leaf = f"few_shot.{protocol}", f"{dimension}.{name}"
                yield (
                    f"{dimension} {name.upper()}, {words}",
                    f"{base}.mtclar.{leaf}",
                    {column: f"{base}.{method}.{leaf}" for column, method in clips.items()},
                )
    yield "pair similarity accuracy", "pairs.similarity.accuracy", {"chance": "pairs.similarity.chance.accuracy"}
    for dimension in DIMENSIONS:
        yield (
            f"pair difference {dimension} CCC",
            f"pairs.delta.{dimension}.ccc",
            {"copy anchor": f"pairs.delta.zero.{dimension}.ccc", "training mean": f"pairs.delta.mean.{dimension}.ccc"},
        )
    yield "picture expression accuracy", "single.expression.accuracy", {"chance": "single.expression.chance.accuracy"}
    for dimension in DIMENSIONS:
        yield (
            f"picture {dimension} CCC",
            f"single.{dimension}.ccc",
            {"class mean": f"single.class_mean.{dimension}.ccc"},
        )


def _cell(metrics: Mapping[str, Any], path: str, *, interval: bool = False) -> str:
    """`0.812 [0.774, 0.850]` or `0.812`."""
    value = _number(value_at(metrics, path))
    if value is None:
        return _ABSENT
    owner, _, name = path.rpartition(".")
    low, high = (_number(value_at(metrics, f"{owner}.{side}.{name}")) for side in ("ci_low", "ci_high"))
    if not interval or low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _number(value: Any) -> float | None:
    """A known number, else None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
