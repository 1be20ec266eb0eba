import numpy as np
import pytest

from mtclar.data.anchors import read_anchors
from mtclar.errors import MtclarError

HEAD = "video_id,frame,valence,arousal\n"
TIMES = np.arange(50) / 25


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "anchors.csv"
    path.write_text(text, encoding=encoding)
    return path


def place(tmp_path, text, video="clip"):
    return read_anchors(write(tmp_path, text)).match([video]).on_frames(video, TIMES)


def test_anchors_come_in_the_order_of_their_frames(tmp_path):
    placed = place(tmp_path, HEAD + "clip,30,0.5,-0.25\n\nclip,2,-1,1\n")
    np.testing.assert_array_equal(placed.frames, [2, 30])
    np.testing.assert_array_equal(placed.labels, [[-1, 1], [0.5, -0.25]])
    assert placed.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffvideo_id , Frame, Valence , arousal, mood\n clip , 7 , 0.5, 0.25, glad\n",
        "video_id;frame;valence;arousal\nclip;7;0,5;0,25\n",
        "video_id\tframe\tvalence\tarousal\nclip.mp4\t7\t0.5\t0.25\n",
        "arousal,valence,time_s,video_id\n0.25,0.5,0.285,clip\n",
    ],
    ids=["byte order mark, spaces and other columns", "semicolons and decimal commas", "tabs and a suffix", "times"],
)
def test_files_as_spreadsheets_write_them_are_understood(tmp_path, text):
    placed = place(tmp_path, text)
    np.testing.assert_array_equal(placed.frames, [7])
    np.testing.assert_array_equal(placed.labels, [[0.5, 0.25]])


def test_where_frame_and_time_are_given_the_frame_wins_and_it_is_said(tmp_path):
    anchors = read_anchors(write(tmp_path, "video_id,frame,time_s,valence,arousal\nclip,7,1.9,0,0\n"))
    assert anchors.on_frames("clip", TIMES).frames.tolist() == [7]
    assert "the frame was used" in anchors.notes[0]


def test_two_annotators_of_a_frame_are_averaged_by_weight_and_it_is_said(tmp_path):
    head = "video_id,frame,valence,arousal,annotator,weight\n"
    placed = place(tmp_path, head + "clip,7,0.8,0.0,ann,3\nclip,7,0.4,0.4,bob,1\n")
    np.testing.assert_allclose(placed.labels, [[0.7, 0.1]])
    assert placed.weights.tolist() == [4.0]
    assert "2 annotators" in placed.notes[0]


def test_the_same_line_twice_counts_once(tmp_path):
    assert len(place(tmp_path, HEAD + "clip,7,0.5,0.5\nclip.mp4,7,0.5,0.5\n").frames) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (HEAD, "no line"),
        ("video_id,frame,valence\nclip,1,0\n", "'arousal' is missing"),
        ("video_id,valence,arousal\nclip,0,0\n", "'frame' or 'time_s' is missing"),
        ("video_id,frame,valence,valence,arousal\nclip,0,0,0,0\n", "'valence' is there twice"),
        (HEAD + "clip,1,0,0\nclip,2,nan,0\n", "line 3: valence is nan"),
        (HEAD + "clip,1,,0\n", "line 2: valence is not given"),
        (HEAD + "clip,1,0\n", "line 2: arousal is not given"),
        (HEAD + "clip,1,0,1.5\n", "line 2: arousal is 1.5, expected a value from -1 to 1"),
        (HEAD + "clip,1,glad,0\n", "line 2: valence is 'glad', expected a number"),
        (HEAD + "clip,-3,0,0\n", "line 2: frame is -3"),
        (HEAD + "clip,1.5,0,0\n", "line 2: frame is 1.5, expected a whole number"),
        (HEAD + "clip,,0,0\n", "line 2: neither frame nor time_s"),
        (HEAD + ",1,0,0\n", "line 2: no video_id"),
        ("video_id,time_s,valence,arousal\nclip,-0.5,0,0\n", "line 2: time_s is -0.5"),
        (HEAD + "clip,1,0,0\nclip,1,0.5,0\n", "line 3: contradicts line 2"),
        (HEAD + "clip,1,0,0\nclipp,1,0,0\n", "line 3: unknown video 'clipp' .did you mean 'clip'"),
        (HEAD + "clip,50,0,0\n", "line 2: frame 50 is out of range, 'clip' has 50 frames .0 to 49"),
        ("video_id,time_s,valence,arousal\nclip,2.5,0,0\n", "line 2: time 2.5 s is out of range"),
        (
            "video_id,frame,time_s,valence,arousal\nclip,7,,0,0\nclip,,0.28,1,0\n",
            "line 3: contradicts line 2",
        ),
        ("video_id,frame,valence,arousal,weight\nclip,1,0,0,0\n", "line 2: weight is 0"),
        (
            "video_id,frame,valence,arousal,weight\nclip,1,0,0,1e308\n",
            "line 2: weight is 1e.308, expected a number from 1e-06 to",
        ),
        (HEAD + "clip,1,0,1,0,2\n", "line 2: has 6 values under 4 columns; write a decimal point"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path, text, says):
    with pytest.raises(MtclarError, match=says) as caught:
        place(tmp_path, text)
    assert "anchors.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(MtclarError, match="cannot be read"):
        read_anchors(tmp_path / "gone.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(MtclarError, match="not UTF-8"):
        read_anchors(tmp_path / "picture.csv")


def test_a_video_without_a_line_of_its_own_is_refused(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0,0\n")).match(["clip", "other"])
    with pytest.raises(MtclarError, match="no anchors for the video 'other'"):
        anchors.on_frames("other", TIMES)


def test_of_many_unknown_videos_only_a_few_names_are_listed(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "zzz,1,0,0\n"))
    with pytest.raises(MtclarError) as caught:
        anchors.match([f"clip{i:04d}" for i in range(1000)])
    assert len(str(caught.value)) < 400


def test_anchors_of_another_track_or_person_are_known_and_refused_by_their_line(tmp_path):
    head = "video_id,frame,valence,arousal,track_id,person_id\n"
    rows = "clip,1,0,0,,\nclip,1,0.5,0,1,bob\nclip,2,0,0,0,ann\nclip,3,0.1,0,,bob\nclip,4,0,0,,ann\n"
    anchors = read_anchors(write(tmp_path, head + rows)).match(["clip"])
    found = anchors.foreign("clip")
    assert list(found) == [3, 5]
    assert "track 1" in found[3]
    assert "shows 'bob'" in found[5]
    assert "line 4" in found[5]
    placed = anchors.on_frames("clip", TIMES)
    assert placed.frames.tolist() == [1, 1, 2, 3, 4]
    assert placed.own.tolist() == [True, False, True, False, True]
    with pytest.raises(MtclarError, match=r"line 3: belongs to track 1, but .* label\.foreign_anchors"):
        anchors.refuse_foreign("clip")


def test_anchors_that_name_no_track_or_person_are_of_the_face_followed(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0,0\nclip,2,0,0\n")).match(["clip"])
    anchors.refuse_foreign("clip")
    assert anchors.on_frames("clip", TIMES).own.all()
