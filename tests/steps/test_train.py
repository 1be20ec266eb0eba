"""`mtclar train`: learns, says what it does, goes on after a kill, and stops when it goes wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from mtclar.data.store import FacesStore
from mtclar.data.tables import FACES, PAIRS, read_table, write_table
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.learning.objective import Objective
from mtclar.learning.watch import Watch
from mtclar.model.build import build_model, model_spec
from mtclar.model.checkpoint import load_checkpoint
from mtclar.model.predictor import TorchPredictor
from mtclar.revision import git_revision
from mtclar.settings import load_settings
from mtclar.steps import pair, train
from tests.toy_faces import REVISION, write_faces

RECIPE = load_settings(Path(__file__).parents[2] / "recipes" / "tiny.yaml")
TINY = {"input_size": 32, "centre": 240, "stem": 8, "width": 16, "depth": 1, "landmarks": 4, "emotion": [16, 32]}
PAIR = RECIPE.pair.model_copy(
    update={"pairs": 2560, "pairs_held_out": 256, "person_share": 0.25, "block_faces": 32, "block_pairs": 128}
)
SETTINGS = RECIPE.train.model_copy(
    update={
        "encoder": "emofan-nano",
        "encoder_options": TINY,
        "projector": (32, 16),
        "dropout": 0.1,
        "epochs": 2,
        "sl_projector": (32,),
        "sl_epochs": 3,
        "threads": 1,
    }
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("train")
    write_faces(folder / "faces", train=24, validation=4, test=4)
    (folder / "verdict.json").write_text(json.dumps({"success": True}))
    pair.run(PAIR, faces=folder / "faces", verdict=folder, out=folder / "pairs")
    return {"faces": folder / "faces", "pairs": folder / "pairs"}


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    """Two epochs, not interrupted."""
    out = tmp_path_factory.mktemp("trained") / "out"
    train.run(SETTINGS, **data, out=out)
    return out


def _weights(out: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(out)[0].state_dict()


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


class Killed(BaseException):
    """What ends a run from outside."""


def _killed_after(epoch: int):
    """A progress that kills the run in the middle of the epoch after."""

    def progress(done: int, total: int, what: str = "", /) -> None:
        if what.startswith(f"epoch {epoch + 1},") and done % 20 == 7:
            raise Killed

    return progress


def test_the_checkpoint_answers_and_says_where_it_comes_from(trained, data):
    model, facts = load_checkpoint(trained)
    assert facts["settings"]["learning_rate"] == 3e-3
    assert facts["crop"] == {"scale": 1.5, "input_size": 32, "size": 288, "centre": 240, "colour": "RGB"}
    assert set(facts) >= {"fingerprint", "faces"}
    assert (facts["data_revision"], facts["git_revision"]) == (REVISION, git_revision())
    assert "run_id" not in facts, "it was not logged"
    predictor = TorchPredictor.from_checkpoint(trained)
    embedding = predictor.embed(FacesStore(data["faces"]).crops([0, 1]))
    assert embedding.shape == (2, model.spec.encoder.embedding_size)
    assert np.isfinite(predictor.single(embedding)[0]).all()


def test_the_checkpoint_wants_faces_cut_as_those_it_learned_from(data, tmp_path):
    shutil.copytree(data["faces"], tmp_path / "faces")
    facts = json.loads((tmp_path / "faces" / "store.json").read_text())
    (tmp_path / "faces" / "store.json").write_text(json.dumps({**facts, "align": "mesh"}))
    train.run(SETTINGS.model_copy(update=QUICK), faces=tmp_path / "faces", pairs=data["pairs"], out=tmp_path / "out")
    assert TorchPredictor.from_checkpoint(tmp_path / "out").crop.align == "mesh"


def test_pairs_that_were_drawn_from_other_data_are_refused(data, tmp_path):
    shutil.copytree(data["pairs"], tmp_path / "pairs")
    table = read_table(data["pairs"] / "pairs.parquet", PAIRS)
    write_table(table, tmp_path / "pairs" / "pairs.parquet", PAIRS, {"data_revision": "f" * 64})
    with pytest.raises(MtclarError, match="were drawn from other data"):
        train.run(SETTINGS, faces=data["faces"], pairs=tmp_path / "pairs", out=tmp_path / "out")


def test_a_killed_run_goes_on_from_its_state_though_its_output_was_removed(trained, data, tmp_path):
    places = {"out": tmp_path / "out", "state": tmp_path / "state"}
    with pytest.raises(Killed):
        train.run(SETTINGS, **data, **places, progress=_killed_after(1))
    shutil.rmtree(tmp_path / "out")
    epochs = []
    train.run(SETTINGS, **data, **places, progress=lambda done, total, what="": epochs.append(what[:8]))
    assert "epoch 1," not in epochs
    assert "epoch 2," in epochs
    assert _same(_weights(tmp_path / "out"), _weights(trained))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "history.csv", "model.json", "model.safetensors",
    ]  # fmt: skip
    assert (tmp_path / "out" / "history.csv").read_bytes() == (trained / "history.csv").read_bytes()


def test_the_model_of_other_settings_is_cleared_away_where_the_state_is_elsewhere(trained, data, tmp_path):
    shutil.copytree(trained, tmp_path / "out")
    with pytest.raises(Killed):
        train.run(
            SETTINGS.model_copy(update={"learning_rate": 1e-3}),
            **data,
            out=tmp_path / "out",
            state=tmp_path / "state",
            progress=_killed_after(0),
        )
    assert not (tmp_path / "out" / "model.json").exists()


def test_the_history_has_a_row_an_epoch(trained):
    history = pd.read_csv(trained / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert {"loss_similarity", "loss_valence", "loss_arousal", "loss_embedding"} <= set(history.columns)
    assert history.notna().all().all()
    assert history["validation_similarity_accuracy"].between(0, 1).all()


def test_a_killed_run_goes_on_to_the_same_weights(trained, data, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Killed):
        train.run(SETTINGS, **data, out=out, progress=_killed_after(1))
    assert [path.name for path in (out / "last").iterdir()] == ["epoch-0001"]
    assert not (out / "model.json").exists()
    seen: list[str] = []
    train.run(SETTINGS, **data, out=out, progress=lambda done, total, what="", /: seen.append(what))
    assert not any(what.startswith("epoch 1,") for what in seen)
    assert _same(_weights(out), _weights(trained))
    assert (out / "history.csv").read_text() == (trained / "history.csv").read_text()


def test_with_pairs_drawn_anew_each_epoch_a_killed_run_goes_on_to_the_same_weights(trained, data, tmp_path):
    settings = SETTINGS.model_copy(update={"redraw": True})
    train.run(settings, **data, out=tmp_path / "whole")
    with pytest.raises(Killed):
        train.run(settings, **data, out=tmp_path / "killed", progress=_killed_after(1))
    train.run(settings, **data, out=tmp_path / "killed")
    assert _same(_weights(tmp_path / "whole"), _weights(tmp_path / "killed"))
    assert not _same(_weights(tmp_path / "whole"), _weights(trained))


def test_what_is_learned_of_each_face_besides_is_logged_and_a_killed_run_goes_on(data, tmp_path):
    settings = SETTINGS.model_copy(update={"auxiliary": {"affect": 0.5, "expression": 0.2}})
    whole = train.run(settings, **data, out=tmp_path / "whole").out
    history = pd.read_csv(whole / "history.csv")
    assert (history[["loss_affect", "loss_expression"]] > 0).all(axis=None)
    with pytest.raises(Killed):
        train.run(settings, **data, out=tmp_path / "killed", progress=_killed_after(1))
    train.run(settings, **data, out=tmp_path / "killed")
    assert _same(_weights(whole), _weights(tmp_path / "killed"))


def test_faces_that_were_not_made_cannot_teach_how_they_were_made(data, tmp_path):
    settings = SETTINGS.model_copy(update={"auxiliary": {"actions": 0.5}})
    with pytest.raises(MtclarError, match=r"only faces of 'mtclar synthesize' know"):
        train.run(settings, **data, out=tmp_path / "out")


def test_pairs_that_do_not_say_how_they_were_drawn_cannot_be_drawn_anew(data, tmp_path):
    table = pq.read_table(data["pairs"] / "pairs.parquet")
    (tmp_path / "pairs").mkdir()
    known = {key: value for key, value in table.schema.metadata.items() if key != b"pair"}
    pq.write_table(table.replace_schema_metadata(known), tmp_path / "pairs" / "pairs.parquet")
    with pytest.raises(MtclarError, match=r"does not say how its pairs were drawn, which train\.redraw needs"):
        train.run(
            SETTINGS.model_copy(update={"redraw": True}),
            faces=data["faces"],
            pairs=tmp_path / "pairs",
            out=tmp_path / "out",
        )


def test_another_seed_learns_other_weights(trained, data, tmp_path):
    train.run(SETTINGS.model_copy(update={"seed": 2, "epochs": 1, "sl_epochs": 1}), **data, out=tmp_path / "out")
    assert not _same(_weights(tmp_path / "out"), _weights(trained))


def test_other_settings_start_anew_and_leave_nothing_of_the_old_run(data, tmp_path):
    out = tmp_path / "out"
    short = SETTINGS.model_copy(update={"epochs": 1, "sl_epochs": 1})
    train.run(short, **data, out=out)
    before = _weights(out)
    with pytest.raises(Killed):
        train.run(short.model_copy(update={"margin": 0.5}), **data, out=out, progress=_killed_after(0))
    assert not (out / "model.json").exists()
    assert not (out / "last").exists()
    train.run(short.model_copy(update={"margin": 0.5}), **data, out=out)
    assert not _same(_weights(out), before)


def test_a_finished_run_is_not_repeated(trained, data):
    before = _weights(trained)
    seen: list[str] = []
    train.run(SETTINGS, **data, out=trained, progress=lambda done, total, what="", /: seen.append(what))
    assert not any(what.startswith("epoch") for what in seen)
    assert _same(_weights(trained), before)


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_epoch_before(data, tmp_path, monkeypatch):
    weights, calls = Objective.weights, []

    def broken(self, generator):
        calls.append(0)
        return weights(self, generator) * (float("nan") if len(calls) > 30 else 1)

    monkeypatch.setattr(Objective, "weights", broken)
    out = tmp_path / "out"
    with pytest.raises(MtclarError, match=r"nan in epoch 2 of 2.*lower train\.learning_rate"):
        train.run(SETTINGS, **data, out=out)
    model, _ = load_checkpoint(out / "last" / "epoch-0001")
    assert all(value.isfinite().all() for value in model.state_dict().values())


QUICK = {"epochs": 2, "sl_epochs": 1}


def test_how_faces_are_read_and_how_often_the_state_is_saved_changes_nothing_learnt(data, trained, tmp_path):
    changes = {"memory_gb": 0.0, "workers": 3, "save_steps": 7, "device": "cpu"}
    train.run(SETTINGS.model_copy(update=changes), **data, out=tmp_path / "out")
    assert _same(_weights(tmp_path / "out"), _weights(trained))
    assert load_checkpoint(tmp_path / "out")[1]["fingerprint"] == load_checkpoint(trained)[1]["fingerprint"]


def test_other_settings_of_the_supervised_heads_leave_what_the_pairs_taught_and_learn_the_heads_again(
    data, trained, tmp_path
):
    shutil.copytree(trained, tmp_path / "out")
    train.run(SETTINGS.model_copy(update={"sl_arousal_spread": 0.2}), **data, out=tmp_path / "out")
    before, after = _weights(trained), _weights(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"single"}
    facts = [load_checkpoint(folder)[1] for folder in (trained, tmp_path / "out")]
    assert facts[0]["fingerprint"] != facts[1]["fingerprint"]


def test_the_best_epoch_becomes_the_checkpoint_where_the_settings_say_so(data, tmp_path, monkeypatch):
    said, losses = Watch.__call__, [0.2, 0.5, 0.1, 0.4]
    monkeypatch.setattr(Watch, "__call__", lambda self, model: {**said(self, model), "validation_loss": losses.pop(0)})
    for keep, epoch in (("best", 1), ("last", 2)):
        out = tmp_path / keep
        losses[:] = [0.2, 0.5]
        train.run(SETTINGS.model_copy(update={**QUICK, "keep": keep}), **data, out=out)
        assert load_checkpoint(out)[1]["kept_epoch"] == epoch
        best, last = _weights(out / "best" / "epoch-0001"), _weights(out / "last" / "epoch-0002")
        kept, made = {"best": best, "last": last}[keep], _weights(out)
        learned = [name for name in kept if not name.startswith("single.")]
        assert all(torch.equal(made[name], kept[name]) for name in learned)
        assert not all(torch.equal(best[name], last[name]) for name in learned)


@pytest.mark.parametrize("task", ["similarity", "arousal"])
def test_a_single_task_is_trained_and_logged_alone(data, tmp_path, task):
    result = train.run(SETTINGS.model_copy(update={**QUICK, "tasks": (task,)}), **data, out=tmp_path / "out")
    columns = set(pd.read_csv(tmp_path / "out" / "history.csv").columns)
    others = {"similarity", "valence", "arousal", "embedding"} - {task}
    assert f"loss_{task}" in columns
    assert not any(other in column for other in others for column in columns)
    assert (" arousal" in str(result)) == (task == "arousal")
    predictor = TorchPredictor.from_checkpoint(tmp_path / "out")
    assert np.isfinite(predictor.single(np.zeros((2, 32), np.float32))[1]).all()


def test_other_pretrained_weights_under_the_same_name_start_anew(data, tmp_path):
    weights = tmp_path / "emonet.pth"
    settings = SETTINGS.model_copy(update={"pretrained": str(weights)})
    spec, crop = model_spec(SETTINGS), CropSpec(scale=1.5, input_size=32)
    prints = []
    for content in (b"one", b"other"):
        weights.write_bytes(content)
        prints.append(train._fingerprints(settings, spec, crop, data["faces"], data["pairs"]))
    assert not set(prints[0]) & set(prints[1])
    weights.unlink()
    with pytest.raises(MtclarError, match=r"train\.pretrained=.*emonet\.pth: cannot be read"):
        train.run(settings, **data, out=tmp_path / "out")


def test_a_training_may_start_from_a_checkpoint_of_its_own(trained, data, tmp_path):
    settings = SETTINGS.model_copy(update={"encoder": "auto", "encoder_options": {}, "pretrained": str(trained)})
    begun, before = build_model(settings).state_dict(), _weights(trained)
    assert all(torch.equal(begun[name], before[name]) for name in before)
    other = build_model(settings.model_copy(update={"projector": (16,)})).state_dict()
    assert all(torch.equal(other[name], before[name]) for name in before if name.startswith(("encoder.", "single.")))
    train.run(settings.model_copy(update=QUICK), **data, out=tmp_path / "out")
    assert load_checkpoint(tmp_path / "out")[0].spec.encoder == load_checkpoint(trained)[0].spec.encoder


def test_a_checkpoint_of_another_encoder_is_refused(trained, data, tmp_path):
    settings = SETTINGS.model_copy(update={"encoder_options": {**TINY, "input_size": 64}, "pretrained": str(trained)})
    with pytest.raises(MtclarError, match="its encoder is emofan-nano of other settings"):
        train.run(settings, **data, out=tmp_path / "out")


def test_a_gpu_that_is_not_there_is_said_before_anything_is_read(data, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MtclarError, match=r"train\.device=cuda"):
        train.run(SETTINGS.model_copy(update={"device": "cuda"}), **data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pairs_of_other_faces_are_refused(data, tmp_path):
    write_faces(tmp_path / "fewer", train=2, validation=1)
    with pytest.raises(MtclarError, match="run 'mtclar pair' on these faces"):
        train.run(SETTINGS, faces=tmp_path / "fewer", pairs=data["pairs"], out=tmp_path / "out")


def test_pairs_of_as_many_other_faces_are_refused(data, tmp_path):
    write_faces(tmp_path / "other", train=24, validation=4, test=4, seed=1)
    with pytest.raises(MtclarError, match="other differences in valence"):
        train.run(SETTINGS, faces=tmp_path / "other", pairs=data["pairs"], out=tmp_path / "out")


@pytest.mark.parametrize(
    ("unknown", "sentence"),
    [
        (["similar"], r"names similarity and embedding, .*--set train\.tasks=\[valence,arousal\]"),
        (["d_arousal"], r"names arousal, .*--set train\.tasks=\[similarity,valence,embedding\]"),
        (["similar", "d_valence", "d_arousal"], "label more faces"),
    ],
)
def test_a_task_of_which_no_pair_knows_the_truth_is_refused(data, tmp_path, unknown, sentence):
    faces = tmp_path / "faces"
    shutil.copytree(data["faces"], faces)
    table = read_table(data["pairs"] / "pairs.parquet", PAIRS)
    labels = [name[2:] for name in unknown if name.startswith("d_")]
    known = FacesStore(faces).table
    known[labels] = np.nan
    write_table(known, faces / "faces.parquet", FACES)
    table[unknown] = None
    write_table(table, tmp_path / "pairs" / "pairs.parquet", PAIRS)
    with pytest.raises(MtclarError, match=sentence):
        train.run(SETTINGS, faces=faces, pairs=tmp_path / "pairs", out=tmp_path / "out")


def test_missing_pairs_are_named(data, tmp_path):
    with pytest.raises(MtclarError, match=r"pairs\.parquet"):
        train.run(SETTINGS, faces=data["faces"], pairs=tmp_path, out=tmp_path / "out")


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_learnt(data, tmp_path):
    (tmp_path / "file").write_text("")
    seen: list[str] = []
    with pytest.raises(MtclarError, match="cannot be written"):
        train.run(SETTINGS, **data, out=tmp_path / "file" / "out", progress=lambda *said: seen.append(said))
    assert not seen


def test_without_validation_people_there_is_only_the_training(tmp_path):
    write_faces(tmp_path / "faces", train=3, validation=0)
    (tmp_path / "verdict.json").write_text(json.dumps({"success": True}))
    few = PAIR.model_copy(update={"pairs": 256})
    pair.run(few, faces=tmp_path / "faces", verdict=tmp_path, out=tmp_path / "pairs")
    result = train.run(SETTINGS, faces=tmp_path / "faces", pairs=tmp_path / "pairs", out=tmp_path / "out")
    assert str(result).startswith("trained for 2 epochs")
    assert np.isnan(result.last["validation_loss"])
    load_checkpoint(tmp_path / "out")


def test_it_learns_what_makes_faces_differ(data, tmp_path):
    settings = SETTINGS.model_copy(update={"epochs": 10, "augment": 0.3, "sl_epochs": 40, "sl_learning_rate": 3e-3})
    result = train.run(settings, **data, out=tmp_path / "out")
    assert result.last["validation_d_valence_ccc"] > 0.7
    assert result.last["validation_few_shot_valence_ccc"] > 0.6
    predictor, store = TorchPredictor.from_checkpoint(tmp_path / "out"), FacesStore(data["faces"])
    test = store.table[(store.table["split"] == "test") & store.table["expression"].notna()]
    expression, valence, _ = predictor.single(predictor.embed(store.crops(test.index.to_numpy())))
    assert np.corrcoef(valence, test["valence"])[0, 1] > 0.7
    np.testing.assert_allclose(expression.sum(1), 1, rtol=1e-4)
