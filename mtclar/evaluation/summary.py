"""The short table at the end of an evaluation: each metric of mtclar beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUMMARY_COLUMNS = ["metric", "mtclar [95 % CI]", "copy anchor", "interpolate", "class mean", "chance"]

_ABSENT = "–"

# metric, prefix of its block, name in the block, and where its baselines stand in the order of the columns
_CLIPS = [
    ("first", "one anchor a clip", ("valence", "arousal"), ("ccc", "rmse")),
    ("stride", "an anchor every {stride} frames", ("valence", "arousal"), ("ccc", "rmse")),
]


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
    rows = []
    for protocol, words, dimensions, names in _CLIPS:
        base = f"few_shot.{protocol}"
        for name in names:
            for dimension in dimensions:
                leaf = f"{dimension}.{name}"
                rows.append(
                    [
                        f"{dimension} {name.upper()}, {words.format(stride=metrics.get('stride', 'k'))}",
                        _cell(metrics, f"{base}.mtclar", leaf, interval=True),
                        *(_cell(metrics, f"{base}.{other}", leaf) for other in ("copy", "interpolate", "class_mean")),
                        _ABSENT,
                    ]
                )
    rows.append(
        [
            "pair similarity accuracy",
            _cell(metrics, "pairs.similarity", "accuracy", interval=True),
            *[_ABSENT] * 3,
            _cell(metrics, "pairs.similarity.chance", "accuracy"),
        ]
    )
    for dimension in ("valence", "arousal"):
        rows.append(
            [
                f"pair difference {dimension} CCC",
                _cell(metrics, "pairs.delta", f"{dimension}.ccc", interval=True),
                _cell(metrics, "pairs.delta.zero", f"{dimension}.ccc"),
                _ABSENT,
                _cell(metrics, "pairs.delta.mean", f"{dimension}.ccc"),
                _ABSENT,
            ]
        )
    rows.append(
        [
            "picture expression accuracy",
            _cell(metrics, "single.expression", "accuracy", interval=True),
            *[_ABSENT] * 3,
            _cell(metrics, "single.expression.chance", "accuracy"),
        ]
    )
    for dimension in ("valence", "arousal"):
        rows.append(
            [
                f"picture {dimension} CCC (told the class: class mean)",
                _cell(metrics, "single", f"{dimension}.ccc", interval=True),
                *[_ABSENT] * 2,
                _cell(metrics, "single.class_mean", f"{dimension}.ccc"),
                _ABSENT,
            ]
        )
    return rows


def _cell(metrics: Mapping[str, Any], base: str, leaf: str, *, interval: bool = False) -> str:
    """`0.812 [0.774, 0.850]` or `0.812`."""
    value = _number(value_at(metrics, f"{base}.{leaf}"))
    if value is None:
        return _ABSENT
    if not interval:
        return f"{value:.3f}"
    owner, dot, name = f"{base}.{leaf}".rpartition(".")
    bounds = [_number(value_at(metrics, f"{owner}{dot}{side}.{name}")) for side in ("ci_low", "ci_high")]
    if bounds[0] is None or bounds[1] is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _number(value: Any) -> float | None:
    """A known number, else None."""
    return float(value) if isinstance(value, int | float) and value == value else None
