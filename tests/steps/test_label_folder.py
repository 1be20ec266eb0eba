import json
import os
from fractions import Fraction

import av
import numpy as np
import pandas as pd
import pytest
from bright_clip import EXTRACT, picture, write_anchors
from make_video import write_video

from mtclar.errors import MtclarError, PartialFailureError
from mtclar.steps import label


def test_in_a_folder_the_good_videos_are_labelled_and_the_bad_ones_listed(clip, bundle, settings, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    (videos / "deep").mkdir(parents=True)
    (videos / "deep" / "good.mp4").write_bytes(clip.read_bytes())
    (videos / "unasked.mp4").write_bytes(clip.read_bytes())
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "text.mp4").write_text("no video")
    write_video(videos / "nobody.mp4", [0, 40, 80])
    write_video(videos / "short.mp4", [0, 40], picture)
    names = ("good", "empty", "text", "nobody")
    anchors = write_anchors(tmp_path, *(f"{name},0,0.1,0.1" for name in names), "short,2,0,0")
    with pytest.raises(PartialFailureError) as caught:
        label.run(settings, EXTRACT, videos=[videos], anchors=anchors, model=bundle, out=out)
    assert caught.value.exit_code == 3
    told = str(caught.value.done)
    assert f"-> {out / 'good.html'}" in told
    assert "unasked.mp4: note: Labelled without anchors" in told
    for words in (
        "2 of 6",
        "empty.mp4: the file is empty",
        "holds text",
        "no face was found",
        "has 2 frames",
    ):
        assert words in str(caught.value)
    assert sorted(path.name for path in out.iterdir() if path.name != ".mtclar") == [
        "good.html", "good.va.csv", "good.va.json", "good.va.parquet", "index.html", "summary.json",
        "unasked.html", "unasked.va.csv", "unasked.va.json", "unasked.va.parquet",
    ]  # fmt: skip
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert [entry["video_id"] for entry in summary["labelled"]] == ["good", "unasked"]
    assert len(summary["failed"]) == 4
    assert set(pd.read_csv(out / "unasked.va.csv")["source"]) == {"zero-shot", "none"}


def test_where_every_video_is_bad_nothing_is_left_behind(bundle, settings, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    anchors = write_anchors(tmp_path, "a,0,0,0", "b,0,0,0")
    with pytest.raises(MtclarError, match="none of the 2 videos") as caught:
        label.run(settings, EXTRACT, videos=[tmp_path], anchors=anchors, model=bundle, out=tmp_path / "out")
    assert not isinstance(caught.value, PartialFailureError)
    assert not (tmp_path / "out").exists()


def test_videos_of_the_same_name_are_told_apart_by_their_folder(clip, bundle, settings, tmp_path):
    for day in ("mon", "tue"):
        (tmp_path / "videos" / day).mkdir(parents=True)
        (tmp_path / "videos" / day / "clip.mp4").write_bytes(clip.read_bytes())
    anchors = write_anchors(tmp_path, "mon/clip,0,0,0", "tue/clip.mp4,0,0.5,0")
    label.run(settings, EXTRACT, videos=[tmp_path / "videos"], anchors=anchors, model=bundle, out=tmp_path / "out")
    first = [pd.read_csv(tmp_path / "out" / day / "clip.va.csv")["valence"][0] for day in ("mon", "tue")]
    assert first == [0.0, 0.5]


def test_a_video_whose_name_is_no_text_is_listed_and_the_others_are_labelled(clip, bundle, settings, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in (b"clip.mp4", b"caf\xe9.mp4"):
        with open(os.path.join(os.fsencode(tmp_path / "videos"), name), "wb") as file:
            file.write(clip.read_bytes())
    anchors, out = write_anchors(tmp_path, "clip,0,0,0"), tmp_path / "out"
    with pytest.raises(PartialFailureError, match=r"caf\\xe9\.mp4: the file's name is not UTF-8"):
        label.run(settings, EXTRACT, videos=[tmp_path / "videos"], anchors=anchors, model=bundle, out=out)
    assert json.loads((out / "summary.json").read_text())["failed"][0]["video"] == "caf\\xe9"
    assert "xe9.mp4" in (out / "index.html").read_text()


def test_what_was_passed_over_in_a_folder_is_said_with_what_helps(clip, bundle, settings, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("clip.mp4", "other.dat"):
        (tmp_path / "videos" / name).write_bytes(clip.read_bytes())
    done = label.run(settings, EXTRACT, videos=[tmp_path / "videos"], anchors=None, model=bundle, out=tmp_path / "out")
    assert [video.video_id for video in done.videos] == ["clip"]
    assert "other.dat) passed over, because the ending .dat is not looked for; name the file itself" in str(done)


def test_other_files_in_the_folder_are_left_alone(clip, bundle, settings, tmp_path):
    (tmp_path / "thesis.txt").write_text("my life's work")
    label.run(
        settings, EXTRACT, videos=[clip], anchors=write_anchors(tmp_path, "clip,0,0,0"), model=bundle, out=tmp_path
    )
    assert (tmp_path / "thesis.txt").read_text() == "my life's work"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("below", ["", "deeper"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(clip, bundle, settings, tmp_path, below):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / below if below else tmp_path / "file"
    anchors = write_anchors(tmp_path, "clip,0,0,0")
    calls = []
    with pytest.raises(MtclarError, match="cannot be written"):
        label.run(
            settings,
            EXTRACT,
            videos=[clip],
            anchors=anchors,
            model=bundle,
            out=out,
            progress=lambda *args: calls.append(args),
        )
    assert not calls
    assert (tmp_path / "file").read_text() == "in the way"


def test_an_unknown_video_in_the_anchors_is_refused_by_name(clip, bundle, settings, tmp_path):
    anchors = write_anchors(tmp_path, "clipp,0,0,0")
    with pytest.raises(MtclarError, match=r"line 2: unknown video 'clipp' \(did you mean 'clip'\?\)"):
        label.run(settings, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out")


def test_one_file_of_anchors_may_serve_a_whole_project_of_which_one_video_is_labelled(clip, bundle, settings, tmp_path):
    anchors = write_anchors(tmp_path, "clip,0,0.25,0", "other,0,1,1", "other,90,1,1", "third,0,1,1")
    (result,) = label.run(settings, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out").videos
    assert result.anchors == 1
    assert any("eft out 3 rows of anchors.csv on 2 other videos ('other', 'third')" in note for note in result.notes)


def test_anchors_on_another_scale_and_by_the_clock_of_the_file_are_brought_to_ours(clip, bundle, settings, tmp_path):
    (tmp_path / "anchors.csv").write_text("file;time;valence;arousal\nclip.avi;00:00:00,000;75;50\n")
    out = tmp_path / "out"
    label.run(
        settings,
        EXTRACT,
        videos=[clip],
        anchors=tmp_path / "anchors.csv",
        model=bundle,
        out=out,
        va_range=(0, 100),
        anchor_clock="media",
    )
    assert pd.read_csv(out / "clip.va.csv").loc[0, ["valence", "arousal"]].tolist() == [0.5, 0]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (["clip,0,0,0", "clip,500,0,0"], "line 3: frame 500 is out of range, 'clip' has"),
        (["clip,1,0,0", "clip.mp4,1,0.5,0"], "line 3: contradicts line 2"),
    ],
)
def test_anchors_that_do_not_fit_a_video_are_refused_before_a_picture_is_read(
    clip, bundle, settings, tmp_path, monkeypatch, rows, says
):
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    calls = []
    with pytest.raises(MtclarError, match=says):
        label.run(
            settings,
            EXTRACT,
            videos=[clip],
            anchors=write_anchors(tmp_path, *rows),
            model=bundle,
            out=tmp_path / "out",
            progress=lambda *args: calls.append(args),
        )
    assert not calls


def test_in_a_folder_bad_anchors_of_the_last_video_are_found_before_the_first_is_read(
    clip, bundle, settings, tmp_path, monkeypatch
):
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(clip.read_bytes())
    said = []
    with pytest.raises(PartialFailureError, match="line 2: frame 500 is out of range, 'b' has"):
        label.run(
            settings,
            EXTRACT,
            videos=[tmp_path / "a.mp4", tmp_path / "b.mp4"],
            anchors=write_anchors(tmp_path, "b,500,0,0", "a,0,0,0"),
            model=bundle,
            out=tmp_path / "out",
            progress=lambda done, total, what="": said.append(what),
        )
    assert set(said) == {"a.mp4"}
    assert (tmp_path / "out" / "a.va.csv").is_file()


def test_a_video_that_is_not_there_is_said_before_anything_about_its_anchors(bundle, settings, tmp_path):
    anchors = write_anchors(tmp_path, "clip,0,0,0")
    with pytest.raises(MtclarError, match=r"gone\.mp4: no such video"):
        label.run(
            settings, EXTRACT, videos=[tmp_path / "gone.mp4"], anchors=anchors, model=bundle, out=tmp_path / "out"
        )


def write_late(path, late_ms):
    """The face of the clip at 25 pictures a second, the first `late_ms` after the sound."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 288, 192, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        video.codec_context.options = {"preset": "ultrafast", "bf": "0", "threads": "1"}
        for block in range(10):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            silence.sample_rate, silence.pts = 16000, block * 1600
            container.mux(sound.encode(silence))
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = late_ms + 40 * index, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(("clock", "frame"), [("video", 5), ("media", 0)])
def test_a_time_read_from_a_player_means_another_frame_where_the_picture_starts_late(
    bundle, settings, tmp_path, monkeypatch, clock, frame
):
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    clip, anchors = write_late(tmp_path / "clip.mkv", 200), tmp_path / "anchors.csv"
    anchors.write_text("video_id,time_s,valence,arousal\nclip,0.2,0.5,0\n")
    out = tmp_path / "out"
    (result,) = label.run(
        settings, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=out, anchor_clock=clock
    ).videos
    table = pd.read_csv(out / "clip.va.csv")
    assert table.index[table["source"] == "anchor"].tolist() == [frame]
    assert any("anchor times were taken from that frame on" in note for note in result.notes) == (clock == "video")


def test_times_before_the_first_picture_of_a_player_are_refused(bundle, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    clip, anchors = write_late(tmp_path / "clip.mkv", 200), tmp_path / "anchors.csv"
    anchors.write_text("video_id,time_s,valence,arousal\nclip,0.1,0.5,0\n")
    with pytest.raises(MtclarError, match=r"line 2: time 0\.1 s lies before the first frame, .* at 0\.2 s"):
        label.run(
            settings, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out", anchor_clock="media"
        )
