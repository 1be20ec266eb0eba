"""`mtclar convert` and `mtclar sync`: labels to other tools and back, and what was changed there labels anew."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_bundle import toy_bundle
from typer.testing import CliRunner

import mtclar
from mtclar.cli import app
from mtclar.errors import MtclarError
from mtclar.settings import load_settings
from mtclar.steps import convert
from mtclar.steps import label as label_step

FILES = {"elan": "clip.eaf", "nova": "clip.annotation", "label-studio": "clip.json", "cvat": "clip.xml"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A labelled clip: its features, its labels with two anchors, and the model that made them."""
    folder = tmp_path_factory.mktemp("convert")
    clip = write_video(folder / "clip.mp4", TIMES_MS, picture)
    model = toy_bundle(folder / "bundle", calibration=CALIBRATION)
    anchors = write_anchors(folder, "clip,0,-0.5,0.1", "clip,6,0.25,0.2")
    settings = load_settings()
    label_step.run(
        settings.label, settings.extract, videos=[clip], anchors=anchors, model=str(model), out=folder / "out"
    )
    features = folder / "clip.features"
    mtclar.write_features(mtclar.extract(clip, model=model), features)
    return {"labels": folder / "out" / "clip.va.csv", "features": features, "model": str(model), "anchors": anchors}


@pytest.mark.parametrize("name", FILES)
def test_labels_go_out_and_their_anchors_come_back(work, tmp_path, name):
    file = tmp_path / FILES[name]
    out = convert.run(work["labels"], file, features=work["features"])
    assert all(path.is_file() for path in out.written)
    read = next(path for path in out.written if path.suffix == file.suffix)
    back = convert.run(read, tmp_path / "anchors.csv", features=work["features"])
    assert back.target == "anchors"
    found = pd.read_csv(tmp_path / "anchors.csv")
    assert found["frame"].tolist() == [0, 6]
    assert found[["valence", "arousal"]].to_numpy() == pytest.approx(np.array([[-0.5, 0.1], [0.25, 0.2]]), abs=1e-4)


def _changed(name: str, folder) -> None:
    """What a person might do: the second anchor becomes 0.75."""
    if name == "nova":
        data = folder / "valence.clip.mtclar.annotation~"
        data.write_text(data.read_text().replace("0.250000;1.0000", "0.750000;1.0000"))
        return
    file = folder / FILES[name]
    text = file.read_text()
    old, new = {
        "elan": ("v=0.2500", "v=0.7500"),
        "label-studio": ('"number": 0.25', '"number": 0.75'),
        "cvat": ('<attribute name="valence">0.2500<', '<attribute name="valence">0.7500<'),
    }[name]
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize("name", FILES)
def test_what_a_person_changed_becomes_an_anchor_and_the_file_is_written_anew(work, tmp_path, name):
    file = tmp_path / FILES[name]
    convert.run(work["labels"], file, features=work["features"])
    assert convert.sync(file, model=work["model"]).anchors is None
    _changed(name, tmp_path)
    done = convert.sync(file, model=work["model"])
    assert done.changed >= 1
    anchors = pd.read_csv(tmp_path / "clip.anchors.csv")
    assert dict(zip(anchors["frame"], anchors["valence"], strict=True))[6] == 0.75
    expected = mtclar.annotate(
        mtclar.read_features(work["features"]), tmp_path / "clip.anchors.csv", model=work["model"]
    ).to_pandas()
    at = expected[expected["valence"].notna()].set_index("frame")["valence"]
    if name == "cvat":  # which holds the curve by frame
        found = convert.read_annotations(file).table.set_index("frame")["valence"]
        assert (found - at).abs().max() <= 1e-4
        assert len(found) == len(at)
    if name == "nova":
        found = convert.read_annotations(tmp_path / "valence.clip.mtclar.annotation").table["valence"]
        assert np.isclose(found.to_numpy()[:, None], at.to_numpy(), atol=1e-5).any(axis=1).all()
    assert convert.sync(file, model=work["model"]).anchors is None


def test_a_person_may_take_an_anchor_away_and_rows_of_other_videos_stay(work, tmp_path):
    file, anchors = tmp_path / "clip.eaf", tmp_path / "all.csv"
    anchors.write_text("video_id,frame,valence,arousal,annotator\nother,3,0.1,0.1,Ann\nclip,6,0.25,0.2,Ann\n")
    convert.run(work["labels"], file, features=work["features"])
    text = file.read_text()
    one = re.search(
        r"\s*<ANNOTATION>\s*<ALIGNABLE_ANNOTATION[^>]*>\s*<ANNOTATION_VALUE>v=0\.2500.*?</ANNOTATION>", text, re.S
    )
    file.write_text(text.replace(one.group(), ""))
    done = convert.sync(file, anchors=anchors, model=work["model"])
    assert (done.changed, done.removed) == (0, 1)
    found = pd.read_csv(anchors)
    assert found[["video_id", "frame"]].to_numpy().tolist() == [["other", 3], ["clip", 0]]
    assert found["annotator"][0] == "Ann"


def test_without_features_the_anchors_are_written_and_the_way_on_is_said(work, tmp_path):
    file = tmp_path / "clip.eaf"
    convert.run(work["labels"], file)
    _changed("elan", tmp_path)
    done = convert.sync(file)
    assert done.written == []
    assert "give --features to label again" in str(done)


def test_a_file_that_was_not_written_by_convert_cannot_be_synced(tmp_path):
    (tmp_path / "clip.eaf").write_text("<x/>")
    with pytest.raises(MtclarError, match=r"there is no clip\.eaf\.mtclar\.json beside it .* use 'mtclar convert'"):
        convert.sync(tmp_path / "clip.eaf")


def test_frames_without_times_ask_for_the_rate(work, tmp_path):
    convert.run(work["labels"], tmp_path / "clip.xml", features=work["features"])
    with pytest.raises(MtclarError, match=r"says frames but no times; give --features of the video, or its --fps"):
        convert.run(tmp_path / "clip.xml", tmp_path / "clip.eaf")
    convert.run(tmp_path / "clip.xml", tmp_path / "clip.eaf", fps=25.0)


def test_a_file_is_not_written_over_what_it_is_made_of(work):
    with pytest.raises(MtclarError, match="is the file that is read"):
        convert.run(work["labels"], work["labels"])


def test_the_r_script_names_its_csv_which_is_written_beside_it(work, tmp_path):
    convert.run(work["labels"], tmp_path / "plot.R")
    assert 'read.csv("plot.csv"' in (tmp_path / "plot.R").read_text()
    assert (tmp_path / "plot.csv").is_file()


def test_the_command_line_says_what_it_did_and_refuses_in_one_sentence(work, tmp_path):
    runner = CliRunner()
    done = runner.invoke(app, ["convert", str(work["labels"]), str(tmp_path / "c.eaf")])
    assert done.exit_code == 0
    rows = pd.read_csv(work["labels"])
    assert f"csv to elan: {len(rows)} rows; 0 moved" in done.output
    known = json.loads((tmp_path / "c.eaf.mtclar.json").read_text())
    assert known["format"] == "elan"
    failed = runner.invoke(app, ["convert", str(tmp_path / "none.eaf"), str(tmp_path / "a.csv")])
    assert failed.exit_code != 0
    assert "there is no such file" in str(failed.exception)


def two(work, video: str) -> convert.Annotations:
    """The clip's labels as those of two people, of whom the second is half as pleased."""
    one = convert.read_annotations(work["labels"]).table
    one = one[one["valence"].notna()].assign(track_id=0, person_id=None)
    other = one.assign(track_id=5, person_id="Anna", valence=one["valence"] / 2)
    return convert.Annotations(video, pd.concat([one, other]), media=f"{video}.mp4")


@pytest.mark.parametrize(("name", "ending"), [("nova", ".annotation"), ("afew-va", ".json")])
def test_of_several_videos_and_people_in_a_folder_each_keeps_files_of_its_own(work, tmp_path, name, ending):
    written: dict[str, list] = {}
    for video in ("a", "b"):
        labels = tmp_path / f"{video}.parquet"
        convert.write_annotations(two(work, video), labels)
        written[video] = convert.run(labels, tmp_path / f"{video}{ending}", target_format=name).written
    assert not set(written["a"]) & set(written["b"])
    for video in ("a", "b"):
        assert convert.sync(tmp_path / f"{video}{ending}", anchors=tmp_path / "x.csv").anchors is None
    files = [path for path in written["a"] if path.suffix in (".annotation", ".json") and "Anna" in path.name]
    changed = files[0].with_name(files[0].name + "~") if name == "nova" else files[0]
    text = changed.read_text()
    old = text.splitlines()[0] if name == "nova" else next(x for x in text.splitlines() if '"valence"' in x)
    changed.write_text(text.replace(old, "0.900000;1.0000" if name == "nova" else '   "valence": 9.0,', 1))
    assert convert.sync(tmp_path / f"b{ending}", anchors=tmp_path / "x.csv").anchors is None
    done = convert.sync(tmp_path / f"a{ending}", anchors=tmp_path / "x.csv")
    assert done.changed == 1
    found = pd.read_csv(tmp_path / "x.csv")
    assert set(found["video_id"]) == {"a"}
    assert found[found["track_id"] == 5]["valence"].max() == pytest.approx(0.9)
