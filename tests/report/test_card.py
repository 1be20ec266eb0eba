"""The model card: every number in it is one that was measured, and what was not measured is said."""

from __future__ import annotations

import copy
import re
import shlex
from typing import Any

import pytest
from toy_bundle import toy_facts
from typer.main import get_command

from mtclar.cli import app
from mtclar.report.card import _eight_bits, model_card
from mtclar.report.card_tables import table

LEARNED = {
    "datasets": ["synthetic"],
    "faces": {"train": 96000, "validation": 1920, "test": 1930},
    "people": {"train": 1920, "validation": 240, "test": 241},
    "clips": {"train": 0, "validation": 80, "test": 81},
    "ranges": {"skin": [0.01, 0.5, 0.99], "yaw": [-41.5, 0.2, 42.25]},
    "shares": {"covering": {"none": 0.65, "hand": 0.35}},
}
FACTS = toy_facts(
    name="toy",
    version="3",
    learned_from=LEARNED,
    training={"settings": {"encoder": "resnet-nano", "seed": 7, "epochs": 9}},
    licences={"weights": "Apache-2.0", "software": "Apache-2.0"},
    files={"encoder.onnx": {"sha256": "0", "bytes": 2_000_000}, "pair.onnx": {"sha256": "1", "bytes": 340_000}},
)


def block(rmse: float, ccc: float, spread: float = 0.011) -> dict[str, Any]:
    low, high = ({"rmse": rmse + sign * spread, "ccc": ccc + sign * spread} for sign in (-1, 1))
    return {"rmse": rmse, "ccc": ccc, "ci_low": low, "ci_high": high}


def both(rmse: float, ccc: float) -> dict[str, Any]:
    return {"valence": block(rmse, ccc), "arousal": block(rmse + 0.001, ccc - 0.001)}


METRICS = {
    "n_people": 241,
    "stride": 20,
    "few_shot": {
        "first": {"mtclar": both(0.157, 0.896), "copy": both(0.456, 0.191), "zero_shot": both(0.151, 0.907)},
        "stride": {"mtclar": both(0.144, 0.903), "interpolate": both(0.155, 0.883)},
        "every": {"mtclar": both(0.134, 0.923), "interpolate": both(0.155, 0.883)},
    },
    "single": both(0.133, 0.957),
    "calibration": {
        "target": 0.9,
        "none": {name: {"coverage": 0.91, "width": 0.8} for name in ("valence", "arousal")},
        "valence": {"coverage": 0.926, "width": 0.6},
        "arousal": {"coverage": 0.871, "width": 0.5},
    },
    "groups": {
        "skin": {
            "darkest": {"n_faces": 400, "n_people": 40, **both(0.181, 0.801)},
            "lightest": {"n_faces": 390, "n_people": 41, **both(0.172, 0.812)},
            "light": {"n_faces": 0, "n_people": 0},
        },
        "yaw": {
            "0-10": {"n_faces": 500, "n_people": 60, **both(0.141, 0.852)},
            "30+": {"n_faces": 90, "n_people": 30, **both(0.333, 0.5)},
        },
    },
}


def scored(rmse: float, **more: Any) -> dict[str, Any]:
    return {name: value for key, number in {"rmse": rmse, "ccc": 0.5, "pcc": 0.625}.items() for name, value in
            ((key, number), (f"{key}_interval", [number - 0.05, number + 0.05]))} | more  # fmt: skip


def with_anchors(rmse: float) -> dict[str, Any]:
    ours = scored(rmse, coverage=0.83, to_linear=-0.111, to_linear_interval=[-0.2, -0.02], skill=0.3)
    methods = {"mtclar": ours, "copy": scored(rmse + 0.3), "linear": scored(rmse + 0.2), "pchip": scored(rmse + 0.1)}
    return {"valence": methods, "arousal": methods}


REAL = {
    "clips": [{"video_id": "one", "rated": 16}, {"video_id": "two", "rated": 9}],
    "limit": 200,
    "placements": {"0": 2, "1": 25, "2": 156, "3": 284, "4": 326, "6": 284},
    "intervals": dict.fromkeys("01234", "clips") | {"6": "placements"},
    "anchors": {"0": {name: {"mtclar": scored(0.211)} for name in ("valence", "arousal")}}
    | {str(count): with_anchors(0.3 - count / 100) for count in (1, 2, 3, 4, 6)},
}  # fmt: skip


def rows(card: str, heading: str) -> list[list[str]]:
    """The cells of all tables under a heading."""
    part = re.split(r"\n#+ ", card.split(f"# {heading}\n", 1)[1], maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]


def rows_of_code(card: str) -> list[list[str]]:
    """The words of every command in the card's blocks of code."""
    block = card.split("```")[1].replace("\\\n", " ")
    return [shlex.split(line) for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def card() -> str:
    return model_card(FACTS, METRICS, REAL)


def test_it_says_what_the_model_is(card: str) -> None:
    assert card.startswith("# Model card: toy 3\n")
    assert ["graphs", "ONNX, 2.3 MB"] in rows(card, "What it is")
    assert ["encoder", "resnet-nano"] in rows(card, "What it is")


def test_it_says_whom_the_model_learned_from_and_in_what_range(card: str) -> None:
    found = rows(card, "Whom it learned from")
    assert ["people", "1,920", "240", "241"] in found
    assert ["turned to the side, degrees", "-41.5", "0.2", "42.25"] in found
    assert "covering: none 65%, hand 35%" in card
    assert "No picture of a real person was used" in card
    assert "seed 7, epochs 9" in card


def test_people_who_exist_are_never_said_not_to(card: str) -> None:
    other = model_card(FACTS | {"learned_from": LEARNED | {"datasets": ["affectnet", "synthetic"]}}, METRICS, REAL)
    assert "No picture of a real person" not in other
    assert "People in the data sets affectnet, synthetic" in other


def test_accuracy_on_unseen_people_stands_beside_its_baselines_with_intervals(card: str) -> None:
    found = {row[0]: row[1:] for row in rows(card, "Accuracy on people it has not seen")}
    assert found["clips, the first frame given"][0] == "0.157 [0.146, 0.168]"
    assert found["clips, no anchor"][1] == "0.907 [0.896, 0.918]"
    assert found["the same, copying the anchor"][2] == "0.457 [0.446, 0.468]"
    assert found["clips, every 20th frame given"][3] == "0.922 [0.911, 0.933]"


def test_accuracy_by_skin_and_by_pose_has_a_row_a_group_and_the_worst_is_named(card: str) -> None:
    skin = rows(card, "By skin colour")
    assert [row[0] for row in skin[2:]] == ["darkest", "lightest"]
    assert skin[2][1:4] == ["400", "40", "0.181 [0.170, 0.192]"]
    assert [row[0] for row in rows(card, "By pose (degrees turned to the side)")[2:]] == ["0-10", "30+"]
    assert "valence: yaw 30+, RMSE 0.333 on 90 faces" in card


def test_a_model_in_8_bits_says_what_that_cost() -> None:
    cost = {"faces": 1000, "cosine": 0.99, "valence": {"difference": 0.01, "rmse": [0.2, 0.21]}}
    (row,) = _eight_bits({**cost, "arousal": {"difference": None}})
    assert "1,000 validation faces" in row[1]
    assert "RMSE of valence 0.200 before, 0.210 after" in row[1]
    assert "arousal" not in row[1]
    assert _eight_bits(None) == []


def test_the_real_test_has_every_number_of_anchors_in_both_dimensions(card: str) -> None:
    found = {row[0]: row[1:] for row in rows(card, "Accuracy on real people") if "," in row[0]}
    assert set(found) == {f"{count}, {name}" for count in (0, 1, 2, 3, 4, 6) for name in ("valence", "arousal")}
    errors = next(row for row in rows(card, "Accuracy on real people") if row[0] == "3, valence")
    assert errors[1:] == [
        "284",
        "0.270 [0.220, 0.320]",
        "0.570",
        "0.470",
        "0.370",
        "-0.111 [-0.200, -0.020]",
        "30%",
        "83%",
    ]
    assert "2 clips with 25 frames rated by people" in card
    assert "bootstrap over clips" in card
    assert "placements of the one clip" in card


def test_bands_say_how_much_they_held(card: str) -> None:
    found = {row[0]: row[1:] for row in rows(card, "Bands")}
    assert found["one anchor a clip, valence"] == ["93%", "0.60"]
    assert found["one anchor a clip, arousal"] == ["87%", "0.50"]
    assert found["no anchor, valence"] == ["91%", "0.80"]


def test_uses_it_must_not_be_put_to_are_named(card: str) -> None:
    for words in ("hiring", "surveillance", "lies", "consent", "medical", "Regulation (EU) 2024/1689"):
        assert words in card


def test_only_the_model_that_ships_claims_the_recipe_and_the_licence_of_the_repository(card: str) -> None:
    other = model_card(FACTS | {"licences": {"software": "Apache-2.0"}}, METRICS, REAL)
    assert "recipes/shipped.yaml" in card
    assert "LICENSE and CREDITS.md" in card
    assert "recipes/shipped.yaml" not in other
    assert "No terms have been stated for the weights." in other


def test_the_commands_that_make_it_again_are_commands_of_mtclar(card: str) -> None:
    lines = rows_of_code(card)
    assert [line[1] for line in lines][:3] == ["synthesize", "validate", "pair"]
    for line in lines:
        command = get_command(app)
        words = line[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_what_was_not_measured_is_said_and_nothing_fails() -> None:
    card = model_card(toy_facts(name="toy", version="3", files={}), {}, {})
    assert card.count("Not measured.") >= 7
    assert "Not known: the bundle does not say." in card
    assert "nan" not in card
    assert "None" not in card


def test_a_number_that_is_not_known_is_a_dash(card: str) -> None:
    metrics = copy.deepcopy(METRICS)
    metrics["groups"]["skin"]["darkest"]["valence"]["ccc"] = None
    changed = model_card(FACTS, metrics, REAL)
    assert rows(changed, "By skin colour")[2][4] == "–"


def test_a_cell_cannot_end_its_row() -> None:
    assert table(["a", "b"], [["x|y\nz", None]]).splitlines()[2] == r"| x\|y z | – |"
