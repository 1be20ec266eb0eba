"""Two processes that torchrun starts learn what one process learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.model.checkpoint import load_checkpoint
from mtclar.settings import load_settings
from mtclar.steps import pair, train
from tests.toy_faces import write_faces

SETTINGS = (
    "train.encoder=resnet-nano",
    "train.encoder_options={input_size: 32, widths: [8, 16]}",
    "train.dropout=0.2",
    "train.epochs=2",
    "train.accumulate=2",
    "train.early_stop=1",
    "train.threads=1",
    "train.device=cpu",
)


def _torchrun(repository, folder, *settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "mtclar", "train", "--params", str(repository / "recipes" / "tiny.yaml")]
    command += ["--faces", "faces", "--pairs", "pairs", "--out", "two"]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    write_faces(folder / "faces", train=3, validation=2)
    write_faces(folder / "few", train=1, validation=1)
    (folder / "verdict.json").write_text(json.dumps({"success": True}))
    return folder


def test_two_processes_learn_what_one_learns_and_only_the_first_speaks(repository, folder):
    recipe = load_settings(repository / "recipes" / "tiny.yaml", SETTINGS)
    few = recipe.pair.model_copy(update={"pairs": 350, "pairs_held_out": 64, "block_faces": 24, "block_pairs": 50})
    pair.run(few, faces=folder / "faces", verdict=folder, out=folder / "pairs")
    train.run(recipe.train, faces=folder / "faces", pairs=folder / "pairs", out=folder / "one")
    told = _torchrun(repository, folder, *SETTINGS)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count("trained for 2 epochs") == 1
    one, two = (load_checkpoint(folder / out)[0].state_dict() for out in ("one", "two"))
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    histories = [pd.read_csv(folder / out / "history.csv") for out in ("one", "two")]
    pd.testing.assert_frame_equal(*histories, rtol=1e-3)


def test_processes_that_are_started_here_learn_the_same_and_say_what_stopped_them(repository, folder, monkeypatch):
    recipe = load_settings(repository / "recipes" / "tiny.yaml", SETTINGS).train
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(repository))
    files = {"faces": folder / "faces", "pairs": folder / "pairs"}
    result = train.run(recipe, **files, out=folder / "started", processes=2)
    assert result.last["epoch"] == 2
    one, started = (load_checkpoint(folder / out)[0].state_dict() for out in ("one", "started"))
    for name, value in one.items():
        torch.testing.assert_close(started[name], value, rtol=1e-4, atol=1e-5)
    with pytest.raises(MtclarError, match=r"^the pairs point at row"):
        train.run(recipe, faces=folder / "few", pairs=folder / "pairs", out=folder / "failed", processes=2)
