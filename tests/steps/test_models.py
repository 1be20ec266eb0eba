"""The models of this machine: named, opened, listed, shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bright_clip import CALIBRATION
from make_video import with_face, write_video
from toy_bundle import toy_bundle, toy_facts, toy_graphs

from mtclar.errors import MtclarError
from mtclar.serving import Bundle, write_bundle
from mtclar.settings import load_settings
from mtclar.steps import label, models

CARD = "# Model card: toy 3\n\nFor *tests* only.\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


@pytest.fixture
def carded(tmp_path: Path) -> Path:
    """A bundle with a name, a version, a calibration and a card."""
    facts = toy_facts(name="toy", version="3", calibration=CALIBRATION)
    write_bundle(tmp_path / "carded", toy_graphs(), facts, papers={"card.md": CARD})
    return tmp_path / "carded"


@pytest.fixture
def shipped(carded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The same as the model that ships, on a machine that has fetched nothing."""
    monkeypatch.setattr(models, "default_bundle", lambda: carded)
    monkeypatch.setattr(models, "bundle_cache", lambda: tmp_path / "cache")
    return carded


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`mtclar models ...`, its output piped."""
    command = [sys.executable, "-m", "mtclar.cli", "models", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_default_is_the_model_that_ships_and_a_path_is_a_bundles_folder(shipped: Path, tmp_path: Path) -> None:
    assert models.open_model("default", None).folder == shipped
    assert models.open_model(toy_bundle(tmp_path / "other"), None).folder == tmp_path / "other"
    assert models.open_model(str(tmp_path / "other"), None).folder == tmp_path / "other"


def test_a_folder_called_default_is_meant_where_it_is_written_as_a_path(shipped: Path, tmp_path: Path) -> None:
    folder = toy_bundle(tmp_path / "default")
    assert models.open_model(folder, None).folder == folder


def test_a_model_of_the_registry_needs_to_know_where_that_is() -> None:
    with pytest.raises(MtclarError, match="needs the section 'register'"):
        models.open_model("models:/mtclar@champion", None)


def test_the_list_has_the_model_that_ships_and_those_fetched_but_no_wreck(shipped: Path, tmp_path: Path) -> None:
    for name in ("fetched", "broken", "half.part"):
        toy_bundle(tmp_path / "cache" / name, version="9")
    (tmp_path / "cache" / "broken" / "pair.onnx").unlink()
    listed = [row[:2] + row[3:] for row in models.known_models()]
    assert listed == [["default", "3", "yes", str(shipped)], ["mtclar", "9", "no", str(tmp_path / "cache" / "fetched")]]


def test_where_nothing_ships_the_list_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise MtclarError("it is not there.")

    monkeypatch.setattr(models, "default_bundle", nowhere)
    monkeypatch.setattr(models, "bundle_cache", lambda: tmp_path / "cache")
    assert models.known_models() == [["default", "–", "–", "–", "it is not there."]]


def test_a_card_is_shown_as_it_was_written_where_the_output_is_piped(carded: Path) -> None:
    answer = run("show", carded)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == CARD


def test_a_bundle_without_a_card_shows_its_facts_and_says_so(tmp_path: Path) -> None:
    words = models.about(Bundle.load(toy_bundle(tmp_path / "plain")))
    assert "This bundle has no model card." in words
    assert "| measured: valence_ccc | 0.800 |" in words
    assert "| licence: software | Apache-2.0 |" in words


def test_json_holds_all_facts_and_where_the_bundle_lies(carded: Path) -> None:
    found = json.loads(run("show", carded, "--json").stdout)
    assert found["folder"] == str(carded)
    assert found["sha256"] == Bundle.load(carded).identity
    assert found["files"].keys() == {"encoder.onnx", "pair.onnx", "single.onnx", "card.md"}


def test_the_path_can_be_used_by_other_programs(carded: Path) -> None:
    assert run("path", carded).stdout == f"{carded}\n"


def test_no_such_model_is_one_sentence(tmp_path: Path) -> None:
    answer = run("show", tmp_path / "nowhere")
    assert answer.returncode == 1
    assert "not a model bundle" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_card_stands_in_the_footer_of_every_page_of_labels(carded: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [0, 40], lambda i: with_face())
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,-0.2,0.1\n", encoding="utf-8")
    settings = load_settings()
    label.run(
        settings.label,
        settings.extract,
        videos=[tmp_path / "clip.mp4"],
        anchors=tmp_path / "anchors.csv",
        model=carded,
        out=tmp_path / "out",
    )
    for page in ("clip.html", "index.html"):
        words = (tmp_path / "out" / page).read_text(encoding="utf-8")
        footer = words[words.index("<footer>") :]
        assert "<summary>Model card</summary>" in footer
        assert "<em>tests</em>" in footer
    facts = json.loads((tmp_path / "out" / "clip.va.json").read_text(encoding="utf-8"))
    assert (facts["model"]["name"], facts["model"]["version"]) == ("toy", "3")
    assert facts["model"]["licences"] == {"software": "Apache-2.0"}
