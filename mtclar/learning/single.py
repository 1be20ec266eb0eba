"""The supervised heads on the frozen embedding (MT-CLAR + SL, method.md 1.7)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.learning.augment import augmentation
from mtclar.learning.device import memory
from mtclar.learning.embedding import View, embed_view
from mtclar.learning.learner import SINGLE, VIEWS, seeds
from mtclar.learning.losses import SingleTruth
from mtclar.learning.objective import SingleObjective
from mtclar.learning.pairs import expression_codes
from mtclar.learning.pictures import Pictures
from mtclar.learning.pixels import centre
from mtclar.learning.schedule import schedule
from mtclar.model.mtclar import MTCLAR, SingleHead
from mtclar.progress import Progress, silent
from mtclar.settings import TrainSettings

CALM, RISE = -0.1, 0.55
"""Arousal of a neutral face, and by how much it rises with the strength of valence; see `usual`."""


def train_single(
    s: TrainSettings,
    model: MTCLAR,
    pictures: Pictures,
    faces: pd.DataFrame,
    *,
    progress: Progress = silent,
) -> list[float]:
    """Trains the supervised heads on embeddings of the frozen encoder, of several views of each picture.

    With `sl_balanced` every expression is as likely as any other, faces without one counting as one more; that teaches
    a world in which five faces of eight are displeased. Without, faces are drawn as they come.

    Args:
        s: The section `train` of params.yaml.
        model: Its `single` is changed in place; all of it is left in evaluation mode.
        pictures: Where the faces are.
        faces: The training rows of the faces table, indexed by the positions of their pictures.
        progress: Told each epoch.

    Returns:
        The mean loss of every epoch.

    Raises:
        MtclarError: A loss is not finite, or memory ran out.
    """
    with memory("embedding the training faces for the supervised heads", f"train.memory_gb={s.memory_gb}"):
        positions = faces.index.to_numpy(np.int64)
        embeddings = [embed_view(model, pictures, positions, view, precision=s.precision) for view in views(s, model)]
    return fit_heads(s, model.single, torch.stack(embeddings).clone(), faces, progress=progress)


def views(s: TrainSettings, model: MTCLAR) -> list[View]:
    """What the supervised heads see of a face: its middle, the mirror image of that, and then augmented pictures.

    A network that averages over mirror images gives both the same embedding; there the second is augmented too.
    """
    size = model.spec.encoder.input_size
    plain: list[View] = [lambda faces: centre(faces, size), lambda faces: centre(faces, size).flip(3)]
    plain = plain[: 1 if model.spec.mirror else 2]
    augment = augmentation(s.augmentation, size, s.augment, s.augment_without)

    def augmented(number: int) -> View:
        generator = seeds(s.seed, VIEWS, number)[0]
        return lambda faces: augment(faces, generator)

    return [*plain, *(augmented(number) for number in range(s.sl_views - len(plain)))][: s.sl_views]


def usual(faces: pd.DataFrame, spread: float) -> np.ndarray:
    """How usual each face is among people: a weight in (0, 1] by how well its arousal goes with its valence.

    What is felt strongly excites: arousal rises with the strength of valence, whatever its sign (a V, Kuppens et al.,
    Psychological Bulletin 139, 2013; as raters use the scales, about -0.1 + 0.55 |valence|). Where all of the disc is
    learned evenly, a smile says nothing of arousal.

    Args:
        faces: n rows of the faces table.
        spread: Standard deviation of arousal around that; 0 for faces that all weigh alike.

    Returns:
        float64 (n,); 1 for a face of which one of the two is not known.
    """
    if not spread:
        return np.ones(len(faces))
    valence, arousal = (faces[name].to_numpy(np.float64) for name in ("valence", "arousal"))
    off = np.nan_to_num(arousal - (CALM + RISE * np.abs(valence)))
    return np.exp(-0.5 * (off / spread) ** 2)


def chances(s: TrainSettings, faces: pd.DataFrame) -> np.ndarray:
    """How likely each of n faces is to be drawn, up to a factor: float64 (n,), by `sl_balanced` and as `usual`."""
    _, codes, counts = np.unique(expression_codes(faces), return_inverse=True, return_counts=True)
    alike = 1 / counts[codes] if s.sl_balanced else np.ones(len(faces))
    return usual(faces, s.sl_arousal_spread) * alike


def fit_heads(
    s: TrainSettings, heads: SingleHead, views: Tensor, faces: pd.DataFrame, *, progress: Progress = silent
) -> list[float]:
    """Trains supervised heads on embeddings, drawn as `train_single` says and as `usual`.

    Args:
        s: The section `train` of params.yaml.
        heads: Changed in place, on the device of `views`; left in evaluation mode.
        views: float32 (k, n, d), k embeddings of each face; one of them is drawn each time.
        faces: n rows of the faces table.
        progress: Told each epoch.

    Returns:
        The mean loss of every epoch.

    Raises:
        MtclarError: A loss is not finite.
    """
    k, n, device = len(views), len(faces), views.device
    expression = expression_codes(faces)
    cumulative = np.cumsum(chances(s, faces))
    affect = (faces[name].to_numpy(np.float32, copy=True) for name in ("valence", "arousal"))
    truth = SingleTruth(*(torch.from_numpy(values).to(device) for values in (expression, *affect)))
    objective = SingleObjective(s)
    optimiser = torch.optim.Adam(heads.parameters(), lr=s.sl_learning_rate, weight_decay=s.weight_decay)
    rates = schedule(s.sl_schedule)
    losses: list[float] = []
    steps = math.ceil(k * n / s.sl_batch)  # each view of each face about once
    for epoch in range(1, s.sl_epochs + 1):
        rng = seeds(s.seed, SINGLE, epoch)[1]
        drawn = rng.random((steps, s.sl_batch)) * cumulative[-1]
        rows = torch.from_numpy(np.searchsorted(cumulative, drawn, side="right").clip(max=n - 1)).to(device)
        view = torch.from_numpy(rng.integers(k, size=(steps, s.sl_batch))).to(device)
        heads.train()
        total = torch.zeros((), device=device)
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = s.sl_learning_rate * rates.factor(((epoch - 1) * steps + step) / (s.sl_epochs * steps))
            some = rows[step]
            out = heads(views[view[step], some])
            at = SingleTruth(*(values[some] for values in truth))
            loss = objective(out, at, epoch=epoch, epochs=s.sl_epochs).total
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach()
        losses.append(total.item() / steps)
        if not math.isfinite(losses[-1]):
            raise MtclarError(
                f"the loss of the supervised heads became {losses[-1]} in epoch {epoch}; lower "
                f"train.sl_learning_rate={s.sl_learning_rate}."
            )
        rates.epoch_done(losses[-1])
        progress(epoch, s.sl_epochs, "supervised heads")
    heads.eval()
    return losses
