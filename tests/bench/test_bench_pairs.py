"""The benchmark of pairs runs and beats its plain loop."""

from __future__ import annotations

import subprocess
import sys


def test_every_mode_is_timed_beside_a_plain_loop(repository):
    command = [sys.executable, "bench/pairs.py", "--pairs", "200000", "--plain", "2000"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    rows = {line.split()[0]: line.split()[1:] for line in answer.stdout.splitlines()[2:]}
    assert list(rows) == ["release", "wheel-far", "wheel-near", "polarity", "affect", "people"]
    assert all(float(row[3]) > 2 for row in rows.values())
