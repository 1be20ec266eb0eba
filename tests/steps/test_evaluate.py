"""`mtclar evaluate` from files to files."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesWriter
from mtclar.data.tables import PAIRS, SYNTHESIS, write_table
from mtclar.errors import MtclarError
from mtclar.revision import git_revision
from mtclar.settings import EvaluateSettings
from mtclar.steps import evaluate

SETTINGS = EvaluateSettings(
    seed=7,
    split="test",
    clean=False,
    expressions=8,
    stride=5,
    budgets=(0.06,),
    supports=("first", "stride"),
    cluster="clip",
    bootstrap=100,
    coverage=0.9,
    fusion="time",
    time_scale_s=1.0,
    rater_level=0.0,
    rater_scale=0.0,
    real_anchors=(1, 2),
    real_placements=50,
)
SIZE = 288


def toy_faces(
    folder, clips=(("train", "a", "c0"), ("validation", "v", "c1"), ("test", "p", "c2"), ("test", "q", "c3"))
):
    """Clips of 7 frames whose colour is their label: red for valence, green for arousal; and their pairs."""
    rng, table = np.random.default_rng(0), []
    with FacesWriter(folder / "faces", size=SIZE, quality=95, facts={"data_revision": "a" * 64}) as writer:
        for split, person, clip in clips:
            for frame in range(7):
                valence, arousal = np.round(rng.uniform(-0.9, 0.9, 2), 1)
                crop = np.zeros((SIZE, SIZE, 3), np.uint8)
                crop[..., :2] = np.round((np.array([valence, arousal]) + 1) * 100)
                row = {"face_id": f"toy/{clip}/{frame}", "dataset": "toy", "clip_id": clip, "subject_id": person}
                row |= {"frame": frame, "time_s": frame / 25, "track_id": 0, "split": split}
                row |= {"valence": valence, "arousal": arousal}
                writer.add(row, crop)
                table.append({**row, "row": len(table)})
    faces = pd.DataFrame(table)
    rows = faces.loc[faces["split"] == "test", "row"].to_numpy()
    left, right = rng.choice(rows, 30), rng.choice(rows, 30)
    pairs = pd.DataFrame({"split": "test", "block": 0, "left": left, "right": right, "similar": left % 2 == right % 2})
    for name in ("valence", "arousal"):
        pairs[f"d_{name}"] = faces[name].to_numpy()[left] - faces[name].to_numpy()[right]
    write_table(pairs.assign(wheel_distance=1), folder / "pairs" / "pairs.parquet", PAIRS)
    return folder


class Colours:
    """A predictor that reads the label off the colour."""

    class crop:  # noqa: N801 - stands in for an attribute
        size = SIZE

    def embed(self, crops):
        return (crops[..., :2].mean(axis=(1, 2)) / 100 - 1).astype(np.float32)

    def compare(self, left, right):
        delta = left - right
        return np.full(len(left), 0.9), delta[:, 0], delta[:, 1]

    def single(self, embedding):
        return np.full((len(embedding), 8), 1 / 8), embedding[:, 0], embedding[:, 1]


def run(folder, settings=SETTINGS, **changed):
    places = {"faces": folder / "faces", "pairs": folder / "pairs", "checkpoint": folder / "train"}
    return evaluate.run(settings, **{**places, "out": folder / "out", **changed})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """An evaluation of the predictor that reads colours."""
    from mtclar.model.predictor import TorchPredictor

    folder = toy_faces(tmp_path_factory.mktemp("evaluate"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TorchPredictor, "from_checkpoint", lambda *_, **__: Colours())
        calls = []
        result = run(folder, progress=lambda *call: calls.append(call))
    return folder / "out", result, calls


def test_a_predictor_that_sees_the_labels_has_ccc_near_one_in_the_file(written):
    out, result, _ = written
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics == result.metrics
    assert metrics["few_shot"]["first"]["mtclar"]["valence"]["ccc"] > 0.99
    assert metrics["few_shot"]["first"]["n_frames"] == 12
    assert metrics["pairs"]["delta"]["arousal"]["ccc"] > 0.99
    assert (metrics["n_clips"], metrics["n_frames"], metrics["n_people"]) == (2, 14, 2)


def test_the_calibration_tells_multiples_and_how_little_one_clip_assures(written):
    calibration = json.loads((written[0] / "calibration.json").read_text())
    assert calibration["multiples"]["anchors"] == [0]  # one clip is too few for others
    assert calibration["process"]["valence"]["grid"]["gain"]
    assert calibration["data_revision"]
    assert calibration["coverage"] == 0.9
    assert calibration["n_clips"] == 1
    assert calibration["assured"] == 0.45


def test_the_summary_is_flat_and_agrees_with_the_metrics(written):
    out, result, _ = written
    found = json.loads((out / "summary.json").read_text())
    assert found["first_valence_ccc"] == result.metrics["few_shot"]["first"]["mtclar"]["valence"]["ccc"]
    assert found.pop("evaluation_set") == result.metrics["evaluation_set"]
    assert all(isinstance(value, float) for value in found.values())


def test_metrics_say_of_which_data_they_are_and_on_what_exactly_the_model_was_judged(written):
    metrics = json.loads((written[0] / "metrics.json").read_text())
    assert metrics["data_revision"] == "a" * 64
    assert re.fullmatch("[0-9a-f]{64}", metrics["evaluation_set"])
    assert metrics["git_revision"] == git_revision()


def test_the_plots_hold_the_curves_and_scatter_that_dvc_draws(written):
    plots = {path.stem: pd.read_csv(path) for path in (written[0] / "plots").glob("*.csv")}
    assert set(plots) >= {"curves_first", "curves_stride", "methods", "pairs_valence", "pairs_arousal", "expressions"}
    curves = plots["curves_first"]
    assert len(curves) == 14
    assert curves["running_s"].is_monotonic_increasing
    assert np.allclose(curves["valence_truth"], curves["valence_mtclar"], atol=0.03)
    assert list(plots["pairs_valence"].columns) == ["true", "predicted"]
    few_shot = written[1].metrics["few_shot"]
    budgets = plots["budgets"].set_index("share")
    for block in few_shot["budgets"].values():
        found = budgets["arousal_interpolate"].iloc[np.argmin(np.abs(budgets.index - block["realised"]))]
        assert np.isclose(found, block["interpolate"]["arousal"]["rmse"], atol=1e-4)


def test_the_report_needs_nothing_from_elsewhere_and_says_what_was_left_out(written):
    page = (written[0] / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "anchor frames are not scored" in page
    assert "at least 45.0% of a new clip" in page
    assert "git revision" in page
    assert page.count("<svg") >= 5


def test_progress_ends_with_all_faces(written):
    assert written[2][-1][:2] == (21, 21)


def test_the_table_of_a_written_evaluation_has_the_rows_of_the_summary(written):
    header, rows = evaluate.summary(written[0])
    assert header[0] == "metric"
    assert rows[0][0] == "valence CCC, one anchor a clip"
    assert rows[0][1].startswith("0.9") or rows[0][1].startswith("1.0")


def with_traits(folder, **changes):
    """How the toy faces were made, beside them: one half is turned away, and a hand is before every third."""
    faces = pd.read_parquet(folder / "faces" / "faces.parquet")
    n = len(faces)
    made = pd.DataFrame({name: np.zeros(n) for name in SYNTHESIS.names})
    made = made.assign(face_id=faces["face_id"], yaw=np.where(np.arange(n) % 2, -35.0, 5.0), codec="none", skin=0.5)
    made = made.assign(covering=np.where(np.arange(n) % 3, "none", "hand"), mouth="none", blink=False)
    made = made.assign(actions=[[0.0]] * n, landmarks=[[0.0]] * n, **changes)
    write_table(made, folder / "faces" / "synthesis.parquet", SYNTHESIS)
    return faces, made


def test_where_it_is_known_how_faces_were_made_accuracy_is_told_by_group(tmp_path, monkeypatch):
    from mtclar.model.predictor import TorchPredictor

    monkeypatch.setattr(TorchPredictor, "from_checkpoint", lambda *_, **__: Colours())
    faces, made = with_traits(toy_faces(tmp_path))
    found = run(tmp_path).metrics
    turned = (faces["split"] == "test") & (made["yaw"] < 0)
    entry = found["groups"]["yaw"]["30+"]
    assert (entry["n_faces"], entry["n_people"]) == (turned.sum(), 2)
    assert entry["valence"]["rmse"] < 0.02  # colours are read exactly, but for JPEG
    assert set(found["groups"]["covering"]) == {"hand", "none"}
    assert found["worst_groups"] == {}, "too few faces to name one"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "For whom it labels less well" in page
    assert "before the face: hand" in page


def test_a_table_of_how_other_faces_were_made_is_refused(tmp_path):
    with_traits(toy_faces(tmp_path), face_id="else")
    with pytest.raises(MtclarError, match=r"synthesis\.parquet: its 28 faces are not the 28"):
        run(tmp_path)


def test_a_real_checkpoint_is_judged_through_torch(tmp_path):
    from dataclasses import asdict

    from mtclar.faces.crop import CropSpec
    from mtclar.model.checkpoint import save_checkpoint
    from mtclar.model.encoders import encoder_spec
    from mtclar.model.mtclar import MTCLAR, ModelSpec

    folder = toy_faces(tmp_path, [("validation", "v", "c1"), ("test", "p", "c2")])
    encoder = encoder_spec("emofan-nano")
    spec = ModelSpec(
        encoder=encoder,
        fusion="concat",
        tasks=("similarity", "valence", "arousal"),
        projector=(16, 8),
        dropout=0.5,
        antisymmetric=True,
        single=(16, 8),
        tanh_logits=False,
        mirror=False,
    )
    crop = CropSpec(scale=1.5, input_size=encoder.input_size, size=SIZE)
    save_checkpoint(tmp_path / "train", MTCLAR(spec), {"crop": asdict(crop)})
    result = run(folder)
    assert 0 <= result.metrics["pairs"]["similarity"]["accuracy"] <= 1
    assert result.metrics["few_shot"]["first"]["mtclar"]["valence"]["rmse"] > 0
    assert str(result).splitlines()[0].endswith("judged on 1 people, 1 clips and 0 pictures")
    assert [f"note: {note}" for note in result.metrics["notes"]] == str(result).splitlines()[1:]


def test_pairs_of_other_faces_are_refused(tmp_path):
    folder = toy_faces(tmp_path)
    path = folder / "pairs" / "pairs.parquet"
    write_table(pd.read_parquet(path).assign(d_arousal=0.25), path, PAIRS)
    with pytest.raises(MtclarError, match="other differences in arousal"):
        run(folder)


def test_missing_inputs_are_named_in_one_sentence(tmp_path):
    folder = toy_faces(tmp_path)
    with pytest.raises(MtclarError, match="expected a faces store"):
        run(folder, faces=tmp_path / "nowhere")
    with pytest.raises(MtclarError, match=r"pairs\.parquet"):
        run(folder, pairs=tmp_path / "nowhere")
    with pytest.raises(MtclarError, match="expected a checkpoint"):
        run(folder)
    with pytest.raises(MtclarError, match="expected the metrics"):
        evaluate.summary(tmp_path / "nowhere")


def test_nothing_is_left_behind_when_the_report_fails(tmp_path, monkeypatch):
    from mtclar.model.predictor import TorchPredictor

    folder = toy_faces(tmp_path)
    monkeypatch.setattr(TorchPredictor, "from_checkpoint", lambda *_, **__: Colours())

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(evaluate, "write", fail)
    with pytest.raises(MtclarError, match="No space left on device"):
        run(folder)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]


def test_several_evaluations_are_shown_as_the_folds_of_one(written, tmp_path):
    out = written[0]
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics.json").write_text((out / "metrics.json").read_text())
    header, rows = evaluate.folds([out, other])
    assert header[:3] == ["metric", "mtclar: mean ± sd", "pooled"]
    assert rows[0][1].endswith("± 0.000")
    with pytest.raises(MtclarError, match="is named twice"):
        evaluate.folds([out, out])
    with pytest.raises(MtclarError, match="expected the metrics"):
        evaluate.folds([out, tmp_path / "nowhere"])
