"""Blocks hold the pairs they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.learning.blocks import Blocks, dealt


@pytest.fixture
def blocks() -> Blocks:
    pairs = pd.DataFrame(
        {
            "block": [0, 0, 1, 1, 2],
            "left": [10, 11, 12, 10, 13],
            "right": [11, 12, 10, 13, 10],
            "similar": [True, False, None, True, False],
            "d_valence": [0.1, 0.2, 0.3, 0.4, np.nan],
            "d_arousal": [-0.1, -0.2, -0.3, -0.4, -0.5],
        }
    )
    return Blocks(pairs, pd.Series([5, 6, 7, 8], index=[10, 11, 12, 13]))


def test_a_batch_holds_its_blocks_pairs_over_unique_faces(blocks):
    assert len(blocks) == 3
    batch = blocks.batch(np.array([1, 0]))
    assert batch.faces.tolist() == [5, 6, 7, 8]
    assert batch.faces[batch.left].tolist() == [7, 5, 5, 6]
    assert batch.faces[batch.right].tolist() == [5, 8, 6, 7]
    assert batch.truth.similar.tolist() == [-1, 1, 1, 0]
    torch.testing.assert_close(batch.truth.d_valence, torch.tensor([0.3, 0.4, 0.1, 0.2]))
    torch.testing.assert_close(batch.truth.d_arousal, torch.tensor([-0.3, -0.4, -0.1, -0.2]))
    assert blocks.faces(1).tolist() == [5, 7, 8]


def test_a_batch_on_another_device_holds_the_same(blocks):
    moved = blocks.batch(np.array([1])).to(torch.device("cpu"))
    assert moved.left.tolist() == [1, 0]
    assert moved.truth.similar.tolist() == [-1, 1]


def test_an_epoch_has_every_pair_once(blocks):
    batches = [blocks.batch(some) for some in dealt(len(blocks), 2, np.random.default_rng(0))]
    assert len(batches) == 2
    assert sorted(torch.cat([batch.truth.d_arousal for batch in batches]).tolist()) == pytest.approx(
        [-0.5, -0.4, -0.3, -0.2, -0.1]
    )
