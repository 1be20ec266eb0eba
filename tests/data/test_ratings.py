"""Ratings of clips and pictures: which files are read, and what is wrong with them in one sentence."""

import re

import pytest

from mtclar.data.ratings import find_ratings
from mtclar.errors import MtclarError


@pytest.fixture
def folder(tmp_path):
    """Two videos (only their names matter here), one of them rated, and anchors that are no ratings."""
    for name in ("a.mp4", "b.mov"):
        (tmp_path / name).write_bytes(b"video")
    (tmp_path / "a_labels.csv").write_text("frame,valence,arousal\n0,0.1,-0.2\n5,0.3,0.4\n")
    (tmp_path / "b_anchors.csv").write_text("video_id,frame,valence,arousal\nb,0,0,0\n")
    return tmp_path


def test_ratings_beside_a_video_are_its_own_and_other_videos_are_listed_as_unrated(folder):
    found = find_ratings(folder)
    ((path, (name, marks)),) = found.clips.items()
    assert (path, name) == (folder / "a.mp4", "a")
    assert [(row.frame, row.valence, row.arousal) for row in marks.of("a")] == [(0, 0.1, -0.2), (5, 0.3, 0.4)]
    assert (found.unrated, found.pictures) == (("b",), ())


def test_one_file_may_rate_all_videos_by_time_and_a_suffix_is_dropped(folder):
    (folder / "a_labels.csv").unlink()
    (folder / "labels.csv").write_text("video_id;time_s;valence;arousal\na.mp4;0,5;0,25;0\nb;0;0;0\n")
    found = find_ratings(folder)
    assert sorted(name for name, _ in found.clips.values()) == ["a", "b"]
    (row,) = found.clips[folder / "a.mp4"][1].of("a")
    assert (row.time_s, row.valence) == (0.5, 0.25)


def test_ratings_lie_at_any_depth_and_twins_are_told_apart_by_their_folder(folder):
    (folder / "more").mkdir()
    (folder / "more" / "a.mp4").write_bytes(b"video")
    (folder / "more" / "a_labels.csv").write_text("frame,valence,arousal\n1,0.9,0.9\n")
    found = find_ratings(folder)
    assert sorted(name for name, _ in found.clips.values()) == ["a", "more/a"]
    assert found.clips[folder / "more" / "a.mp4"][1].of("more/a")[0].valence == 0.9


def test_pictures_are_rated_by_file_name_and_numbered_ones_are_not_taken_for_a_video(folder):
    portraits = folder / "portraits"
    portraits.mkdir()
    for name in ("001.jpg", "002.jpg"):
        (portraits / name).write_bytes(b"picture")
    (portraits / "labels.csv").write_text("picture,valence,arousal,person_id\n001.jpg,0.5,0,anna\n002.jpg,-0.5,0,\n")
    found = find_ratings(folder)
    assert [(p.path.name, p.valence, p.person_id) for p in found.pictures] == [
        ("001.jpg", 0.5, "anna"),
        ("002.jpg", -0.5, ""),
    ]
    assert found.unrated == ("b",)


def test_a_folder_of_pictures_alone_needs_no_video(tmp_path):
    (tmp_path / "p.jpg").write_bytes(b"picture")
    (tmp_path / "labels.csv").write_text("picture,valence,arousal\np.jpg,0.5,0\n")
    found = find_ratings(tmp_path)
    assert (len(found.pictures), found.clips) == (1, {})


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a_labels.csv", "frame,valence,arousal\n0,1.5,0\n", "line 2: valence is 1.5, expected a value from -1 to 1"),
        ("a_labels.csv", "frame,valence,arousal\n0,much,0\n", "line 2: valence is 'much', expected a number"),
        ("a_labels.csv", "frame,valence,arousal\n0,nan,0\n", "no line gives both valence and arousal"),
        ("a_labels.csv", "frame,valence\n0,0\n", "the column 'arousal' is missing"),
        ("a_labels.csv", "valence,arousal\n0,0\n", "the column 'frame' or 'time_s' is missing"),
        ("a_labels.csv", "", "the file of ratings is empty"),
        ("a_labels.csv", "frame,valence,arousal\n", "has a header but no line"),
        ("a_labels.csv", "frame,valence,arousal\n3,0,0\n3,0.5,0\n", "line 3: contradicts line 2"),
        ("c_labels.csv", "frame,valence,arousal\n0,0,0\n", "no video 'c' beside it"),
        ("labels.csv", "frame,valence,arousal\n0,0,0\n", "names neither a video nor a picture"),
        ("labels.csv", "video_id,frame,valence,arousal\nz,0,0,0\n", "line 2: unknown video 'z'"),
        ("labels.csv", "video_id,frame,valence,arousal\na,0,0,0\n", "rates 'a', which .* rates too"),
        ("labels.csv", "picture,valence,arousal\nno.jpg,0,0\n", "line 2: no picture 'no.jpg' lies beside the file"),
        ("labels.csv", "picture,valence\nb.mov,0\n", "the column 'arousal' is missing"),
        ("labels.csv", "picture,valence,arousal\nb.mov,0,0\nb.mov,0,0\n", "line 3: rates 'b.mov' a second time"),
        ("labels.csv", "picture,valence,arousal\n,0,0\n", "line 2: no picture is named"),
    ],
)
def test_a_file_of_ratings_that_is_wrong_is_refused_in_one_sentence(folder, name, content, says):
    (folder / name).write_text(content)
    if name == "c_labels.csv":
        (folder / "a_labels.csv").unlink()
    with pytest.raises(MtclarError, match=says) as caught:
        find_ratings(folder)
    assert re.match(rf"{re.escape(str(folder / name))}\b", str(caught.value))
    assert "\n" not in str(caught.value)


def test_a_folder_without_any_rating_or_none_at_all_is_refused(folder):
    (folder / "a_labels.csv").unlink()
    with pytest.raises(MtclarError, match="nothing in it is rated"):
        find_ratings(folder)
    with pytest.raises(MtclarError, match="no such folder"):
        find_ratings(folder / "nowhere")


def test_ratings_are_read_as_anchors_are_on_any_scale_and_in_any_dialect(folder):
    (folder / "a_labels.csv").unlink()
    (folder / "A_labels.tsv").write_bytes("time\tv\ta\r\n0:00,5\t75\t\u221250\r\n0:01\tNA\t0\r\n".encode("utf-16"))
    found = find_ratings(folder, (-100, 100))
    ((path, (name, marks)),) = found.clips.items()
    assert (path, name) == (folder / "a.mp4", "a")
    assert [(row.time_s, row.valence, row.arousal) for row in marks.of("a")] == [(0.5, 0.75, -0.5)]
    assert "left out 1 line of A_labels.tsv" in found.notes[-1]


def test_a_spreadsheet_of_ratings_is_named_unless_it_was_saved_as_csv_too(folder):
    (folder / "a_labels.xlsx").write_bytes(b"PK")
    assert find_ratings(folder).notes == ()
    (folder / "b_labels.xlsx").write_bytes(b"PK")
    (note,) = find_ratings(folder).notes
    assert "b_labels.xlsx was left out, as it is a spreadsheet: save it as CSV" in note


def test_pictures_without_a_rating_are_left_out_and_counted(tmp_path):
    for name in ("p.jpg", "q.jpg"):
        (tmp_path / name).write_bytes(b"picture")
    (tmp_path / "labels.csv").write_text("image;valence;arousal\np.jpg;0,5;0\nq.jpg;;0\n")
    found = find_ratings(tmp_path)
    assert [(picture.path.name, picture.valence) for picture in found.pictures] == [("p.jpg", 0.5)]
    assert any("left out 1 picture of" in note for note in found.notes)
