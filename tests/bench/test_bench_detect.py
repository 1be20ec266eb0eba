"""The benchmark of detection runs, and what it counts can be."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_every_detector_is_counted_and_timed_beside_hog(repository):
    pytest.importorskip("dlib", reason="the benchmark compares with dlib's detector, an extra")
    command = [sys.executable, "bench/detect.py", "--pictures", "8", "--empty", "20"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()[2:8]}
    assert list(rows) == ["hog", "full-range", "back", "short-range", "centerface", "ladder"]
    for row in rows.values():
        assert 0 <= float(row[0]) <= 1
        assert 0 <= float(row[1]) <= 1000
    assert float(rows["ladder"][0]) >= 0.75
    assert [float(value) for value in rows["hog"][-3:-1]] == [1, 1]
