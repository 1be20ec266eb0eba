"""EmoNet's weights: read as tensors alone, checked by name and shape, and what the network makes of them."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from mtclar.errors import MtclarError
from mtclar.model.build import build_model
from mtclar.model.emofan import EmoFAN
from mtclar.model.encoders import encoder_spec
from mtclar.model.pretrained import load_emonet, load_encoder, read_state
from mtclar.settings import load_settings
from tests.model import emonet

FULL = encoder_spec("emofan")


@pytest.fixture(scope="module")
def state() -> emonet.State:
    return emonet.random_state(1)


@pytest.fixture(scope="module")
def file(state, tmp_path_factory) -> Path:
    """As published: a state dict with `module.` before every name."""
    path = tmp_path_factory.mktemp("weights") / "emonet_8.pth"
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    return path


@pytest.fixture(scope="module")
def face() -> torch.Tensor:
    return torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def expected(state, face) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        return emonet.run(state, face)


def _close(found, wanted):
    scale = wanted.abs().max().item()
    assert scale > 1e-3
    torch.testing.assert_close(found, wanted, atol=1e-4 * scale, rtol=1e-3)


def test_the_full_network_has_the_tensors_of_an_emonet_of_either_kind_and_no_others():
    for outputs in (10, 7):
        with torch.device("meta"):
            network = EmoFAN(FULL, outputs=outputs)
        assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == emonet.shapes(outputs)
    assert len(emonet.shapes()) == 682
    assert sum("emo" in name for name in emonet.shapes()) == 83


def test_the_parameters_number_those_of_emonet():
    counts = {"fan": 0, "emotion": 0, "head": 0}
    for name, shape in emonet.shapes().items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            part = "head" if name.startswith("emo_fc_2") else "emotion" if "emo" in name else "fan"
            counts[part] += math.prod(shape)
    assert counts == {"fan": 12_106_504, "emotion": 1_822_464, "head": 34_442}
    with torch.device("meta"):
        assert sum(p.numel() for p in EmoFAN(FULL, outputs=10).parameters()) == 13_963_410


def test_all_that_emonet_says_is_what_the_plain_functions_say(file, face, expected):
    model = load_emonet(file, FULL)
    assert not model.training
    with torch.inference_mode():
        found = model.emonet(face)
    assert found.expression.shape == (1, 8)
    assert found.heatmaps.shape == (1, 68, 64, 64)
    for name, wanted in expected.items():
        _close(getattr(found, name), wanted)


def test_training_starts_from_the_weights_frozen_and_without_the_head(file, face, expected):
    s = load_settings().train.model_copy(
        update={"encoder": "auto", "pretrained": str(file), "projector": (8,), "sl_projector": (8,)}
    )
    model = build_model(s).train()
    assert model.spec.encoder == FULL
    assert model.encoder.emo_net_2.training
    assert not any(part.training for part in model.encoder.m1.modules())
    trainable = sum(p.numel() for p in model.encoder.parameters() if p.requires_grad)
    assert trainable == 1_822_464
    model.eval()
    with torch.inference_mode():
        embedding = model.encoder(face)
    assert embedding.shape == (1, 256)
    _close(embedding, expected["embedding"])


def test_pooling_by_average_is_a_field_of_the_spec(state):
    spec = encoder_spec("emofan", {"pool": "average", "input_size": 64})
    face = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    encoder = EmoFAN(spec).eval()
    encoder.load_state_dict({name: value for name, value in state.items() if not name.startswith("emo_fc_2")})
    with torch.inference_mode():
        found = encoder(face)
        _close(found, emonet.run(state, face, functional.avg_pool2d)["embedding"])
        assert (found - emonet.run(state, face)["embedding"]).abs().max() > 0.01


def test_names_without_module_five_classes_and_safetensors_are_read_as_well(tmp_path):
    five = emonet.random_state(4, outputs=7)
    torch.save(five, tmp_path / "emonet_5.pth")
    save_file(five, tmp_path / "emonet_5.safetensors")
    for path in (tmp_path / "emonet_5.pth", tmp_path / "emonet_5.safetensors"):
        model = load_emonet(path, FULL)
        assert model.emo_fc_2[3].out_features == 7
        assert all(torch.equal(value, five[name]) for name, value in model.state_dict().items())


def _without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda s: _without(s, "bn1.weight", "conv1.bias", "conv1.weight", "m0.b1_4.bn1.bias"),
            r"4 missing: conv1\.weight, conv1\.bias, bn1\.weight, \.\.\.\.$",
        ),
        (
            lambda s: s | {"m2.b1_4.bn1.bias": torch.ones(1), "epoch": torch.ones(1)},
            r"2 unexpected: m2.*, epoch\.$",
        ),
        (
            lambda s: s | {"l1.weight": torch.ones(98, 256, 1, 1)},
            r"1 of another shape: l1\.weight \(98, 256, 1, 1\) where \(68, 256, 1, 1\) belongs",
        ),
        (
            lambda s: s | {"emo_fc_2.3.weight": torch.ones(9, 128)},
            r"emo_fc_2\.3\.weight \(9, 128\) where \(10, 128\) belongs",
        ),
        (
            lambda s: {f"resnet.{n}": v for n, v in s.items()},
            r"682 missing: conv1.*; 682 unexpected: resnet\.conv1\.weight",
        ),
        (
            lambda s: s | {"bl0.bias": torch.full((256,), float("nan"))},
            r"1 of its tensors hold numbers that are not finite: bl0\.bias",
        ),
    ],
)
def test_other_tensors_are_refused_by_name(state, tmp_path, change, sentence):
    path = tmp_path / "weights.pth"
    torch.save(change(state), path)
    encoder = EmoFAN(FULL)
    before = encoder.conv1.weight.clone()
    with pytest.raises(MtclarError, match=sentence):
        load_encoder(encoder, path)
    assert torch.equal(encoder.conv1.weight, before)


def test_weights_of_another_size_say_which_tensors_differ(file):
    with pytest.raises(MtclarError, match=r"of another shape: conv2\.bn2\.weight|of another shape: conv2"):
        load_encoder(EmoFAN(encoder_spec("emofan", {"width": 128})), file)


class Code:
    """A pickle that would write a file on being read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def _refused(path: Path, data: bytes, sentence: str) -> None:
    path.write_bytes(data)
    with pytest.raises(MtclarError, match=sentence) as refused:
        read_state(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["emonet_8.pth", "emonet_8.safetensors"])
def test_what_is_no_file_of_weights_is_one_sentence(tmp_path, name):
    path = tmp_path / name
    _refused(path, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer")
    _refused(path, b"\n<!DOCTYPE html><html></html>", "web page")
    _refused(path, b"", "it is empty")
    _refused(path, b"\x89PNG\r\n\x1a\n" * 20, "is something else")


def test_a_file_cut_short_is_one_sentence(tmp_path, file):
    data = file.read_bytes()
    _refused(tmp_path / "cut.pth", data[: len(data) // 2], "is cut short")
    save_file({"conv1.weight": torch.ones(64, 3, 7, 7)}, tmp_path / "cut.safetensors")
    data = (tmp_path / "cut.safetensors").read_bytes()
    _refused(tmp_path / "cut.safetensors", data[: len(data) // 2], "is cut short")


def test_code_in_a_file_is_not_run(tmp_path):
    trap = tmp_path / "trap"
    torch.save({"conv1.weight": Code(trap)}, tmp_path / "emonet.pth")
    with pytest.raises(MtclarError, match="holds more than tensors"):
        read_state(tmp_path / "emonet.pth")
    _refused(tmp_path / "old.pth", pickle.dumps(Code(trap), protocol=2), "holds more than tensors")
    _refused(tmp_path / "plain.pth", pickle.dumps(Code(trap)), "is something else")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (torch.ones(3), "it holds a Tensor"),
        ({}, "it holds nothing"),
        ({"epoch": 3, "state": {"a": torch.ones(1)}}, r"it holds epoch \(int\), state \(dict\) among its names"),
    ],
)
def test_what_is_no_state_dict_is_one_sentence(tmp_path, content, sentence):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(MtclarError, match=sentence):
        read_state(tmp_path / "other.pth")


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path):
    for path in (tmp_path / "nowhere.pth", tmp_path):
        with pytest.raises(MtclarError, match=r"the weights cannot be read .*; give train\.pretrained"):
            read_state(path)


def test_an_encoder_without_a_head_cannot_be_asked_for_expressions():
    encoder = encoder_spec("emofan-nano").build()
    with pytest.raises(MtclarError, match="has no head of its own"):
        encoder.emonet(torch.rand(1, 3, 64, 64))
