"""The parts of EmoFAN, and the small one; test_pretrained holds the full one against EmoNet."""

from __future__ import annotations

import torch
from torch.nn import functional

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
