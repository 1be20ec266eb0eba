"""What is said of a model after an epoch, recomputed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.learning.pictures import Blocks
from mtclar.learning.watch import Watch
from mtclar.model.mtclar import PairOutput


class Scripted:
    """A model whose difference in valence is that of the first numbers of the embeddings; arousal is half of it."""

    def __init__(self) -> None:
        self.embeddings = torch.tensor([[0.0, 1.0], [0.5, 1.0], [0.2, 1.0], [-0.3, 1.0], [0.9, 1.0]])

    def eval(self) -> Scripted:
        return self

    def pair(self, left, right) -> PairOutput:
        delta = left[:, 0] - right[:, 0]
        return PairOutput(torch.stack([torch.zeros_like(delta), 0.25 - delta.abs()], 1), delta, delta / 2)


@pytest.fixture
def faces() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "clip_id": ["b", "a", "a", "b", None],
            "frame": [7, 3, 0, 2, np.nan],
            "valence": [0.4, 0.6, 0.1, -0.2, 0.0],
            "arousal": [0.0, 0.1, 0.2, 0.3, 0.4],
        }
    )


@pytest.fixture
def blocks() -> Blocks:
    table = pd.DataFrame(
        {
            "block": [0, 0, 0, 0],
            "left": [0, 1, 2, 4],
            "right": [1, 2, 0, 3],
            "similar": [False, True, True, True],
            "d_valence": [-0.2, 0.5, -0.3, 0.2],
            "d_arousal": [-0.1, np.nan, 0.2, 0.1],
        }
    )
    return Blocks(table, pd.Series(np.arange(5), index=np.arange(5)))


def _ccc(y, p) -> float:
    y, p = np.array(y), np.array(p)
    return 2 * np.mean((y - y.mean()) * (p - p.mean())) / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)


def test_the_first_frame_of_each_clip_is_the_anchor_of_the_others(faces, blocks):
    model = Scripted()
    said = Watch(faces, blocks, lambda m: m.embeddings, margin=0.25)(model)
    # clip a: frame 0 is face 2, frame 3 is face 1; clip b: frame 2 is face 3, frame 7 is face 0
    valence = [0.1 + (0.5 - 0.2), -0.2 + (0.0 + 0.3)]
    arousal = [0.2 + (0.5 - 0.2) / 2, 0.3 + (0.0 + 0.3) / 2]
    assert said["validation_few_shot_valence_ccc"] == pytest.approx(_ccc([0.6, 0.4], valence), abs=1e-5)
    assert said["validation_few_shot_arousal_ccc"] == pytest.approx(_ccc([0.1, 0.0], arousal), abs=1e-5)


def test_pairs_are_judged_by_their_differences_and_their_similarity(faces, blocks):
    said = Watch(faces, blocks, lambda m: m.embeddings, margin=0.25)(Scripted())
    deltas = [-0.5, 0.3, 0.2, 1.2]
    assert said["validation_d_valence_ccc"] == pytest.approx(_ccc([-0.2, 0.5, -0.3, 0.2], deltas), abs=1e-5)
    assert said["validation_d_arousal_ccc"] == pytest.approx(_ccc([-0.1, 0.2, 0.1], [-0.25, 0.1, 0.6]), abs=1e-5)
    assert said["validation_similarity_accuracy"] == 0.5  # near pairs are called similar: right, wrong, right, wrong
    assert np.isfinite(said["validation_loss"])


def test_without_clips_or_pairs_there_is_nothing_to_say(faces, blocks):
    said = Watch(faces.assign(clip_id=None), blocks, lambda m: m.embeddings, margin=0.25)(Scripted())
    assert np.isnan(said["validation_few_shot_valence_ccc"])
    assert np.isfinite(said["validation_d_valence_ccc"])
    empty = Blocks(pd.DataFrame(columns=["block", "left", "right", "similar", "d_valence", "d_arousal"]), pd.Series())
    said = Watch(faces[:0], empty, lambda m: pytest.fail("nothing to embed"), margin=0.25)(Scripted())
    assert all(np.isnan(value) for value in said.values())
