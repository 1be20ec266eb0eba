"""`mtclar pair`: from a faces store that passed to a table of pairs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import PAIRS, read_table
from mtclar.errors import MtclarError
from mtclar.settings import PairSettings
from mtclar.steps import pair
from tests.toy_faces import write_faces

SETTINGS = PairSettings(seed=3, pairs=1024, pairs_held_out=256, person_share=0.25, block_faces=16, block_pairs=64)


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


def test_differences_and_similarity_are_those_of_the_two_faces(tmp_path, faces, verdict):
    pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "pairs.parquet", PAIRS)
    known = FacesStore(faces).table
    for row in table.sample(200, random_state=0).itertuples():
        a, b = known.loc[row.left], known.loc[row.right]
        assert row.d_valence == pytest.approx(a.valence - b.valence)
        assert row.d_arousal == pytest.approx(a.arousal - b.arousal)
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
            writer.add({**row, "valence": i / 10, "arousal": 0.0, "expression": name}, np.zeros((32, 32, 3), np.uint8))


def test_an_expression_with_one_face_is_named_with_its_split(tmp_path, verdict):
    _store(tmp_path / "faces", ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"] * 2 + ["contempt"])
    with pytest.raises(MtclarError, match="the train split has only one face of contempt"):
        pair.run(SETTINGS, faces=tmp_path / "faces", verdict=verdict, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("expressions", "which"), [([None] * 8, "no expression"), (["sad"] * 8, "sad")])
def test_a_single_expression_cannot_be_paired_by_expression(tmp_path, verdict, expressions, which):
    _store(tmp_path / "faces", expressions)
    with pytest.raises(MtclarError, match=f"faces of {which} alone"):
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
    assert (table["d_valence"].abs().round(6) == 0.1).all()


def test_an_output_that_cannot_be_written_is_named(tmp_path, faces, verdict):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        pair.run(SETTINGS, faces=faces, verdict=verdict, out=tmp_path / "file")
