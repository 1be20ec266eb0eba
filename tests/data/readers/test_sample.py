"""The sample's index: who is seen where."""

import json
import zipfile

import pytest

from mtclar.data.readers import content_revision
from mtclar.errors import MtclarError
from mtclar.settings import load_settings

from .miniatures import afew_clip, npy_item, read_all, write, write_zip

INDEX = {
    "schema_version": 1,
    "people": {"p0": {"split": "train"}, "p1": {"split": "test"}, "p2": {"split": "validation"}},
    "pictures": {"train_set/12": "p0", "train_set/13": "p2", "val_set/12": "p1"},
    "clips": {"001": {"person_id": "p1", "fps": 20.0}},
    "videos": {},
}


def sample(root, index=INDEX):
    pictures = {**npy_item("train_set/12", 1, 0.5, 0.1), **npy_item("train_set/13", 2, -0.5, 0.1)}
    write_zip(root / "affectnet" / "train_set.zip", pictures)
    write_zip(root / "affectnet" / "val_set.zip", npy_item("val_set/12", 3, 0.1, 0.9))
    write_zip(root / "afew-va" / "01.zip", afew_clip("01/001", {"00000": (1, 2), "00001": (1, 2)}, actor="p1"))
    return write(root, {"sample.json": json.dumps(index), "videos/a.mp4": b"x"})


def test_its_revision_is_that_of_what_is_learned_from_wherever_it_lies_packed_or_not(tmp_path):
    crop = load_settings().crop
    sample(tmp_path / "a" / "sample")
    first = content_revision(tmp_path / "a", crop)
    assert content_revision(tmp_path / "a" / "sample", crop) == first
    (tmp_path / "a" / "sample" / "videos" / "a.mp4").write_bytes(b"y")
    assert content_revision(tmp_path / "a", crop) == first, "videos are there to be labelled"
    packed = tmp_path / "a" / "sample" / "afew-va" / "01.zip"
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(packed.parent)
    packed.unlink()
    assert content_revision(tmp_path / "a", crop) == first
    index = tmp_path / "a" / "sample" / "sample.json"
    index.write_text(index.read_text() + " ")
    assert content_revision(tmp_path / "a", crop) != first


@pytest.mark.parametrize("inside", ["", "sample"], ids=["the folder itself", "its parent"])
def test_people_and_splits_come_from_the_index(tmp_path, inside):
    sample(tmp_path / inside)
    found, notes = read_all(tmp_path, "sample")
    assert [(r.face_id, r.subject_id, r.split) for r in found] == [
        ("sample/train_set/12", "p0", "train"),
        ("sample/train_set/13", "p2", "validation"),
        ("sample/val_set/12", "p1", "test"),
        ("sample/001/00000", "p1", "test"),
        ("sample/001/00001", "p1", "test"),
    ]
    assert found[-1].time_s == 0.05
    assert found[-1].expression is None
    assert not notes.unreadable


@pytest.mark.parametrize("top", ["", "people/"], ids=["its content alone", "with its folder"])
def test_a_sample_may_be_one_zip(tmp_path, top):
    picture = npy_item("train_set/12", 1, 0.5, 0.1)
    files = {f"{top}affectnet/{name}": content for name, content in picture.items()}
    archive = write_zip(tmp_path / "people.zip", {**files, f"{top}sample.json": json.dumps(INDEX)})
    found, _ = read_all(archive, "sample")
    assert [r.face_id for r in found] == ["sample/train_set/12"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"pictures": {}}, "who is seen in pictures 'train_set/12'"),
        ({"clips": {"001": "p9"}}, "who is seen in clips '001'"),
        ({"people": {"p0": {"split": "training"}}}, "'training', not one of train, validation, test"),
        ({"people": []}, "not the index of a sample"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(tmp_path, change, sentence):
    with pytest.raises(MtclarError, match=sentence):
        read_all(sample(tmp_path, {**INDEX, **change}), "sample")


def test_a_folder_without_an_index_says_how_to_get_one(tmp_path):
    with pytest.raises(MtclarError, match="dvc pull"):
        read_all(write(tmp_path, {"a.txt": "x"}), "sample")
    with pytest.raises(MtclarError, match="no such data folder"):
        read_all(tmp_path / "nowhere", "sample")
