"""A network small enough to build in milliseconds."""

from __future__ import annotations

import pytest
import torch

from mtclar.model.emofan import EmoFanSpec
from mtclar.model.mtclar import MTCLAR, ModelSpec

TINY = ModelSpec(
    encoder=EmoFanSpec(
        name="emofan-nano",
        input_size=32,
        centre=208,
        stem=8,
        width=16,
        stacks=1,
        depth=1,
        pool="max",
        landmarks=4,
        emotion=(16, 24),
        local_contrast=True,
    ),
    fusion="concat",
    tasks=("similarity", "valence", "arousal"),
    projector=(16, 8),
    dropout=0.1,
    antisymmetric=True,
    single=(12,),
    tanh_logits=False,
    mirror=False,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small only wait for each other on more cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def model() -> MTCLAR:
    """With running statistics that are not those of a fresh network."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = MTCLAR(TINY)
        for _ in range(3):
            _, left, _ = model(torch.rand(6, 3, 32, 32), torch.rand(6, 3, 32, 32))
            model.single(left)
    return model.eval()
