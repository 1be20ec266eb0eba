"""The predictor keeps the contract of docs/architecture.md."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.model.checkpoint import save_checkpoint
from mtclar.model.mtclar import MTCLAR
from mtclar.model.predictor import TorchPredictor

CROP = CropSpec(scale=1.5, input_size=32)


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 288, 288, 3), np.uint8)


def test_embeddings_are_those_of_the_encoder_whatever_the_batch(model, crops):
    small, large = (TorchPredictor(model, CROP, batch=n).embed(crops) for n in (2, 64))
    assert small.shape == (5, 24)
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, large, atol=1e-5)


def test_mirror_averaging_is_part_of_what_a_checkpoint_says(model, crops, tmp_path):
    both = MTCLAR(replace(model.spec, mirror=True)).eval()
    both.load_state_dict(model.state_dict())
    save_checkpoint(tmp_path, both, {"crop": CROP.to_dict()})
    alike = TorchPredictor.from_checkpoint(tmp_path)
    mean = (TorchPredictor(model, CROP).embed(crops) + TorchPredictor(model, CROP).embed(crops[:, :, ::-1])) / 2
    np.testing.assert_allclose(alike.embed(crops), mean, atol=1e-5)


def test_a_pair_gets_a_probability_and_two_differences(model, crops):
    predictor = TorchPredictor(model, CROP)
    embedding = predictor.embed(crops)
    similar, d_valence, d_arousal = predictor.compare(embedding, embedding[::-1].copy())
    assert similar.shape == d_valence.shape == d_arousal.shape == (5,)
    assert ((similar > 0) & (similar < 1)).all()
    np.testing.assert_allclose(d_valence, -d_valence[::-1], atol=1e-6)


def test_a_face_gets_probabilities_that_sum_to_one(model, crops):
    predictor = TorchPredictor(model, CROP)
    expression, valence, arousal = predictor.single(predictor.embed(crops))
    np.testing.assert_allclose(expression.sum(1), 1, rtol=1e-5)
    assert expression.shape == (5, 8)
    assert valence.shape == arousal.shape == (5,)


def test_no_faces_give_empty_answers(model):
    predictor = TorchPredictor(model, CROP)
    embedding = predictor.embed(np.empty((0, 288, 288, 3), np.uint8))
    assert embedding.shape == (0, 24)
    assert [part.shape for part in predictor.compare(embedding, embedding)] == [(0,)] * 3
    assert [part.shape for part in predictor.single(embedding)] == [(0, 8), (0,), (0,)]


def test_a_checkpoint_brings_its_own_crop(tmp_path, model, crops):
    save_checkpoint(tmp_path, model, {"crop": CROP.to_dict()})
    loaded = TorchPredictor.from_checkpoint(tmp_path)
    assert loaded.crop == CROP
    np.testing.assert_array_equal(loaded.embed(crops), TorchPredictor(model, CROP).embed(crops))


def test_a_checkpoint_that_does_not_say_its_crop_is_refused(tmp_path, model):
    save_checkpoint(tmp_path, model, {})
    with pytest.raises(MtclarError, match="crop"):
        TorchPredictor.from_checkpoint(tmp_path)


@pytest.mark.parametrize("task", ["similarity", "valence", "arousal"])
def test_what_was_not_learned_is_answered_by_nan(model, crops, task):
    predictor = TorchPredictor(MTCLAR(replace(model.spec, tasks=(task,))), CROP)
    embedding = predictor.embed(crops)
    answers = dict(zip(("similarity", "valence", "arousal"), predictor.compare(embedding, embedding), strict=True))
    for name, answer in answers.items():
        assert answer.shape == (5,)
        assert answer.dtype == np.float32
        assert np.isnan(answer).all() == (name != task)


def test_pairs_are_compared_alike_however_many_at_once(model, monkeypatch):
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 11, 24)).astype(np.float32)
    whole = TorchPredictor(model, CROP).compare(left, right)
    monkeypatch.setattr("mtclar.model.predictor.PAIRS_AT_ONCE", 4)
    for part, expected in zip(TorchPredictor(model, CROP).compare(left, right), whole, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-6)


def test_the_device_is_a_gpu_where_there_is_one_unless_told_otherwise(model, monkeypatch):
    assert TorchPredictor(model, CROP, device="cpu").device.type == "cpu"
    assert TorchPredictor(model, CROP).device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(MtclarError, match="device 'tpu' is not one of"):
        TorchPredictor(model, CROP, device="tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MtclarError, match="torch finds none"):
        TorchPredictor(model, CROP, device="cuda")


def test_asking_leaves_no_gradients_behind(model, crops):
    TorchPredictor(model, CROP).embed(crops[:1])
    assert all(p.grad is None for p in model.parameters())
    assert torch.is_grad_enabled()
