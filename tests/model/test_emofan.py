"""The encoder has EmoNet's parameters at full size, and works at other sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from mtclar.errors import MtclarError
from mtclar.model.contrast import LocalContrast
from mtclar.model.emofan import ConvBlock, EmoFAN
from mtclar.model.encoders import ENCODERS, encoder_spec


@pytest.fixture(scope="module")
def full() -> EmoFAN:
    return EmoFAN(encoder_spec("emofan"), outputs=10).eval()


def test_the_full_encoder_has_the_parameter_counts_of_emonet(full):
    counts = {"fan": 0, "emotion": 0, "head": 0}
    for name, value in full.named_parameters():
        part = "head" if name.startswith("emo_fc_2") else "emotion" if "emo" in name else "fan"
        counts[part] += value.numel()
    assert counts == {"fan": 12_106_504, "emotion": 1_822_464, "head": 34_442}


def test_the_full_encoder_has_the_tensors_of_an_emonet_checkpoint(full):
    state = full.state_dict()
    assert len(state) == 682
    shapes = {
        "conv1.weight": (64, 3, 7, 7),
        "conv1.bias": (64,),
        "conv2.downsample.0.running_mean": (64,),
        "conv2.downsample.2.weight": (128, 64, 1, 1),
        "m0.b1_4.conv1.weight": (128, 256, 3, 3),
        "m1.b2_plus_1.bn3.num_batches_tracked": (),
        "m1.b3_1.conv3.weight": (64, 64, 3, 3),
        "top_m_1.bn1.weight": (256,),
        "conv_last0.bias": (256,),
        "bn_end1.running_var": (256,),
        "l1.weight": (68, 256, 1, 1),
        "bl0.weight": (256, 256, 1, 1),
        "al0.weight": (256, 68, 1, 1),
        "conv1x1_input_emo_2.weight": (256, 768, 1, 1),
        "emo_net_2.6.conv2.weight": (64, 128, 3, 3),
        "emo_fc_2.0.weight": (128, 256),
        "emo_fc_2.3.weight": (10, 128),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    assert not any(name.startswith(("conv3.downsample", "bl1", "al1", "front")) for name in state)


def test_the_full_encoder_gives_256_numbers_a_face():
    encoder = EmoFAN(encoder_spec("emofan")).eval()
    with torch.inference_mode():
        assert encoder(torch.rand(1, 3, 256, 256)).shape == (1, 256)


def test_the_small_encoder_gives_its_embedding_and_takes_grey_as_well():
    spec = encoder_spec("emofan-nano")
    encoder = EmoFAN(spec).eval()
    grey = torch.rand(3, 1, spec.input_size, spec.input_size)
    with torch.inference_mode():
        out = encoder(grey.expand(-1, 3, -1, -1))
        assert out.shape == (3, spec.embedding_size)
        torch.testing.assert_close(encoder(grey), out, atol=1e-4, rtol=1e-3)


def test_every_parameter_of_the_small_encoder_learns():
    encoder = EmoFAN(encoder_spec("emofan-nano"))
    side = encoder.spec.input_size
    encoder(torch.rand(4, 3, side, side)).square().mean().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_a_block_is_three_convolutions_in_a_row_joined_and_added_to_its_input():
    block = ConvBlock(8, 8).eval()
    x = torch.randn(2, 8, 5, 5)
    first = functional.conv2d(functional.relu(_norm(x, block.bn1)), block.conv1.weight, padding=1)
    second = functional.conv2d(functional.relu(_norm(first, block.bn2)), block.conv2.weight, padding=1)
    third = functional.conv2d(functional.relu(_norm(second, block.bn3)), block.conv3.weight, padding=1)
    torch.testing.assert_close(block(x), torch.cat([first, second, third], 1) + x)


def _norm(x, bn):
    return (x - bn.running_mean[:, None, None]) / torch.sqrt(bn.running_var[:, None, None] + bn.eps)


def test_local_contrast_is_the_pixel_less_its_mean_over_its_deviation():
    rng = np.random.default_rng(0)
    grey = rng.random((24, 24)).astype(np.float32)
    half_mean, half_deviation = 2, 3  # windows of 5 and 7: the odd numbers next to 24 * 17/96 and 24 * 25/96

    def local(values, half):
        out = np.empty_like(values)
        for y in range(24):
            for x in range(24):
                out[y, x] = values[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1].mean()
        return out

    relief = grey - local(grey, half_mean)
    expected = relief / (np.sqrt(local(relief**2, half_deviation)) + 0.03)
    found = LocalContrast(24)(torch.from_numpy(grey)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_local_contrast_forgets_the_light():
    faces = torch.rand(2, 3, 64, 64)
    front = LocalContrast(64)
    assert (front(faces) - front(faces * 0.5 + 0.3)).abs().mean() < 0.25 * front(faces).abs().mean()


def test_an_unknown_encoder_is_refused_with_the_nearest_name():
    with pytest.raises(MtclarError, match="did you mean 'emofan-nano'"):
        encoder_spec("emofan_nano")


def test_an_input_that_cannot_be_halved_often_enough_is_refused():
    with pytest.raises(MtclarError, match="multiple of"):
        replace(ENCODERS["emofan-nano"], input_size=70)
