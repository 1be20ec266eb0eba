from __future__ import annotations

import math
from typing import get_args

import pytest

from mtclar.errors import MtclarError
from mtclar.registry.gate import decide
from mtclar.serving.facts import HEADLINE
from mtclar.settings import Headline, PromoteSettings, load_section, load_settings

GATE = PromoteSettings.model_validate(
    {"gate": {"valence_ccc": {"floor": 0.5, "margin": -0.02}, "arousal_ccc": {"floor": 0.4, "margin": -0.02}}}
)


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
def test_the_gate_opens_at_the_floors_and_at_most_the_margin_below_the_champion(
    candidate: dict[str, float], champion: dict[str, float] | None, opens: bool
) -> None:
    decision = decide(candidate, champion, GATE)
    assert decision.promote is opens
    assert bool(decision.reasons) is not opens
    assert all(row.passes for row in decision.rows) is opens


def test_each_reason_names_the_metric_its_value_and_the_limit() -> None:
    decision = decide(_metrics(0.3, 0.6), _metrics(0.6, 0.7), GATE)
    assert decision.reasons == (
        "valence_ccc is 0.300, below its floor of 0.5",
        "arousal_ccc is 0.600, more than 0.02 below the champion's 0.700",
    )


@pytest.mark.parametrize(("value", "opens"), [(0.82, True), (0.819, False), (0.8, False)])
def test_a_margin_above_zero_asks_for_a_gain_over_the_champion_and_for_nothing_where_there_is_none(
    value: float, opens: bool
) -> None:
    gate = PromoteSettings.model_validate({"gate": {"pair_accuracy": {"floor": 0.6, "margin": 0.02}}})
    decision = decide({"pair_accuracy": value}, {"pair_accuracy": 0.8}, gate)
    assert decision.promote is opens
    assert opens or decision.reasons == (f"pair_accuracy is {value:.3f}, not 0.02 above the champion's 0.800",)
    assert decide({"pair_accuracy": value}, None, gate).promote


def test_what_can_be_gated_is_what_versions_are_tagged_with() -> None:
    assert set(get_args(Headline)) == set(HEADLINE)


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ({}, "'gate'"),
        ({"valence": {"floor": 0.5, "margin": 0.0}}, "'valence_ccc'"),
        (
            {"valence_ccc": {"floor": 0.5, "margn": 0.0}},
            r"key 'gate\.valence_ccc\.margn' \(did you mean 'margin'",
        ),
        ({"valence_ccc": {"floor": 0.5}}, r"'gate\.valence_ccc\.margin' is missing"),
        ({"valence_ccc": {"floor": "high", "margin": 0.0}}, "valid number"),
    ],
)
def test_a_gate_that_is_not_understood_is_refused_by_the_key_at_fault(gate: dict, said: str) -> None:
    with pytest.raises(MtclarError, match=said):
        load_section("promote", {"gate": gate})


def test_a_gate_comes_through_kubeflow_unchanged() -> None:
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.struct_pb2 import Struct

    settings = load_settings().promote
    message = Struct()
    message.update(settings.model_dump(mode="json"))
    assert load_section("promote", MessageToDict(message)) == settings


def test_the_table_shows_both_models_and_the_limit() -> None:
    table = decide(_metrics(0.8, 0.39), None, GATE).table().splitlines()
    assert table[0].split() == ["metric", "challenger", "champion", "at", "least"]
    assert table[1].split() == ["valence_ccc", "0.800", "-", "0.500", "passes"]
    assert table[2].split() == ["arousal_ccc", "0.390", "-", "0.400", "FAILS"]
