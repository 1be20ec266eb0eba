"""The study `carry`: which faces each condition learns from, and a run from a store to its table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mtclar.data.store import FacesStore
from mtclar.data.tables import SYNTHESIS, write_table
from mtclar.errors import MtclarError
from mtclar.model.build import model_spec
from mtclar.settings import load_settings
from studies import carry, carry_faces, carry_plan
from studies.carry_plan import CONTROL, CarryPlan, read_plan, rows_of
from tests.make_video import numbered, with_face, write_video
from tests.toy_faces import write_faces

TINY = [
    "train.auxiliary={}",
    "train.encoder_options={input_size: 32, widths: [8, 16]}",
    "train.projector=[16]",
    "train.epochs=1",
    "train.sl_epochs=1",
    "train.mirror=false",
    "train.threads=1",
    "train.workers=1",
    "pair.pairs=256",
    "pair.pairs_held_out=128",
    "pair.block_faces=32",
    "pair.block_pairs=128",
]


def write_people(folder: Path) -> FacesStore:
    """A toy store that says how its faces were made: skin light for every other face, yaw of five kinds in turn."""
    write_faces(folder, train=12, validation=3, test=3)
    ids = FacesStore(folder).table["face_id"]
    n = len(ids)
    columns = {field.name: 0 for field in SYNTHESIS}
    table = pd.DataFrame({**columns, "face_id": ids, "codec": "none", "mouth": "none", "blink": False})
    table["covering"] = np.where(np.arange(n) % 3 == 0, "hand", "none")
    table["actions"], table["landmarks"] = [[0.5]] * n, [[0.1, 0.2]] * n
    table["yaw"] = np.resize(np.linspace(-30.0, 30.0, 5), n)
    write_table(table.astype({"skin": float, "brightness": float}), folder / "synthesis.parquet", SYNTHESIS)
    return FacesStore(folder)


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> FacesStore:
    return write_people(tmp_path_factory.mktemp("people") / "faces")


@pytest.fixture
def plan(people, repository) -> CarryPlan:
    """Small trainings on the toy store."""
    condition = {"says": "x", "keep": {}, "people": 1.0, "set": ()}
    return CarryPlan(
        faces=people.folder,
        recipe=repository / "recipes" / "shipped.yaml",
        set=tuple(TINY),
        size=60,
        held_out=20,
        seeds=1,
        jobs=1,
        resamples=100,
        seed=0,
        conditions={
            CONTROL: {**condition, "says": "all"},
            "covering": {**condition, "says": "bare", "keep": {"covering": ["none"]}},
            "pose": {**condition, "keep": {"yaw": [-15, 15]}},
            "people": {**condition, "people": 0.5},
        },
    )


def test_the_plan_can_be_trained_and_each_condition_is_another(repository, monkeypatch):
    monkeypatch.chdir(repository)
    found = read_plan()
    seen = set()
    for name, condition in found.conditions.items():
        settings = found.settings(name)
        model_spec(settings.train)
        seen.add((settings.train.model_dump_json(), str(condition.keep), condition.people))
        assert set(condition.keep) <= set(SYNTHESIS.names)
    assert len(seen) == len(found.conditions)
    assert len({condition.says for condition in found.conditions.values()}) == len(found.conditions)


def test_the_stage_reads_what_the_plan_names(repository):
    stages = yaml.safe_load((repository / "studies" / "dvc.yaml").read_text())["stages"]
    plan = read_plan()
    assert str(plan.faces) in stages["carry"]["deps"]
    assert f"--out {plan.faces} --params {plan.recipe}" in stages["people"]["cmd"]
    assert stages["carry"]["cmd"] == "python -m studies.carry"


@pytest.mark.parametrize("name", [CONTROL, "covering", "pose", "people"])
def test_a_condition_learns_from_as_many_faces_as_any_other_and_only_from_those_it_keeps(plan, people, name):
    table, made = people.table, people.made()
    rows = rows_of(plan, name, table, made)
    train = rows[table["split"].to_numpy()[rows] == "train"]
    assert len(train) == len(set(train)) == plan.size
    assert set(table["split"].to_numpy()[rows]) == {"train", "validation"}
    assert len(rows) - len(train) >= plan.held_out
    assert (np.diff(rows) > 0).all()
    if name == "covering":
        assert set(made["covering"].to_numpy()[train]) == {"none"}
    if name == "pose":
        assert np.abs(made["yaw"].to_numpy()[train]).max() <= 15
    assert table["subject_id"].iloc[train].nunique() == (6 if name == "people" else 12)
    np.testing.assert_array_equal(rows, rows_of(plan, name, table, made))


def test_all_conditions_are_validated_on_the_same_whole_people(plan, people):
    held = [rows_of(plan, name, people.table, people.made())[plan.size :] for name in plan.conditions]
    assert all(np.array_equal(held[0], other) for other in held)
    validation = people.table[people.table["split"] == "validation"]
    for subject in set(people.table["subject_id"].iloc[held[0]]):
        assert (validation["subject_id"] == subject).sum() == (
            people.table["subject_id"].iloc[held[0]] == subject
        ).sum()


def test_too_few_faces_and_columns_that_are_not_there_are_one_sentence(plan, people):
    many = plan.model_copy(update={"size": 130})
    with pytest.raises(MtclarError, match=r"'covering' leaves \d+ of the training faces, but .* size=130"):
        rows_of(many, "covering", people.table, people.made())
    for keep, sentence in (({"yaww": [0, 1]}, "no column 'yaww'.*'yaw'"), ({"yaw": [1]}, "lowest and highest")):
        odd = plan.model_copy(
            update={"conditions": {CONTROL: plan.conditions[CONTROL].model_copy(update={"keep": keep})}}
        )
        with pytest.raises(MtclarError, match=sentence):
            rows_of(odd, CONTROL, people.table, people.made())
    with pytest.raises(MtclarError, match=r"no condition is called 'poze' \(did you mean 'pose'\?\)"):
        plan.condition("poze")


def test_a_plan_without_a_control_or_with_an_unknown_key_is_refused(tmp_path):
    values = yaml.safe_load(carry_plan.PLAN.read_text())
    file = tmp_path / "carry.yaml"
    light = values["conditions"]["light"]
    for changed, sentence in (
        ({"conditions": {"light": light}}, f"no condition '{CONTROL}'"),
        ({"conditions": {"light": {**light, "kept": {}}}}, "condition 'light'.*unknown key 'kept'"),
        ({"sizes": 3}, "unknown key 'sizes'"),
        ({"conditions": 3}, "cannot be read"),
    ):
        file.write_text(yaml.safe_dump({**values, **changed}))
        with pytest.raises(MtclarError, match=sentence):
            read_plan(file)


@pytest.fixture
def real(tmp_path) -> Path:
    """A clip of twelve frames, two without a face, with four ratings, one of them where there is no face."""
    folder = tmp_path / "real"
    folder.mkdir()

    def picture(index: int) -> np.ndarray:
        return numbered(index, 288, 192) if index > 9 else with_face(0.6 + 0.04 * index)

    write_video(folder / "clip.mp4", [40 * i for i in range(12)], picture)
    (folder / "clip_labels.csv").write_text("frame,valence,arousal\n0,-0.5,0\n4,0,0.1\n8,0.5,0.3\n11,0,0\n")
    return folder


def test_a_run_ends_in_a_table_and_what_is_finished_is_not_done_again(
    plan, people, real, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(carry_faces.REAL, str(real))
    verdict = carry_faces.HERE / f"validate-{carry_faces.digest_of(plan.faces)}"
    verdict.mkdir(parents=True)
    (verdict / "verdict.json").write_text(json.dumps({"success": True}))
    stores, verdict = carry.judge_stores(plan)
    table = FacesStore(stores["real"]).table
    assert table["frame"].tolist() == [0, 4, 8]
    assert table["valence"].tolist() == [-0.5, 0, 0.5]
    assert FacesStore(stores["real"]).size == people.size
    for name in (CONTROL, "covering"):
        carry.run_one(plan, name, 1, stores, verdict)
    monkeypatch.setattr(carry, "read_plan", lambda: plan)
    monkeypatch.setattr(carry, "run_one", lambda *_: pytest.fail("is there already"))
    carry.main(only=["covering"], jobs=1)
    found = pd.read_csv("studies/results/carry/table.csv")
    assert found["condition"].drop_duplicates().tolist() == ["all", "bare"]
    assert found["mode"].drop_duplicates().tolist() == [
        "rendered, zero-shot",
        "rendered, one anchor",
        "real, zero-shot",
        "real, one anchor",
    ]
    assert found[found["condition"] == "bare"]["valence_ccc_change"].notna().any()
    assert "<svg" in Path("studies/results/carry/figure.svg").read_text()
    assert carry.read_judged(plan.model_copy(update={"resamples": 200}), CONTROL, 1, stores) is None
    capsys.readouterr()


def test_real_clips_are_read_again_when_a_rating_changes(people, real, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    s = load_settings().extract
    like = people
    first = carry_faces.real_store(real, like, s)
    before = (first / "store.json").read_text()
    assert (carry_faces.real_store(real, like, s) / "store.json").read_text() == before
    (real / "clip_labels.csv").write_text("frame,valence,arousal\n0,-0.5,0\n4,0.2,0.1\n")
    assert len(FacesStore(carry_faces.real_store(real, like, s))) == 2


def test_without_real_clips_only_rendered_people_are_judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(carry_faces.REAL, raising=False)
    assert carry_faces.real_folder() is None
    (tmp_path / "named").mkdir()
    monkeypatch.setenv(carry_faces.REAL, str(tmp_path / "named"))
    assert carry_faces.real_folder() == tmp_path / "named"
