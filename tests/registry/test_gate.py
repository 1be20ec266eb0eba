from __future__ import annotations

import math

import pytest

from mtclar.registry.gate import decide
from mtclar.settings import PromoteSettings

GATE = PromoteSettings(min_valence_ccc=0.5, min_arousal_ccc=0.4, max_drop=0.02)


def _metrics(valence: float, arousal: float) -> dict[str, float]:
    return {"valence_ccc": valence, "arousal_ccc": arousal}


@pytest.mark.parametrize(
    ("candidate", "champion", "opens"),
    [
        (_metrics(0.5, 0.4), None, True),
        (_metrics(0.49, 0.9), None, False),
        (_metrics(0.9, 0.39), None, False),
        (_metrics(0.8, 0.7), _metrics(0.82, 0.72), True),
        (_metrics(0.79, 0.9), _metrics(0.82, 0.72), False),
        (_metrics(0.9, 0.69), _metrics(0.82, 0.72), False),
        (_metrics(0.45, 0.5), _metrics(0.46, 0.5), False),
        (_metrics(0.6, 0.5), {}, True),
        (_metrics(math.nan, 0.5), None, False),
        ({"arousal_ccc": 0.5}, None, False),
    ],
)
def test_the_gate_opens_at_the_floors_and_at_most_max_drop_below_the_champion(
    candidate: dict[str, float], champion: dict[str, float] | None, opens: bool
) -> None:
    decision = decide(candidate, champion, GATE)
    assert decision.promote is opens
    assert bool(decision.reasons) is not opens
    assert all(row.passes for row in decision.rows) is opens


def test_each_reason_names_the_metric_its_value_and_the_limit() -> None:
    decision = decide(_metrics(0.3, 0.6), _metrics(0.6, 0.7), GATE)
    assert decision.reasons == (
        "valence_ccc is 0.300, below promote.min_valence_ccc = 0.5",
        "arousal_ccc is 0.600, more than promote.max_drop = 0.02 below the champion's 0.700",
    )


def test_the_table_shows_both_models_and_the_limit() -> None:
    table = decide(_metrics(0.8, 0.39), None, GATE).table().splitlines()
    assert table[0].split() == ["metric", "challenger", "champion", "at", "least"]
    assert table[1].split() == ["valence_ccc", "0.800", "-", "0.500", "passes"]
    assert table[2].split() == ["arousal_ccc", "0.390", "-", "0.400", "FAILS"]
