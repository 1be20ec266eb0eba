"""`mtclar pair`: from a faces store that passed to a table of pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import EXPRESSIONS, PAIRS, read_notes, read_table
from mtclar.errors import MtclarError
from mtclar.settings import PairSettings, read_params
from mtclar.steps import pair
from tests.toy_faces import REVISION, write_faces

SIZES = {"seed": 3, "pairs": 1024, "pairs_held_out": 256, "person_share": 0.25, "block_faces": 16, "block_pairs": 64}
SETTINGS = PairSettings.model_validate({**read_params()["pair"], "sampling": "release", **SIZES})
MODES = ["release", "wheel-near", "wheel-far", "polarity", "affect"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pair") / "faces"
    write_faces(folder, train=6, validation=3, test=3)
    return folder


@pytest.fixture
def verdict(tmp_path) -> Path:
    (tmp_path / "verdict.json").write_text(json.dumps({"success": True}))
    return tmp_path


def test_each_split_gets_its_pairs_from_its_own_faces(tmp_path, faces, verdict):
    result = pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    assert result.pairs == {"train": 1024, "validation": 256, "test": 256}
    assert "1024 train" in str(result)
    splits = FacesStore(faces).table["split"].to_numpy()
    for side in ("left", "right"):
        assert (splits[table[side]] == table["split"]).all()


def test_the_pairs_carry_the_data_revision_of_their_faces(tmp_path, faces, verdict):
    pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    assert read_notes(tmp_path / "out" / "pairs.parquet")["data_revision"] == REVISION


def test_a_verdict_about_other_data_is_refused(tmp_path, faces):
    (tmp_path / "verdict.json").write_text(json.dumps({"success": True, "data_revision": "f" * 64}))
    with pytest.raises(MtclarError, match=r"verdict\.json: speaks of faces of other data"):
        pair.run(SETTINGS, faces=faces, verdict=tmp_path, out=tmp_path / "out")


def test_differences_and_similarity_are_those_of_the_two_faces(tmp_path, faces, verdict):
    pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    known = FacesStore(faces).table
    for row in table.sample(200, random_state=0).itertuples():
        a, b = known.loc[row.left], known.loc[row.right]
        assert row.d_valence == pytest.approx(a.valence - b.valence, abs=1e-6)
        assert row.d_arousal == pytest.approx(a.arousal - b.arousal, abs=1e-6)
        if isinstance(a.expression, str) and isinstance(b.expression, str):
            assert row.similar == (a.expression == b.expression)
        else:
            assert pd.isna(row.similar)


def test_the_share_of_people_comes_in_blocks_of_its_own_and_only_in_training(tmp_path, faces, verdict):
    pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    people = FacesStore(faces).table["subject_id"].to_numpy()
    table["person"] = people[table["left"]] == people[table["right"]]
    own = table[table["split"] == "train"].groupby("block")["person"].mean()
    assert len(own) == 16
    assert (own == 1).sum() == 4
    rest = table[(table["split"] != "train") | table["block"].isin(own.index[own < 1])]
    assert rest["similar"].notna().all()
    assert rest.groupby(["split", "block"])["similar"].mean().eq(0.5).all()


@pytest.mark.parametrize("sampling", MODES)
def test_every_mode_keeps_the_share_of_people_and_draws_what_is_held_out_alike(tmp_path, faces, verdict, sampling):
    tables = {}
    for name in ("release", sampling):
        settings = SETTINGS.model_copy(update={"sampling": name})
        pair.run(settings, faces=faces, verdict=verdict, out=tmp_path / name)
        tables[name] = read_table(tmp_path / name / "pairs.parquet", PAIRS)
    people = FacesStore(faces).table["subject_id"].to_numpy()
    table = tables[sampling]
    train = table[table["split"] == "train"]
    assert len(train) == 1024
    assert (people[train["left"]] == people[train["right"]])[-256:].all()
    assert train["block"].nunique() == 16
    held_out = [tables[name][tables[name]["split"] != "train"].reset_index(drop=True) for name in ("release", sampling)]
    pd.testing.assert_frame_equal(*held_out)
    drawn = train[:768]
    if sampling == "affect":
        assert drawn["similar"].isna().any()
    else:
        assert drawn["similar"].mean() == 0.5


def test_a_matrix_of_distances_fills_the_wheel_distance(tmp_path, faces, verdict):
    matrix = [[abs(i - j) + 0.5 for j in range(8)] for i in range(8)]
    settings = PairSettings.model_validate({**SETTINGS.model_dump(), "distances": matrix})
    pair.run(settings, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    names = FacesStore(faces).table["expression"]
    for row in table[table["wheel_distance"].notna()].sample(50, random_state=0).itertuples():
        i, j = (EXPRESSIONS.index(names[face]) for face in (row.left, row.right))
        assert row.wheel_distance == matrix[i][j]


def test_the_same_seed_writes_the_same_pairs(tmp_path, faces, verdict):
    tables = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        settings = SETTINGS.model_copy(update={"seed": seed})
        pair.run(settings, faces=faces, verdict=verdict, out=tmp_path / name)
        tables.append(read_table(tmp_path / name / "pairs.parquet", PAIRS))
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_faces_that_did_not_pass_are_not_paired(tmp_path, faces):
    (tmp_path / "verdict.json").write_text(json.dumps({"success": False}))
    with pytest.raises(MtclarError, match="did not pass validation"):
        pair.run(SETTINGS, faces=faces, verdict=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", [None, "", "[]", "{}"])
def test_a_missing_or_strange_verdict_is_named(tmp_path, faces, text):
    if text is not None:
        (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(MtclarError, match=r"verdict\.json: expected a verdict"):
        pair.run(SETTINGS, faces=faces, verdict=tmp_path, out=tmp_path / "out")


def _store(folder: Path, expressions: list[str | None]) -> None:
    with FacesWriter(folder, size=32, quality=90) as writer:
        for i, name in enumerate(expressions):
            row = {"face_id": str(i), "dataset": "toy", "subject_id": f"p{i // 2}", "split": "train"}
            writer.add({**row, "valence": i / 20, "arousal": 0.0, "expression": name}, np.zeros((32, 32, 3), np.uint8))


def test_an_expression_with_one_face_is_named_with_its_split(tmp_path, verdict):
    _store(tmp_path / "faces", ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"] * 2 + ["contempt"])
    with pytest.raises(MtclarError, match=r"the train split: .* only one face of contempt"):
        pair.run(SETTINGS, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("expressions", "which"), [([None] * 8, "no expression"), (["sad"] * 8, "sad")])
def test_a_single_expression_cannot_be_paired_by_expression(tmp_path, verdict, expressions, which):
    _store(tmp_path / "faces", expressions)
    with pytest.raises(MtclarError, match=f"the train split: .* faces of {which} alone"):
        pair.run(SETTINGS, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")


def test_an_expression_that_validation_lets_be_absent_is_left_out(tmp_path, verdict):
    _store(tmp_path / "faces", ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"] * 3)
    pair.run(SETTINGS, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    assert len(table) == 1024
    assert set(np.unique(table[["left", "right"]])) == set(range(21))


def test_faces_without_expressions_can_be_paired_by_person_alone(tmp_path, verdict):
    _store(tmp_path / "faces", [None] * 10)
    settings = SETTINGS.model_copy(update={"person_share": 1.0})
    result = pair.run(settings, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    assert result.pairs == {"train": 1024, "validation": 0, "test": 0}
    assert table["similar"].isna().all()
    assert (table["d_valence"].abs().round(6) == 0.05).all()


def test_data_without_expressions_is_paired_by_affect_in_every_split(tmp_path, verdict):
    with FacesWriter(tmp_path / "faces", size=32, quality=90) as writer:
        for i in range(90):
            split = ("train", "validation", "test")[i % 3]
            row = {"face_id": str(i), "dataset": "toy", "subject_id": f"p{i // 9}", "split": split}
            affect = {"valence": i / 90, "arousal": 0.5 - (i % 7) / 7} if split != "test" else {}
            writer.add({**row, **affect, "expression": None}, np.zeros((32, 32, 3), np.uint8))
    settings = SETTINGS.model_copy(update={"sampling": "affect"})
    result = pair.run(settings, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    assert result.pairs == {"train": 1024, "validation": 256, "test": 0}
    assert table["similar"].isna().all()
    assert table["wheel_distance"].isna().all()
    assert table["d_valence"].notna().all()


def test_training_faces_whose_labels_are_all_alike_are_refused_by_split(tmp_path, verdict):
    with FacesWriter(tmp_path / "faces", size=32, quality=90) as writer:
        for i in range(9):
            row = {"face_id": str(i), "dataset": "toy", "subject_id": "p", "split": "train", "valence": 0.1}
            writer.add({**row, "arousal": 0.2, "expression": "sad"}, np.zeros((32, 32, 3), np.uint8))
    settings = SETTINGS.model_copy(update={"sampling": "affect"})
    with pytest.raises(MtclarError, match=r"the train split: .* the same valence and arousal in all of them"):
        pair.run(settings, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")


def test_a_label_outside_its_range_is_named_with_its_face(tmp_path, verdict):
    with FacesWriter(tmp_path / "faces", size=32, quality=90) as writer:
        for i in range(9):
            row = {"face_id": f"toy/{i}", "dataset": "toy", "subject_id": "p", "split": "train", "valence": i / 4}
            writer.add({**row, "arousal": 0.2, "expression": "sad"}, np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(MtclarError, match=r"face toy/5 has valence 1.25, but labels lie in \[-1, 1\]"):
        pair.run(SETTINGS, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")


def test_an_output_that_cannot_be_written_is_named(tmp_path, faces, verdict):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "file")


def test_a_mixture_holds_the_shares_that_are_asked_for(tmp_path, faces, verdict):
    settings = SETTINGS.model_copy(update={"sampling": "affect", "expression_share": 0.5})
    pair.run(settings, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    train = table[table["split"] == "train"]
    people = FacesStore(faces).table["subject_id"].to_numpy()
    assert train["block"].is_monotonic_increasing
    assert train.groupby("block").size().eq(64).all()
    assert train["similar"][:256].isna().any()
    assert train["similar"][256:768].mean() == 0.5
    assert (people[train["left"]] == people[train["right"]])[768:].all()


def test_shares_of_more_than_all_are_refused(tmp_path, faces, verdict):
    settings = SETTINGS.model_copy(update={"expression_share": 0.8})
    with pytest.raises(MtclarError, match=r"person_share=0.25 and pair.expression_share=0.8 are more than 1"):
        pair.run(settings, faces=faces, verdict=verdict, out=tmp_path / "out")


def test_the_table_says_how_it_was_drawn_so_that_it_can_be_drawn_again(tmp_path, faces, verdict):
    pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    notes = read_notes(tmp_path / "out" / "pairs.parquet")
    assert PairSettings.model_validate(json.loads(notes["pair"])) == SETTINGS
