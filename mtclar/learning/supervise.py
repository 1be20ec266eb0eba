"""Supervised heads on a frozen embedding, trained anew for every fold of a data set (MT-CLAR + SL)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from mtclar.data.store import FacesStore
from mtclar.learning.device import chosen_device, threads
from mtclar.learning.learner import SINGLE, seeds
from mtclar.learning.pictures import Pictures
from mtclar.learning.single import train_single
from mtclar.model.mtclar import SingleHead
from mtclar.model.predictor import TorchPredictor
from mtclar.progress import Progress, silent
from mtclar.settings import TrainSettings


def supervise(
    s: TrainSettings, checkpoint: Path, faces: Path, folds: np.ndarray, *, progress: Progress = silent
) -> Iterator[TorchPredictor]:
    """Trains the heads on all folds but one, for each of them in turn.

    Args:
        s: The section `train` of params.yaml, of which the supervised stage is used.
        checkpoint: What `mtclar train` wrote; its encoder stays as it is, its supervised heads begin from new weights.
        faces: A faces store of n faces.
        folds: int (n,), the fold in which each face is judged.
        progress: Told how the faces are read, and each epoch.

    Yields:
        The model for each fold in ascending order. It is one and the same, so ask it before the next is taken.

    Raises:
        MtclarError: The checkpoint or the store cannot be read, a loss is not finite, or memory ran out.
    """
    store = FacesStore(faces)
    device = chosen_device(s.device)
    predictor = TorchPredictor.from_checkpoint(checkpoint, device=device.type)
    model = predictor.model
    with threads(s.threads):
        pictures = Pictures(
            store,
            np.arange(len(store)),
            predictor.crop,
            grey=model.spec.encoder.local_contrast,
            gigabytes=s.memory_gb,
            workers=s.workers,
            progress=progress,
        )
        known = (store.table["valence"].notna() & store.table["arousal"].notna()).to_numpy()
        for fold in np.unique(folds):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seeds(s.seed, SINGLE)[2])
                model.single = SingleHead(model.spec).to(device)
            train_single(s, model, pictures, store.table[known & (folds != fold)], progress=progress)
            yield predictor
