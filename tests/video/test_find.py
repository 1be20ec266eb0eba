from pathlib import Path

import pytest
from make_video import numbered, write_video

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.video import find_videos, passed_over, video_ids


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


def test_pictures_numbered_after_a_name_count_as_one_video_if_evenly_spaced(tmp_path):
    for number in (5, 10, 15):
        touch(tmp_path / "even" / f"out-{number:03d}.jpg")
    for number in (7133, 7134, 7140):
        touch(tmp_path / "camera" / f"IMG_{number}.JPG")
    touch(tmp_path / "even" / "cover.jpg")
    assert find_videos([tmp_path]) == [tmp_path / "even"]
    assert find_videos([tmp_path / "camera"]) == [tmp_path / "camera"]


def test_what_looks_like_a_video_and_is_not_taken_is_listed_with_what_helps(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", [0, 40])
    (tmp_path / "b.dat").write_bytes(clip.read_bytes())
    (tmp_path / "export").write_bytes(write_video(tmp_path / "x.mkv", [0, 40]).read_bytes())
    write_gif(tmp_path / "a.gif")
    write_gif(tmp_path / "below" / "c.gif")
    (tmp_path / "notes.txt").write_text("GIF8 is no video here", encoding="utf-8")
    touch(tmp_path / "anchors.csv")
    assert find_videos([tmp_path]) == [clip, tmp_path / "x.mkv"]
    sentences = passed_over([tmp_path])
    assert len(sentences) == 4
    for said, (name, ending) in zip(
        sentences, [("export", "without"), ("b.dat", ".dat"), ("a.gif", ".gif"), ("c.gif", ".gif")], strict=True
    ):
        assert name in said
        assert ending in said
        assert "name the file itself" in said
    assert passed_over([tmp_path, tmp_path / "b.dat", tmp_path / "a.gif"]) == [sentences[0], sentences[3]]
    assert passed_over([clip]) == []


def test_numbered_pictures_that_are_not_taken_are_listed_with_what_helps(tmp_path):
    write_video(tmp_path / "clip.mp4", [0, 40])
    for number in (1, 2, 3):
        (tmp_path / f"out-{number:03d}.jpg").write_bytes(encode(numbered(number), 90))
    for number in (7133, 7134, 7140):
        touch(tmp_path / "camera" / f"IMG_{number}.JPG")
    touch(tmp_path / "taken" / "00000.png")
    beside, uneven = passed_over([tmp_path])
    assert "3 numbered pictures (out-001.jpg, ...)" in beside
    assert "folder of their own" in beside
    assert "not evenly spaced; name the folder itself" in uneven


def test_a_folder_of_nothing_but_other_files_says_what_they_are(tmp_path):
    write_gif(tmp_path / "a.gif")
    with pytest.raises(MtclarError, match=r"1 file \(a\.gif\) passed over"):
        find_videos([tmp_path])


def write_gif(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    write_video(path, [0, 4], codec="gif")
