"""`suggest`, `suspects`, `why` and `raters` as a user calls them: on a features file, without the video."""

from __future__ import annotations

import csv
import io
import json
import shutil

import cv2
import numpy as np
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_bundle import toy_bundle
from typer.testing import CliRunner

import mtclar
from mtclar.cli import app
from mtclar.data.anchors import read_anchors
from mtclar.errors import MtclarError
from mtclar.settings import load_settings
from mtclar.steps import raters as raters_step
from mtclar.steps import suggest as suggest_step
from mtclar.steps import suspects as suspects_step
from mtclar.steps import why as why_step

S = load_settings()
LINES = ("clip,0,-0.5,0.1", "clip,3,0.0,0.15", "clip,6,0.25,0.2", "clip,5,-0.9,0.2", "other,4,0.1,0.1")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "bundle", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def kept(tmp_path_factory, model):
    """A features file whose video is gone."""
    folder = tmp_path_factory.mktemp("features")
    clip = write_video(folder / "clip.mp4", TIMES_MS, picture)
    mtclar.write_features(mtclar.extract(clip, model=model), folder / "clip.features")
    clip.unlink()
    return folder / "clip.features"


def test_suggest_writes_a_table_a_sheet_json_and_a_form_that_label_reads_once_filled_in(kept, model, tmp_path):
    outs = [tmp_path / name for name in ("next.png", "next.json", "next.csv")]
    result = suggest_step.run(S, features=kept, budget=3, model=model, target_rmse=0.2, out=outs)
    _, rows = result.table()
    assert len(rows) == 3
    facts = json.loads(outs[1].read_text())
    assert facts["anchors"] == 0
    assert [one["frame"] for one in facts["suggestions"]] == [int(row[1]) for row in rows]
    assert facts["estimated_rmse"]["target"] == 0.2
    assert cv2.imread(str(outs[0])) is not None
    form = list(csv.DictReader(io.StringIO(outs[2].read_text())))
    assert {int(row["frame"]) for row in form} == {int(row[1]) for row in rows}
    filled = outs[2].read_text().replace(",,\n", ",0.1,0.2\n")
    outs[2].write_text(filled)
    later = suggest_step.run(S, features=kept, budget=2, model=model, anchors=outs[2])
    assert later.found.error.anchors == 3
    assert max(later.found.error.now) < max(result.found.error.now)
    assert not set(later.found.frame.tolist()) & set(result.found.frame.tolist())


def test_a_video_that_the_anchors_file_does_not_name_has_none_and_that_is_said(kept, model, tmp_path):
    path = write_anchors(tmp_path, "one,0,0,0", "two,0,0,0")
    result = suggest_step.run(S, features=kept, budget=1, model=model, anchors=path)
    assert result.found.error.anchors == 0
    assert any("holds no anchor of 'clip'" in said for said in result.sentences())


def test_suspects_ranks_the_wrong_anchor_first(kept, model, tmp_path):
    outs = [tmp_path / "suspects.jpg", tmp_path / "suspects.json"]
    path = write_anchors(tmp_path, *LINES)
    result = suspects_step.run(S, features=kept, anchors=path, model=model, out=outs)
    assert json.loads(outs[1].read_text())["anchors"][0]["frame"] == 5
    assert result.table()[1][0][1] == "5"
    assert cv2.imread(str(outs[0])) is not None
    with pytest.raises(MtclarError, match="has 2 anchors of 'clip'"):
        suspects_step.run(S, features=kept, anchors=write_anchors(tmp_path, *LINES[:2]), model=model)


def test_why_is_what_labels_say_and_its_parts_sum_to_the_label(kept, model, tmp_path):
    path = write_anchors(tmp_path, *LINES[:3])
    out = tmp_path / "why.json"
    why_step.run(S, features=kept, frame=4, anchors=path, model=model, out=[out, tmp_path / "why.png"])
    labels = mtclar.annotate(mtclar.read_features(kept), path, model=model)
    facts = json.loads(out.read_text())
    assert facts["label"]["valence"] == pytest.approx(labels.values[4, 0], abs=1e-5)
    assert sum(one["valence_part"] for one in facts["parts"]) == pytest.approx(facts["label"]["valence"], abs=1e-4)
    assert sum(one["valence"] for one in facts["variance"]) == pytest.approx(labels.sd[4, 0] ** 2, rel=1e-2)
    assert {one["frame"] for one in facts["parts"]} == {0, 3, 6, None}
    few = why_step.run(S, features=kept, frame=4, anchors=path, model=model, most=1)
    assert few.table()[1][1][0] == "2 more"
    anchor = why_step.run(S, features=kept, frame=3, anchors=path, model=model)
    assert anchor.width is None
    with pytest.raises(MtclarError, match="frame 10 cannot be explained"):
        why_step.run(S, features=kept, frame=10, anchors=path, model=model)


def test_a_labelled_videos_page_lists_the_suspects(kept, model, tmp_path):
    from mtclar.steps import label as label_step

    clip = write_video(tmp_path / "clip.mp4", TIMES_MS, picture)
    lines = [f"clip,{k},{0.1 * k - 0.5 if k != 3 else 0.9},0.1" for k in (0, 1, 2, 3, 4, 5, 6, 7)]
    label_step.run(
        S.label, S.extract, videos=[clip], anchors=write_anchors(tmp_path, *lines), model=model, out=tmp_path / "out"
    )
    page = (tmp_path / "out" / "clip.html").read_text(encoding="utf-8")
    assert '"suspects": [{"frame": 3' in page or '"suspects":[{"frame":3' in page


def test_features_of_another_model_are_refused(kept, tmp_path):
    other = toy_bundle(tmp_path / "other", d_valence=0.5, calibration=CALIBRATION)
    with pytest.raises(MtclarError, match="are of another model"):
        suggest_step.run(S, features=kept, budget=1, model=other)


def write_ratings(path, times, values, names=None):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video_id", "time_s", "valence", "arousal", *(["annotator"] if names else [])])
        for k, (at, (v, a)) in enumerate(zip(times, values, strict=True)):
            writer.writerow(["clip", f"{at:.4f}", f"{v:.4f}", f"{a:.4f}", *([names[k]] if names else [])])
    return path


def test_raters_finds_the_lag_and_merges_into_an_anchors_file_with_standard_errors(tmp_path):
    times = np.arange(0, 30, 0.04)

    def said(t):
        return np.stack([0.5 * np.sin(t), 0.4 * np.cos(0.7 * t)], axis=1)

    one = write_ratings(tmp_path / "anna.csv", times, said(times))
    two = write_ratings(tmp_path / "ben.csv", times, 0.1 + 0.8 * said(times - 1.2))
    outs = [tmp_path / "merged.csv", tmp_path / "found.json"]
    result = raters_step.run([one, two], out=outs)
    found = result.links["ben"]
    assert abs(found.lag - 1.2) <= 0.04
    np.testing.assert_allclose(found.offset, 0.1, atol=0.02)
    assert result.agreements["lag and scale taken out"][0].icc > 0.99 > result.agreements["as given"][0].icc
    merged = read_anchors(outs[0]).match(["clip"]).on_frames("clip", times)
    assert len(merged) == len(times)
    assert (merged.noise[:600] > 0).all()
    assert merged.weights[:600].max() == 2
    assert json.loads(outs[1].read_text())["raters"] == ["anna", "ben"]
    both = write_ratings(
        tmp_path / "both.csv",
        [*times, *times],
        [*said(times), *said(times - 1.2)],
        ["Anna"] * len(times) + ["Ben"] * len(times),
    )
    assert raters_step.run([both]).names == ("Anna", "Ben")
    with pytest.raises(MtclarError, match="expected two raters or more, found 'anna'"):
        raters_step.run([one])


def test_frames_without_a_rate_are_told_in_frames(tmp_path):
    text = "frame,valence,arousal\n" + "".join(f"{k},{np.sin(k / 9):.4f},0.1\n" for k in range(100))
    later = "frame,valence,arousal\n" + "".join(f"{k},{np.sin((k - 6) / 9):.4f},0.1\n" for k in range(100))
    (tmp_path / "a.csv").write_text(text)
    (tmp_path / "b.csv").write_text(later)
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert raters_step.run(files).links["b"].lag == pytest.approx(6, abs=0.5)
    assert raters_step.run(files, fps=10.0).links["b"].lag == pytest.approx(0.6, abs=0.05)


def test_the_command_line_prints_and_refuses_in_one_sentence(kept, model, tmp_path):
    run = CliRunner().invoke
    path = write_anchors(tmp_path, *LINES)
    shared = ["--model", str(model), "--anchors", str(path)]
    answer = run(app, ["suggest", str(kept), *shared, "--budget", "2", "--suspects"])
    assert answer.exit_code == 0
    assert "estimated RMSE" in answer.output
    assert "others say" in answer.output
    assert "prediction" in run(app, ["why", str(kept), "4", *shared]).output
    assert run(app, ["suspects", str(kept), *shared, "--quiet"]).output == ""
    refused = run(app, ["suggest", str(kept), *shared, "--out", str(tmp_path / "a.gif")])
    assert isinstance(refused.exception, MtclarError)
    assert "ends in .png" in str(refused.exception)
    gone = run(app, ["suggest", str(tmp_path / "none.features"), *shared])
    assert gone.exit_code != 0
    shutil.rmtree(tmp_path, ignore_errors=True)
