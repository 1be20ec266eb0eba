from __future__ import annotations

import builtins
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foreign_network import IMAGENET, LABELS, MEAN, STD, WIDTH, network_in_numpy, write_network
from make_video import with_face, write_video
from onnx import TensorProto
from toy_faces import write_faces

from mtclar.data.store import FacesStore
from mtclar.errors import MtclarError
from mtclar.evaluation.ridge import fit_ridge
from mtclar.faces import CropSpec, to_input
from mtclar.serving import Bundle
from mtclar.settings import load_settings
from mtclar.steps import adopt
from mtclar.steps.adopt_faces import drawn_people


@pytest.fixture(autouse=True, scope="module")
def _drawn_once():
    """Drawing takes a second; the same people serve every network that sees as much of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adopt, "drawn_people", cache(drawn_people))
        yield


def adopted(folder: Path, *overrides: str, faces: Path | None = None, scaled: bool = True, **network):
    """Writes a network, adopts it, and opens the bundle."""
    path = write_network(folder / "net.onnx", **network)
    settings = load_settings(overrides=[*(IMAGENET if scaled else []), *overrides])
    result = adopt.run(settings, encoder=path, out=folder / "bundle", faces=faces)
    return result, Bundle.load(folder / "bundle")


def seen(crops: np.ndarray, opened: Bundle) -> np.ndarray:
    """What the network gets of crops, in numpy."""
    return (to_input(crops, opened.crop_spec) - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return adopted(tmp_path_factory.mktemp("adopted"), *LABELS)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "store"
    write_faces(folder, train=10, validation=6)
    return folder


def test_the_bundle_says_what_the_network_says_of_the_middle_of_a_crop(bundle):
    _, opened = bundle
    assert opened.crop_spec == CropSpec(scale=1.5, input_size=32, size=288, centre=240)
    crops = drawn_people(opened.crop_spec, seed=3).crops[:9]
    embedding, scores = network_in_numpy(seen(crops, opened))
    found = opened.embed(crops)
    assert found.shape == (9, WIDTH + 2)
    _, valence, arousal = opened.single(found)
    np.testing.assert_allclose(np.stack([valence, arousal], 1), scores[:, 8:].clip(-1, 1), atol=1e-4)
    distances = [np.linalg.norm(values[:, None] - values, axis=2) for values in (found, embedding)]
    np.testing.assert_allclose(distances[0] * opened.facts["adopted"]["embedding_unit"], distances[1], atol=2e-3)


def test_two_faces_are_about_one_apart_and_looks_reach_as_far_as_a_persons_own(bundle):
    _, opened = bundle
    trial = drawn_people(opened.crop_spec, seed=7)
    found = opened.embed(trial.crops)
    apart = np.linalg.norm(found[:, None] - found, axis=2)
    upper = np.triu(np.ones_like(apart), 1) > 0
    own = upper & (trial.people[:, None] == trial.people)
    assert np.median(apart[upper]) == pytest.approx(1, abs=1e-3)
    assert opened.calibration["process"]["typical"] == pytest.approx(np.median(apart[own]), rel=1e-3)


def test_bands_without_faces_are_nominal_and_the_bundle_says_so(bundle):
    result, opened = bundle
    assert opened.calibration["nominal"] is True
    for name in ("valence", "arousal"):
        assert opened.calibration["multiples"][name] == [pytest.approx(1.645, abs=1e-3)]
    assert "nominal" in opened.facts["notes"][0]
    assert "nominal" in str(result)
    assert opened.facts["licences"]["encoder"].startswith("not known to mtclar")


def test_an_adopted_network_labels_a_video_from_a_few_anchors_with_bands_and_a_report(tmp_path):
    write_network(tmp_path / "net.onnx", batch=1, reshape=True)
    write_video(tmp_path / "clip.mp4", range(0, 480, 40), lambda i: with_face(0.5 + 0.05 * i))
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,-0.2,0.1\nclip,8,0.4,0.3\n")
    options = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225", "--licence", "mine"]
    options += ["--valence", "scores:8", "--arousal", "scores:9", "--name", "theirs"]
    for command in (
        ["adopt", "net.onnx", "--out", "adopted", *options],
        ["label", "clip.mp4", "--anchors", "anchors.csv", "--model", "adopted", "--out", "labels"],
    ):
        answer = subprocess.run(
            [sys.executable, "-m", "mtclar", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
    table = pd.read_csv(tmp_path / "labels" / "clip.va.csv")
    np.testing.assert_allclose(table["valence"][[0, 8]], [-0.2, 0.4])
    rows = table[table["source"] == "model"]
    assert len(rows) == 10
    assert (rows["valence_hi"] > rows["valence_lo"]).all()
    facts = json.loads((tmp_path / "labels" / "clip.va.json").read_text())
    assert facts["model"]["name"] == "theirs"
    assert facts["model"]["licences"]["encoder"] == "mine"
    assert any("nominal" in note for note in facts["notes"])


def test_with_faces_the_engine_and_its_bands_are_fitted_on_them(tmp_path, faces):
    result, opened = adopted(tmp_path, *LABELS, "evaluate.bootstrap=100", faces=faces)
    assert "nominal" not in opened.calibration
    assert (opened.calibration["n_clips"], opened.calibration["split"]) == (6, "validation")
    assert all(value > 0 for name in ("valence", "arousal") for value in opened.calibration["multiples"][name])
    assert opened.facts["notes"] == []
    assert "toy" in opened.facts["licences"]
    assert result.notes == ()


def test_labels_that_the_network_does_not_tell_are_learned_from_labelled_faces(tmp_path, faces):
    """The oracle is a fit to what the network says of the training faces in numpy, without any scaling."""
    result, opened = adopted(tmp_path, outputs=("embedding",), faces=faces)
    store = FacesStore(faces)
    told = network_in_numpy(seen(store.crops(range(len(store))), opened))[0]
    train = (store.table["split"] == "train").to_numpy()
    labels, people = store.table[["valence", "arousal"]].to_numpy(), store.table["subject_id"].to_numpy(str)
    ridge = fit_ridge(told[train], labels[train], people[train], np.random.default_rng(7))
    _, valence, arousal = opened.single(opened.embed(store.crops(np.flatnonzero(~train))))
    expected = told[~train] @ ridge.weights + ridge.bias
    np.testing.assert_allclose(np.stack([valence, arousal], 1), expected.clip(-1, 1), atol=2e-3)
    assert "Valence and arousal were learned from 140 faces by ridge regression" in result.notes[0]


def test_a_label_that_the_network_tells_is_not_learned(tmp_path, faces):
    _, opened = adopted(tmp_path, LABELS[0], faces=faces)
    assert opened.facts["adopted"]["outputs"] == {"embedding": "embedding", "valence": "scores:8"}
    assert "Arousal was learned" in opened.facts["notes"][0]


def test_faces_without_clips_leave_the_bands_nominal_and_that_is_said(tmp_path, faces):
    only_training = tmp_path / "pictures"
    write_faces(only_training, train=4, validation=0)
    _, opened = adopted(tmp_path, *LABELS, faces=only_training)
    assert opened.calibration["nominal"] is True
    assert "no labelled clips of validation people" in opened.facts["notes"][0]


def test_faces_without_labels_of_two_training_people_teach_nothing(tmp_path):
    write_faces(tmp_path / "few", train=1, validation=2)
    with pytest.raises(MtclarError, match="labelled training faces of 1 people, but to learn valence and arousal"):
        adopted(tmp_path, outputs=("embedding",), faces=tmp_path / "few")
    assert not (tmp_path / "bundle").exists()


def test_crops_that_show_too_little_for_the_network_are_refused(tmp_path, faces):
    with pytest.raises(MtclarError, match=r"crops are 1\.5 face boxes wide, less than the 2 of --crop-scale"):
        adopted(tmp_path, *LABELS, "adopt.crop_scale=2", faces=faces)
    _, opened = adopted(tmp_path, *LABELS, "adopt.crop_scale=2")
    assert (opened.crop_spec.scale, opened.crop_spec.centre) == (2.0, 288)


def test_a_network_that_answers_one_face_at_a_time_is_asked_so(tmp_path):
    result, opened = adopted(tmp_path, *LABELS, mixing=True)
    crops = drawn_people(opened.crop_spec, seed=3).crops[:5]
    assert opened.facts["encode_batch"] == 1
    np.testing.assert_allclose(opened.embed(crops)[3:4], opened.embed(crops[3:4]), atol=1e-6)
    assert "one face at a time" in str(result)


def test_a_large_bundle_is_only_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(adopt, "LARGE_MB", 0.001)
    assert adopted(tmp_path, *LABELS)[0].notes[-1].startswith("The bundle has ")


def test_a_network_that_gives_its_last_layer_alone_lends_what_goes_into_it(tmp_path):
    _, opened = adopted(tmp_path, *LABELS, outputs=("scores",), last=True)
    assert opened.facts["adopted"]["outputs"]["embedding"] == "embedding"


def test_other_peoples_label_range_and_expressions_are_brought_to_ours(tmp_path):
    names = "[Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise]"
    told = [f"adopt.expressions={names}", "adopt.expression=scores:0-7", "adopt.label_range=[-10, 10]"]
    _, opened = adopted(tmp_path, *LABELS, *told, score_unit=10.0)
    crops = drawn_people(opened.crop_spec, seed=3).crops[:3]
    scores = 10 * network_in_numpy(seen(crops, opened))[1]
    expression, valence, _ = opened.single(opened.embed(crops))
    np.testing.assert_allclose(valence, scores[:, 8] / 10, atol=1e-4)
    ours = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    order = [opened.facts["expressions"].index(name) for name in ours]
    logits = np.exp(scores[:, :8])
    np.testing.assert_allclose(expression[:, order], logits / logits.sum(1, keepdims=True), atol=1e-3)


@pytest.mark.parametrize(
    ("network", "overrides", "words"),
    [
        ({}, ["adopt.mean=[]"], r"give either --mean and --std \(ImageNet's are .*\) or --range"),
        ({}, ["adopt.range=0-1"], "give either --mean and --std"),
        ({}, ["adopt.valence=''"], r"which output is valence is not clear \(embedding \(n, 20\), .*give --valence"),
        ({}, ["adopt.valence=score:8"], r"no output 'score' \(did you mean 'scores'\?\)"),
        ({}, ["adopt.valence=scores:12"], "is out of range"),
        ({}, ["adopt.embedding=maps"], "no output 'maps'|has shape"),
        ({"outputs": ("scores", "maps")}, ["adopt.embedding=maps"], r"'maps' has shape \(n, 8, 8, 8\)"),
        ({"nan_on_black": True}, [], r"NaN or infinite on \d+ of 44 test faces"),
        ({"blind": True}, [], "does not depend on the picture"),
        ({"score_unit": 40.0}, [], "which is no valence between -1 and 1; check the column, --label-range"),
        ({}, ["adopt.label_range=[1, 1]"], "--label-range: expected a lower and a higher number"),
        ({"size": "s"}, [], "give --input-size"),
        ({"second_input": True}, ["adopt.input=other"], "'other' has shape"),
        ({"maps": "Swish", "domain": "theirs"}, [], "ONNX Runtime cannot open the graph"),
        ({"kind": TensorProto.UINT8}, [], "takes whole numbers from 0 to 255; give --range 0-255"),
        ({}, ["adopt.expression=scores:0-7"], "has 8 columns, so 8 different names are expected"),
        (
            {},
            ["adopt.expression=scores:0-1", "adopt.expressions=[happy, sed]"],
            r"'sed' is not known \(did you mean 'sad'\?\)",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_no_bundle(tmp_path, network, overrides, words):
    with pytest.raises(MtclarError, match=words) as error:
        adopted(tmp_path, *LABELS, *overrides, **network)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "bundle").exists()


def test_a_missing_onnx_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **kwargs):
        if name.split(".")[0] == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return real(name, *rest, **kwargs)

    path = write_network(tmp_path / "net.onnx")
    for name in [key for key in sys.modules if key.startswith(("mtclar.serving.adopt", "mtclar.steps.adopt_network"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in [key for key in sys.modules if key.startswith("mtclar.serving.foreign")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MtclarError, match=r"pip install 'mtclar\[adopt\]'"):
        adopt.run(load_settings(overrides=IMAGENET), encoder=path, out=tmp_path / "bundle")
