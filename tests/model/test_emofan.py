"""The parts of EmoFAN, and the small one; test_pretrained holds the full one against EmoNet."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from mtclar.model.contrast import LocalContrast
from mtclar.model.emofan import ConvBlock, EmoFAN
from mtclar.model.encoders import encoder_spec


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


def test_local_contrast_keeps_all_its_digits_where_the_rest_runs_in_half_of_them():
    faces, front = torch.rand(2, 3, 64, 64), LocalContrast(64)
    with torch.autocast("cpu", torch.bfloat16):
        halved = front(faces)
    assert halved.dtype == torch.float32
    assert torch.equal(halved, front(faces))
