"""Settings of a training so small that its arithmetic can be followed."""

from __future__ import annotations

import pytest

from mtclar.settings import TrainSettings, load_settings


@pytest.fixture
def settings(repository) -> TrainSettings:
    """The recipe `tiny` with a residual encoder of a few hundred parameters."""
    recipe = load_settings(repository / "recipes" / "tiny.yaml").train
    changed = {
        "encoder": "resnet-nano",
        "encoder_options": {"input_size": 16, "widths": [4, 8]},
        "projector": (8,),
        "dropout": 0.2,
        "sl_projector": (8,),
        "threads": 1,
    }
    return recipe.model_copy(update=changed)
