"""The gate between challenger and champion: a pure function of two sets of metrics and the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mtclar.settings import PromoteSettings


@dataclass(frozen=True)
class Row:
    """One gated metric.

    Attributes:
        metric: Its name.
        challenger: The challenger's value; NaN if it has none.
        champion: The champion's; NaN if it has none or there is no champion.
        least: The least value that passes: the floor, or the champion's value less the allowed drop.
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
        widths = [max(len(line[i]) for line in lines) for i in range(5)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def decide(candidate: Mapping[str, float], champion: Mapping[str, float] | None, settings: PromoteSettings) -> Decision:
    """Decides whether the candidate may take the champion's place.

    Each gated metric must reach its floor and, where there is a champion, fall at most `settings.max_drop` below the
    champion's value. A metric the candidate lacks does not pass; one the champion lacks is judged by its floor alone.

    Args:
        candidate: Headline metrics of the candidate (`mtclar.serving.facts.HEADLINE`).
        champion: Those of the champion; None if there is no champion yet.
        settings: The section `promote` of params.yaml.

    Example:
        decide({"valence_ccc": 0.8, "arousal_ccc": 0.7}, None, settings).promote
    """
    floors = {"valence_ccc": settings.min_valence_ccc, "arousal_ccc": settings.min_arousal_ccc}
    rows, reasons = [], []
    for metric, floor in floors.items():
        value, old = candidate.get(metric, math.nan), (champion or {}).get(metric, math.nan)
        least = floor if math.isnan(old) else max(floor, old - settings.max_drop)
        # A value written and read back may differ from the limit in its last digit.
        passes = value >= least - 1e-9
        rows.append(Row(metric, value, old, least, passes))
        if math.isnan(value):
            reasons.append(f"{metric} is not known")
        elif value < floor - 1e-9:
            reasons.append(f"{metric} is {value:.3f}, below promote.min_{metric} = {floor:g}")
        elif not passes:
            reasons.append(
                f"{metric} is {value:.3f}, more than promote.max_drop = {settings.max_drop:g} "
                f"below the champion's {old:.3f}"
            )
    return Decision(not reasons, tuple(reasons), tuple(rows))
