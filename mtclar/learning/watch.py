"""What is measured on the validation people after every epoch: cheap, so that a curve can be watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtclar.learning.blocks import Batch, Blocks
from mtclar.learning.losses import ccc
from mtclar.learning.objective import Objective
from mtclar.model.mtclar import MTCLAR, PairOutput

MOST = 1000
"""Faces of pairs, and frames of clips, that are looked at."""
DELTAS = ["valence", "arousal"]
NAN = float("nan")


class Watch:
    """Looks at a model after every epoch.

    At most some 2000 faces are embedded: of the pairs the first whole blocks with about 1000 faces, and of the clips
    every k-th frame, with k such that about 1000 remain; the first frame of each clip, its anchor, is always among
    them.

    Args:
        faces: The validation rows of the faces table, indexed by the positions of their pictures.
        blocks: Pairs of the validation split, at the same positions.
        embed: Gives the embeddings (n, d) of the faces at some positions.
        objective: Whose losses are taken.
    """

    def __init__(
        self,
        faces: pd.DataFrame,
        blocks: Blocks,
        embed: Callable[[MTCLAR, np.ndarray], Tensor],
        objective: Objective,
    ) -> None:
        self._embed, self._objective = embed, objective
        self._pairs = _some_blocks(blocks)
        queries, anchors = _some_frames(faces)
        self._labels = torch.from_numpy(faces.loc[queries, DELTAS].to_numpy(np.float32, copy=True))
        self._given = torch.from_numpy(faces.loc[anchors, DELTAS].to_numpy(np.float32, copy=True))
        self._deltas = [name for name in DELTAS if name in objective.tasks]
        seen = [queries, anchors] if self._deltas else []
        if self._pairs is not None:
            seen.append(self._pairs.faces)
        self._seen = np.unique(np.concatenate(seen)) if seen else np.empty(0, np.int64)
        self._queries, self._anchors = self._found(queries), self._found(anchors)

    def _found(self, positions: np.ndarray) -> Tensor:
        """Where in `_seen` faces are."""
        return torch.from_numpy(np.searchsorted(self._seen, positions))

    @torch.inference_mode()
    def __call__(self, model: MTCLAR) -> dict[str, float]:
        """Losses with even weights, similarity accuracy and CCC of the differences over the validation pairs, and CCC
        of label(first frame) + difference over the validation clips; NaN for what there is no data for, and nothing of
        tasks that are not learned."""
        said = dict.fromkeys(_names(self._objective.tasks), NAN)
        if not len(self._seen):
            return said
        model.eval()
        embeddings = self._embed(model, self._seen)
        if self._pairs is not None:
            said |= self._of_pairs(model, embeddings, self._pairs.to(embeddings.device))
        if self._deltas and len(self._queries):
            out = model.pair(embeddings[self._queries], embeddings[self._anchors])
            for name in self._deltas:
                at = DELTAS.index(name)
                guess = (self._given[:, at] + _delta(out, name).cpu()).clamp(-1, 1)
                said[f"validation_few_shot_{name}_ccc"] = ccc(self._labels[:, at], guess).item()
        return said

    def _of_pairs(self, model: MTCLAR, embeddings: Tensor, pairs: Batch) -> dict[str, float]:
        """What is said of the validation pairs."""
        faces = embeddings[self._found(pairs.faces)]
        left, right = faces[pairs.left], faces[pairs.right]
        out = model.pair(left, right)
        said = {"validation_loss": self._objective.even(out, left, right, pairs.truth).total.item()}
        if "similarity" in self._objective.tasks and out.logits is not None:
            known = pairs.truth.similar >= 0
            right_said = out.logits.argmax(1)[known] == pairs.truth.similar[known]
            said["validation_similarity_accuracy"] = right_said.float().mean().item()
        for name in self._deltas:
            truth: Tensor = getattr(pairs.truth, f"d_{name}")
            agreement = ccc(truth, _delta(out, name)).item() if not truth.isnan().all() else NAN
            said[f"validation_d_{name}_ccc"] = agreement
        return said


def _names(tasks: Sequence[str]) -> list[str]:
    """The columns of the history that a watch fills."""
    deltas = [name for name in DELTAS if name in tasks]
    return [
        "validation_loss",
        *(["validation_similarity_accuracy"] if "similarity" in tasks else []),
        *(f"validation_d_{name}_ccc" for name in deltas),
        *(f"validation_few_shot_{name}_ccc" for name in deltas),
    ]


def _delta(out: PairOutput, name: str) -> Tensor:
    """The difference in `name`, one of `DELTAS`."""
    delta: Tensor = getattr(out, f"d_{name}")
    return delta


def _some_blocks(blocks: Blocks) -> Batch | None:
    """The pairs of the first blocks, of as many as name about `MOST` faces; None where there are none."""
    if not len(blocks):
        return None
    faces, taken = set[int](), 0
    while taken < len(blocks) and len(faces) < MOST:
        faces.update(blocks.faces(taken).tolist())
        taken += 1
    return blocks.batch(np.arange(taken))


def _some_frames(faces: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labelled frames of clips but the first, every k-th, and for each of them the first of its clip; positions."""
    frames = faces[faces["clip_id"].notna() & faces["valence"].notna() & faces["arousal"].notna()]
    frames = frames.sort_values(["clip_id", "frame"])
    if not len(frames):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    number = frames.groupby("clip_id").cumcount().to_numpy()
    every = max(1, -(-len(frames) // MOST))
    first = frames.groupby("clip_id")["frame"].transform("idxmin").to_numpy(np.int64)
    queries = (number > 0) & (number % every == 0)
    return frames.index.to_numpy(np.int64)[queries], first[queries]
