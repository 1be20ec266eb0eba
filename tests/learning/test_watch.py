"""What is said of a model after an epoch, recomputed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.learning.blocks import Blocks
from mtclar.learning.objective import Objective
from mtclar.learning.watch import MOST, Watch
from mtclar.model.mtclar import PairOutput
from mtclar.settings import load_settings


class Scripted:
    """A model whose difference in valence is that of the first numbers of the embeddings; arousal is half of it."""

    def __init__(self) -> None:
        self.embeddings = torch.tensor([[0.0, 1.0], [0.5, 1.0], [0.2, 1.0], [-0.3, 1.0], [0.9, 1.0]])

    def eval(self) -> Scripted:
        return self

    def embed(self, positions: np.ndarray) -> torch.Tensor:
        self.seen = positions
        return self.embeddings[torch.from_numpy(positions)]

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


def _watch(faces, blocks, tasks=("similarity", "valence", "arousal", "embedding")) -> Watch:
    settings = load_settings(None).train.model_copy(update={"tasks": tasks})
    return Watch(faces, blocks, lambda model, positions: model.embed(positions), Objective(settings))


def _ccc(y, p) -> float:
    y, p = np.array(y), np.array(p)
    return 2 * np.mean((y - y.mean()) * (p - p.mean())) / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)


def test_the_first_frame_of_each_clip_is_the_anchor_of_the_others(faces, blocks):
    model = Scripted()
    said = _watch(faces, blocks)(model)
    # clip a: frame 0 is face 2, frame 3 is face 1; clip b: frame 2 is face 3, frame 7 is face 0
    valence = [0.1 + (0.5 - 0.2), -0.2 + (0.0 + 0.3)]
    arousal = [0.2 + (0.5 - 0.2) / 2, 0.3 + (0.0 + 0.3) / 2]
    assert said["validation_few_shot_valence_ccc"] == pytest.approx(_ccc([0.6, 0.4], valence), abs=1e-5)
    assert said["validation_few_shot_arousal_ccc"] == pytest.approx(_ccc([0.1, 0.0], arousal), abs=1e-5)


def test_pairs_are_judged_by_their_differences_and_their_similarity(faces, blocks):
    said = _watch(faces, blocks)(Scripted())
    deltas = [-0.5, 0.3, 0.2, 1.2]
    assert said["validation_d_valence_ccc"] == pytest.approx(_ccc([-0.2, 0.5, -0.3, 0.2], deltas), abs=1e-5)
    assert said["validation_d_arousal_ccc"] == pytest.approx(_ccc([-0.1, 0.2, 0.1], [-0.25, 0.1, 0.6]), abs=1e-5)
    assert said["validation_similarity_accuracy"] == 0.5  # near pairs are called similar: right, wrong, right, wrong
    assert np.isfinite(said["validation_loss"])


def test_without_clips_or_pairs_there_is_nothing_to_say(faces, blocks):
    said = _watch(faces.assign(clip_id=None), blocks)(Scripted())
    assert np.isnan(said["validation_few_shot_valence_ccc"])
    assert np.isfinite(said["validation_d_valence_ccc"])
    empty = Blocks(pd.DataFrame(columns=["block", "left", "right", "similar", "d_valence", "d_arousal"]), pd.Series())
    model = Scripted()
    said = _watch(faces[:0], empty)(model)
    assert all(np.isnan(value) for value in said.values())
    assert not hasattr(model, "seen")


def test_the_loss_is_that_of_the_objective_with_even_weights(faces, blocks):
    said = _watch(faces, blocks)(Scripted())
    delta = np.array([-0.5, 0.3, 0.2, 1.2])
    logits = np.stack([np.zeros(4), 0.25 - np.abs(delta)], 1)
    similar = np.array([0, 1, 1, 1])
    entropy = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(4), similar])
    losses = [entropy]
    for truth, guess in (([-0.2, 0.5, -0.3, 0.2], delta), ([-0.1, 0.2, 0.1], delta[[0, 2, 3]] / 2)):
        losses.append(0.5 * np.mean((np.array(truth) - guess) ** 2) + 0.5 * (1 - _ccc(truth, guess)))
    e = Scripted().embeddings.numpy()
    left, right = e[[0, 1, 2, 4]], e[[1, 2, 0, 3]]
    cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    losses.append(np.mean(np.where(similar, 1 - cosine, np.maximum(0, cosine - 0.25))))
    assert said["validation_loss"] == pytest.approx(np.mean(losses), abs=1e-5)


def test_nothing_is_said_of_tasks_that_are_not_learned(faces, blocks):
    model = Scripted()
    said = _watch(faces, blocks, tasks=("similarity",))(model)
    assert set(said) == {"validation_loss", "validation_similarity_accuracy"}
    model.pair = lambda left, right: PairOutput(None, left[:, 0] - right[:, 0], None)
    said = _watch(faces, blocks, tasks=("valence",))(model)
    assert set(said) == {"validation_loss", "validation_d_valence_ccc", "validation_few_shot_valence_ccc"}
    assert all(np.isfinite(value) for value in said.values())


def test_positions_need_not_begin_at_the_first_picture(faces, blocks):
    moved = Blocks(
        pd.DataFrame(
            {
                "block": [0],
                "left": [100],
                "right": [101],
                "similar": [False],
                "d_valence": [-0.2],
                "d_arousal": [-0.1],
            }
        ),
        pd.Series([7, 8], index=[100, 101]),
    )
    model = Scripted()
    model.embeddings = torch.cat([torch.full((7, 2), 9.0), model.embeddings])
    said = _watch(faces.set_axis(np.arange(7, 12)), moved)(model)
    assert model.seen.tolist() == [7, 8, 9, 10]
    assert said["validation_few_shot_valence_ccc"] == pytest.approx(_ccc([0.6, 0.4], [0.4, 0.1]), abs=1e-5)


def test_of_many_faces_some_two_thousand_are_looked_at(blocks):
    rng = np.random.default_rng(0)
    n, clips = 20000, 40
    faces = pd.DataFrame(
        {
            "clip_id": np.repeat([f"c{i}" for i in range(clips)], n // clips),
            "frame": np.tile(np.arange(n // clips), clips),
            "valence": rng.uniform(-1, 1, n),
            "arousal": rng.uniform(-1, 1, n),
        }
    )
    left, right = rng.integers(n, size=(2, 64 * 128))
    table = {"block": np.repeat(np.arange(64), 128), "left": left, "right": right, "similar": left % 2 == 0}
    pairs = pd.DataFrame({**table, "d_valence": 0.1, "d_arousal": rng.uniform(-1, 1, len(left))})
    model = Scripted()
    model.embeddings = torch.from_numpy(rng.normal(size=(n, 2)).astype(np.float32))
    _watch(faces, Blocks(pairs, pd.Series(np.arange(n))))(model)
    assert 1.5 * MOST < len(model.seen) < 2.4 * MOST
    assert set(np.arange(0, n, n // clips)) <= set(model.seen.tolist())  # the anchors
