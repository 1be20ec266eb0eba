"""A training that is killed again and again, while it learns and while it writes, ends in the same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar.settings import load_settings
from mtclar.steps import pair
from tests.toy_faces import write_faces


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_moment_goes_on_to_the_same_weights(repository, tmp_path):
    recipe = load_settings(repository / "recipes" / "tiny.yaml")
    write_faces(tmp_path / "faces", train=3, validation=2)
    (tmp_path / "verdict.json").write_text(json.dumps({"success": True}))
    few = {"pairs": 600, "pairs_held_out": 64, "block_faces": 24, "block_pairs": 50}
    pair.run(recipe.pair.model_copy(update=few), faces=tmp_path / "faces", verdict=tmp_path, out=tmp_path / "pairs")
    settings = recipe.train.model_copy(
        update={
            "encoder": "resnet-nano",
            "encoder_options": {"input_size": 32, "widths": [8, 16]},
            "weighing": "uncertainty",
            "schedule": "plateau",
            "keep": "best",
            "dropout": 0.2,
            "epochs": 2,
            "sl_epochs": 2,
            "accumulate": 2,
            "save_steps": 2,
            "threads": 1,
            "workers": 1,
        }
    )
    (tmp_path / "settings.json").write_text(settings.model_dump_json())
    script = Path(__file__).with_name("killing.py")
    told = subprocess.run(
        [sys.executable, script, tmp_path], cwd=repository, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert int(told.stdout.split()[0]) >= 3, told.stdout
    for name in ("model.safetensors", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for out in (tmp_path / "killed", tmp_path / "whole"):
        assert [path.name for path in (out / "last").iterdir()] == ["epoch-0002"]
        assert len(list((out / "best").iterdir())) == 1
