"""What is measured on the validation people after every epoch: cheap, so that a curve can be watched."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtclar.learning.losses import ccc, pair_losses
from mtclar.learning.pictures import Blocks
from mtclar.model.mtclar import MTCLAR

EVEN = (0.5, 0.5)  # weights of MSE and 1 - CCC in the validation loss
NAN = float("nan")


class Watch:
    """Looks at a model after every epoch.

    Args:
        faces: The validation rows of the faces table, indexed by position.
        blocks: Pairs of the validation split, at the same positions.
        embed: Gives the embeddings (n, d) of those faces.
        margin: Of the embedding loss.
    """

    def __init__(
        self, faces: pd.DataFrame, blocks: Blocks, embed: Callable[[MTCLAR], Tensor], *, margin: float
    ) -> None:
        self._embed, self._margin = embed, margin
        self._pairs = blocks.batch(np.arange(len(blocks))) if len(blocks) else None
        self._labels = torch.tensor(faces[["valence", "arousal"]].to_numpy(np.float32))
        frames = faces[faces["clip_id"].notna() & faces["valence"].notna() & faces["arousal"].notna()]
        frames = frames.sort_values(["clip_id", "frame"])
        first = frames.groupby("clip_id")["frame"].transform("idxmin") if len(frames) else frames["frame"]
        queries = frames.index.to_numpy() != first.to_numpy()
        self._queries = torch.from_numpy(frames.index.to_numpy(np.int64)[queries])
        self._anchors = torch.from_numpy(first.to_numpy(np.int64)[queries])

    @torch.inference_mode()
    def __call__(self, model: MTCLAR) -> dict[str, float]:
        """Losses with even weights, similarity accuracy and CCC of the differences over the validation pairs, and CCC
        of label(first frame) + difference over the validation clips; NaN for what there is no data for."""
        said = dict.fromkeys(
            (
                "validation_loss",
                "validation_similarity_accuracy",
                "validation_d_valence_ccc",
                "validation_d_arousal_ccc",
                "validation_few_shot_valence_ccc",
                "validation_few_shot_arousal_ccc",
            ),
            NAN,
        )
        if self._pairs is None and not len(self._queries):
            return said
        model.eval()
        embeddings = self._embed(model)
        if (pairs := self._pairs) is not None:
            left, right = embeddings[pairs.faces[pairs.left]], embeddings[pairs.faces[pairs.right]]
            out = model.pair(left, right)
            tasks = pair_losses(out, left, right, pairs.truth, weights=EVEN, margin=self._margin)
            known = pairs.truth.similar >= 0
            said["validation_loss"] = torch.stack(tasks).mean().item()
            right_said = out.logits.argmax(1)[known] == pairs.truth.similar[known]
            said["validation_similarity_accuracy"] = right_said.float().mean().item()
            for name in ("d_valence", "d_arousal"):
                truth, guess = getattr(pairs.truth, name), getattr(out, name)
                said[f"validation_{name}_ccc"] = ccc(truth[~truth.isnan()], guess[~truth.isnan()]).item()
        if len(self._queries):
            out = model.pair(embeddings[self._queries], embeddings[self._anchors])
            for i, (name, delta) in enumerate((("valence", out.d_valence), ("arousal", out.d_arousal))):
                guess = (self._labels[self._anchors, i] + delta).clamp(-1, 1)
                said[f"validation_few_shot_{name}_ccc"] = ccc(self._labels[self._queries, i], guess).item()
        return said
