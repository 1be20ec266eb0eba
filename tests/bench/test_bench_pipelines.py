"""The benchmarks of the pipelines run, and say what they measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest


def told(repository, *command: str, **variables: str) -> str:
    answer = subprocess.run(
        [sys.executable, *command],
        cwd=repository,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.slow
def test_the_graph_is_timed_beside_its_plain_steps(repository):
    words = told(repository, "bench/pipeline.py", "--rounds", "1")
    seconds = [float(found) for found in re.findall(r"([\d.]+) s$", words, re.M)]
    assert len(seconds) == 3
    assert seconds[0] < seconds[2]  # one process against a process a task
    assert 0.5 < float(re.search(r"takes ([\d.]+) times as long as its 8 steps", words)[1]) < 3


@pytest.mark.slow
def test_a_component_in_its_image_is_timed_beside_a_process_or_the_reason_said(repository):
    words = told(repository, "bench/image_start.py", "--rounds", "1")
    assert re.search(r"^skipped: .+|: [\d.]+ times as long as a process$", words, re.M)


def test_without_an_engine_the_start_of_an_image_is_not_timed_and_the_reason_is_said(repository, tmp_path):
    words = told(repository, "bench/image_start.py", DOCKER_HOST=f"unix://{tmp_path}/docker.sock")
    assert re.fullmatch(r"skipped: unix://\S+: no container engine answers; .+\n", words)
