"""AFEW-VA and its pitfalls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.data.readers.afew_va import stretch
from mtclar.errors import MtclarError

from .miniatures import afew_clip, face_landmarks, picture_bytes, read_all, write, write_zip


def test_a_clip_gives_its_frames_in_order_with_labels_in_tenths(tmp_path):
    data = write(tmp_path, afew_clip("01/001", {"00001": (3, -10), "00000": (-2.0, 0)}))
    found, _ = read_all(data, "afew-va", fps=20.0)
    assert [(r.frame, r.pts, r.time_s, r.valence, r.arousal) for r in found] == [
        (0, 0, 0.0, -0.2, 0.0),
        (1, 1, 0.05, 0.3, -1.0),
    ]
    assert [record.face_id for record in found] == ["afew-va/001/00000", "afew-va/001/00001"]
    assert {record.clip_id for record in found} == {"001"}
    assert np.allclose(found[0].landmarks, face_landmarks())


def test_a_clip_that_counts_from_one_and_has_further_keys_starts_at_frame_zero(tmp_path):
    data = write(tmp_path, afew_clip("01/002", {"00001": (1, 1), "00002": (2, 2)}, emotion="Happy"))
    found, _ = read_all(data, "afew-va")
    assert [record.frame for record in found] == [0, 1]
    assert [record.name for record in found] == ["01/002/00001.png", "01/002/00002.png"]


def test_a_clip_whose_first_frame_merely_lacks_its_label_still_starts_at_zero(tmp_path):
    files = {**afew_clip("001", {"00001": (1, 1)}), "001/00000.png": picture_bytes(".png")}
    found, notes = read_all(write(tmp_path, files), "afew-va")
    assert [record.frame for record in found] == [1]
    assert notes.skipped == {"no label": 1}


def test_frames_without_label_are_skipped_and_without_picture_listed(tmp_path):
    files = afew_clip("01/003", {"00000": (1, 1), "00001": (None, 2), "00002": ("x", 2), "00003": (4, 4)})
    del files["01/003/00003.png"]
    found, notes = read_all(write(tmp_path, files), "afew-va")
    assert [record.frame for record in found] == [0]
    assert notes.skipped == {"no label": 2}
    assert notes.unreadable == [("01/003/00003", "the picture is missing")]


def test_png_is_preferred_to_jpg_and_cropped_folders_are_ignored(tmp_path):
    files = {**afew_clip("001", {"00000": (1, 1)}), "001/00000.jpg": picture_bytes(".jpg")}
    files |= {name.replace("001", "001_cropped", 1): content for name, content in files.items()}
    files |= afew_clip("002", {"00000": (1, 1)}, suffix=".jpg")
    found, _ = read_all(write(tmp_path, files), "afew-va")
    assert [record.name for record in found] == ["001/00000.png", "002/00000.jpg"]


def test_zips_folders_and_flattened_clips_read_alike(tmp_path):
    clip = {"00000": (1, 1)}
    write_zip(tmp_path / "zips" / "01.zip", afew_clip("01/001", clip))
    write_zip(tmp_path / "bare" / "01.zip", afew_clip("001", clip))
    write(tmp_path / "flat", afew_clip("001", clip))
    for folder in ("zips", "bare", "flat"):
        found, _ = read_all(tmp_path / folder, "afew-va")
        assert [record.face_id for record in found] == ["afew-va/001/00000"]
        assert found[0].load().shape == (32, 48, 3)


def test_an_actor_stands_in_one_split_whatever_the_clip_and_is_never_named(tmp_path):
    files = {}
    for clip in range(1, 13):
        files |= afew_clip(
            f"{clip:03d}", {"00000": (1, 1)}, actor=["Ann Bee", "Cy Dee", "Eve Eff", "Gus Hay"][clip % 4]
        )
    files |= afew_clip("013", {"00000": (1, 1)}, actor=" ann  bee")
    files |= afew_clip("014", {"00000": (1, 1)}, actor="")
    found, _ = read_all(write(tmp_path, files), "afew-va", validation=0.2, test=0.2)
    splits: dict[str, set[str]] = {}
    for record in found:
        splits.setdefault(record.subject_id, set()).add(record.split)
    assert len(splits) == 5
    assert all(len(names) == 1 for names in splits.values())
    assert {"train", "validation", "test"} == set().union(*splits.values())
    by_clip = {record.clip_id: record.subject_id for record in found}
    assert by_clip["004"] == by_clip["008"] == by_clip["013"]
    assert not any("ann" in subject.lower() or "bee" in subject.lower() for subject in splits)


@pytest.mark.parametrize("text", ["{", "[1]", '{"frames": []}', '{"frames": {"first": {}}}'])
def test_a_broken_annotation_costs_its_clip_only(tmp_path, text):
    files = {**afew_clip("001", {"00000": (1, 1)}), "002/002.json": text, "002/00000.png": picture_bytes(".png")}
    found, notes = read_all(write(tmp_path, files), "afew-va")
    assert [record.clip_id for record in found] == ["001"]
    assert [name for name, _ in notes.unreadable] == ["002/002.json"]


def test_a_clip_that_is_there_twice_is_read_once(tmp_path):
    files = {**afew_clip("001", {"00000": (1, 1)}), **afew_clip("01/001", {"00000": (1, 1)})}
    found, notes = read_all(write(tmp_path, files), "afew-va")
    assert len(found) == 1
    assert notes.skipped == {"clip found twice": 1}


def test_landmarks_measured_720_wide_are_moved_onto_pictures_960_wide(tmp_path):
    true = face_landmarks(600, 200, 150, 160)
    data = write(tmp_path, afew_clip("001", {"00000": (1, 1)}, size=(960, 576), landmarks=true * (0.75, 1)))
    found, _ = read_all(data, "afew-va")
    assert np.allclose(found[0].landmarks, true)


def test_landmarks_beyond_the_border_were_measured_in_a_wider_frame(tmp_path):
    true = face_landmarks(500, 100, 150, 160)
    data = write(tmp_path, afew_clip("001", {"00000": (1, 1)}, size=(720, 576), landmarks=true * (960 / 720, 1)))
    found, _ = read_all(data, "afew-va")
    assert np.allclose(found[0].landmarks, true)


@given(st.floats(0, 500), st.floats(0.9, 1.1), st.sampled_from([(720, 576), (960, 576), (1280, 720), (176, 144)]))
def test_landmarks_in_the_pictures_own_frame_stay(x, shape, size):
    side = 0.2 * size[0]
    points = face_landmarks(min(x, size[0] - side * shape), 10, side * shape, side)[None]
    assert stretch(points, *size) == 1


def test_narrow_faces_of_a_dvds_own_frame_stay():
    assert stretch(face_landmarks(100, 100, 75, 100)[None], 720, 576) == 1


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="AFEW-VA"):
        read_all(write(tmp_path, {"a.txt": "x"}), "afew-va")
