"""`mtclar evaluate --real` from rated clips to files, with a model that reads valence off the red of a face."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from make_video import numbered, with_face, write_video
from toy_bundle import toy_bundle

from mtclar.data.store import encode
from mtclar.errors import MtclarError, PartialFailureError
from mtclar.evaluation.calibrate import nominal_calibration
from mtclar.settings import load_settings
from mtclar.steps import evaluate_real, label

CALIBRATION = nominal_calibration(0.9).content
FRAMES = 12
GONE = (10, 11)
RATED = (0, 2, 5, 8, 9, 11)
SETTINGS = load_settings(
    overrides=["evaluate.real_anchors=[1, 2, 5, 6]", "evaluate.real_placements=7", "evaluate.bootstrap=100"]
)
SECTIONS = SETTINGS.label, SETTINGS.extract


def picture(index: int) -> np.ndarray:
    """A face that grows brighter, then none."""
    return numbered(index, 288, 192) if index in GONE else with_face(0.6 + 0.04 * index)


def rate(folder, name: str = "clip", lines=None) -> None:
    rows = [f"{frame},{-0.5 + 0.1 * frame:.2f},{0.02 * frame:.2f}" for frame in RATED] if lines is None else lines
    (folder / f"{name}_labels.csv").write_text("\n".join(["frame,valence,arousal", *rows]) + "\n")


def run(folder, bundle, out, settings=SETTINGS):
    return evaluate_real.run(
        settings.evaluate, settings.label, settings.extract, data=folder, model=str(bundle), out=out
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "bundle", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", [40 * i for i in range(FRAMES)], picture)


def place(clip, folder, name: str = "clip"):
    """The clip under a name of its own, rated."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.mp4").write_bytes(clip.read_bytes())
    rate(folder, name)
    return folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory, clip, bundle):
    """One rated clip, one that is not, and three portraits, one of them without a face."""
    root = tmp_path_factory.mktemp("judged")
    folder = place(clip, root / "clips")
    (folder / "other.mp4").write_bytes(clip.read_bytes())
    (folder / "portraits").mkdir()
    for name, image in (("1", with_face(0.9)), ("2", with_face(0.5)), ("3", numbered(3, 288, 192))):
        (folder / "portraits" / f"{name}.jpg").write_bytes(encode(image, 95))
    (folder / "portraits" / "labels.csv").write_text("picture,valence,arousal\n1.jpg,0.6,0\n2.jpg,0.1,0\n3.jpg,0,0\n")
    out = root / "out"
    return folder, out, run(folder, bundle, out)


def test_every_placement_is_tried_up_to_the_limit_at_the_rated_frames_that_show_a_face(judged):
    _, out, result = judged
    found = json.loads((out / "real.json").read_text())
    assert found == result.found
    assert found["clips"] == [
        {
            "video_id": "clip",
            "rated": 5,
            "faceless": 1,
            "frames": 12,
            "faces": 10,
            "placements": {"0": 1, "1": 5, "2": 7},
        }
    ]
    assert list(found["anchors"]) == ["0", "1", "2"]
    assert found["intervals"] == {"0": "placements", "1": "placements", "2": "placements"}
    assert found["unrated"] == ["other"]
    assert found["by_clip"]["clip"] == found["anchors"]


def test_the_labels_that_are_scored_are_those_of_mtclar_label(judged, bundle, tmp_path):
    """RMSE at one anchor, from five runs of `mtclar label` with one line of the ratings each."""
    folder, _, result = judged
    ratings = pd.read_csv(folder / "clip_labels.csv")
    rated = ratings[~ratings["frame"].isin(GONE)]
    errors = {"valence": [], "arousal": []}
    straight = {"valence": [], "arousal": []}
    for row in rated.itertuples():
        anchors = tmp_path / "anchors.csv"
        anchors.write_text(f"video_id,frame,valence,arousal\nclip,{row.frame},{row.valence},{row.arousal}\n")
        out = tmp_path / f"at{row.frame}"
        label.run(
            SETTINGS.label, SETTINGS.extract, videos=[folder / "clip.mp4"], anchors=anchors, model=str(bundle), out=out
        )
        table = pd.read_csv(out / "clip.va.csv").set_index("frame")
        rest = rated[rated["frame"] != row.frame]
        for name, found in errors.items():
            labels = table.loc[rest["frame"], name].to_numpy()
            found.append(np.sqrt(np.mean((labels - rest[name].to_numpy()) ** 2)))
            straight[name].append(np.sqrt(np.mean((getattr(row, name) - rest[name].to_numpy()) ** 2)))
    for name, found in errors.items():
        block = result.found["anchors"]["1"][name]
        assert block["mtclar"]["rmse"] == pytest.approx(np.mean(found), abs=1e-5)
        assert block["linear"]["rmse"] == block["copy"]["rmse"] == pytest.approx(np.mean(straight[name]), abs=1e-5)


def test_without_an_anchor_the_labels_are_those_of_mtclar_label_without_an_anchors_file(judged, bundle, tmp_path):
    folder, _, result = judged
    label.run(
        SETTINGS.label, SETTINGS.extract, videos=[folder / "clip.mp4"], anchors=None, model=str(bundle), out=tmp_path
    )
    table = pd.read_csv(tmp_path / "clip.va.csv").set_index("frame")
    ratings = pd.read_csv(folder / "clip_labels.csv").set_index("frame").drop(index=[11])
    for name in ("valence", "arousal"):
        rows, block = table.loc[ratings.index], result.found["anchors"]["0"][name]["mtclar"]
        assert block["rmse"] == pytest.approx(np.sqrt(np.mean((rows[name] - ratings[name]) ** 2)), abs=1e-5)
        held = (rows[f"{name}_lo"] <= ratings[name]) & (ratings[name] <= rows[f"{name}_hi"])
        assert block["coverage"] == pytest.approx(held.mean())


def test_a_count_of_anchors_that_leaves_nothing_to_score_is_left_out_and_that_is_said(judged):
    _, _, result = judged
    assert any("'clip' has 5 ratings" in note and "5, 6 anchors" in note for note in result.found["notes"])
    assert "5, 6 anchors" in str(result)


def test_portraits_are_scored_without_an_anchor_and_those_without_a_face_are_listed(judged):
    found = judged[2].found["portraits"]
    assert (found["n_pictures"], found["cluster"]) == (2, "picture")
    assert [item["name"] for item in found["left_out"]] == ["3.jpg"]
    assert "no face was found" in found["left_out"][0]["error"]
    assert found["valence"]["pcc"] == pytest.approx(1)  # two pictures, and the brighter one has the higher rating


def test_the_report_shows_tables_curves_and_what_was_left_alone(judged):
    _, out, result = judged
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 3  # errors, and the clip with and without anchors
    for words in ("All clips together", "Clip clip", "Portraits, without any anchor", "left alone", "3.jpg"):
        assert words in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    for header, rows in result.tables():
        assert len(rows) == 6
        assert all(len(row) == len(header) for row in rows)
    assert set(pd.read_csv(out / "plots" / "errors.csv")["method"]) == {"mtclar", "copy", "linear", "pchip"}
    assert len(pd.read_csv(out / "plots" / "curves.csv")) == 2 * FRAMES


def test_the_same_input_gives_the_same_bytes_and_another_clip_changes_nothing_of_a_clip(judged, clip, bundle, tmp_path):
    folder, out, _ = judged
    run(folder, bundle, tmp_path / "again")
    assert (tmp_path / "again" / "real.json").read_bytes() == (out / "real.json").read_bytes()
    place(clip, place(clip, tmp_path / "two"), "zweiter")
    found = run(tmp_path / "two", bundle, tmp_path / "both").found
    assert found["by_clip"]["clip"] == judged[2].found["by_clip"]["clip"]
    assert found["n_clips"] == {"0": 2, "1": 2, "2": 2}
    assert set(found["intervals"].values()) == {"clips"}
    low, high = found["anchors"]["0"]["valence"]["mtclar"]["rmse_interval"]
    assert low <= found["anchors"]["0"]["valence"]["mtclar"]["rmse"] <= high


def test_a_broken_video_and_a_rating_beyond_the_end_are_listed_and_the_others_judged(clip, bundle, tmp_path):
    folder = place(clip, place(clip, tmp_path / "clips"), "late")
    rate(folder, "late", ["0,0,0", "40,0.5,0"])
    (folder / "broken.mp4").write_bytes(b"no video")
    rate(folder, "broken")
    with pytest.raises(PartialFailureError, match=r"1 of 3 rated clips and pictures could be judged") as caught:
        run(folder, bundle, tmp_path / "out")
    assert caught.value.exit_code == 3
    assert "broken.mp4" in str(caught.value)
    assert "late_labels.csv, line 3: frame 40 is out of range" in str(caught.value)
    found = json.loads((tmp_path / "out" / "real.json").read_text())
    assert [item["name"] for item in found["failed"]] == ["broken", "late"]
    assert "Could not be judged" in (tmp_path / "out" / "report.html").read_text()


def test_pictures_without_a_face_are_listed_though_none_has_one(clip, bundle, tmp_path):
    folder = place(clip, tmp_path / "clips")
    (folder / "wall.png").write_bytes(encode(numbered(1, 288, 192), 95))
    (folder / "labels.csv").write_text("picture,valence,arousal\nwall.png,0,0\n")
    result = run(folder, bundle, tmp_path / "out")
    assert "portraits" not in result.found
    assert any("wall.png: no face was found" in note for note in result.found["notes"])


def test_a_folder_that_holds_something_else_is_refused_before_anything_is_labelled(clip, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_real, "read_clip", lambda *_: pytest.fail("read a clip in vain"))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MtclarError, match=r"holds no real\.json"):
        run(place(clip, tmp_path / "clips"), bundle, tmp_path)


def test_where_nothing_can_be_judged_nothing_is_written(clip, bundle, tmp_path):
    folder = place(clip, tmp_path / "clips")
    rate(folder, lines=["10,0,0", "11,0.5,0"])
    with pytest.raises(MtclarError, match="found on none of the 2 rated frames"):
        run(folder, bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()
