"""The training of the encoder and the pair projectors: epochs, what is kept of them, and when they end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.learning.blocks import Batch, Blocks, dealt
from mtclar.learning.device import dropout_from
from mtclar.learning.learner import ORDER, Learner, Micro, seeds
from mtclar.learning.pictures import Pictures
from mtclar.learning.schedule import Schedule, schedule
from mtclar.learning.state import LAST, History, Standing, best_epoch, load_state, save_state
from mtclar.learning.watch import Watch
from mtclar.progress import Progress, silent
from mtclar.settings import TrainSettings

LOOK = 20
"""Steps after which a GPU is waited for to see whether the loss is still a number."""


def train_pairs(
    learner: Learner,
    pictures: Pictures,
    blocks: Callable[[int], Blocks],
    watch: Watch,
    *,
    out: Path,
    fingerprint: str,
    told: Callable[[History], None] = lambda history: None,
    progress: Progress = silent,
) -> History:
    """Trains encoder and pair projectors, going on where an earlier call was killed.

    Args:
        learner: Its network is changed in place.
        pictures: The faces that the blocks point at.
        blocks: Pairs of the train split in an epoch, from 1; the same whenever they are asked for.
        watch: Looks at the model after every epoch, in the first process.
        out: Folder whose `last/` and `best/` hold the states; see `state`.
        fingerprint: Of the settings and data, kept with the state; see `state.prepare`.
        told: Called with the history after every epoch, in the first process.
        progress: Told each step.

    Returns:
        One dictionary an epoch: its number, learning rate, losses, and what the watch says.

    Raises:
        MtclarError: A loss is not finite, and the last state before it stays; memory ran out; or another process
            failed.
    """
    s, processes = learner.s, learner.processes
    standing = load_state(out, learner)
    if processes.agree(standing.name) != standing.name:
        raise MtclarError(
            f"process {processes.rank} finds {standing.name} in {out / LAST}, the first process another state; all "
            "processes must see the same --out."
        )
    rates = schedule(s.schedule)
    for row in standing.history:
        rates.epoch_done(row["validation_loss"])
    while len(standing.history) < s.epochs and not stalled(s, standing.history):
        now = blocks(len(standing.history) + 1)
        losses, rate = _epoch(learner, pictures, now, standing, rates, out, fingerprint, progress)
        said = processes.agree(watch(learner.model) if processes.first else {})
        epoch = len(standing.history) + 1
        standing.history.append({"epoch": epoch, "learning_rate": rate, **losses, **said})
        standing.step, standing.sums = 0, []
        rates.epoch_done(said["validation_loss"])
        if processes.first:
            save_state(out, learner, standing, fingerprint)
            told(standing.history)
    return standing.history


def stalled(s: TrainSettings, history: History) -> bool:
    """Whether `train.early_stop` epochs have passed since the lowest validation loss."""
    best = best_epoch(history)
    return bool(s.early_stop) and best is not None and history[-1]["epoch"] - best >= s.early_stop


def _epoch(
    learner: Learner,
    pictures: Pictures,
    blocks: Blocks,
    standing: Standing,
    rates: Schedule,
    out: Path,
    fingerprint: str,
    progress: Progress,
) -> tuple[dict[str, float], float]:
    """The rest of the epoch that `standing` stands in: the mean of each task's loss, and the last learning rate."""
    s, processes = learner.s, learner.processes
    epoch = len(standing.history) + 1
    order = dealt(len(blocks), s.batch_blocks, seeds(s.seed, ORDER, epoch)[1])
    steps = math.ceil(len(order) / s.accumulate)
    own = range(standing.step * s.accumulate + processes.rank, len(order), processes.number)
    micros = _micros(pictures, blocks, order, own)
    look = 1 if learner.device.type == "cpu" else LOOK
    rate, loss, unseen = s.learning_rate, math.nan, list[Tensor]()
    learner.model.train()
    with dropout_from(learner.device):
        for step in range(standing.step, steps):
            first, after = step * s.accumulate, min((step + 1) * s.accumulate, len(order))
            share = len(range(first + processes.rank, after, processes.number))
            rate = s.learning_rate * rates.factor(((epoch - 1) * steps + step) / (s.epochs * steps))
            unseen.append(learner.step(epoch, step, islice(micros, share), after - first, rate))
            save = bool(s.save_steps) and (step + 1) % s.save_steps == 0 and step + 1 < steps
            if len(unseen) >= look or save or step + 1 == steps:
                for seen in torch.stack(unseen).tolist():
                    _check_finite(seen, s, epoch, out / LAST / standing.name)
                    standing.sums = [a + b for a, b in zip(standing.sums or [0.0] * len(seen), seen, strict=True)]
                    loss = seen[0]
                unseen.clear()
            standing.step = step + 1
            if save and processes.first:
                save_state(out, learner, standing, fingerprint)
            said = f"epoch {epoch}" if math.isnan(loss) else f"epoch {epoch}, loss {loss:.3f}"
            progress((epoch - 1) * steps + step + 1, s.epochs * steps, said)
    names = (f"loss_{name}" for name in learner.losses)
    return {name: total / steps for name, total in zip(names, standing.sums[1:], strict=True)}, rate


def _micros(pictures: Pictures, blocks: Blocks, order: list[np.ndarray], numbers: range) -> Iterator[Micro]:
    """The micro-batches of those numbers, their pictures made ready ahead."""
    waiting: deque[tuple[int, Batch]] = deque()

    def wanted() -> Iterator[np.ndarray]:
        for number in numbers:
            batch = blocks.batch(order[number])
            waiting.append((number, batch))
            yield batch.faces

    for faces in pictures.batches(wanted()):
        yield Micro(*waiting.popleft(), faces)


def _check_finite(losses: list[float], s: TrainSettings, epoch: int, last: Path) -> None:
    """Refuses to go on from a loss that is not a number; `last` is where the run last stood."""
    if not all(math.isfinite(loss) for loss in losses):
        stays = f"what was learnt before stands in {last.parent}" if last.parent.is_dir() else "nothing was kept yet"
        raise MtclarError(
            f"the training loss became {losses[0]} in epoch {epoch} of {s.epochs}; {stays}; lower "
            f"train.learning_rate={s.learning_rate}."
        )
