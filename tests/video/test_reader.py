import os
from fractions import Fraction

import av
import numpy as np
import pytest
from make_video import number, numbered, write_video

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.video import open_video

VARIABLE = [0, 40, 80, 200, 240, 241, 300, 900]


def read(path, **options):
    with open_video(path, **options) as video:
        return list(video), video.facts


def test_times_of_a_variable_frame_rate_come_from_the_container(tmp_path):
    frames, facts = read(write_video(tmp_path / "vfr.mp4", VARIABLE))
    assert [frame.index for frame in frames] == list(range(8))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.array(VARIABLE) / 1000, atol=1e-6)
    assert (facts.is_vfr, facts.n_frames, facts.start_time) == (True, 8, 0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_constant_frame_rate_is_known_as_one_whatever_the_rounding_of_the_container(tmp_path, suffix):
    path = write_video(tmp_path / f"cfr.{suffix}", [1001 * i for i in range(12)], time_base=Fraction(1, 30000))
    frames, facts = read(path)
    assert not facts.is_vfr
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) * 1.001 / 30, atol=1.1e-3)


def test_frames_coded_out_of_order_come_in_the_order_they_are_shown(tmp_path):
    path = write_video(tmp_path / "b.mp4", [40 * i for i in range(30)], b_frames=3)
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stamps != sorted(stamps), "the test video has no B-frames"
    frames, _ = read(path)
    assert [number(frame.image) for frame in frames] == list(range(30))
    assert np.all(np.diff([frame.pts for frame in frames]) > 0)


def test_time_is_measured_from_the_first_frame_shown_though_its_stamp_is_not_zero(tmp_path):
    frames, facts = read(write_video(tmp_path / "late.mkv", [5000, 5040, 5080]))
    assert facts.start_time == frames[0].pts > 0
    np.testing.assert_allclose([frame.time_s for frame in frames], [0, 0.04, 0.08], atol=1e-9)


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_sideways_and_mirrored_videos_are_turned_upright(tmp_path, clockwise, mirrored):
    path = write_video(tmp_path / "turned.mp4", [0, 40], rotation=-clockwise, flip=mirrored)
    with av.open(str(path)) as container:
        told = next(container.decode(video=0)).rotation
    frames, facts = read(path)
    expected = np.rot90(numbered(0), round(told / 90))  # PyAV's own reading: counter-clockwise
    if mirrored:
        plain = read(write_video(tmp_path / "plain.mp4", [0, 40], rotation=-clockwise))[0][0].image
        expected = plain[:, ::-1]
    assert (facts.height, facts.width) == frames[0].image.shape[:2]
    assert facts.mirrored == mirrored
    if not mirrored:
        assert facts.rotation == clockwise
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 12


def test_a_video_can_be_read_twice_and_left_in_the_middle(tmp_path):
    with open_video(write_video(tmp_path / "twice.mp4", [40 * i for i in range(10)])) as video:
        first = next(iter(video))
        again = list(video)
    assert (first.index, len(again), video.facts.n_frames) == (0, 10, 10)


def test_a_file_cut_in_the_middle_keeps_the_frames_before_the_damage_and_says_so(tmp_path):
    whole = write_video(tmp_path / "w.mp4", [40 * i for i in range(60)], container_options={"movflags": "faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    frames, facts = read(cut)
    assert 10 < len(frames) < 60
    assert [number(frame.image) for frame in frames[:10]] == list(range(10))
    assert "cut short" in facts.warnings[0]


def test_a_matroska_file_cut_in_the_middle_says_so(tmp_path):
    whole = write_video(tmp_path / "w.mkv", [40 * i for i in range(100)])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames, facts = read(cut)
    assert 10 < len(frames) < 100
    assert "cut short" in facts.warnings[0]


def test_a_whole_matroska_file_that_begins_late_is_not_called_cut_short(tmp_path):
    frames, facts = read(write_video(tmp_path / "late.mkv", [5000 + 40 * i for i in range(12)]))
    assert (len(frames), frames[0].time_s, facts.warnings) == (12, 0.0, ())


def test_an_old_container_without_presentation_times_still_gives_ascending_times(tmp_path):
    path = write_video(tmp_path / "old.avi", list(range(20)), time_base=Fraction(1, 25), codec="mpeg4")
    frames, _ = read(path)
    assert [number(frame.image) for frame in frames] == list(range(20))
    np.testing.assert_allclose(np.diff([frame.time_s for frame in frames]), 0.04, atol=1e-9)


def test_a_picture_is_a_video_of_one_frame_and_a_broken_one_is_named(tmp_path):
    (tmp_path / "portrait.jpg").write_bytes(encode(numbered(5), 95))
    (frame,), facts = read(tmp_path / "portrait.jpg")
    assert (number(frame.image), frame.time_s, facts.n_frames, facts.is_vfr) == (5, 0.0, 1, False)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(MtclarError, match=r"broken\.jpg"):
        read(tmp_path / "broken.jpg")


def test_a_folder_of_numbered_pictures_is_a_video(tmp_path):
    for i in (0, 1, 3):
        (tmp_path / f"{i:05d}.jpg").write_bytes(encode(numbered(i), 95))
    (tmp_path / "cover.jpg").write_bytes(encode(numbered(9), 95))
    frames, facts = read(tmp_path, fps=10)
    assert [number(frame.image) for frame in frames] == [0, 1, 3]
    assert [frame.time_s for frame in frames] == [0.0, 0.1, 0.3]
    assert facts.is_vfr
    assert facts.n_frames == 3


def write_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_headless(path):
    whole = write_video(path, [40 * i for i in range(30)])
    path.write_bytes(whole.read_bytes()[:2000])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such video"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("Dear diary,\n" * 90, encoding="utf-8"), "holds text"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "LFS pointer"),
        (lambda path: path.write_bytes(bytes(range(256)) * 40), "not a video"),
        (write_sound, "no video stream"),
        (write_headless, "cut short"),
        (lambda path: path.mkdir(), "numbered pictures"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, make, says):
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(MtclarError, match=says) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_real_clip_has_72_frames_at_30_a_second(real_faces):
    frames, facts = read(real_faces / "single_face.mp4")
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(72) / 30, atol=1e-6)
    assert (facts.width, facts.height, facts.is_vfr) == (640, 360, False)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_pictures_start_no_threads_of_their_own(tmp_path):
    path, threads = write_video(tmp_path / "clip.mp4", range(0, 200 * 40, 40)), []
    with open_video(path) as video:
        for _ in video:
            threads.append(len(os.listdir("/proc/self/task")))
    assert max(threads[5:]) == min(threads[5:])
