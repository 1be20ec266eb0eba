"""The commands of docs/tools.md, run as they stand beside a labelled clip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_bundle import toy_bundle

import mtclar
from mtclar.settings import load_settings
from mtclar.steps import label as step
from tests.test_walkthrough import blocks


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with clip.features and the labels of clip.mp4."""
    clip = write_video(tmp_path / "clip.mp4", TIMES_MS, picture)
    bundle = toy_bundle(tmp_path / "bundle", calibration=CALIBRATION)
    settings = load_settings()
    anchors = write_anchors(tmp_path, "clip,0,-0.5,0.1", "clip,6,0.25,0.2")
    labels = tmp_path / "labels"
    step.run(settings.label, settings.extract, videos=[clip], anchors=anchors, model=str(bundle), out=labels)
    mtclar.write_features(mtclar.extract(clip, model=bundle), tmp_path / "clip.features")
    return tmp_path


def test_every_command_of_the_page_runs(folder, repository):
    commands = [line for block in blocks(repository / "docs" / "tools.md") for line in block.splitlines()]
    run = [line for line in commands if line.startswith(("mtclar convert", "mtclar sync"))]
    assert len(run) >= 7
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in run:
        answer = subprocess.run(
            ["bash", "-c", command], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert answer.returncode == 0, f"{command}\n{answer.stdout}{answer.stderr}"
    for name in ("clip.eaf", "nova/valence.clip.mtclar.annotation", "task.config.xml", "clip.xml", "plot.R"):
        assert (folder / name).is_file(), name
