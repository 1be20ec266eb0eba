"""The benchmarks of labelling run, on a short clip made of the sample, and say what they measured."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar.data.tracked import tracked_files


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample's videos, taken from where DVC keeps them in the repository."""
    folder, repository = tmp_path_factory.mktemp("sample"), Path(__file__).parents[2]
    kept = tracked_files(repository / "data.dvc", repository / "dvc-remote")
    for name, path in kept.items():
        if "/videos/solo_" in f"/{name}":
            shutil.copy(path, folder / str(name).rpartition("/")[2])
    return folder


def told(repository, *command: object) -> str:
    answer = subprocess.run(
        [sys.executable, *map(str, command)], cwd=repository, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_rate_is_told_beside_the_ideal_of_the_stages(repository, sample):
    words = told(repository, "bench/label_rate.py", "--frames", 60, "--rounds", 1, "--earlier", "", "--sample", sample)
    rows = {line.split()[0]: [float(cell) for cell in line.split()[1:]] for line in words.splitlines()[2:-1]}
    assert list(rows) == ["decode", "follow", "ask", "whole", "labels"]
    assert rows["whole"][0] > rows["labels"][0]
    assert float(re.search(r"whole over ideal ([\d.]+)", words)[1]) > 0


def test_a_long_video_is_labelled_whole_and_its_memory_told(repository, sample):
    words = told(repository, "bench/long_video.py", "--minutes", 0.5, "--sample", sample)
    assert words.startswith("750 frames")  # longer than what is encoded: its packets are repeated
    assert 0.1 < float(re.search(r"at most ([\d.]+) GB", words)[1]) < 2
    assert re.search(r"last tenth over first: [\d.]+ by the clock", words)
