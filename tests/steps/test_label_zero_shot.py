"""`mtclar label` with nothing but videos: labels without an anchor, and everything that says so."""

import json

import numpy as np
from bright_clip import CALIBRATION, EXTRACT, GONE, TIMES_MS
from make_video import write_video
from toy_bundle import toy_bundle
from typer.testing import CliRunner

from mtclar.cli import app
from mtclar.data.tables import LABELS, read_table
from mtclar.serving import default
from mtclar.settings import load_settings
from mtclar.steps import label


def labelled(clip, able, out):
    s = load_settings()
    result = label.run(s.label, s.extract, videos=[clip], anchors=None, model=able, out=out)
    return result, read_table(out / "clip.va.parquet", LABELS)


def test_every_face_is_labelled_and_every_row_says_zero_shot(clip, bundle, tmp_path):
    _, table = labelled(clip, bundle, tmp_path / "out")
    seen = np.setdiff1d(np.arange(len(TIMES_MS)), list(GONE))
    assert (table["source"][seen] == "zero-shot").all()
    assert set(table["source"]) <= {"zero-shot", "interpolated", "none"}
    assert (table["anchor_ids"].fillna("") == "").all()
    assert table["valence"][seen].notna().all()
    # The toy model sees valence in the light of the face, which grows.
    assert np.corrcoef(table["valence"][seen], seen)[0, 1] > 0.9


def test_the_band_is_the_one_calibrated_without_anchors(clip, tmp_path):
    half = []
    for name, multiple in (("narrow", 0.1), ("wide", 0.2)):
        measured = CALIBRATION | {"multiples": dict(CALIBRATION["multiples"], valence=[multiple, 1.6, 1.0])}
        _, table = labelled(clip, toy_bundle(tmp_path / name, calibration=measured), tmp_path / f"labels {name}")
        half.append((table["valence_hi"] - table["valence"])[:5])
        assert (table["confidence"][:8] < 1).all()
    np.testing.assert_allclose(half[1], 2 * half[0])


def test_a_model_without_calibration_gives_labels_without_a_band(clip, tmp_path):
    _, table = labelled(clip, toy_bundle(tmp_path / "bundle"), tmp_path / "out")
    assert table["valence"][:8].notna().all()
    assert table["valence_lo"].isna().all()


def test_side_file_terminal_report_and_index_say_that_there_were_no_anchors(clip, bundle, tmp_path):
    out = tmp_path / "out"
    result, table = labelled(clip, bundle, out)
    facts = json.loads((out / "clip.va.json").read_text(encoding="utf-8"))
    assert (facts["anchors"], facts["anchors_file"], facts["anchors_sha256"]) == ([], None, None)
    assert facts["counts"]["zero-shot"] == (table["source"] == "zero-shot").sum() > 0
    assert label.ZERO_SHOT in facts["notes"]
    assert "without anchors" in str(result)
    page = (out / "clip.html").read_text(encoding="utf-8")
    assert "labelled without anchors." in page
    assert "straight lines between the anchors" not in page
    assert "Without anchors: all." in (out / "index.html").read_text(encoding="utf-8")


def test_of_several_videos_the_terminal_says_it_once(clip, bundle, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("one", "two"):
        (videos / f"{name}.mp4").write_bytes(clip.read_bytes())
    s = load_settings().label
    result = label.run(s, EXTRACT, videos=[videos], anchors=None, model=bundle, out=tmp_path / "out")
    assert len(result.videos) == 2
    assert str(result).count(label.ZERO_SHOT) == 1


def test_a_picture_is_labelled_too(bundle, tmp_path):
    from make_video import with_face

    short = write_video(tmp_path / "clip.mp4", [0], lambda _: with_face(0.8))
    _, table = labelled(short, bundle, tmp_path / "out")
    assert len(table) == 1
    assert table["source"][0] == "zero-shot"


def test_a_video_that_the_anchors_file_leaves_out_is_labelled_without_anchors_and_that_is_said(clip, bundle, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("one", "two"):
        (videos / f"{name}.mp4").write_bytes(clip.read_bytes())
    anchors = tmp_path / "anchors.csv"
    anchors.write_text("video_id,frame,valence,arousal\none,0,0.1,0.1\n", encoding="utf-8")
    s = load_settings()
    result = label.run(s.label, s.extract, videos=[videos], anchors=anchors, model=bundle, out=tmp_path / "out")
    assert [label.ZERO_SHOT in video.notes for video in result.videos] == [False, True]
    assert "two.mp4: note: " + label.ZERO_SHOT in str(result)
    facts = json.loads((tmp_path / "out" / "two.va.json").read_text())
    assert (facts["anchors"], facts["anchors_file"]) == ([], None)


def test_on_the_command_line_a_video_is_enough(clip, bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mtclar.steps.models.default_bundle", lambda: bundle)
    assert default.NAME == "default"
    done = CliRunner().invoke(app, ["label", str(clip)])
    assert done.exit_code == 0, done.output
    assert "without anchors" in done.output
    assert (tmp_path / "labels" / "clip.va.csv").is_file()
