"""Processes add up, agree, and notice when one of them is gone. Two real ones, over gloo."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.processes import Processes, here, joined

WORKER = """
import sys
import torch
from mtclar.errors import MtclarError
from mtclar.learning.processes import here, joined

processes = here()
try:
    with joined(processes, torch.device("cpu")):
        values = torch.tensor([1.0, processes.rank])
        processes.add(values)
        said = processes.agree({"from": processes.rank})
        print(values.tolist(), said, processes.first, flush=True)
        if processes.rank == 1:
            raise MtclarError("something is wrong here.")
        processes.add(values)
except MtclarError as error:
    sys.exit(str(error))
"""


def test_two_processes_add_up_agree_and_do_not_wait_for_one_that_failed(repository):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=repository,
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=120) for process in started]
    assert told[0][0] == "[2.0, 1.0] {'from': 0} True\n"
    assert told[1][0] == "[2.0, 1.0] {'from': 0} False\n"
    assert "something is wrong here." in told[1][1]
    assert "another training process failed or fell silent" in told[0][1]
    assert [process.returncode for process in started] == [1, 1]


def test_a_process_alone_adds_and_agrees_by_itself(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    alone = here()
    assert alone == Processes(0, 1, 0, 1)
    with joined(alone, torch.device("cpu")):
        values = torch.ones(2)
        alone.add(values)
        assert values.tolist() == [1, 1]
        assert alone.agree("word") == "word"


def test_variables_that_are_no_numbers_are_refused(monkeypatch):
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(MtclarError, match=r"RANK=first.* expected the numbers that torchrun sets"):
        here()


def test_processes_that_cannot_find_each_other_are_told_so(monkeypatch):
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(MtclarError, match="the 2 training processes cannot find each other"),
        joined(Processes(0, 2), torch.device("cpu")),
    ):
        pass
