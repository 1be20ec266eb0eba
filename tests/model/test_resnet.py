from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from mtclar.model.encoders import ENCODERS
from mtclar.model.resnet import ResidualBlock

GRADIENTS = """
import copy, json, torch
from mtclar.model.resnet import ResidualBlock

errors = {}
for width in (2, 4, 7, 8):
    torch.manual_seed(0)
    block, faces = ResidualBlock(width, 8, 2), torch.randn(5, width, 12, 12)
    exact = copy.deepcopy(block).double()
    exact(faces.double()).sin().sum().backward()
    block.to(memory_format=torch.channels_last)(faces.contiguous(memory_format=torch.channels_last)).sin().sum().backward()
    for (name, learned), true in zip(block.named_parameters(), exact.parameters()):
        error = (learned.grad.double() - true.grad).norm() / true.grad.norm()
        errors[f"{name} of {width} channels"] = error.item()
print(json.dumps(errors))
"""


def test_gradients_in_channels_last_are_those_of_double_precision_on_a_cpu_without_avx512():
    kernels = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}  # read when torch loads, hence a process of its own
    answer = subprocess.run([sys.executable, "-c", GRADIENTS], env=kernels, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"ended by signal {-answer.returncode}: {answer.stderr}"
    errors = json.loads(answer.stdout)
    assert max(errors.values()) < 1e-4, errors


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_no_encoder_has_a_strided_convolution_of_one_pixel(name):
    layers = [layer for layer in ENCODERS[name].build().modules() if isinstance(layer, nn.Conv2d)]
    assert layers
    assert not [layer for layer in layers if max(layer.kernel_size) == 1 and max(layer.stride) > 1]


@pytest.mark.parametrize("side", [1, 2, 7, 8])
def test_what_came_in_is_halved_as_a_strided_convolution_would(side):
    block = ResidualBlock(3, 8, stride=2).eval()
    faces = torch.randn(2, 3, side, side)
    nn.init.zeros_(block.bn2.weight)  # of the inner branch nothing is left
    convolution, norm = block.shortcut
    expected = functional.relu(norm(functional.conv2d(faces, convolution.weight, stride=2)))
    torch.testing.assert_close(block(faces), expected)
