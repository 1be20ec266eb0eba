"""Time stamps, streams and ends of files in trouble, each made here; what is right follows from how it was made."""

import json
from fractions import Fraction

import av
import numpy as np
import pytest
from make_video import number, numbered, restamped, write_planes, write_streams, write_video

from mtclar.errors import MtclarError
from mtclar.video import VideoFacts, open_video

CFR = [40 * i for i in range(100)]
HOUR = 3_600_000


def read(path):
    with open_video(path) as video:
        promised = video.timeline()
        frames = list(video)
    times = np.array([frame.time_s for frame in frames])
    np.testing.assert_allclose(video.timeline(), times, atol=1e-9)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    return frames, times, video.facts, promised


def ticks(path):
    with av.open(str(path)) as container:
        return float(container.streams.video[0].time_base)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "ts"])
@pytest.mark.parametrize("b_frames", [0, 3])
def test_the_timeline_is_known_before_anything_is_decoded(tmp_path, suffix, b_frames):
    path = write_video(tmp_path / f"v.{suffix}", CFR, b_frames=b_frames)
    with open_video(path) as video:
        promised = video.timeline()
        assert video.expected_frames == 100
        assert video.facts.n_frames is None
        times = [frame.time_s for frame in video]
    np.testing.assert_allclose(promised, times, atol=1e-9)
    np.testing.assert_allclose(promised, np.array(CFR) / 1000, atol=1.1e-3)
    assert video.facts.warnings == ()


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("at", [1, 30, 57, 98])
def test_one_stamp_hours_ahead_is_mended_and_no_other_frame_moves(tmp_path, suffix, b_frames, at):
    whole = write_video(tmp_path / f"whole.{suffix}", CFR, b_frames=b_frames)
    tick = ticks(whole)

    def ahead(stamps):
        stamps[at] += round(3 * 3600 / tick)
        return stamps

    frames, times, facts, promised = read(restamped(whole, tmp_path / f"broken.{suffix}", ahead))
    np.testing.assert_allclose(times, np.array(CFR) / 1000, atol=1.1e-3)
    np.testing.assert_allclose(promised, times, atol=1e-9)
    assert [number(frame.image) for frame in frames] == list(range(100))
    assert "1 of 100 time stamps did not fit" in facts.warnings[0]
    assert "correction is 3:00:00" in facts.warnings[0]
    assert facts.stamps_mended == 1


@pytest.mark.parametrize(("suffix", "b_frames"), [("mkv", 0), ("mkv", 3), ("mp4", 3), ("ts", 3)])
def test_a_doubled_stamp_does_not_shift_the_frames_after_it(tmp_path, suffix, b_frames):
    whole = write_video(tmp_path / f"whole.{suffix}", CFR, b_frames=b_frames)

    def doubled(stamps):
        later, earlier = sorted(stamps)[50], sorted(stamps)[49]
        return [earlier if stamp == later else stamp for stamp in stamps]

    frames, times, facts, _ = read(restamped(whole, tmp_path / f"d.{suffix}", doubled))
    np.testing.assert_allclose(times, np.array(CFR) / 1000, atol=1.1e-3)
    assert [number(frame.image) for frame in frames] == list(range(100))
    assert "frame 50 at 2.000 s" in facts.warnings[0]
    assert facts.stamps_mended == 1


def test_stamps_in_decoding_order_are_sorted_out_and_said(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", CFR, b_frames=3)
    frames, times, facts, promised = read(restamped(whole, tmp_path / "o.mkv", sorted))
    assert [number(frame.image) for frame in frames] == list(range(100))
    np.testing.assert_allclose(times, np.array(CFR) / 1000, atol=1e-9)
    np.testing.assert_allclose(promised, times, atol=1e-9)
    assert "decoding order" in facts.warnings[0]


def test_an_avi_file_with_frames_out_of_order_has_even_times(tmp_path):
    path = write_video(tmp_path / "o.avi", list(range(60)), time_base=Fraction(1, 25), b_frames=3)
    frames, times, facts, _ = read(path)
    assert [number(frame.image) for frame in frames] == list(range(60))
    np.testing.assert_allclose(times, np.arange(60) / 25, atol=1e-9)
    assert facts.media_offset_s == 0


def test_a_file_without_time_stamps_takes_its_rate_and_says_so(tmp_path):
    path = write_video(tmp_path / "raw.h264", list(range(50)), time_base=Fraction(1, 25), b_frames=3)
    frames, times, facts, _ = read(path)
    assert [number(frame.image) for frame in frames] == list(range(50))
    np.testing.assert_allclose(np.diff(times), 0.04, atol=1e-9)
    assert "no time stamps" in facts.warnings[0]


def test_recordings_joined_in_one_stream_go_on_and_the_place_is_said(tmp_path):
    one = write_video(tmp_path / "one.ts", CFR, b_frames=3)
    (tmp_path / "two.ts").write_bytes(one.read_bytes() * 2)
    frames, times, facts, _ = read(tmp_path / "two.ts")
    assert [number(frame.image) for frame in frames] == [*range(100), *range(100)]
    np.testing.assert_allclose(times, np.arange(200) / 25, atol=1e-4)
    assert "jumps back once, before frame 100 at 4.000 s by 3.960 s" in facts.warnings[0]


def test_a_stream_that_begins_unannounced_in_the_middle_is_not_read_and_said(tmp_path):
    one = write_video(tmp_path / "one.ts", CFR)
    other = {"mpegts_start_pid": "0x200", "mpegts_pmt_start_pid": "0x1100", "mpegts_service_id": "2"}
    two = write_video(tmp_path / "two.ts", [4000 + stamp for stamp in CFR], container_options=other)
    (tmp_path / "both.ts").write_bytes(one.read_bytes() + two.read_bytes())
    frames, _, facts, _ = read(tmp_path / "both.ts")
    assert [number(frame.image) for frame in frames] == list(range(100))
    assert "another stream, which was not read" in facts.warnings[0]


def test_a_long_pause_in_a_recording_is_kept(tmp_path):
    stamps = [40 * i + (600_000 if i >= 50 else 0) for i in range(100)]
    _, times, facts, _ = read(write_video(tmp_path / "pause.mp4", stamps))
    np.testing.assert_allclose(times, np.array(stamps) / 1000, atol=1e-6)
    assert facts.warnings == ()


def test_the_frames_after_a_damaged_place_keep_their_times(tmp_path):
    whole = write_video(tmp_path / "w.mov", CFR, codec="png")
    with av.open(str(whole)) as source, av.open(str(tmp_path / "d.mov"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if not packet.size:
                continue
            if index == 40:
                damaged = av.Packet(b"\0" * 100)
                damaged.pts, damaged.dts, damaged.time_base = packet.pts, packet.dts, packet.time_base
                packet = damaged
            packet.stream = stream
            target.mux(packet)
    frames, times, facts, promised = read(tmp_path / "d.mov")
    assert (len(promised), len(frames)) == (100, 99)
    np.testing.assert_allclose(times, np.delete(CFR, 40) / 1000, atol=1e-9)
    assert "damaged place was skipped" in facts.warnings[0]


def test_a_video_that_starts_later_than_its_sound_says_how_much(tmp_path):
    path = tmp_path / "late.mp4"
    with av.open(str(path), "w") as container:
        video, sound = container.add_stream("libx264", rate=25), container.add_stream("aac", rate=16000, layout="mono")
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        for k in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16000, 1024 * k, Fraction(1, 16000)
            container.mux(sound.encode(frame))
        for i in range(20):
            picture = av.VideoFrame.from_ndarray(numbered(i), format="rgb24")
            picture.pts, picture.time_base = 500 + 40 * i, Fraction(1, 1000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    _, times, facts, _ = read(path)
    assert times[0] == 0
    assert facts.media_offset_s == pytest.approx(0.5, abs=0.001)
    assert "--anchor-clock media" in facts.warnings[0]


@pytest.mark.parametrize(
    ("streams", "marks", "read_one"),
    [
        ([(96, 64, 20), (320, 192, 20)], ["", ""], 1),
        ([(320, 192, 20), (160, 96, 20)], ["", "default"], 1),
        ([(96, 54, 20), (480, 270, 20)], ["default", ""], 1),
        ([(320, 192, 1), (160, 96, 20)], ["default", ""], 1),
        ([(320, 192, 3), (160, 96, 20)], ["", ""], 1),
        ([(160, 96, 20), (160, 96, 20)], ["", ""], 0),
    ],
)
def test_of_several_streams_the_default_the_longer_or_the_larger_is_read_and_said(tmp_path, streams, marks, read_one):
    path = write_streams(tmp_path / "s.mkv", streams, marks=marks)
    frames, _, facts, _ = read(path)
    width, height, n = streams[read_one]
    assert facts.stream == read_one
    assert (facts.width, facts.height, len(frames)) == (width, height, n)
    assert "2 video streams" in facts.warnings[0]
    assert f"stream {read_one} was read" in facts.warnings[0]


def test_a_cover_is_no_choice(tmp_path):
    path = write_streams(
        tmp_path / "s.mp4", [(320, 192, 1), (160, 96, 20)], marks=["attached_pic"], codecs=["mjpeg", "libx264"]
    )
    with av.open(str(path)) as container:
        covers = [bool(s.disposition & s.disposition.attached_pic) for s in container.streams.video]
    assert sum(covers) == 1, "the file has no cover"
    _, _, facts, _ = read(path)
    assert not covers[facts.stream]
    assert (facts.width, facts.warnings) == (160, ())


def test_facts_survive_json(tmp_path):
    _, _, facts, _ = read(write_video(tmp_path / "v.mkv", CFR, rotation=-90))
    again = json.loads(json.dumps(facts.as_dict(), allow_nan=False))
    assert VideoFacts(**again | {"warnings": tuple(again["warnings"])}) == facts


def test_a_video_of_one_frame_says_that_there_is_one_row(tmp_path):
    _, _, facts, _ = read(write_video(tmp_path / "one.mp4", [0]))
    assert "single" in facts.warnings[-1]


def long_last(path, codec, pix_fmt, stay):
    """Ten frames at 25 a second, the last of which stays for `stay` seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, pix_fmt
        stream.codec_context.time_base = Fraction(1, 100)
        packets = []
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(numbered(i), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = 4 * i, Fraction(1, 100)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        packets[-1].duration = round(stay / packets[-1].time_base)
        container.mux(packets)
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.gif", "gif", "rgb8"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.mov", "mpeg4", "yuv420p"),
    ],
)
def test_a_whole_file_whose_last_picture_stays_long_is_not_called_cut_short(tmp_path, name, codec, pix_fmt):
    path = long_last(tmp_path / name, codec, pix_fmt, 12)
    with av.open(str(path)) as container:
        assert container.duration / av.time_base > 3, "the last picture does not stay"
    frames, times, facts, _ = read(path)
    assert len(frames) == 10
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=0.01)
    assert facts.warnings == ()


@pytest.mark.parametrize("name", ["w.mp4", "w.mov", "w.mkv", "w.webm", "w.avi", "w.asf"])
@pytest.mark.parametrize("part", [0.6, 0.95])
def test_a_file_cut_anywhere_is_called_cut_short_and_a_whole_one_is_not(tmp_path, name, part):
    codec = {"w.webm": "libvpx", "w.avi": "mpeg4", "w.asf": "mpeg4"}.get(name, "libx264")
    options = {"movflags": "faststart"} if name in ("w.mp4", "w.mov") else None
    whole = write_video(
        tmp_path / name, list(range(60)), time_base=Fraction(1, 25), codec=codec, container_options=options
    )
    assert read(whole)[2].warnings == ()
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * part)])
    frames, _, facts, _ = read(cut)
    assert 0 < len(frames) <= 60
    assert "cut short" in facts.warnings[0]
    assert not any("skipped" in warning for warning in facts.warnings), "the last packet is cut, not damaged"


def test_a_fragmented_mp4_that_was_cut_is_called_cut_short(tmp_path):
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    whole = write_video(tmp_path / "f.mp4", CFR, container_options=options)
    assert read(whole)[2].warnings == ()
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    assert "cut short" in read(tmp_path / "cut.mp4")[2].warnings[0]


def test_a_part_of_a_codec_that_is_not_supported_is_not_called_damage(tmp_path):
    """A JPEG whose colour channels have sampling factors that FFmpeg knows of but does not decode."""
    flat = [np.full((48, 64), 90, np.uint8)] + [np.full((24, 32), 128, np.uint8)] * 2
    path = write_planes(tmp_path / "j.mkv", flat, "yuvj420p", codec="mjpeg", frames=3)
    data = path.read_bytes()
    spoilt = bytearray(data)
    at = data.find(b"\xff\xc0")
    while at >= 0:
        spoilt[at + 11] = 0x13  # sampling factors of the first component
        at = data.find(b"\xff\xc0", at + 2)
    path.write_bytes(bytes(spoilt))
    with pytest.raises(MtclarError, match="codec mjpeg that is not supported here; convert it"):
        read(path)
