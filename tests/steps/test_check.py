"""What is told of videos before they are worked on."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
from make_video import numbered, with_audio, with_face, write_planes, write_video
from toy_bundle import toy_bundle

from mtclar.errors import MtclarError, NothingDoneError, PartialFailureError
from mtclar.settings import load_settings
from mtclar.steps import check
from mtclar.steps.check import run
from mtclar.video.display import Display

ALL = load_settings()
EVEN_MS = list(range(0, 2000, 40))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "bundle")


def checked(model, *videos, settings=ALL.check, **options):
    return run(settings, ALL.extract, ALL.label, videos=list(videos), model=model, **options)


def test_rate_turn_streams_length_and_faces_are_told(tmp_path, model):
    silent = write_video(tmp_path / "s.mp4", EVEN_MS, lambda k: np.rot90(with_face()), rotation=90)
    result = checked(model, with_audio(silent, tmp_path / "clip.mp4"))
    (one,) = result.videos
    assert (one.fps, one.variable, one.rotation, one.frames, one.sar) == (25.0, False, 270, 50, "1/1")
    assert (one.width, one.height) == (288, 192)
    assert one.streams == ("video h264 192x288", "audio aac 48000 Hz")
    assert one.duration_s == pytest.approx(2.0)
    assert one.face_share == 1.0
    assert one.faces_per_minute == pytest.approx(1500, rel=0.01)
    assert 60 < one.face_px < 160
    assert (one.shots, one.shots_exact) == (1, True)
    assert one.extract_s > 0
    assert one.label_s >= 0


def test_a_variable_rate_is_told_and_its_mean_is_that_of_the_film(tmp_path, model):
    uneven_ms = np.cumsum([0, *np.random.default_rng(1).integers(20, 90, 39)]).tolist()
    (one,) = checked(model, write_video(tmp_path / "clip.mp4", uneven_ms, lambda k: with_face())).videos
    assert one.variable
    assert one.fps == pytest.approx(39 / uneven_ms[-1] * 1000, abs=1e-3)


def test_pixels_that_are_not_square_are_told(tmp_path, model):
    grey = [np.full((48, 64), 90, np.uint8), np.full((24, 32), 128, np.uint8), np.full((24, 32), 128, np.uint8)]
    video = write_planes(tmp_path / "wide.mkv", grey, "yuv420p", codec="libx264", sar=Fraction(64, 45))
    (one,) = checked(model, video).videos
    assert one.sar == "64/45"
    assert "no face was found in any frame that was looked at" in one.notes[-1]
    assert "91x48, SAR 64/45" in checked(model, video).table()[1][0]


def test_a_short_video_has_its_shots_counted_and_a_long_one_at_least_some(tmp_path, model):
    def picture(k):
        return numbered(k // 100, 160, 96) if k // 100 % 2 else with_face(width=160, height=96, size=80, left=20)

    video = write_video(tmp_path / "clip.mp4", range(0, 400 * 40, 40), picture)
    (exact,) = checked(model, video, settings=ALL.check.model_copy(update={"frames": 60})).videos
    assert (exact.shots, exact.shots_exact) == (4, True)
    (least,) = checked(model, video, settings=ALL.check.model_copy(update={"frames": 20})).videos
    assert not least.shots_exact
    assert 1 <= least.shots <= 4
    assert least.scanned <= 20


def test_a_broken_file_is_one_row_with_its_sentence_and_the_others_go_on(tmp_path, model):
    write_video(tmp_path / "b.mp4", EVEN_MS, lambda k: with_face())
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 100)
    result = checked(model, tmp_path)
    assert [bool(one.error) for one in result.videos] == [True, False, True]
    assert "the file is empty (0 bytes)" in result.videos[0].error
    assert result.table()[1][0][:2] == ["a.mp4", "cannot be read"]
    assert any(sentence.startswith("a.mp4: cannot be read:") for sentence in result.sentences())
    with pytest.raises(PartialFailureError, match=r"2 of 3 videos cannot be read: a\.mp4, c\.mp4\."):
        result.raise_if_unread()
    with pytest.raises(NothingDoneError, match=r"1 of 1 video cannot be read"):
        checked(model, tmp_path / "a.mp4").raise_if_unread()


def test_what_is_passed_over_in_a_folder_is_told(tmp_path, model):
    video = write_video(tmp_path / "b.mp4", EVEN_MS, lambda k: with_face())
    video.rename(tmp_path / "b.video")
    write_video(tmp_path / "c.mp4", EVEN_MS, lambda k: with_face())
    assert any("passed over" in sentence for sentence in checked(model, tmp_path).sentences())


@pytest.mark.parametrize("ending", ["csv", "json", "html"])
def test_the_table_is_written_as_its_ending_says(tmp_path, model, ending):
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "clip.mp4", EVEN_MS, lambda k: with_face())
    (tmp_path / "in" / "empty.mp4").touch()
    out = tmp_path / f"check.{ending}"
    checked(model, tmp_path / "in", out=out)
    text = out.read_text(encoding="utf-8")
    if ending == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert [(row["video"], row["frames"], row["streams"]) for row in rows] == [
            ("clip.mp4", "50", "video h264 288x192"),
            ("empty.mp4", "0", ""),
        ]
    elif ending == "json":
        assert [one["frames"] for one in json.loads(text)["videos"]] == [50, 0]
    else:
        assert text.count("<tr>") == 3
        assert "the file is empty (0 bytes)" in text


def test_an_ending_that_is_not_known_is_refused_before_anything_is_read(tmp_path, model):
    with pytest.raises(MtclarError, match=r"expected a file that ends in \.html, \.csv, \.json"):
        checked(model, tmp_path / "nowhere.mp4", out=tmp_path / "check.txt")


def test_the_videos_are_not_read_to_their_end(tmp_path, model, monkeypatch):
    video = write_video(tmp_path / "clip.mp4", range(0, 900 * 40, 40), lambda k: with_face())
    shown = []
    show = Display.show
    monkeypatch.setattr(Display, "show", lambda *given: shown.append(1) or show(*given))
    checked(model, video)
    assert len(shown) <= ALL.check.frames + ALL.check.timed_frames + 40  # the decoder runs ahead by some


def test_a_fault_of_a_library_in_one_file_is_a_row_and_the_others_are_told(tmp_path, model, monkeypatch):
    for name in ("bad", "good"):
        write_video(tmp_path / f"{name}.mp4", EVEN_MS, lambda k: with_face())
    whole = check._checked

    def checked_one(source, *more):
        if source.name == "bad":
            raise ZeroDivisionError("a fault of a library")
        return whole(source, *more)

    monkeypatch.setattr(check, "_checked", checked_one)
    bad, good = checked(model, tmp_path).videos
    assert "a fault of a library" in bad.error
    assert not good.error
    assert good.frames == 50
