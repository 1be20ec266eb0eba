import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.data.anchors import given_anchors, parse_range, read_anchors
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
        (HEAD + "clip,2,inf,0\n", "line 2: valence is 'inf', expected a number"),
        (HEAD + "clip,1,,0\n", "no line gives both valence and arousal"),
        (HEAD + "clip,1,0\n", "line 2: arousal is not given"),
        (HEAD + "clip,1,0,1.5\n", "line 2: arousal is 1.5, expected a value from -1 to 1"),
        (HEAD + "clip,1,glad,0\n", "line 2: valence is 'glad', expected a number"),
        (HEAD + "clip,-3,0,0\n", "line 2: frame is -3"),
        (HEAD + "clip,1.5,0,0\n", "line 2: frame is 1.5, expected a whole number"),
        (HEAD + "clip,,0,0\n", "line 2: neither frame nor time_s"),
        (HEAD + ",1,0,0\n", "line 2: no video_id"),
        ("video_id,time_s,valence,arousal\nclip,-0.5,0,0\n", "line 2: time_s is -0.5"),
        (HEAD + "clip,1,0,0\nclip,1,0.5,0\n", "line 3: contradicts line 2"),
        (HEAD + "clipp,1,0,0\n", "line 2: unknown video 'clipp' .did you mean 'clip'"),
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
    with pytest.raises(MtclarError, match="is a picture, not a CSV"):
        read_anchors(tmp_path / "picture.csv")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)))
    with pytest.raises(MtclarError, match="it is not text"):
        read_anchors(tmp_path / "noise.csv")


def test_a_video_without_a_line_of_its_own_has_no_anchors_and_it_is_said(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0,0\n")).match(["clip", "other"])
    assert anchors.of("other") == ()
    placed = anchors.on_frames("other", TIMES)
    assert len(placed) == 0
    assert "holds no anchor of 'other'" in placed.notes[0]


def test_of_many_unknown_videos_only_a_few_names_are_listed(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "zzz,1,0,0\n"))
    with pytest.raises(MtclarError) as caught:
        anchors.match([f"clip{i:04d}" for i in range(1000)])
    assert len(str(caught.value)) < 400


def test_anchors_of_another_track_or_person_are_known_by_their_line(tmp_path):
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


def test_anchors_that_name_no_track_or_person_are_of_the_face_followed(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0,0\nclip,2,0,0\n")).match(["clip"])
    assert anchors.on_frames("clip", TIMES).own.all()


# scales


@pytest.mark.parametrize(
    ("va_range", "values", "expected"),
    [
        ((-100, 100), "55,-100", (0.55, -1)),
        ((1, 9), "5,9", (0, 1)),
        ((0, 100), "50%,75 %", (0, 0.5)),
        ((-10, 10), "-2,3", (-0.2, 0.3)),
        ((-1, 1), "0.1,1.0000001", (0.1, 1)),
    ],
)
def test_values_on_another_scale_are_brought_to_ours(tmp_path, va_range, values, expected):
    (row,) = read_anchors(write(tmp_path, f"{HEAD}clip,1,{values}\n"), va_range=va_range).rows
    assert (row.valence, row.arousal) == expected


@pytest.mark.parametrize(
    ("rows", "scale"),
    [
        ("clip,1,55,-3\nclip,2,-80,95\n", "from -80 to 95: .* such as -100 to 100, give it with --va-range -100,100"),
        ("clip,1,1,9\nclip,2,3,5\n", "--va-range 1,9"),
        ("clip,1,5,4\nclip,2,3,1\n", "--va-range 1,5"),
        ("clip,1,50,0\nclip,2,80,20\n", "--va-range 0,100"),
        ("clip,1,-7,3\n", "--va-range -10,10"),
        ("clip,1,5000,3\n", "if they are on another scale, give it with --va-range LO,HI"),
        ("clip,1,50%,10%\n", "valence is '50%', expected a value from -1 to 1; give the scale with --va-range 0,100"),
    ],
)
def test_values_outside_our_scale_are_refused_with_the_scale_that_would_fit(tmp_path, rows, scale):
    with pytest.raises(MtclarError, match=scale):
        read_anchors(write(tmp_path, HEAD + rows))


def test_values_outside_the_scale_that_was_given_are_refused(tmp_path):
    with pytest.raises(
        MtclarError, match=r"line 2: valence is 120, expected a value from 0 to 100 \(--va-range 0,100\)"
    ):
        read_anchors(write(tmp_path, HEAD + "clip,1,120,5\n"), va_range=(0, 100))


def test_many_values_without_one_below_zero_are_remarked_on(tmp_path):
    rows = "".join(f"clip,{frame},0.{frame},0.5\n" for frame in range(10))
    assert "--va-range 0,1" in read_anchors(write(tmp_path, HEAD + rows)).notes[-1]
    assert read_anchors(write(tmp_path, HEAD + rows), va_range=(0, 1)).notes == ()
    assert read_anchors(write(tmp_path, f"{HEAD}{rows}clip,11,-0.1,0\n")).notes == ()


@pytest.mark.parametrize("text", ["-100,100", " -100 , 100 ", "-100..100", "-100:100", "\u2212100;100", "-1e2 100"])
def test_a_range_is_two_ends(text):
    assert parse_range(text) == (-100, 100)


@pytest.mark.parametrize("text", ["", "5", "9,1", "1,1", "a,b", "0,inf", "1,2,3"])
def test_anything_else_is_no_range(text):
    with pytest.raises(MtclarError, match="expected LO,HI with LO below HI, such as -100,100"):
        parse_range(text)


# which rows


def test_rows_without_a_label_are_left_out_and_counted(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0.5,0\nclip,2,NA,0\nclip,3,,\nclip,4,0.1,NaN\nclip,5,0,0\n"))
    assert [row.frame for row in anchors.rows] == [1, 5]
    assert "left out 3 lines of anchors.csv without valence or arousal (3, 4, 5)" in anchors.notes[0]


def test_rows_of_other_videos_are_left_out_counted_and_named(tmp_path):
    rows = "clip.mp4,1,0,0\n" + "".join(f"p{n}.mp4,1,0,0\np{n}.mp4,2,0,0\n" for n in range(20))
    anchors = read_anchors(write(tmp_path, HEAD + rows)).match(["clip"])
    assert [row.video_id for row in anchors.rows] == ["clip"]
    assert "left out 40 rows of anchors.csv on 20 other videos ('p0.mp4', 'p1.mp4'" in anchors.notes[-1]


def test_a_file_of_other_videos_alone_is_refused_with_the_nearest_names(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clib,1,0,0\nzzz,1,0,0\n"))
    with pytest.raises(
        MtclarError, match=r"line 2: unknown video 'clib' \(did you mean 'clip'\?\), nor is any of 1 other video"
    ):
        anchors.match(["clip", "other"])


def test_the_folder_decides_where_a_file_names_several_videos_alike(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "s01/clip.mp4,1,0,0\ns02/clip.mp4,2,0,0\n"))
    chosen = anchors.match({tmp_path / "s02" / "clip.mp4": "clip"})
    assert [row.frame for row in chosen.rows] == [2]
    with pytest.raises(MtclarError, match=r"'s02/clip.mp4' and 's01/clip.mp4' of line 2 may both be the video 'clip'"):
        anchors.match(["clip"])


def test_a_name_that_may_be_several_videos_is_refused(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "clip,1,0,0\n"))
    with pytest.raises(MtclarError, match="line 2: 'clip' may be 'a/clip' or 'b/clip'; write its folder"):
        anchors.match(["a/clip", "b/clip"])


def test_a_video_of_a_folder_that_was_not_given_is_another_video(tmp_path):
    anchors = read_anchors(write(tmp_path, HEAD + "a/clip,1,0,0\nb/clip,2,0,0\nc/clip,3,0,0\n"))
    chosen = anchors.match(["a/clip", "b/clip"])
    assert [(row.video_id, row.frame) for row in chosen.rows] == [("a/clip", 1), ("b/clip", 2)]
    assert "left out 1 row of" in chosen.notes[0]


# several annotators


def test_two_rows_of_a_frame_without_a_column_of_annotators_are_refused_with_its_name(tmp_path):
    with pytest.raises(MtclarError, match=r"line 3: contradicts line 2, .*; keep one, or say .* column 'annotator'"):
        read_anchors(write(tmp_path, HEAD + "clip,1,0,0\nclip,1,0.5,0\n"))


def test_an_annotator_who_contradicts_herself_is_named(tmp_path):
    with pytest.raises(MtclarError, match=r"line 3: contradicts line 2, .*; keep 'ann' only once"):
        read_anchors(write(tmp_path, "video_id,frame,valence,arousal,rater\nclip,1,0,0,ann\nclip,1,0.5,0,ann\n"))


def test_what_annotators_disagree_on_is_the_noise_of_their_mean(tmp_path):
    head = "video_id,frame,valence,arousal,annotator\n"
    rows = "clip,1,0.5,0,ann\nclip,1,-0.5,0,bob\nclip,2,0.1,0,ann\nclip,2,0.1,0,bob\nclip,3,0,0,ann\n"
    placed = place(tmp_path, head + rows)
    assert placed.frames.tolist() == [1, 2, 3]
    np.testing.assert_allclose(placed.labels[:, 0], [0, 0.1, 0])
    assert placed.noise[0, 0] > placed.noise[1, 0] > placed.noise[1, 1] > 0
    assert placed.noise[2, 0] > placed.noise[1, 0]
    assert placed.lines.tolist() == [2, 4, 6]
    assert "2 annotators ('ann', 'bob') were averaged on 2 frames" in placed.notes[0]


def test_several_times_of_one_annotator_on_one_frame_count_as_one(tmp_path):
    head = "video_id,time_s,valence,arousal,annotator\n"
    rows = "clip,0.40,0.2,0,ann\nclip,0.41,0.5,0,ann\nclip,0.39,0.2,0,ann\nclip,0.40,0.9,0,bob\nclip,0.40,0.9,0,bob\n"
    placed = place(tmp_path, head + rows)
    assert (placed.frames.tolist(), placed.weights.tolist()) == ([10], [2.0])
    np.testing.assert_allclose(placed.labels[0, 0], (0.3 + 0.9) / 2)
    assert "fall on one frame" in placed.notes[0]


def test_the_same_time_twice_with_two_labels_is_a_contradiction(tmp_path):
    with pytest.raises(MtclarError, match="line 3: contradicts line 2"):
        place(tmp_path, "video_id,time_s,valence,arousal\nclip,0.4,0.2,0\nclip,0.40,0.4,0\n")


@settings(max_examples=100, deadline=None)
@given(
    rated=st.dictionaries(
        st.tuples(st.integers(0, 49), st.sampled_from(["ann", "bob", "cem"])),
        st.tuples(st.integers(-100, 100), st.integers(-100, 100), st.integers(1, 5)),
        min_size=1,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(tmp_path_factory, rated, seed):
    rows = [f"clip,{frame},{v / 100},{a / 100},{who},{w}\n" for (frame, who), (v, a, w) in rated.items()]
    head = "video_id,frame,valence,arousal,annotator,weight\n"
    folder = tmp_path_factory.mktemp("order")
    once = place(folder, head + "".join(rows))
    seed.shuffle(rows)
    again = place(folder, head + "".join(rows))
    np.testing.assert_array_equal(once.frames, again.frames)
    for name in ("labels", "weights", "noise"):
        np.testing.assert_allclose(getattr(once, name), getattr(again, name), atol=1e-12)
    frame = int(once.frames[0])
    of_first = np.array([values for (at, _), values in rated.items() if at == frame], float)
    np.testing.assert_allclose(once.labels[0] * 100, of_first[:, 2] @ of_first[:, :2] / of_first[:, 2].sum(), atol=1e-9)


# frames and times


def timed(tmp_path, times, clock="video", offset=0.0, at=TIMES):
    rows = "".join(f"clip,{time},0,0\n" for time in times)
    anchors = read_anchors(write(tmp_path, "video_id,time_s,valence,arousal\n" + rows)).match(["clip"])
    return anchors.on_frames("clip", at, media_offset_s=offset, clock=clock)


def test_times_of_a_player_count_from_the_start_of_the_file(tmp_path):
    assert timed(tmp_path, [0.5, 0.9], clock="media", offset=0.5).frames.tolist() == [0, 10]


def test_a_video_that_starts_late_is_remarked_on_where_anchors_have_times(tmp_path):
    placed = timed(tmp_path, [0.5], offset=0.5)
    assert placed.frames.tolist() in ([12], [13])
    assert "shown at 0.500 s by the file's own clock" in placed.notes[0]
    assert "--anchor-clock media" in placed.notes[0]
    by_frame = read_anchors(write(tmp_path, HEAD + "clip,3,0,0\n"))
    assert by_frame.on_frames("clip", TIMES, media_offset_s=0.5).notes == ()


def test_a_time_before_the_first_frame_is_refused(tmp_path):
    with pytest.raises(
        MtclarError, match=r"line 2: time 0.3 s lies before the first frame, which 'clip' shows at 0.5 s"
    ):
        timed(tmp_path, [0.3], clock="media", offset=0.5)
    assert timed(tmp_path, [0.49], clock="media", offset=0.5).frames.tolist() == [0]


def test_a_time_while_the_last_frame_is_shown_is_of_it_and_a_later_one_is_refused(tmp_path):
    assert timed(tmp_path, [2.0]).frames.tolist() == [49]
    with pytest.raises(MtclarError, match=r"line 2: time 2.1 s is out of range, 'clip' ends at 1.960 s"):
        timed(tmp_path, [2.1])


def test_what_a_time_beyond_the_end_may_have_been_is_said(tmp_path):
    minutes = np.arange(0, 100, 0.04)
    with pytest.raises(MtclarError, match=r"spreadsheets take 1:30 for hours and minutes: .* write 00:01:30"):
        timed(tmp_path, ["01:30:00"], at=minutes)
    with pytest.raises(MtclarError, match="call their column time_ms"):
        timed(tmp_path, [1500])
    rows = "video_id,time_ms,valence,arousal\nclip,1500,0,0\n"
    assert place(tmp_path, rows).frames.tolist() in ([37], [38])


def test_a_time_far_from_any_frame_is_said_with_its_distance(tmp_path):
    gap = np.array([0, 0.04, 0.08, 0.12, 3.0, 3.04])
    placed = timed(tmp_path, [0.04, 1.5], at=gap)
    assert placed.frames.tolist() == [1, 3]
    assert "within half a frame interval of 1 of 2 anchor times" in placed.notes[0]
    assert "1.380 s (line 3: 1.5 s, frame 3 at 0.120 s)" in placed.notes[0]


def test_a_frame_and_a_time_that_do_not_fit_each_other_are_remarked_on(tmp_path):
    head = "video_id,frame,time_s,valence,arousal\n"
    assert (
        "frame and time do not fit each other in 2 anchors, by up to 0.120 s (line 3)"
        in (place(tmp_path, head + "clip,10,0.32,0,0\nclip,20,0.68,0,0\n").notes[0])
    )
    assert place(tmp_path, head + "clip,10,0.4,0,0\n").notes == ()
    one_off = place(tmp_path, head + "clip,11,0.4,0,0\n")  # as tools do that count from 1
    assert "do frames count from 0" in one_off.notes[0]


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 2000), min_size=1, max_size=30),
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    offset=st.integers(0, 100000),
)
def test_a_time_means_the_frame_nearest_to_it_by_either_clock(tmp_path_factory, gaps, shares, offset):
    """Times are multiples of 1/1024 s, so that nothing is rounded and halves stay halves."""
    times = np.concatenate([[0], np.cumsum(gaps)]) / 1024
    asked = [int(share * times[-1] * 1024) / 1024 for share in shares]
    nearest = sorted({int(np.argmin(np.abs(times - time))) for time in asked})
    folder = tmp_path_factory.mktemp("times")
    assert timed(folder, asked, at=times).frames.tolist() == nearest
    later = [time + offset / 1024 for time in asked]
    assert timed(folder, later, clock="media", offset=offset / 1024, at=times).frames.tolist() == nearest


# faces


def test_tracks_and_points_on_faces_are_kept(tmp_path):
    head = "video_id,frame,valence,arousal,track_id,face_x,face_y\n"
    placed = place(tmp_path, head + "clip,1,0,0,2,,\nclip,1,0.5,0,,40,50.5\nclip,1,0.25,0,,200,50\nclip,2,0,0,,,\n")
    assert placed.frames.tolist() == [1, 1, 1, 2]
    by_label = {label: at for at, label in enumerate(placed.labels[:3, 0].tolist())}
    assert placed.track[by_label[0.0]] == 2
    assert placed.track[by_label[0.5]] == -1
    np.testing.assert_array_equal(placed.face_xy[by_label[0.5]], [40, 50.5])
    assert np.isnan(placed.face_xy[3]).all()


def test_a_box_means_the_face_at_its_centre(tmp_path):
    head = "video_id,frame,valence,arousal,face_x,face_y,face_w,face_h\n"
    np.testing.assert_array_equal(place(tmp_path, head + "clip,1,0,0,100,50,40,20\n").face_xy, [[120, 60]])


def test_half_a_point_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="of the columns 'face_x' and 'face_y' one is missing"):
        place(tmp_path, "video_id,frame,valence,arousal,face_x\nclip,1,0,0,5\n")
    with pytest.raises(MtclarError, match="line 2: of face_x and face_y one is not given"):
        place(tmp_path, "video_id,frame,valence,arousal,face_x,face_y\nclip,1,0,0,5,\n")


def test_once_faces_are_known_the_anchors_of_one_face_are_put_together(tmp_path):
    head = "video_id,frame,valence,arousal,face_x,face_y,annotator\n"
    rows = "clip,1,0,0,40,50,ann\nclip,1,0.5,0,42,51,bob\nclip,1,1,1,200,50,ann\n"
    anchors = read_anchors(write(tmp_path, head + rows)).match(["clip"])
    asked = []

    def resolve(row, frame):
        asked.append((row.line, frame))
        return 0 if row.face_xy[0] < 100 else 3

    placed = anchors.on_frames("clip", TIMES, resolve=resolve)
    assert (placed.track.tolist(), placed.labels[:, 0].tolist()) == ([0, 3], [0.25, 1.0])
    assert asked == [(2, 1), (3, 1), (4, 1)]


# anchors of a program


def test_anchors_may_be_given_as_numbers_mappings_or_a_table():
    frames = pd.DataFrame(
        {"Frame": [3, 5], "valence": np.float32([0.5, np.nan]), "a": [0.25, 0.0], "mood": ["glad", None]}
    )
    assert [(row.frame, row.valence, row.arousal) for row in given_anchors(frames, "clip").rows] == [(3, 0.5, 0.25)]
    (one,) = given_anchors([(np.int64(7), np.float64(0.1), 1)], "clip").rows
    assert (one.video_id, one.frame, one.valence, one.arousal, one.time_s) == ("clip", 7, 0.1, 1.0, None)
    (one,) = given_anchors([{"time_s": "00:01.5", "valence": 55, "arousal": -100}], "clip", va_range=(-100, 100)).rows
    assert (one.time_s, one.valence, one.arousal) == (1.5, 0.55, -1.0)
    two = given_anchors(
        [{"frame": 1, "valence": 0, "arousal": 0}, {"time_s": 1e-05, "valence": 0, "arousal": 0}], "clip"
    )
    assert [(row.frame, row.time_s) for row in two.rows] == [(1, None), (None, 1e-05)]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "anchors: there is none; give at least one, or None"),
        ([(1, 0.5)], "line 1: has 2 values, expected frame, valence and arousal"),
        ([(1, 0, 0), (2, 5, 0)], "line 2: valence is 5, expected a value from -1 to 1"),
        ([(1.5, 0, 0)], "line 1: frame is 1.5, expected a whole number"),
        ([{"valence": 0, "arousal": 0}], "the column 'frame' or 'time_s' is missing"),
        ([(1, 0, 0), (1, 1, 0)], "line 2: contradicts line 1"),
    ],
)
def test_wrong_anchors_of_a_program_are_refused_as_those_of_a_file(rows, says):
    with pytest.raises(MtclarError, match=says):
        given_anchors(rows, "clip")


def test_standard_errors_that_a_file_gives_are_the_noise_of_its_anchors(tmp_path):
    path = tmp_path / "merged.csv"
    path.write_text("video_id,frame,valence,arousal,valence_sd,arousal_sd\nclip,0,60,50,5,\nclip,3,50,50,,10\n")
    placed = read_anchors(path, va_range=(0, 100)).match(["clip"]).on_frames("clip", np.arange(5) / 25)
    np.testing.assert_allclose(placed.noise, [[0.1, 0.0], [0.0, 0.2]])
    path.write_text("video_id,frame,valence,arousal,valence_sd\nclip,0,0.1,0.1,-0.2\n")
    with pytest.raises(MtclarError, match=r"line 2: valence_sd is -0.2, expected a standard error from 0 to 2"):
        read_anchors(path)
