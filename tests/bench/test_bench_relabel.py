"""The benchmark of labelling again runs, and says what it measured."""

from __future__ import annotations

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
    for name, path in tracked_files(repository / "data.dvc", repository / "dvc-remote").items():
        if "/videos/solo_" in f"/{name}":
            shutil.copy(path, folder / str(name).rpartition("/")[2])
    return folder


def test_labelling_again_takes_a_small_part_of_the_time_of_reading(repository, sample):
    command = [
        sys.executable,
        "bench/relabel.py",
        "--frames",
        "50",
        "--cases",
        "500x5,3000x20",
        "--sample",
        str(sample),
    ]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = [[float(cell) for cell in line.strip("| ").split(" | ")] for line in answer.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [[500, 5], [3000, 20]]
    assert rows[1][7] < 0.1  # of the work of all cores; the clock hangs on what else runs
