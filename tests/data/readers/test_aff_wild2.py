"""Aff-Wild2's valence-arousal track and its pitfalls."""

import numpy as np
import pytest
from make_video import number, write_video

from mtclar.errors import MtclarError

from .miniatures import picture_bytes, read_all, write

ROOT = "VA_Estimation_Challenge"


def test_lines_label_one_based_pictures_and_invalid_ones_and_gaps_are_skipped(tmp_path):
    files = {f"{ROOT}/Train_Set/a.txt": "valence,arousal\n0.1,0.2\n-5,-5\n0.3,0.4\n0.5,-0.6\n"}
    files |= {f"cropped_aligned/a/{n:05d}.jpg": picture_bytes() for n in (1, 2, 4)}
    found, notes = read_all(write(tmp_path, files), "aff-wild2", fps=10.0)
    assert [(r.frame, r.valence, r.arousal, r.time_s) for r in found] == [(0, 0.1, 0.2, 0.0), (3, 0.5, -0.6, 0.3)]
    assert found[1].name == "cropped_aligned/a/00004.jpg"
    assert found[1].box == (6, 4, 36, 24)
    assert notes.skipped == {"not valid (-5)": 1, "no face picture of the frame": 1}


def test_left_and_right_are_two_people_of_one_split_and_the_validation_set_is_the_test_split(tmp_path):
    text = "valence,arousal\n0.1,0.2\n"
    files = {f"{ROOT}/Train_Set/v{i}{side}.txt": text for i in range(6) for side in ("_left", "_right")}
    files[f"{ROOT}/Validation_Set/w.txt"] = text
    files |= {f"c/v{i}{side}/00001.jpg": picture_bytes() for i in range(6) for side in ("_left", "_right")}
    files["c/w/00001.jpg"] = picture_bytes()
    found, _ = read_all(write(tmp_path, files), "aff-wild2", validation=0.3)
    splits = {record.clip_id: record.split for record in found}
    assert splits["w"] == "test"
    assert sorted(splits.values()).count("validation") == 4
    assert all(splits[f"v{i}_left"] == splits[f"v{i}_right"] for i in range(6))
    assert len({record.subject_id for record in found}) == 13


def test_without_pictures_the_video_itself_is_read_and_the_side_is_kept(tmp_path):
    lines = "\r\n".join(["valence,arousal", *(f"{i / 10},0" for i in range(5)), "-5,-5", "0.9,0"])
    write(tmp_path, {f"{ROOT}/Train_Set/b_right.txt": lines})
    (tmp_path / "batch1").mkdir()
    write_video(tmp_path / "batch1" / "b.mp4", range(0, 320, 40))
    found, _ = read_all(tmp_path, "aff-wild2")
    assert [record.frame for record in found] == [0, 1, 2, 3, 4, 6]
    assert [number(record.load()) for record in found] == [0, 1, 2, 3, 4, 6]
    assert found[-1].valence == 0.9
    assert {record.side for record in found} == {"right"}
    assert np.all(np.diff([record.time_s for record in found]) > 0)


def test_other_tracks_are_left_out_and_a_track_without_pictures_is_listed(tmp_path):
    files = {
        f"{ROOT}/Train_Set/a.txt": "valence,arousal\n0.1,0.2\n",
        f"{ROOT}/Train_Set/gone.txt": "valence,arousal\n0.1,0.2\n",
        "EXPR_Recognition_Challenge/Train_Set/a.txt": "Neutral,Anger\n1\n",
        "c/a/00001.jpg": picture_bytes(),
    }
    found, notes = read_all(write(tmp_path, files), "aff-wild2")
    assert len(found) == 1
    assert notes.skipped == {"not a valence-arousal track": 1}
    assert [name for name, _ in notes.unreadable] == [f"{ROOT}/Train_Set/gone.txt"]


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="Train_Set"):
        read_all(write(tmp_path, {"a.txt": "x"}), "aff-wild2")
