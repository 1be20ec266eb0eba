"""Videos that are written: whole or not at all, every picture at its time, the source's audio beside them."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_video import number, numbered, with_audio, write_video

from mtclar.errors import MtclarError
from mtclar.video import open_video
from mtclar.video.writing import STANDARD_RATES, VideoWriter, constant_rate


def written(path, times_s=None, count=12, size=(160, 96), **options):
    with VideoWriter(path, size, **options) as writer:
        for k in range(count):
            writer.write(numbered(k, *size), None if times_s is None else times_s[k])
    return writer


def read(path):
    with open_video(path) as video:
        frames = list(video)
        return [number(frame.image) for frame in frames], np.array([frame.time_s for frame in frames]), video.facts


def test_pictures_with_times_of_their_own_are_shown_at_these(tmp_path):
    times_s = np.cumsum([0, 0.04, 0.033, 0.2, 0.001, 0.04, 0.5, 0.04, 0.017, 0.04, 0.04, 0.3])
    written(tmp_path / "v.mp4", times_s)
    numbers, found_s, facts = read(tmp_path / "v.mp4")
    assert numbers == list(range(12))
    assert np.abs(found_s - times_s).max() < 1e-4
    assert facts.is_vfr


@pytest.mark.parametrize("rate", [*STANDARD_RATES, Fraction(2997, 100), Fraction(1), Fraction(240)])
def test_pictures_of_a_constant_rate_are_shown_at_it_exactly(tmp_path, rate):
    written(tmp_path / "v.mp4", rate=rate)
    numbers, found_s, facts = read(tmp_path / "v.mp4")
    assert numbers == list(range(12))
    assert found_s == pytest.approx(np.arange(12) / float(rate), abs=1e-9)
    assert not facts.is_vfr
    assert facts.warnings == ()


def test_any_browser_can_play_it(tmp_path):
    written(tmp_path / "v.mp4", rate=Fraction(25))
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, context.has_b_frames) == ("h264", "yuv420p", 0)
        assert (context.colorspace, context.color_range) == (1, 1)
    content = (tmp_path / "v.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # it can be played while it is fetched


def test_colours_are_those_that_were_written(tmp_path):
    colours = np.array([(200, 30, 30), (30, 200, 30), (30, 30, 200), (128, 128, 128)], np.uint8)
    image = np.repeat(np.repeat(colours[None], 64, axis=0), 32, axis=1)
    with VideoWriter(tmp_path / "v.mp4", (128, 64), rate=Fraction(25), crf=10) as writer:
        writer.write(image)
    with open_video(tmp_path / "v.mp4") as video:
        shown = next(iter(video)).image
    assert np.abs(shown[32, 16::32].astype(int) - colours).max() <= 6


def test_odd_sizes_are_made_even_and_places_stay(tmp_path):
    writer = written(tmp_path / "v.mp4", size=(161, 97), rate=Fraction(25))
    assert writer.size == (162, 98)
    assert read(tmp_path / "v.mp4")[0] == list(range(12))


def test_after_an_error_there_is_what_was_there_before(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"before")
    with pytest.raises(RuntimeError, match="stop"), VideoWriter(tmp_path / "v.mp4", (160, 96)) as writer:
        writer.write(numbered(0), 0.0)
        raise RuntimeError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
    assert (tmp_path / "v.mp4").read_bytes() == b"before"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MtclarError, match="cannot be written"):
        written(tmp_path / "file" / "v.mp4", rate=Fraction(25))


def audio(path):
    """Packets of the audio of a file: their content, and their times in seconds."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.audio[0]) if packet.size]
        return [bytes(packet) for packet in packets], [float(packet.pts * packet.time_base) for packet in packets]


def test_audio_is_copied_packet_by_packet_at_its_times(tmp_path):
    source = with_audio(write_video(tmp_path / "s.mp4", range(0, 2000, 40)), tmp_path / "a.mp4")
    writer = written(tmp_path / "v.mp4", count=50, rate=Fraction(25), audio_of=source)
    assert writer.notes == ()
    (before, times_s), (after, found_s) = audio(source), audio(tmp_path / "v.mp4")
    shown = [k for k, time_s in enumerate(times_s) if time_s >= 0]
    assert after == [before[k] for k in shown]
    assert found_s == pytest.approx([times_s[k] for k in shown], abs=1e-3)
    assert read(tmp_path / "v.mp4")[0] == list(range(50))


def test_audio_that_mp4_cannot_hold_is_left_out_and_said(tmp_path):
    source = with_audio(write_video(tmp_path / "s.mkv", range(0, 400, 40)), tmp_path / "a.mkv", codec="pcm_s16le")
    writer = written(tmp_path / "v.mp4", rate=Fraction(25), audio_of=source)
    assert writer.notes == ("The audio (pcm_s16le) cannot be copied into MP4; the video has none.",)
    assert read(tmp_path / "v.mp4")[0] == list(range(12))


@settings(max_examples=200, deadline=None)
@given(rate=st.sampled_from(STANDARD_RATES), n=st.integers(2, 20_000), rounding=st.sampled_from([1e-3, 1e-6]))
def test_the_rate_of_a_film_is_found_from_rounded_times(rate, n, rounding):
    times_s = np.round(np.arange(n) / float(rate) / rounding) * rounding
    found = constant_rate(times_s)
    assert abs((n - 1) / float(found) - times_s[-1]) <= 0.5 / float(rate) + rounding  # no drift of a frame


def test_a_rate_that_is_not_usual_is_kept_and_a_single_frame_has_the_stated_one():
    assert constant_rate(np.arange(100) / 12.5) == Fraction(25, 2)
    assert constant_rate(np.arange(75) / 30) == 30
    assert constant_rate(np.arange(75) / 30, 30000 / 1001) == Fraction(30000, 1001)  # both fit; one is stated
    assert constant_rate(np.zeros(1), 29.97) == pytest.approx(29.97)
    assert constant_rate(np.zeros(1)) == 25
    assert constant_rate(np.arange(3) * 3600.0) == 1  # slower than that no player steps well
