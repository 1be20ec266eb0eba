"""`mtclar split` from stores to a store."""

import json

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import FACES
from mtclar.errors import MtclarError
from mtclar.revision import data_revision
from mtclar.settings import SplitSettings
from mtclar.steps import split

SETTINGS = SplitSettings(protocol="folds", folds=2, fold=0, train_dataset="", test_dataset="", validation=0.3, seed=7)
CROSS = SETTINGS.model_copy(update={"protocol": "cross", "train_dataset": "a", "test_dataset": "b"})


def store(folder, dataset="a", people=6, size=64, scale=1.5, start=0, **more):
    """Faces of some people: a clip of three frames and a picture each, every crop of its own grey."""
    rng = np.random.default_rng(len(dataset) + people)
    with FacesWriter(folder, size=size, quality=95, facts={"source": dataset, "scale": scale, **more}) as writer:
        for person in range(people):
            for frame in (0, 1, 2, None):
                row = dict.fromkeys(FACES.names) | {
                    "dataset": dataset,
                    "subject_id": f"{start + person}",
                    "track_id": 0,
                }
                row |= {"face_id": f"{dataset}/{start + person}/{frame}", "frame": frame, "split": "train"}
                row |= {"clip_id": None if frame is None else f"{start + person}", "valence": rng.uniform(-1, 1)}
                writer.add(row, np.full((size, size, 3), rng.integers(0, 256), np.uint8))
    return folder


def test_a_fold_has_the_same_faces_and_crops_under_other_splits_and_takes_no_more_room(tmp_path):
    faces = store(tmp_path / "faces")
    before = (faces / "faces.parquet").read_bytes()
    result = split.run(SETTINGS, faces=[faces], out=tmp_path / "fold")
    old, new = FacesStore(faces), FacesStore(tmp_path / "fold")
    pd.testing.assert_frame_equal(old.table.drop(columns="split"), new.table.drop(columns="split"))
    assert [new.encoded(row) for row in range(24)] == [old.encoded(row) for row in range(24)]
    assert (tmp_path / "fold" / "crops-00000.arrow").samefile(faces / "crops-00000.arrow")
    assert (faces / "faces.parquet").read_bytes() == before
    assert new.table["split"].value_counts().to_dict() == result.faces == {"test": 12, "train": 8, "validation": 4}
    assert str(result).startswith("fold 0 of 0..1: 8 train of 2 subjects, 4 validation of 1 subjects, 12 test of 3")


def test_store_json_says_how_crops_were_made_and_how_they_were_divided(tmp_path):
    split.run(SETTINGS, faces=[store(tmp_path / "faces")], out=tmp_path / "fold")
    facts = json.loads((tmp_path / "fold" / "store.json").read_text())
    assert (facts["rows"], facts["size"], facts["scale"], facts["source"]) == (24, 64, 1.5, "a")
    assert facts["split"]["folds"] == 2


def test_a_fold_is_of_the_same_data_and_a_union_of_other_data(tmp_path):
    a = store(tmp_path / "a", data_revision="a" * 64)
    b = store(tmp_path / "b", "b", data_revision="b" * 64)
    old = store(tmp_path / "old", "c")
    split.run(SETTINGS, faces=[a], out=tmp_path / "fold")
    split.run(CROSS, faces=[a, b], out=tmp_path / "both")
    split.run(SETTINGS, faces=[a, old], out=tmp_path / "unclear")
    assert data_revision(tmp_path / "fold") == "a" * 64
    assert data_revision(tmp_path / "both") not in ("a" * 64, "b" * 64, "unknown")
    assert data_revision(tmp_path / "unclear") == "unknown"


def test_the_folds_of_a_store_test_every_subject_once(tmp_path):
    faces, tested = store(tmp_path / "faces"), []
    for fold in range(2):
        out = tmp_path / f"fold-{fold}"
        split.run(SETTINGS.model_copy(update={"fold": fold}), faces=[faces], out=out)
        table = FacesStore(out).table
        tested += list(table.loc[table["split"] == "test", "subject_id"].unique())
    assert sorted(tested) == [str(i) for i in range(6)]


def test_two_stores_are_joined_and_people_of_the_same_number_stay_two_people(tmp_path):
    stores = [store(tmp_path / "a", "a", 4), store(tmp_path / "b", "b", 3)]
    result = split.run(CROSS, faces=stores, out=tmp_path / "out")
    new = FacesStore(tmp_path / "out")
    assert set(new.table["subject_id"]) == {f"a/{i}" for i in range(4)} | {f"b/{i}" for i in range(3)}
    assert set(new.table.loc[new.table["dataset"] == "b", "split"]) == {"test"}
    assert (result.faces["test"], result.left_out) == (12, 0)
    crops = [FacesStore(one) for one in stores]
    assert new.encoded(3) == crops[0].encoded(3)
    assert new.encoded(16 + 5) == crops[1].encoded(5)


def test_faces_that_a_protocol_leaves_out_leave_the_crops_of_the_others_as_they_were(tmp_path):
    stores = [store(tmp_path / name, name, 3) for name in ("c", "a", "b")]
    result = split.run(CROSS, faces=stores, out=tmp_path / "out")
    new = FacesStore(tmp_path / "out")
    assert result.left_out == 12
    assert set(new.table["dataset"]) == {"a", "b"}
    for number, old in enumerate(map(FacesStore, stores[1:])):
        for row in range(12):
            assert new.encoded(12 * number + row) == old.encoded(row)
    assert new.table["frame"].isna().sum() == 6
    assert new.table["valence"].tolist() == [v for one in stores[1:] for v in FacesStore(one).table["valence"]]


def test_two_parts_of_one_data_set_speak_of_the_same_people(tmp_path):
    stores = [store(tmp_path / "one", "a", 3), store(tmp_path / "two", "a", 3, start=3)]
    split.run(SETTINGS, faces=stores, out=tmp_path / "out")
    assert set(FacesStore(tmp_path / "out").table["subject_id"]) == {str(i) for i in range(6)}


def test_stores_that_do_not_fit_together_are_refused_by_what_differs(tmp_path):
    first = store(tmp_path / "a", "a")
    with pytest.raises(MtclarError, match="size 64 and 32; crop both with the same"):
        split.run(CROSS, faces=[first, store(tmp_path / "b", "b", size=32)], out=tmp_path / "out")
    with pytest.raises(MtclarError, match=r"scale 1\.5 and 2\.0; crop both with the same"):
        split.run(CROSS, faces=[first, store(tmp_path / "c", "b", scale=2.0)], out=tmp_path / "out")
    with pytest.raises(MtclarError, match="the face 'a/0/0' is there twice; give each data set once"):
        split.run(SETTINGS, faces=[first, store(tmp_path / "d", "a")], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_store_is_never_replaced_by_what_is_made_of_it(tmp_path):
    faces = store(tmp_path / "faces")
    with pytest.raises(MtclarError, match="would take the place of the one it is made of"):
        split.run(SETTINGS, faces=[faces], out=faces)
    assert len(FacesStore(faces)) == 24


def test_an_unknown_data_set_is_answered_with_the_nearest_and_a_missing_store_by_name(tmp_path):
    faces = store(tmp_path / "faces", "afew-va")
    settings = CROSS.model_copy(update={"train_dataset": "afewva"})
    with pytest.raises(MtclarError, match="did you mean 'afew-va'"):
        split.run(settings, faces=[faces], out=tmp_path / "out")
    with pytest.raises(MtclarError, match="nowhere: expected a faces store"):
        split.run(SETTINGS, faces=[tmp_path / "nowhere"], out=tmp_path / "out")


def test_without_hard_links_the_crops_are_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("mtclar.data.regroup.os.link", refuse)
    split.run(SETTINGS, faces=[store(tmp_path / "faces")], out=tmp_path / "fold")
    assert len(FacesStore(tmp_path / "fold")) == 24
    assert not (tmp_path / "fold" / "crops-00000.arrow").samefile(tmp_path / "faces" / "crops-00000.arrow")
