"""AffectNet's npy release and its pitfalls."""

import numpy as np
import pytest

from mtclar.errors import MtclarError

from .miniatures import face_landmarks, npy_bytes, npy_item, picture_bytes, read_all, write, write_zip


def test_the_same_number_in_both_folders_means_two_pictures(tmp_path):
    data = write(tmp_path, {**npy_item("train_set/0", 1, 0.5, 0.1), **npy_item("val_set/0", 2, -0.5, 0.2)})
    found, _ = read_all(data, "affectnet-npy", validation=0.0)
    assert [(r.face_id, r.split, r.expression) for r in found] == [
        ("affectnet/train_set/0", "train", "happy"),
        ("affectnet/val_set/0", "test", "sad"),
    ]
    assert found[0].subject_id != found[1].subject_id


@pytest.mark.parametrize(
    "value",
    [0.25, [0.25], "0.25", [[0.25]], np.float32(0.25), b"0.25"],
    ids=["0-d", "1-d", "text", "2-d", "f32", "bytes"],
)
def test_a_scalar_is_read_whatever_its_shape_and_type(tmp_path, value):
    found, _ = read_all(write(tmp_path, npy_item("train_set/7", "3", value, value)), "affectnet-npy")
    assert (found[0].expression, found[0].valence, found[0].arousal) == ("surprise", 0.25, 0.25)


def test_landmarks_of_136_values_become_68_points(tmp_path):
    points = face_landmarks()
    found, _ = read_all(write(tmp_path, npy_item("train_set/7", 0, 0, 0, points.ravel())), "affectnet-npy")
    assert np.allclose(found[0].landmarks, points)


def test_numbers_with_gaps_come_in_order_of_number(tmp_path):
    files = {}
    for number in (10, 9, 200):
        files |= npy_item(f"train_set/{number}", 0, 0, 0)
    found, _ = read_all(write(tmp_path, files), "affectnet-npy")
    assert [record.face_id.rsplit("/", 1)[1] for record in found] == ["9", "10", "200"]


def test_what_is_missing_or_marked_as_unknown_is_left_out_and_counted(tmp_path):
    files = {
        **npy_item("train_set/0", 9, -2, -2),
        **npy_item("train_set/1", 8, 0.1, 0.2),
        **npy_item("train_set/2", 4, -2.0, -2.0),
        **npy_item("train_set/3", 5, None, None),
        "train_set/images/4.jpg": picture_bytes(),
        "train_set/annotations/5_exp.npy": npy_bytes(1),
    }
    found, notes = read_all(write(tmp_path, files), "affectnet-npy")
    assert (found[0].expression, found[0].valence) == (None, 0.1)
    assert [record.expression for record in found[1:]] == ["fear", "disgust"]
    assert all(np.isnan(record.valence) and np.isnan(record.arousal) for record in found[1:])
    assert notes.skipped == {"no labels": 1, "neither expression nor affect": 1}
    assert notes.unreadable == [("train_set/images/5.jpg", "the picture is missing")]


def test_a_pickled_or_broken_array_is_listed_and_never_unpickled(tmp_path):
    files = {**npy_item("train_set/0", 1, 0.1, 0.2), **npy_item("train_set/1", 1, 0.1, 0.2)}
    files |= npy_item("train_set/2", 1, 0.1, 0.2)
    files["train_set/annotations/1_val.npy"] = npy_bytes({"a": 1}, dtype=object)
    files["train_set/annotations/2_aro.npy"] = b"\x93NUMPY\x01"
    found, notes = read_all(write(tmp_path, files), "affectnet-npy")
    assert [record.face_id for record in found] == ["affectnet/train_set/0"]
    assert [name for name, _ in notes.unreadable] == ["train_set/images/1.jpg", "train_set/images/2.jpg"]


def test_zips_read_like_folders(tmp_path):
    write_zip(tmp_path / "train_set.zip", npy_item("train_set/0", 1, 0.5, 0.1))
    bare = {name.removeprefix("val_set/"): content for name, content in npy_item("val_set/3", 6, 0.5, 0.1).items()}
    write_zip(tmp_path / "val_set.zip", bare)
    found, _ = read_all(tmp_path, "affectnet-npy")
    assert [record.face_id for record in found] == ["affectnet/train_set/0", "affectnet/val_set/3"]
    assert found[1].load().shape == (32, 48, 3)


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="train_set"):
        read_all(write(tmp_path, {"images/0.jpg": picture_bytes()}), "affectnet-npy")
