"""The training of the encoder and the pair projectors, and of the supervised heads after them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.learning.augment import Augment
from mtclar.learning.losses import Tasks, dynamic_weights, pair_losses, shake, single_loss
from mtclar.learning.pictures import Blocks
from mtclar.learning.schedule import schedule
from mtclar.learning.state import load_state, save_state
from mtclar.learning.watch import Watch
from mtclar.model.mtclar import MTCLAR, ModelSpec
from mtclar.progress import Progress, silent
from mtclar.settings import TrainSettings

SL_BATCH = 256


def seeds(seed: int, *place: int) -> tuple[torch.Generator, np.random.Generator, int]:
    """Chance for one place of a run: a torch generator, a numpy one, and a seed for dropout, all from `seed`."""
    drawn = np.random.SeedSequence([seed % 2**63, *place]).generate_state(3, np.uint64)
    return torch.Generator().manual_seed(int(drawn[0] >> 1)), np.random.default_rng(int(drawn[1])), int(drawn[2] >> 1)


def new_model(spec: ModelSpec, seed: int) -> MTCLAR:
    """A network with weights drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds(seed)[2])
        return MTCLAR(spec)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Lets torch use that many cores within the block; 0 leaves the choice to torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train_pairs(
    s: TrainSettings,
    model: MTCLAR,
    pictures: Tensor,
    blocks: Blocks,
    watch: Watch,
    *,
    last: Path,
    fingerprint: str,
    told: Callable[[list[dict[str, Any]]], None] = lambda history: None,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Trains encoder and pair projectors, going on after the last epoch that an earlier call finished.

    Args:
        s: The section `train` of params.yaml.
        model: Changed in place.
        pictures: uint8 (n, c, s, s), as `load_pictures` gives them.
        blocks: Pairs of the train split.
        watch: Looks at the model after every epoch.
        last: Folder of the state to resume from.
        fingerprint: Of the settings and data, kept with the state; see `state.prepare`.
        told: Called with the history after every epoch.
        progress: Told each step.

    Returns:
        One dictionary an epoch: its number, learning rate, losses, and what the watch says.

    Raises:
        MtclarError: A loss is not finite; the state of the epoch before stays under `last`.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = [*model.encoder.parameters(), *model.pair.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=s.learning_rate, weight_decay=s.weight_decay)
    history = load_state(last, model, optimiser)
    rates = schedule(s.schedule)
    for row in history:
        rates.epoch_done(row["validation_loss"])
    steps = math.ceil(len(blocks) / s.batch_blocks)
    for epoch in range(len(history) + 1, s.epochs + 1):
        generator, rng, dropout_seed = seeds(s.seed, epoch)
        augment = Augment(model.spec.encoder.input_size, s.augment, generator)
        weights = dynamic_weights(epoch, s.epochs, s.exponent)
        sums = np.zeros(len(Tasks._fields))
        model.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(dropout_seed)
            for step, batch in enumerate(blocks.batches(s.batch_blocks, rng)):
                rate = s.learning_rate * rates.factor(((epoch - 1) * steps + step) / (s.epochs * steps))
                for group in optimiser.param_groups:
                    group["lr"] = rate
                faces = augment(pictures[batch.faces]).contiguous(memory_format=torch.channels_last)
                embedding = model.encoder(faces)
                left, right = embedding.index_select(0, batch.left), embedding.index_select(0, batch.right)
                tasks = pair_losses(model.pair(left, right), left, right, batch.truth, weights=weights, margin=s.margin)
                loss = shake(tasks, generator)
                if not torch.isfinite(loss):
                    raise MtclarError(
                        f"the training loss became {loss.item()} in epoch {epoch} of {s.epochs}; what was learnt "
                        f"until epoch {epoch - 1} stands in {last}; lower train.learning_rate={s.learning_rate}."
                    )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                sums += [task.item() for task in tasks]
                progress((epoch - 1) * steps + step + 1, s.epochs * steps, f"epoch {epoch}, loss {loss.item():.3f}")
        model.eval()
        losses = dict(zip((f"loss_{name}" for name in Tasks._fields), (sums / steps).tolist(), strict=True))
        history.append({"epoch": epoch, "learning_rate": rate, **losses, **watch(model)})
        rates.epoch_done(history[-1]["validation_loss"])
        save_state(last, model, optimiser, fingerprint=fingerprint, history=history)
        told(history)
    return history


@torch.inference_mode()
def embed(model: MTCLAR, pictures: Tensor, *, mirrored: bool = False, batch: int = 64) -> Tensor:
    """Embeddings (n, d) of the centres of pictures uint8 (n, c, s, s), or of their mirror images."""
    centre = Augment(model.spec.encoder.input_size, 0.0, torch.Generator())
    model.eval()
    parts = [centre(part.flip(3) if mirrored else part) for part in pictures.split(batch)]
    return torch.cat([model.encoder(part.contiguous(memory_format=torch.channels_last)) for part in parts])


def train_single(
    s: TrainSettings,
    model: MTCLAR,
    pictures: Tensor,
    expression: np.ndarray,
    valence: np.ndarray,
    arousal: np.ndarray,
    *,
    progress: Progress = silent,
) -> list[float]:
    """Trains the supervised heads on embeddings of the frozen encoder, of each picture and of its mirror image.

    Classes are balanced: every expression is as likely as any other, faces without one counting as one more.

    Args:
        s: The section `train` of params.yaml.
        model: Its `single` is changed in place.
        pictures: uint8 (n, c, s, s).
        expression: int64 (n,), -1 where not known.
        valence: (n,), NaN where not known.
        arousal: (n,), NaN where not known.
        progress: Told each epoch.

    Returns:
        The mean loss of every epoch.

    Raises:
        MtclarError: A loss is not finite.
    """
    inputs = torch.stack([embed(model, pictures), embed(model, pictures, mirrored=True)]).clone()
    names, codes, counts = np.unique(expression, return_inverse=True, return_counts=True)
    chance = 1 / (len(names) * counts[codes])
    truth = (torch.from_numpy(expression), *(torch.from_numpy(v.astype(np.float32)) for v in (valence, arousal)))
    optimiser = torch.optim.Adam(model.single.parameters(), lr=s.sl_learning_rate, weight_decay=s.weight_decay)
    rates = schedule("one-cycle")
    losses: list[float] = []
    steps = math.ceil(2 * len(expression) / SL_BATCH)  # each picture and its mirror image, about once
    for epoch in range(1, s.sl_epochs + 1):
        generator, rng, _ = seeds(s.seed, 0, epoch)
        weights = dynamic_weights(epoch, s.sl_epochs, s.exponent)
        model.single.train()
        total = 0.0
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = s.sl_learning_rate * rates.factor(((epoch - 1) * steps + step) / (s.sl_epochs * steps))
            rows = torch.from_numpy(rng.choice(len(expression), SL_BATCH, p=chance))
            mirrored = torch.randint(2, (SL_BATCH,), generator=generator)
            out = model.single(inputs[mirrored, rows])
            loss = single_loss(out, truth[0][rows], truth[1][rows], truth[2][rows], weights)
            if not torch.isfinite(loss):
                raise MtclarError(
                    f"the loss of the supervised heads became {loss.item()} in epoch {epoch}; lower "
                    f"train.sl_learning_rate={s.sl_learning_rate}."
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / steps)
        progress(epoch, s.sl_epochs, "supervised heads")
    model.eval()
    return losses
