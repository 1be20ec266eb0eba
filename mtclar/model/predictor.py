"""The Predictor of docs/architecture.md on a model in torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, to_input
from mtclar.model.checkpoint import load_checkpoint
from mtclar.model.mtclar import MTCLAR

PAIRS_AT_ONCE = 8192
"""Bounds the memory of a comparison: the paper's widest layer takes 64 MB for as many pairs."""


class TorchPredictor:
    """Asks a trained model about crops.

    Attributes:
        model: In evaluation mode, on `device`.
        crop: How stored crops become the encoder's input.
        device: Where the model runs; what goes in and comes out is in the memory of the CPU.
    """

    def __init__(self, model: MTCLAR, crop: CropSpec, *, batch: int = 64, device: str = "auto") -> None:
        """Takes a model over.

        Args:
            model: Switched to evaluation and moved to `device`.
            crop: Kept as it is.
            batch: Faces that are embedded at once.
            device: "cpu", "cuda", or "auto" for a GPU where there is one.

        Raises:
            MtclarError: There is no such device.
        """
        self.device = _device(device)
        self.model, self.crop, self.batch = model.eval().to(self.device), crop, batch

    @classmethod
    def from_checkpoint(cls, folder: Path, *, batch: int = 64, device: str = "auto") -> TorchPredictor:
        """Loads what `mtclar train` wrote.

        Raises:
            MtclarError: The folder is not a checkpoint, it does not say how crops become input, or there is no such
                device.
        """
        model, facts = load_checkpoint(folder)
        try:
            crop = CropSpec.from_dict(facts["crop"])
        except KeyError as error:
            raise MtclarError(f"{folder}: model.json does not say how faces are cropped (no {error}).") from error
        return cls(model, crop, batch=batch, device=device)

    @torch.inference_mode()
    def embed(self, crops: np.ndarray) -> np.ndarray:
        """uint8 RGB (n, size, size, 3) with the size of the crop spec -> float32 (n, d)."""
        parts = [
            self.model.embed(self._tensor(to_input(crops[start : start + self.batch], self.crop))).cpu().numpy()
            for start in range(0, len(crops), self.batch)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.model.spec.encoder.embedding_size), np.float32)

    @torch.inference_mode()
    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries and anchors (n, d) -> probability that they are similar, differences in valence and arousal (n,).

        NaN where the model was trained without that task.
        """
        similar, d_valence, d_arousal = (np.full(len(left), np.nan, np.float32) for _ in range(3))
        for start in range(0, len(left), PAIRS_AT_ONCE):
            rows = slice(start, start + PAIRS_AT_ONCE)
            out = self.model.pair(self._tensor(left[rows]), self._tensor(right[rows]))
            if out.logits is not None:
                similar[rows] = out.logits.softmax(1)[:, 1].cpu().numpy()
            for answer, found in ((d_valence, out.d_valence), (d_arousal, out.d_arousal)):
                if found is not None:
                    answer[rows] = found.cpu().numpy()
        return similar, d_valence, d_arousal

    @torch.inference_mode()
    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, d) -> probabilities of the expressions (n, 8), valence (n,), arousal (n,)."""
        out = self.model.single(self._tensor(embedding))
        return out.logits.softmax(1).cpu().numpy(), out.valence.cpu().numpy(), out.arousal.cpu().numpy()

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)


def _device(name: str) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise MtclarError(f"device '{name}' is not one of auto, cpu and cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise MtclarError("the model is to run on a GPU (cuda), but torch finds none; take cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
