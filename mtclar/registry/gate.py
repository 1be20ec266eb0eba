"""The gate between challenger and champion: a pure function of two sets of metrics and the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mtclar.settings import BarSettings, PromoteSettings

_ROUNDING = 1e-9
"""A value that was written and read back may differ from the limit in its last digit."""


@dataclass(frozen=True)
class Row:
    """One gated metric.

    Attributes:
        metric: Its name.
        challenger: The challenger's value; NaN if it has none.
        champion: The champion's on the same data; NaN if it has none or there is no champion.
        least: The least value that passes: the floor or, if it is higher, the champion's value plus the margin.
        passes: Whether the challenger reaches it.
    """

    metric: str
    challenger: float
    champion: float
    least: float
    passes: bool


@dataclass(frozen=True)
class Decision:
    """Whether the gate opens.

    Attributes:
        promote: Whether every gated metric passes.
        reasons: A sentence for each one that does not.
        rows: Every gated metric.
    """

    promote: bool
    reasons: tuple[str, ...]
    rows: tuple[Row, ...]

    def table(self) -> str:
        """The comparison as aligned text."""
        lines: list[tuple[str, ...]] = [("metric", "challenger", "champion", "at least", "")]
        for row in self.rows:
            numbers = (row.challenger, row.champion, row.least)
            shown = ("-" if math.isnan(value) else f"{value:.3f}" for value in numbers)
            lines.append((row.metric, *shown, "passes" if row.passes else "FAILS"))
        return aligned(lines)


def aligned(lines: list[tuple[str, ...]]) -> str:
    """Rows of cells as text in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def decide(candidate: Mapping[str, float], champion: Mapping[str, float] | None, settings: PromoteSettings) -> Decision:
    """Decides whether the candidate may take the champion's place.

    Each gated metric must reach its floor and, where there is a champion, the champion's value plus the margin: a
    margin below 0 lets it fall by so much, one above 0 asks for a gain. A metric the candidate lacks does not pass; one
    the champion lacks is judged by its floor alone.

    Args:
        candidate: Headline metrics of the candidate (`mtclar.serving.facts.HEADLINE`).
        champion: Those of the champion, measured on the same data; None if there is no champion yet.
        settings: The section `promote` of params.yaml.

    Example:
        decide({"valence_ccc": 0.8, "arousal_ccc": 0.7}, None, settings).promote
    """
    rows, reasons = [], []
    for metric, bar in settings.gate.items():
        value, old = candidate.get(metric, math.nan), (champion or {}).get(metric, math.nan)
        least = bar.floor if math.isnan(old) else max(bar.floor, old + bar.margin)
        passes = value >= least - _ROUNDING
        rows.append(Row(metric, value, old, least, passes))
        if not passes:
            reasons.append(_reason(metric, value, old, bar))
    return Decision(not reasons, tuple(reasons), tuple(rows))


def _reason(metric: str, value: float, old: float, bar: BarSettings) -> str:
    if math.isnan(value):
        return f"{metric} is not known"
    if value < bar.floor - _ROUNDING:
        return f"{metric} is {value:.3f}, below its floor of {bar.floor:g}"
    if bar.margin > 0:
        return f"{metric} is {value:.3f}, not {bar.margin:g} above the champion's {old:.3f}"
    return f"{metric} is {value:.3f}, more than {-bar.margin:g} below the champion's {old:.3f}"
