"""Faces to embeddings with the encoder as it stands, for whoever judges it or builds on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mtclar.learning.device import Precision, autocast
from mtclar.learning.pictures import Pictures
from mtclar.learning.pixels import centre
from mtclar.model.mtclar import MTCLAR

BATCH = 64
View = Callable[[Tensor], Tensor]
"""Stored pictures uint8 (n, c, s, s) -> the encoder's input float32 (n, c, S, S)."""


def embed(model: MTCLAR, pictures: Pictures, positions: np.ndarray, *, precision: Precision = "fp32") -> Tensor:
    """Embeddings of the centres of pictures.

    Args:
        model: Is put into evaluation mode.
        pictures: Where the faces are.
        positions: int64 (n,), which of them.
        precision: As `train.precision`, of the arithmetic.

    Returns:
        float32 (n, d) on the model's device.
    """
    size = model.spec.encoder.input_size
    return embed_view(model, pictures, positions, lambda faces: centre(faces, size), precision=precision)


@torch.inference_mode()
def embed_view(
    model: MTCLAR, pictures: Pictures, positions: np.ndarray, view: View, *, precision: Precision = "fp32"
) -> Tensor:
    """`embed` of what a view shows of the pictures; it sees them in the order of `positions`."""
    model.eval()
    device = next(model.parameters()).device
    lists = (positions[start : start + BATCH] for start in range(0, len(positions), BATCH))
    parts = [torch.empty((0, model.spec.encoder.embedding_size), device=device)]
    for faces in pictures.batches(lists):
        seen = view(faces.to(device, non_blocking=True))
        with autocast(precision, device):
            parts.append(model.embed(seen.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(parts)
