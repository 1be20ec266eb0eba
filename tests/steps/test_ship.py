"""The bundle that is given to everybody."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_bundle import toy_bundle, toy_facts, toy_graphs

from mtclar.errors import MtclarError
from mtclar.serving import Bundle, write_bundle
from mtclar.serving.facts import HEADLINE, headline
from mtclar.serving.manifest import GRAPHS, PAPERS, substance
from mtclar.steps import ship


@pytest.fixture
def line(tmp_path: Path) -> dict[str, Path]:
    """What export, evaluate and evaluate --real leave."""
    return make_line(tmp_path)


def make_line(root: Path, **changes: object) -> dict[str, Path]:
    metrics: dict = {}
    for name, keys in HEADLINE.items():
        block = metrics
        for key in keys[:-1]:
            block = block.setdefault(key, {})
        block[keys[-1]] = {"valence_ccc": 0.8, "arousal_ccc": 0.7}.get(name, 0.6)
    paths = {name: root / name for name in ("bundle", "evaluation", "real")}
    paths["evaluation"].mkdir()
    (paths["evaluation"] / "metrics.json").write_text(json.dumps(metrics))
    toy_bundle(paths["bundle"], **{"metrics": headline(paths["evaluation"]), **changes})
    judge(paths)
    return paths


def judge(paths: dict[str, Path]) -> None:
    """Writes real.json about the bundle."""
    paths["real"].mkdir(exist_ok=True)
    found = {"schema_version": 1, "substance": substance(Bundle.load(paths["bundle"]).facts), "clips": []}
    (paths["real"] / "real.json").write_text(json.dumps(found))


def test_it_is_the_exported_bundle_with_its_card_licence_and_credits(line: dict[str, Path], tmp_path: Path) -> None:
    result = ship.run(**line, out=tmp_path / "out")
    bundle = Bundle.load(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bundle.json", *GRAPHS, *PAPERS}
    assert bundle.identity == result.identity
    for graph in GRAPHS:
        assert (tmp_path / "out" / graph).read_bytes() == (line["bundle"] / graph).read_bytes()
    assert bundle.card is not None
    assert bundle.card.startswith("# Model card: mtclar 0.1.0\n")
    assert bundle.facts["licences"]["weights"] == "Apache-2.0"
    assert "of at most 20" in str(result)


def test_papers_change_neither_what_it_answers_nor_its_substance(line: dict[str, Path], tmp_path: Path) -> None:
    ship.run(**line, out=tmp_path / "out")
    before, after = Bundle.load(line["bundle"]), Bundle.load(tmp_path / "out")
    assert substance(before.facts) == substance(after.facts)
    assert before.identity != after.identity
    crops = np.full((2, 288, 288, 3), 90, np.uint8)
    np.testing.assert_array_equal(before.embed(crops), after.embed(crops))


def test_a_shipped_bundle_can_be_judged_and_shipped_again(line: dict[str, Path], tmp_path: Path) -> None:
    first = ship.run(**line, out=tmp_path / "out")
    again = ship.run(**line | {"bundle": tmp_path / "out"}, out=tmp_path / "out")
    assert again.identity == first.identity


@pytest.mark.parametrize("paper", PAPERS)
def test_a_changed_or_missing_paper_is_refused_by_name(line: dict[str, Path], tmp_path: Path, paper: str) -> None:
    ship.run(**line, out=tmp_path / "out")
    path = tmp_path / "out" / paper
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("e", "x", 1), encoding="utf-8")
    with pytest.raises(MtclarError, match=f"{paper}: changed since the bundle was written"):
        Bundle.load(tmp_path / "out")
    path.unlink()
    with pytest.raises(MtclarError, match=f"{paper}: cannot be read"):
        Bundle.load(tmp_path / "out")


def test_its_name_and_version_are_the_bundles_where_it_has_some(tmp_path: Path) -> None:
    line = make_line(tmp_path, name="faces", version="2")
    assert ship.run(**line, out=tmp_path / "out").name == "faces 2"
    assert (tmp_path / "out" / "card.md").read_text().startswith("# Model card: faces 2\n")


@pytest.mark.parametrize("dataset", ["affectnet", "somebody's pictures"])
def test_a_model_that_learned_from_people_who_exist_is_not_given_away(tmp_path: Path, dataset: str) -> None:
    line = make_line(tmp_path, licences={"software": "Apache-2.0", "synthetic": "ours", dataset: "theirs"})
    with pytest.raises(MtclarError, match=f"learned from {dataset}, whose terms do not let everybody use it"):
        ship.run(**line, out=tmp_path / "out")


@pytest.mark.parametrize("changed", [{"d_valence": 2.0}, {"calibration": {"valence": 0.3}}])
def test_a_real_test_of_other_graphs_or_another_calibration_is_refused(tmp_path: Path, changed: dict) -> None:
    line = make_line(tmp_path)
    metrics = headline(line["evaluation"])
    toy_bundle(line["bundle"], **{"metrics": metrics, **changed})
    with pytest.raises(MtclarError, match=r"real\.json: judged another model"):
        ship.run(**line, out=tmp_path / "out")
    judge(line)
    ship.run(**line, out=tmp_path / "out")


def test_an_evaluation_of_another_export_is_refused(line: dict[str, Path], tmp_path: Path) -> None:
    path = line["evaluation"] / "metrics.json"
    path.write_text(path.read_text().replace("0.8", "0.81"))
    with pytest.raises(MtclarError, match="not the metrics the bundle"):
        ship.run(**line, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [("bundle", "bundle.json", "mtclar export"), ("evaluation", "metrics.json", "mtclar evaluate"),
     ("real", "real.json", "run 'mtclar evaluate --real' first")],
)  # fmt: skip
def test_a_missing_input_is_named_with_the_verb_that_makes_it(
    line: dict[str, Path], tmp_path: Path, name: str, file: str, sentence: str
) -> None:
    (line[name] / file).unlink()
    with pytest.raises(MtclarError, match=rf"{name}.*{sentence}"):
        ship.run(**line, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_real_test_is_refused(line: dict[str, Path], tmp_path: Path, text: str) -> None:
    (line["real"] / "real.json").write_text(text)
    with pytest.raises(MtclarError, match=r"real\.json: (not valid JSON|expected an object)"):
        ship.run(**line, out=tmp_path / "out")


def test_a_bundle_that_is_too_large_does_not_ship(
    line: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship, "MOST_BYTES", 20_000)
    with pytest.raises(MtclarError, match=r"weighs 0\.0 MB, more than the 0 that come with the software"):
        ship.run(**line, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_licence_of_the_weights_is_the_repositorys(repository: Path) -> None:
    assert (repository / "mtclar/serving/papers/LICENSE").read_text() == (repository / "LICENSE").read_text()


def test_the_credits_hold_the_face_models_notice_in_full(repository: Path) -> None:
    text = (repository / "mtclar/serving/papers/CREDITS.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2020 USC Institute for Creative Technologies" in text
    for words in ("Permission is hereby granted", "The above copyright notice", 'PROVIDED "AS IS"'):
        assert words in text


def test_a_bundle_with_papers_that_nobody_knows_is_not_written(tmp_path: Path) -> None:
    write_bundle(tmp_path / "out", toy_graphs(), toy_facts(), papers={"card.md": "# Card\n", "../evil": "x"})
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bundle.json", *GRAPHS, "card.md"}
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
