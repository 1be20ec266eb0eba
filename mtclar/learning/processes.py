"""Several processes that train one model together, as `torchrun` starts them.

Each works out the gradients of its share of a step; here they are added up. Only the first writes files, logs and
shows progress. Without torchrun there is one process, and everything here costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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


@contextmanager
def _others() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise MtclarError(
            f"another training process failed or fell silent ({brief(error)}); what it said itself is above."
        ) from error
