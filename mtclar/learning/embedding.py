"""Faces to embeddings with the encoder as it stands, for whoever judges it or builds on it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtclar.learning.augment import centre
from mtclar.learning.pictures import Pictures
from mtclar.model.mtclar import MTCLAR

BATCH = 64


@torch.inference_mode()
def embed(model: MTCLAR, pictures: Pictures, positions: np.ndarray, *, mirrored: bool = False) -> Tensor:
    """Embeddings of the centres of pictures, or of their mirror images, in float32.

    Args:
        model: Is put into evaluation mode.
        pictures: Where the faces are.
        positions: int64 (n,), which of them.
        mirrored: Whether left and right change places.

    Returns:
        float32 (n, d) on the model's device.
    """
    model.eval()
    device = next(model.parameters()).device
    size = model.spec.encoder.input_size
    lists = (positions[start : start + BATCH] for start in range(0, len(positions), BATCH))
    parts = [torch.empty((0, model.spec.encoder.embedding_size), device=device)]
    for faces in pictures.batches(lists):
        seen = centre(faces.to(device, non_blocking=True), size)
        parts.append(model.encoder((seen.flip(3) if mirrored else seen).contiguous(memory_format=torch.channels_last)))
    return torch.cat(parts)
