"""One step of learning: micro-batches forward and back, shared by all processes, then the optimiser.

Whatever the number of processes, a step is the same up to rounding: its chance comes from the seed and the numbers of
epoch, step and micro-batch; gradients are the mean over its micro-batches; and the running statistics of batch
normalisation are the mean of what each micro-batch makes of those the step began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mtclar.errors import MtclarError
from mtclar.learning.augment import Augmentation, augment_strength, augmentation
from mtclar.learning.auxiliary import Auxiliary
from mtclar.learning.blocks import Batch
from mtclar.learning.device import autocast, compiled, memory
from mtclar.learning.objective import Losses, Objective
from mtclar.learning.processes import Processes
from mtclar.model.mtclar import MTCLAR
from mtclar.settings import TrainSettings

ORDER, WEIGHTS, PICTURES, SINGLE, VIEWS = range(5)
"""What chance is drawn for; the first number of its place."""


def seeds(seed: int, *place: int) -> tuple[torch.Generator, np.random.Generator, int]:
    """Chance for one place of a run: a torch generator, a numpy one, and a seed for dropout, all from `seed`."""
    drawn = np.random.SeedSequence(seed % 2**63, spawn_key=place).generate_state(3, np.uint64)
    return torch.Generator().manual_seed(int(drawn[0] >> 1)), np.random.default_rng(int(drawn[1])), int(drawn[2] >> 1)


class Micro(NamedTuple):
    """A micro-batch: its number in the epoch, its pairs, and its pictures uint8 (f, c, s, s)."""

    number: int
    batch: Batch
    faces: Tensor


class Learner:
    """A network with its objective and optimiser, on a device.

    `losses` names what `step` gives besides the total: the tasks, then the kinds of auxiliary targets.

    Args:
        s: The section `train` of params.yaml.
        model: Is moved to the device and changed in place. What does not ask for gradients stays as it is.
        device: Where the arithmetic happens.
        processes: Those who learn together.
        auxiliary: What the encoder learns of each face besides; None for pairs alone.

    Raises:
        MtclarError: The micro-batches of a step cannot be shared evenly, a task has no weight, or there is no compiler.
    """

    def __init__(
        self,
        s: TrainSettings,
        model: MTCLAR,
        device: torch.device,
        processes: Processes,
        auxiliary: Auxiliary | None = None,
    ) -> None:
        if s.accumulate % processes.number:
            raise MtclarError(
                f"train.accumulate={s.accumulate} micro-batches a step cannot be shared evenly by {processes.number} "
                f"processes; make it a multiple of {processes.number}."
            )
        self.s, self.device, self.processes = s, device, processes
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = Objective(s).to(device)
        self.auxiliary = None if auxiliary is None else auxiliary.to(device)
        self.losses = [*s.tasks, *(self.auxiliary.weights if self.auxiliary else ())]
        self._encode = compiled(model.encoder, device) if s.compile else model.encoder
        self._size = model.spec.encoder.input_size
        self._augment: tuple[float, Augmentation] | None = None
        self._autocast = autocast(s.precision, device)
        own = model.trainable() + ([*self.auxiliary.parameters()] if self.auxiliary else [])
        weighing = list(self.objective.parameters())
        self._trained = own + weighing
        # decay would draw learned weights of tasks towards 1, which says nothing about the tasks
        groups = [{"params": own, "weight_decay": s.weight_decay}]
        groups += [{"params": weighing, "weight_decay": 0.0}] if weighing else []
        kind = torch.optim.AdamW if s.optimiser == "adamw" else torch.optim.Adam
        self.optimiser = kind(groups, lr=s.learning_rate, fused=True)

    def step(self, epoch: int, step: int, micros: Iterable[Micro], of: int, rate: float) -> Tensor:
        """Learns from one step.

        Args:
            epoch: From 1.
            step: Of the epoch, from 0.
            micros: This process's share.
            of: Micro-batches of the step in all processes.
            rate: The learning rate.

        Returns:
            float32 (1 + losses,): the total loss and each of `losses`, means over the micro-batches of the step.

        Raises:
            MtclarError: Memory ran out, or another process failed.
        """
        limits = [f"train.batch_blocks={self.s.batch_blocks}"] if self.s.batch_blocks > 1 else []
        with memory(f"a step of training on {self.device.type}", *limits, "pair.block_faces"):
            return self._step(epoch, step, micros, of, rate)

    def _step(self, epoch: int, step: int, micros: Iterable[Micro], of: int, rate: float) -> Tensor:
        weights = self.objective.weights(seeds(self.s.seed, WEIGHTS, epoch, step)[0])
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        said = torch.zeros(1 + len(self.losses), device=self.device)
        norms = _Norms(self.model) if of > 1 or self.processes.number > 1 else None
        for micro in micros:
            losses = self._losses(micro, epoch, weights)
            (losses.total / of).backward()
            said += torch.stack([losses.total, *losses.tasks.values()]).detach() / of
            if norms is not None:
                norms.note()
        if norms is not None:
            self.processes.add(norms.noted)
            norms.settle(of)
        self._add_up(said)
        self.optimiser.step()
        return said

    def _losses(self, micro: Micro, epoch: int, weights: Tensor) -> Losses:
        generator, _, dropout = seeds(self.s.seed, PICTURES, epoch, micro.number)
        torch.manual_seed(dropout)
        batch = micro.batch.to(self.device)
        faces = self._augmented(epoch)(micro.faces.to(self.device, non_blocking=True), generator)
        with self._autocast:
            embedding = self._encode(faces.contiguous(memory_format=torch.channels_last))
            left, right = embedding.index_select(0, batch.left), embedding.index_select(0, batch.right)
            out = self.model.pair(left, right)
        losses = self.objective(out, left, right, batch.truth, epoch=epoch, epochs=self.s.epochs, weights=weights)
        if self.auxiliary is None:
            return losses
        more = self.auxiliary(embedding, torch.from_numpy(batch.faces).to(self.device, non_blocking=True))
        return Losses(losses.total + self.auxiliary.weighed(more), {**losses.tasks, **more})

    def _augmented(self, epoch: int) -> Augmentation:
        """The augmentation of an epoch."""
        strength = augment_strength(self.s, epoch)
        if self._augment is None or self._augment[0] != strength:
            s = self.s
            self._augment = strength, augmentation(s.augmentation, self._size, strength, s.augment_without)
        return self._augment[1]

    def _add_up(self, said: Tensor) -> None:
        """Puts the sum over the processes into the gradients and into `said`, in one message."""
        if self.processes.number == 1:
            return
        for parameter in self._trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        tensors = [said, *(parameter.grad for parameter in self._trained if parameter.grad is not None)]
        flat = _flat(tensors, torch.float32)
        self.processes.add(flat)
        _put(flat, tensors)


class _Norms:
    """The running statistics of batch normalisation during a step of several micro-batches.

    Attributes:
        noted: float64, the sum of what the micro-batches so far have made of the statistics at the start.
    """

    def __init__(self, model: nn.Module) -> None:
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        self._buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self._start = _flat(self._buffers, torch.float64)
        self.noted = torch.zeros_like(self._start)

    def note(self) -> None:
        """Takes down what a micro-batch has made of them, and puts back those of the start."""
        self.noted += _flat(self._buffers, torch.float64)
        _put(self._start, self._buffers)

    def settle(self, of: int) -> None:
        """Makes them the mean over the micro-batches."""
        _put(self.noted / of, self._buffers)


def _flat(tensors: Sequence[Tensor], kind: torch.dtype) -> Tensor:
    """All values in one row."""
    return torch.cat([tensor.detach().flatten().to(kind) for tensor in tensors])


@torch.no_grad()
def _put(flat: Tensor, tensors: Sequence[Tensor]) -> None:
    """The inverse of `_flat`, in place."""
    start = 0
    for tensor in tensors:
        tensor.copy_(flat[start : start + tensor.numel()].view(tensor.shape))
        start += tensor.numel()
