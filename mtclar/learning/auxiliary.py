"""What the encoder learns besides the pairs, of each face for itself: affect, and of made faces how they were made.

A linear layer on the embedding tells each kind of target; only training has it. Action strengths, landmarks, pose and
hidden share come with made faces alone (`tables.SYNTHESIS`). What says left or right is left out, because augmentation
mirrors faces: sides are averaged, and of the yaw the absolute value counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.faces.detect import LANDMARK_ACROSS
from mtclar.learning.losses.truth import exact
from mtclar.learning.pairs import expression_codes

MADE_KINDS = ("actions", "landmarks", "pose", "hidden")
"""Kinds that only made faces know."""
EYES = (36, 45)
"""The outer corners of the eyes."""


@dataclass(frozen=True)
class Targets:
    """What is true of n faces.

    Attributes:
        values: float32 (n, k), in standard deviations of the training faces from their mean; NaN where not known.
        columns: Of `values`, those of each kind but `expression`.
        expression: int64 (n,), -1 where not known.
    """

    values: Tensor
    columns: dict[str, slice]
    expression: Tensor


def auxiliary_targets(kinds: Sequence[str], faces: pd.DataFrame, made: pd.DataFrame | None) -> Targets:
    """The targets of some kinds.

    Args:
        kinds: Names of `train.auxiliary`.
        faces: n rows of the faces table; the training rows give mean and spread.
        made: The same rows of the table of `tables.SYNTHESIS`; None where the faces were not made.

    Raises:
        MtclarError: A kind of `MADE_KINDS` is asked for and the faces were not made.
    """
    lacking = [kind for kind in kinds if kind in MADE_KINDS and made is None]
    if lacking:
        raise MtclarError(
            f"train.auxiliary names {' and '.join(lacking)}, which only faces of 'mtclar synthesize' know, but the "
            "store holds no synthesis.parquet; leave them out, or train on made faces."
        )
    parts: dict[str, np.ndarray] = {}
    for kind in kinds:
        if kind == "affect":
            parts[kind] = faces[["valence", "arousal"]].to_numpy(np.float64)
        elif kind == "actions" and made is not None:
            parts[kind] = np.stack(made["actions"].to_list())
        elif kind == "landmarks" and made is not None:
            parts[kind] = upright(np.stack(made["landmarks"].to_list()).reshape(-1, 68, 2))
        elif kind == "pose" and made is not None:
            parts[kind] = np.stack([made["yaw"].abs(), made["pitch"]], 1)
        elif kind == "hidden" and made is not None:
            parts[kind] = made[["covered"]].to_numpy(np.float64)
    training = (faces["split"] == "train").to_numpy()
    columns: dict[str, slice] = {}
    values = [np.empty((len(faces), 0), np.float32)]
    start = 0
    for kind, part in parts.items():
        columns[kind] = slice(start, start + part.shape[1])
        start += part.shape[1]
        values.append(_standardised(part, training))
    return Targets(torch.from_numpy(np.concatenate(values, 1)), columns, torch.from_numpy(expression_codes(faces)))


def upright(landmarks: np.ndarray) -> np.ndarray:
    """Faces whose eyes are level and a unit apart, averaged with their mirror images.

    Args:
        landmarks: float (n, 68, 2), in the order of 300-W; size and place do not matter.

    Returns:
        float64 (n, 76): x and y of the 38 landmarks on one side and in the middle.
    """
    points = landmarks[..., 0] + 1j * landmarks[..., 1]
    left, right = (points[:, i, None] for i in EYES)
    level = (points - (left + right) / 2) / (right - left)
    level = (level - level[:, list(LANDMARK_ACROSS)].conj()) / 2
    level = level[:, [i for i, across in enumerate(LANDMARK_ACROSS) if i <= across]]
    return np.concatenate([level.real, level.imag], 1)


class Auxiliary(nn.Module):
    """Linear layers on the embedding, and the losses of what they say.

    Args:
        weights: Of the loss of each kind, as in `train.auxiliary`.
        targets: Of the pictures.
        into: Size of the embedding.
        seed: Of the weights that the layers begin with.
    """

    expression: Tensor
    values: Tensor

    def __init__(self, weights: Mapping[str, float], targets: Targets, into: int, seed: int = 0) -> None:
        super().__init__()
        self.weights = dict(weights)
        self._columns = targets.columns
        self.register_buffer("values", targets.values, persistent=False)
        self.register_buffer("expression", targets.expression, persistent=False)
        sizes = {kind: at.stop - at.start for kind, at in targets.columns.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.heads = nn.ModuleDict({kind: nn.Linear(into, sizes.get(kind, len(EXPRESSIONS))) for kind in weights})

    def forward(self, embeddings: Tensor, positions: Tensor) -> dict[str, Tensor]:
        """The loss of each kind, a scalar: squared error in squared standard deviations, of the expression its
        cross-entropy; 0 where nothing is known.

        Args:
            embeddings: (n, d).
            positions: int64 (n,), of the pictures.
        """
        losses: dict[str, Tensor] = {}
        for kind, head in self.heads.items():
            said = head(exact(embeddings))
            if kind == "expression":
                classes = self.expression[positions]
                each = functional.cross_entropy(said, classes, ignore_index=-1, reduction="sum")
                losses[kind] = each / (classes >= 0).sum().clamp_min(1)
            else:
                truth = self.values[positions, self._columns[kind]]
                known = ~truth.isnan()
                error = torch.where(known, said - truth.nan_to_num(), 0).square()
                losses[kind] = error.sum() / known.sum().clamp_min(1)
        return losses

    def weighed(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum of the losses by their weights."""
        return torch.stack([self.weights[kind] * loss for kind, loss in losses.items()]).sum()


def _standardised(values: np.ndarray, training: np.ndarray) -> np.ndarray:
    """float32 (n, k): values less the mean, over the spread of the training rows; 0 where all are alike."""
    known = values[training]
    mean, spread = np.nanmean(known, 0), np.nanstd(known, 0)
    return ((values - mean) / np.where(spread > 1e-6, spread, np.inf)).astype(np.float32)
