from pathlib import Path

import pytest

from mtclar.errors import MtclarError
from mtclar.video import find_videos, video_ids


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_means_the_videos_in_it_at_any_depth_in_order(tmp_path):
    expected = [touch(tmp_path / name) for name in ("a.MP4", "b/c.mkv", "d.mov", "e.mts")]
    for name in (".hidden.mp4", "notes.txt", "b/picture.png"):
        touch(tmp_path / name)
    assert find_videos([tmp_path]) == expected


def test_a_folder_of_numbered_pictures_counts_as_one_video(tmp_path):
    touch(tmp_path / "001" / "00000.png")
    touch(tmp_path / "001" / "00001.png")
    assert find_videos([tmp_path]) == [tmp_path / "001"]


def test_a_file_named_twice_counts_once_and_a_missing_one_is_kept_for_the_reader_to_refuse(tmp_path):
    clip, gone = touch(tmp_path / "clip.mp4"), tmp_path / "gone.mp4"
    assert find_videos([clip, gone, tmp_path]) == [clip, gone]


def test_a_file_named_by_two_paths_counts_once(tmp_path, monkeypatch):
    clip = touch(tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    assert find_videos(["clip.mp4", clip, "../" + tmp_path.name]) == [Path("clip.mp4")]


def test_a_link_back_to_a_folder_above_is_not_followed(tmp_path):
    clip = touch(tmp_path / "a" / "clip.mp4")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert find_videos([tmp_path]) == [clip]


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="no video in this folder"):
        find_videos([tmp_path])


def test_a_video_is_called_by_its_name_without_suffix(tmp_path):
    assert video_ids([tmp_path / "my.first.clip.mp4"]) == {tmp_path / "my.first.clip.mp4": "my.first.clip"}


def test_twins_are_called_by_the_path_that_tells_them_apart(tmp_path):
    paths = [
        tmp_path / "mon/clip.mp4",
        tmp_path / "tue/clip.mp4",
        tmp_path / "tue/other.mp4",
        tmp_path / "tue/clip.mov",
    ]
    assert list(video_ids(paths).values()) == ["mon/clip", "tue/clip.mp4", "other", "tue/clip.mov"]
