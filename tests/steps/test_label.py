import json
import re
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from bright_clip import CALIBRATION, EXTRACT, PLAIN, TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_bundle import toy_bundle
from typer.testing import CliRunner

from mtclar.cli import app
from mtclar.data.tables import LABELS, read_table
from mtclar.errors import MtclarError
from mtclar.serving import Bundle
from mtclar.settings import load_settings
from mtclar.steps import label


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, clip, bundle):
    out = tmp_path_factory.mktemp("out") / "labels"
    anchors = write_anchors(out.parent, "clip,0,-0.5,0.1", "clip,6,0.25,0.2", "clip,9,0.9,0.9")
    result = label.run(PLAIN, EXTRACT, videos=[clip], anchors=anchors, model=str(bundle), out=out)
    return out, result, read_table(out / "clip.va.parquet", LABELS)


def test_every_frame_has_one_row_with_its_true_time(labelled):
    _, result, table = labelled
    assert table["frame"].tolist() == list(range(12))
    np.testing.assert_allclose(table["time_s"], np.array(TIMES_MS) / 1000, atol=1e-6)
    assert (result.videos[0].frames, result.videos[0].faces, result.videos[0].anchors) == (12, 8, 3)


def test_frames_without_a_face_are_marked_and_carry_no_number(labelled):
    _, _, table = labelled
    assert table["status"].tolist() == ["ok"] * 8 + ["no_face"] * 4
    assert table["source"].tolist() == ["anchor", *["model"] * 5, "anchor", "model", "none", "anchor", "none", "none"]
    blank = table.iloc[[8, 10, 11]][["valence", "arousal", "valence_lo", "confidence", "face_x", "quality"]]
    assert blank.isna().all(axis=None)


def test_anchors_keep_their_label_even_where_no_face_was_found_and_that_is_said(labelled):
    _, result, table = labelled
    np.testing.assert_allclose(table["valence"][[0, 6, 9]], [-0.5, 0.25, 0.9])
    assert table["confidence"][[0, 6, 9]].tolist() == [1, 1, 1]
    assert any("No face was found on the anchor frame(s) 9" in note for note in result.videos[0].notes)


def test_labels_follow_the_model_from_the_anchors_that_show_a_face(labelled):
    """The toy model sees valence as mean red, which grows with the light of the face."""
    _, _, table = labelled
    inner = table["valence"][1:6].to_numpy()
    assert (np.diff(inner) > 0).all()
    assert ((inner > -0.6) & (inner < 0.4)).all()
    assert all({"0", "6"} <= set(used.split()) for used in table["anchor_ids"][1:6])


def test_the_band_lies_around_the_label_and_an_anchor_has_none_of_its_own(labelled):
    _, _, table = labelled
    rows = table[table["source"] == "model"]
    for name in ("valence", "arousal"):
        assert (rows[f"{name}_lo"] < rows[name]).all()
        assert (rows[name] < rows[f"{name}_hi"]).all()
    anchors = table.iloc[[0, 6]]
    np.testing.assert_allclose(anchors["valence_hi"], anchors["valence"])
    assert rows["confidence"].between(0.3, 1).all()


def test_a_face_that_is_away_for_a_moment_leaves_interpolated_labels(bundle, tmp_path):
    short = write_video(tmp_path / "clip.mp4", range(0, 800, 40), lambda i: picture(8 if i in (5, 6) else 3))
    anchors = write_anchors(tmp_path, "clip,0,-0.5,0.1", "clip,19,0.5,0.1")
    label.run(PLAIN, EXTRACT, videos=[short], anchors=anchors, model=str(bundle), out=tmp_path / "out")
    table = read_table(tmp_path / "out" / "clip.va.parquet", LABELS)
    assert table["source"][4:7].tolist() == ["model", "interpolated", "interpolated"]
    assert table["status"][4:7].tolist() == ["ok", "no_face", "no_face"]
    assert (table["source"][15], table["status"][15]) == ("model", "ok")
    assert table["valence"][4] < table["valence"][5] < table["valence"][15]
    assert table["face_x"][5:7].isna().all()
    none = PLAIN.model_copy(update={"bridge_s": 0.0})
    label.run(none, EXTRACT, videos=[short], anchors=anchors, model=str(bundle), out=tmp_path / "none")
    table = read_table(tmp_path / "none" / "clip.va.parquet", LABELS)
    assert table["source"][5:7].tolist() == ["none", "none"]


def test_bands_widen_away_from_the_anchors(bundle, tmp_path):
    long = write_video(tmp_path / "clip.mp4", range(0, 4000, 200), lambda i: picture(2))
    anchors = write_anchors(tmp_path, "clip,0,-0.5,0.1")
    label.run(PLAIN, EXTRACT, videos=[long], anchors=anchors, model=str(bundle), out=tmp_path / "out")
    rows = read_table(tmp_path / "out" / "clip.va.parquet", LABELS)
    rows = rows[rows["source"] == "model"]
    half = (rows["valence_hi"] - rows["valence_lo"]).to_numpy()
    assert half[0] < half[-1]
    np.testing.assert_allclose(
        rows["confidence"],
        np.clip(1 - (half + rows["arousal_hi"] - rows["arousal_lo"]) / 4, 0, 1),
        atol=0.02,
    )


def test_csv_and_parquet_hold_the_same_and_the_csv_is_plain(labelled):
    out, _, table = labelled
    text = (out / "clip.va.csv").read_bytes().decode("utf-8")
    assert "\r" not in text
    assert "nan" not in text.lower()
    assert text.splitlines()[0] == ",".join(LABELS.names)
    assert re.search(r"^clip,0,,1,\d+,0\.040000,", text, flags=re.MULTILINE)
    csv = pd.read_csv(out / "clip.va.csv", keep_default_na=False, na_values=[""])
    for name in ("time_s", "valence", "arousal_hi", "face_w", "confidence"):
        np.testing.assert_allclose(csv[name], table[name], rtol=1e-5, atol=1e-6)


def test_the_facts_lie_beside_the_csv_and_in_the_parquet_file(labelled, bundle):
    out, _, _ = labelled
    facts = json.loads((out / "clip.va.json").read_text(encoding="utf-8"))
    stored = json.loads(pq.read_schema(out / "clip.va.parquet").metadata[b"mtclar"])
    assert facts == stored
    assert facts["model"]["sha256"] == Bundle.load(bundle).identity
    assert (facts["n_frames"], facts["is_vfr"], facts["width"], facts["height"]) == (12, True, 288, 192)
    assert facts["band"] == {key: CALIBRATION[key] for key in ("coverage", "multiples")}
    assert facts["counts"] == {
        "rows": 12,
        "ok": 8,
        "low_quality": 0,
        "no_face": 4,
        "out_of_shot": 0,
        "anchor": 3,
        "model": 6,
        "zero-shot": 0,
        "interpolated": 0,
        "none": 3,
    }
    assert [anchor["frame"] for anchor in facts["anchors"]] == [0, 6, 9]


def test_labelling_twice_writes_the_same_bytes(labelled, clip, bundle, settings, tmp_path):
    out, _, _ = labelled
    label.run(
        settings, EXTRACT, videos=[clip], anchors=out.parent / "anchors.csv", model=bundle, out=tmp_path / "again"
    )
    for name in ("clip.va.csv", "clip.va.json", "clip.html", "summary.json", "index.html"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name


def test_the_size_of_a_batch_changes_nothing(labelled, clip, bundle, settings, tmp_path):
    out, _, table = labelled
    small = EXTRACT.model_copy(update={"batch": 3})
    label.run(settings, small, videos=[clip], anchors=out.parent / "anchors.csv", model=bundle, out=tmp_path / "o")
    again = read_table(tmp_path / "o" / "clip.va.parquet", LABELS)
    np.testing.assert_allclose(again["valence"], table["valence"], atol=1e-6)


def test_a_model_folder_with_a_changed_file_is_refused(clip, settings, tmp_path):
    folder = toy_bundle(tmp_path / "bundle")
    data = bytearray((folder / "pair.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "pair.onnx").write_bytes(data)
    anchors = write_anchors(tmp_path, "clip,0,0,0")
    with pytest.raises(MtclarError, match="changed since"):
        label.run(settings, EXTRACT, videos=[clip], anchors=anchors, model=folder, out=tmp_path / "out")


def test_a_model_without_calibration_gives_labels_without_a_band_and_says_so(clip, settings, tmp_path):
    anchors = write_anchors(tmp_path, "clip,0,0,0")
    folder, out = toy_bundle(tmp_path / "bundle"), tmp_path / "out"
    result = label.run(settings, EXTRACT, videos=[clip], anchors=anchors, model=folder, out=out)
    table = read_table(out / "clip.va.parquet", LABELS)
    assert table["valence"][:8].notna().all()
    assert table["valence_lo"][1:].isna().all()
    assert any("no calibration" in note for note in result.videos[0].notes)


def test_a_registry_model_without_mlflow_is_refused_in_a_sentence(clip, settings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    for name in [name for name in sys.modules if name.startswith(("mlflow.", "mtclar.registry"))]:
        monkeypatch.delitem(sys.modules, name)
    anchors = write_anchors(tmp_path, "clip,0,0,0")
    with pytest.raises(MtclarError, match="registry"):
        label.run(
            settings,
            EXTRACT,
            videos=[clip],
            anchors=anchors,
            model="models:/mtclar@champion",
            out=tmp_path / "out",
            registry=load_settings().register_,
        )


def test_progress_counts_the_frames(clip, bundle, settings, tmp_path):
    seen = []
    label.run(
        settings,
        EXTRACT,
        videos=[clip],
        anchors=write_anchors(tmp_path, "clip,0,0,0"),
        model=bundle,
        out=tmp_path / "out",
        force=True,
        progress=lambda done, total, what="": seen.append((done, total, what)),
    )
    assert seen[-1] == (12, 12, "clip.mp4")
    assert [done for done, _, _ in seen] == list(range(1, 13))


def test_the_real_clip_of_one_man_shows_his_face_in_all_but_two_frames(real_faces, bundle, settings, tmp_path):
    anchors, clip = real_faces / "single_face_anchors.csv", real_faces / "single_face.mp4"
    result = label.run(settings, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path)
    assert result.videos[0].frames == 72
    assert result.videos[0].faces >= 70


def test_the_real_clip_whose_face_leaves_has_a_row_for_every_frame(real_faces, bundle, settings, tmp_path):
    anchors = write_anchors(tmp_path, "face_noface,0,0,0")
    label.run(settings, EXTRACT, videos=[real_faces / "face_noface.mov"], anchors=anchors, model=bundle, out=tmp_path)
    table = read_table(tmp_path / "face_noface.va.parquet", LABELS)
    assert len(table) == 169
    assert (table["status"][:70] == "ok").all()
    assert (table["status"][80:] == "no_face").all()
    assert table["valence"][80:].isna().all()


def test_a_subject_that_is_none_is_refused_before_any_work(clip, bundle, tmp_path):
    command = ["label", str(clip), "--model", str(bundle), "--out", str(tmp_path / "out"), "--subject", "tallest"]
    with pytest.raises(MtclarError, match=r"'label\.subject' is 'tallest', but it is one of auto, largest"):
        CliRunner().invoke(app, command, catch_exceptions=False, standalone_mode=False)
    command[-1] = "track 0"
    assert CliRunner().invoke(app, command).exit_code == 0
    assert set(pd.read_csv(tmp_path / "out" / "clip.va.csv")["status"]) == {"ok", "out_of_shot"}
