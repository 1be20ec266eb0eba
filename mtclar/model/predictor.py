"""The Predictor of docs/architecture.md on a model in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, to_input
from mtclar.model.checkpoint import load_checkpoint
from mtclar.model.mtclar import MTCLAR


class TorchPredictor:
    """Asks a trained model about crops.

    Attributes:
        model: In evaluation mode.
        crop: How stored crops become the encoder's input.
    """

    def __init__(self, model: MTCLAR, crop: CropSpec, *, batch: int = 64) -> None:
        self.model, self.crop, self.batch = model.eval(), crop, batch

    @classmethod
    def from_checkpoint(cls, folder: Path, *, batch: int = 64) -> TorchPredictor:
        """Loads what `mtclar train` wrote.

        Raises:
            MtclarError: The folder is not a checkpoint, or it does not say how crops become input.
        """
        model, facts = load_checkpoint(folder)
        try:
            crop = CropSpec.from_dict(facts["crop"])
        except KeyError as error:
            raise MtclarError(f"{folder}: model.json does not say how faces are cropped (no {error}).") from error
        return cls(model, crop, batch=batch)

    @torch.inference_mode()
    def embed(self, crops: np.ndarray) -> np.ndarray:
        """uint8 RGB (n, 288, 288, 3) -> float32 (n, d)."""
        parts = [
            self.model.encoder(torch.from_numpy(to_input(crops[start : start + self.batch], self.crop))).numpy()
            for start in range(0, len(crops), self.batch)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.model.spec.encoder.embedding_size), np.float32)

    @torch.inference_mode()
    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries and anchors (n, d) -> probability that they are similar, differences in valence and arousal (n,)."""
        if not len(left):
            empty = np.empty(0, np.float32)
            return empty, empty, empty
        out = self.model.pair(torch.from_numpy(left), torch.from_numpy(right))
        return out.logits.softmax(1)[:, 1].numpy(), out.d_valence.numpy(), out.d_arousal.numpy()

    @torch.inference_mode()
    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, d) -> probabilities of the expressions (n, 8), valence (n,), arousal (n,)."""
        out = self.model.single(torch.from_numpy(embedding))
        return out.logits.softmax(1).numpy(), out.valence.numpy(), out.arousal.numpy()
