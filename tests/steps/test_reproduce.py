"""`mtclar reproduce` on miniatures of AffectNet and AFEW-VA that the generator draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtclar import cli
from mtclar.data.store import FacesStore
from mtclar.errors import MtclarError
from mtclar.settings import Settings, load_settings, recipe
from mtclar.steps import reproduce
from mtclar.steps.reproduce_affectnet import recognise
from mtclar.steps.reproduce_stages import Parts, given
from mtclar.steps.reproduce_work import folds_of
from mtclar.synthesis.sample import make_sample
from tests.data.readers.miniatures import picture_bytes, write

TINY = ["crop.validation=0.4", "crop.workers=1", "split.folds=2", "train.threads=1"]
TINY += ["evaluate.budgets=[0.1]", "evaluate.fusion=latest"]
KNOWN = {"5.96 %", "+1 %", "0.75", "0.82", "0.29", "0.27"}


def settings(*overrides: str) -> Settings:
    return load_settings(recipe("tiny"), [*TINY, *overrides])


def heard(parts: list[str]):
    """A progress that writes down which part it is told of."""

    def progress(done: int, total: int, what: str = "", /) -> None:
        name = what.split(":")[0]
        if name not in parts:
            parts.append(name)

    return progress


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    """AffectNet's npy release and AFEW-VA in miniature."""
    out = tmp_path_factory.mktemp("reproduce") / "people"
    make_sample(out=out, people=20, clips=6, frames=10, seed=3, artist="drawn", face_model=None, workers=1)
    return {"affectnet": out / "affectnet", "afew_va": out / "afew-va"}


@pytest.fixture(scope="module")
def reproduced(data, tmp_path_factory) -> tuple[reproduce.Reproduced, list[str]]:
    """All tables, and the parts that were made for them."""
    parts: list[str] = []
    out = tmp_path_factory.mktemp("reproduced") / "out"
    return reproduce.run(settings(), **data, out=out, progress=heard(parts)), parts


def test_every_part_of_the_protocol_is_made_in_order(reproduced):
    _, parts = reproduced
    assert parts == [
        "affectnet/crop",
        "affectnet/validate",
        "affectnet/pair",
        "affectnet/train",
        "affectnet/train-single-task",
        "affectnet/similarity.json",
        "affectnet/evaluate-8",
        "affectnet/evaluate-7",
        "afew-va/crop",
        "afew-va/validate",
        "afew-va/embeddings.npz",
        "afew-va/few-shot.csv",
        "afew-va/supervised.csv",
    ]


def test_the_tables_compare_the_tasks_the_sets_and_every_kind_of_anchor(reproduced):
    tables = {table.name: table.frame for table in reproduced[0].tables}
    assert tables["similarity"].iloc[:3, 0].tolist() == ["CLAR, single task", "MT-CLAR, multi-task", "difference"]
    assert tables["affectnet-expressions"].iloc[:, 0].tolist() == [
        f"AffectNet-{number}, {kind}" for number in (8, 7) for kind in ("raw", "cleaned")
    ]
    assert len(tables["affectnet-ccc"]) == len(tables["affectnet-rmse"]) == 8
    anchors = tables["afew-va-few-shot-ccc"].iloc[:, 0].unique().tolist()
    assert anchors == [
        "every 20 frames, latest",
        "first of the clip",
        "random of the clip",
        "first of the actor",
        "random of the actor",
        "another actor's",
        "another clip's",
        "any frame",
        "100 training frames",
    ]
    switches = set(tables["afew-va-release"].iloc[:, 0])
    assert {"latest, sane", "latest, anchors_scored", "latest, released", "all, per_anchor"} <= switches
    assert "heads trained on AFEW-VA" in tables["afew-va-supervised-rmse"].iloc[:, 0].tolist()


def test_a_published_value_stands_only_where_one_is_known(reproduced):
    for table in reproduced[0].tables:
        published = [name for name in table.frame.columns if name.startswith("publ") or name == "EmoNet"]
        assert published, table.name
        assert set(table.frame[published].to_numpy().ravel()) - {""} <= KNOWN, table.name


def test_accuracies_and_labels_stand_beside_their_baselines_with_intervals(reproduced):
    tables = {table.name: table.frame for table in reproduced[0].tables}
    few = tables["afew-va-few-shot-ccc"].iloc[0]
    assert "[" in few["CCC"]
    assert "±" in few["over folds"]
    assert few["copied"]
    assert few["joined"]
    assert (tables["affectnet-expressions"][["commonest", "chance"]] != "").all(axis=None)
    assert (tables["affectnet-rmse"][["mean label", "of the class"]] != "").all(axis=None)


def test_the_tables_are_written_as_csv_markdown_and_one_offline_page(reproduced):
    result, _ = reproduced
    for table in result.tables:
        csv = pd.read_csv(result.out / "tables" / f"{table.name}.csv", dtype=str, keep_default_na=False)
        assert csv.to_numpy().tolist() == table.frame.to_numpy().tolist()
        assert (result.out / "tables" / f"{table.name}.md").read_text().startswith(f"# {table.title}")
    page = (result.out / "report.html").read_text()
    assert all(table.title in page for table in result.tables)
    assert "https://" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_second_run_makes_nothing_again_and_prints_the_same_tables(reproduced, data, capsys):
    result, _ = reproduced
    parts: list[str] = []
    again = reproduce.run(settings(), **data, out=result.out, progress=heard(parts))
    assert parts == []
    assert all(a.frame.equals(b.frame) for a, b in zip(again.tables, result.tables, strict=True))
    overrides = [word for value in TINY for word in ("--set", value)]
    places = ["--affectnet", str(data["affectnet"]), "--afew-va", str(data["afew_va"]), "--out", str(result.out)]
    with pytest.raises(SystemExit) as end:
        cli.main(["reproduce", *places, "--params", str(recipe("tiny")), *overrides])
    assert end.value.code == 0
    assert "every 20 frames, latest" in capsys.readouterr().out


def test_only_what_depends_on_a_changed_setting_is_made_again(reproduced, data):
    result, _ = reproduced
    parts: list[str] = []
    reproduce.run(settings("split.seed=8"), **data, out=result.out, progress=heard(parts))
    assert parts == ["afew-va/few-shot.csv", "afew-va/supervised.csv"]


def test_a_folder_that_is_not_what_it_should_be_is_named_before_anything_begins(data, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    cases = [
        ({"affectnet": tmp_path / "nowhere"}, r"nowhere: no such folder or zip; check --affectnet"),
        ({"afew_va": tmp_path / "nowhere"}, r"nowhere: no such folder or zip; check --afew-va"),
        ({"affectnet": tmp_path / "empty"}, r"empty: the data folder is empty"),
        ({"affectnet": data["afew_va"]}, r"holds neither of AffectNet's releases"),
        ({"afew_va": data["affectnet"]}, r"affectnet: "),
    ]
    for changed, sentence in cases:
        with pytest.raises(MtclarError, match=sentence):
            reproduce.run(settings(), **{**data, **changed}, out=out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.tasks=[similarity]", "train.tasks lacks valence, arousal"),
        ("evaluate.fusion=process", "not the paper's"),
        ("train.pretrained=nowhere.pth", "nowhere.pth: no such file"),
    ],
)
def test_a_setting_that_leaves_nothing_to_compare_is_named_before_anything_begins(data, tmp_path, override, sentence):
    with pytest.raises(MtclarError, match=sentence):
        reproduce.run(settings(override), **data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_folder_of_somebody_else_is_left_alone(data, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(MtclarError, match="no earlier reproduction"):
        reproduce.run(settings(), **data, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_both_releases_of_affectnet_are_recognised(data, tmp_path):
    assert recognise(data["affectnet"]) == "affectnet-npy"
    write(tmp_path, {"lists/Validation.csv": "x", "pictures/1.jpg": picture_bytes()})
    assert recognise(tmp_path) == "affectnet-csv"


def test_folds_keep_a_person_together_and_judge_every_face_once(reproduced):
    table = FacesStore(reproduced[0].out / "afew-va" / "crop").table
    folds = folds_of(table, settings().split)
    assert set(folds) == {0, 1}
    assert table.assign(fold=folds).groupby("subject_id")["fold"].nunique().max() == 1


def test_a_part_is_made_again_only_when_its_settings_or_inputs_change(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("a")
    made = []

    def work(path, tell):
        made.append(path.name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("done")

    def make(setting: int) -> str:
        parts = Parts(tmp_path / "out", lambda *_: None)
        return parts.make("room/part", work, settings={"x": setting}, of={"source": given(source)}).digest

    first = make(1)
    assert make(1) == first
    assert made == ["part"]
    assert make(2) != first
    source.write_text("another")
    make(2)
    (tmp_path / "out" / "room" / "part").unlink()
    make(2)
    assert made == ["part"] * 4


def test_a_part_that_fails_is_made_again(tmp_path):
    parts = Parts(tmp_path / "out", lambda *_: None)

    def fails(path, tell):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parts.make("part", fails)
    made = parts.make("part", lambda path, tell: path.write_text("whole"))
    assert made.path.read_text() == "whole"


def test_the_difference_of_the_tasks_is_the_difference_of_their_accuracies(reproduced):
    found = json.loads((reproduced[0].out / "affectnet" / "similarity.json").read_text())
    single, multi, difference = (found[name] for name in ("single_task", "multi_task", "difference"))
    assert difference[0] == pytest.approx(multi[0] - single[0], abs=1e-6)
    assert np.all([low <= value <= high for value, low, high in (single, multi, difference)])
