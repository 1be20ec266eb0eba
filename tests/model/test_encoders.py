"""The registry of encoders: one entry is all a new kind needs."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pytest
import torch
from torch import nn

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.model.build import build_model, model_spec
from mtclar.model.checkpoint import load_checkpoint, save_checkpoint
from mtclar.model.encoder import EncoderSpec
from mtclar.model.encoders import ENCODERS, encoder_from_dict, encoder_spec
from mtclar.model.predictor import TorchPredictor
from mtclar.settings import TrainSettings, load_settings


@dataclass(frozen=True, kw_only=True)
class ToySpec(EncoderSpec):
    """Colours averaged over a grid of tiles, and one linear map."""

    tiles: int

    @property
    def embedding_size(self) -> int:
        return 12

    def build(self) -> nn.Module:
        pixels = self.channels * self.tiles**2
        return nn.Sequential(nn.AdaptiveAvgPool2d(self.tiles), nn.Flatten(), nn.Linear(pixels, self.embedding_size))


@pytest.fixture
def toy(monkeypatch) -> TrainSettings:
    spec = ToySpec(name="toy", input_size=16, centre=256, local_contrast=False, tiles=2)
    monkeypatch.setitem(ENCODERS, "toy", spec)
    return _settings(encoder="toy", projector=(16,), sl_projector=(8,), encoder_options={"tiles": 4})


def _settings(**changes) -> TrainSettings:
    return load_settings().train.model_copy(update=changes)


def test_an_encoder_of_another_kind_plugs_in_by_one_entry_and_learns(toy):
    model = build_model(toy)
    assert model.spec.encoder.tiles == 4
    generator = torch.Generator().manual_seed(0)
    faces = torch.rand(16, 3, 16, 16, generator=generator)
    truth = faces[:8].mean((1, 2, 3)) - faces[8:].mean((1, 2, 3))
    optimiser = torch.optim.Adam(model.trainable(), 1e-2)
    losses = []
    for _ in range(40):
        out, _, _ = model(faces[:8], faces[8:])
        loss = (out.d_valence - 20 * truth).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_a_checkpoint_of_another_kind_comes_back_and_embeds(toy, tmp_path):
    import numpy as np

    model = build_model(toy).eval()
    crop = CropSpec(scale=1.5, input_size=16)
    save_checkpoint(tmp_path, model, {"crop": crop.to_dict()})
    crops = np.random.default_rng(0).integers(0, 256, (3, 288, 288, 3), np.uint8)
    loaded = TorchPredictor.from_checkpoint(tmp_path)
    assert loaded.model.spec == model.spec
    assert loaded.embed(crops).shape == (3, 12)
    np.testing.assert_array_equal(loaded.embed(crops), TorchPredictor(model, crop).embed(crops))


def test_a_checkpoint_of_an_encoder_no_longer_known_is_refused_by_name(toy, tmp_path, monkeypatch):
    save_checkpoint(tmp_path, build_model(toy), {})
    monkeypatch.delitem(ENCODERS, "toy")
    with pytest.raises(MtclarError, match="unknown encoder 'toy'"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_entry_stands_under_its_own_name_and_survives_being_written_down(name):
    spec = encoder_spec(name)
    assert spec.name == name
    assert encoder_from_dict(asdict(spec)) == spec


def test_the_residual_network_is_convolutions_with_shortcuts_and_takes_grey_as_well():
    spec = encoder_spec("resnet-nano", {"input_size": 32})
    encoder = spec.build().eval()
    grey = torch.rand(3, 1, 32, 32)
    with torch.inference_mode():
        out = encoder(grey.expand(-1, 3, -1, -1))
        assert out.shape == (3, spec.embedding_size)
        torch.testing.assert_close(encoder(grey), out, atol=1e-4, rtol=1e-3)
    encoder.train()
    encoder(grey).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_a_block_without_weights_hands_on_what_came_in():
    block = encoder_spec("resnet-nano", {"blocks": 2}).build().eval().stages[1]
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 32, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_options_change_fields_of_an_entry():
    spec = encoder_spec("emofan", {"width": 64, "stacks": 3, "input_size": 128, "emotion": [32, 48]})
    assert (spec.width, spec.stacks, spec.input_size, spec.emotion, spec.depth) == (64, 3, 128, (32, 48), 4)
    assert spec.embedding_size == 48
    with torch.inference_mode():
        assert spec.build().eval()(torch.rand(1, 3, 128, 128)).shape == (1, 48)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("emofan_nano", {}, "unknown encoder 'emofan_nano' .did you mean 'emofan-nano'"),
        ("emofan", {"widht": 64}, "encoder 'emofan' has no 'widht' .did you mean 'width'"),
        ("emofan", {"name": "other"}, "has no 'name'"),
        ("resnet-nano", {"stacks": 2}, "encoder 'resnet-nano' has no 'stacks'"),
        ("emofan", {"width": "wide"}, "'width' of encoder 'emofan' is 'wide', but input should be a valid integer"),
        ("emofan", {"pool": "min"}, "'pool' of encoder 'emofan' is 'min', but input should be 'max' or 'average'"),
        ("emofan", {"emotion": []}, "emotion is empty"),
        ("emofan", {"emotion": [30, 30]}, "multiples of 4"),
        ("emofan", {"width": 100}, "multiple of 8"),
        ("emofan", {"stacks": 0}, "stacks is 0, but must be at least 1"),
        ("emofan", {"depth": -1}, "depth is -1, but must be at least 1"),
        ("emofan", {"centre": 300}, "centre is 300"),
        ("emofan", {"input_size": 112}, "112 pixels is halved 6 times, so it must be a multiple of 64"),
        ("emofan-nano", {"depth": 5}, "64 pixels is halved 7 times, so it must be a multiple of 128"),
        ("resnet-nano", {"widths": []}, "widths is empty"),
        ("resnet-nano", {"input_size": 40}, "multiple of 16"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(name, options, sentence):
    with pytest.raises(MtclarError, match=sentence):
        encoder_spec(name, options)


def test_auto_is_the_full_size_where_weights_are_given_and_else_the_small_one():
    assert model_spec(_settings(encoder="auto", pretrained="emonet_8.pth")).encoder.name == "emofan"
    assert model_spec(_settings(encoder="auto", pretrained="")).encoder.name == "emofan-nano"
    assert model_spec(_settings(encoder="resnet-nano", pretrained="")).encoder.name == "resnet-nano"
