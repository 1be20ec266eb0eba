"""The benchmark of synthesis runs, and its stages add up to what a face takes."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_every_kind_of_job_is_timed_and_the_stages_add_up(repository):
    command = [sys.executable, "bench/synthesis.py", "--artist", "drawn", "--faces", "12"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    head, *rows = (line.split() for line in answer.stdout.splitlines()[1:])
    assert [row[:2] for row in rows] == [["drawn", "stills"], ["drawn", "clip"]]
    for row in rows:
        stages = dict(zip(head[3:-1], map(float, row[3:-1]), strict=True))
        assert sum(stages.values()) == pytest.approx(1000 / float(row[2]), rel=0.05)
        assert min(stages.values()) >= 0
        assert stages["draw"] > 0
