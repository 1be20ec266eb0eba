"""Several processes that train one model together, as `torchrun` starts them.

Each works out the gradients of its share of a step; here they are added up. Only the first writes files, logs and
shows progress. Without torchrun there is one process, and everything here costs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from mtclar.errors import MtclarError, brief

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others before it gives up; the first may be validating meanwhile."""

_ANOTHER = "another training process"

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Who this process is among those that train together.

    Attributes:
        rank: Its number, from 0.
        number: How many there are.
        place: Its number among those on this machine.
        here: How many are on this machine.
    """

    rank: int = 0
    number: int = 1
    place: int = 0
    here: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def add(self, values: Tensor) -> None:
        """Puts into `values` the sum of what all processes have there.

        Raises:
            MtclarError: Another process failed or fell silent.
        """
        if self.number > 1:
            with _others():
                dist.all_reduce(values)

    def agree(self, value: T) -> T:
        """What the first process gives, in all of them.

        Raises:
            MtclarError: Another process failed or fell silent.
        """
        if self.number == 1:
            return value
        held: list[T] = [value]
        with _others():
            dist.broadcast_object_list(held, src=0)
        return held[0]


def here() -> Processes:
    """Who this process is by the variables torchrun sets; the only one where they are not set.

    Raises:
        MtclarError: The variables are not numbers.
    """
    given = {name: os.environ.get(name, at) for name, at in _VARIABLES.items()}
    try:
        return Processes(*(int(value) for value in given.values()))
    except ValueError as error:
        raise MtclarError(
            f"{', '.join(f'{k}={v}' for k, v in given.items())} in the environment: expected the numbers that torchrun "
            "sets; unset them to train in one process."
        ) from error


_VARIABLES = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}


@contextmanager
def joined(processes: Processes, device: torch.device) -> Iterator[None]:
    """Brings the processes together for the block.

    Raises:
        MtclarError: They cannot find each other.
    """
    if processes.number == 1:
        yield
        return
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise MtclarError(
            f"the {processes.number} training processes cannot find each other ({brief(error)}); start them with "
            "torchrun."
        ) from error
    try:
        yield
    finally:
        dist.destroy_process_group()


def start_processes(number: int, command: Sequence[str]) -> None:
    """Runs a Python module in several processes of this machine that find each other, as torchrun does, to the end.

    What they print goes where this process prints.

    Args:
        number: How many.
        command: The module and its arguments.

    Raises:
        MtclarError: One failed; the sentence is its own where it said one.
    """
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={number}", "-m"]
    threads = max(1, (os.cpu_count() or 1) // number)  # torchrun would allow one thread a process
    environment = {"OMP_NUM_THREADS": str(threads)} | os.environ
    sentence = ""
    with subprocess.Popen([*launcher, *command], stderr=subprocess.PIPE, env=environment) as started:  # noqa: S603
        assert started.stderr is not None  # noqa: S101 - for the type checker
        for line in started.stderr:
            text = line.decode("utf-8", "replace")
            if text.startswith("mtclar: ") and (not sentence or sentence.startswith(_ANOTHER)):
                sentence = text.removeprefix("mtclar: ").strip()
            sys.stderr.write(text)
    if started.returncode:
        raise MtclarError(sentence or f"one of the {number} training processes failed; its log says why.")


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise MtclarError(
            f"{_ANOTHER} failed or fell silent ({brief(error)}); what it said itself is above."
        ) from error
