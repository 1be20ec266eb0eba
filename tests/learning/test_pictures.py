"""Pictures are what the encoder will see in use, and blocks hold the pairs they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.data.store import FacesStore
from mtclar.faces.crop import CropSpec, to_input
from mtclar.learning.augment import Augment
from mtclar.learning.pictures import Blocks, load_pictures
from tests.toy_faces import write_faces

CROP = CropSpec(scale=1.5, input_size=32, centre=256)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FacesStore:
    folder = tmp_path_factory.mktemp("faces") / "store"
    write_faces(folder, train=2, validation=0)
    return FacesStore(folder)


def test_pictures_have_the_encoders_scale_and_a_margin(store):
    pictures = load_pictures(store, np.array([0, 3, 5]), CROP, grey=False)
    assert pictures.shape == (3, 3, 36, 36)
    assert pictures.dtype == torch.uint8


def test_the_centre_of_a_picture_is_what_the_predictor_gives_the_encoder(store):
    rows = np.array([1, 4])
    centre = Augment(32, 0, torch.Generator())(load_pictures(store, rows, CROP, grey=False))
    np.testing.assert_allclose(centre.numpy(), to_input(store.crops(rows), CROP), atol=1.5 / 255)


def test_grey_pictures_are_the_luma_of_the_coloured(store):
    rows = np.array([1, 4])
    grey, colour = (load_pictures(store, rows, CROP, grey=g).float() for g in (True, False))
    luma = (colour * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert (grey - luma).abs().max() <= 1


@pytest.fixture
def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "block": [0, 0, 1, 1, 2],
            "left": [10, 11, 12, 10, 13],
            "right": [11, 12, 10, 13, 10],
            "similar": [True, False, None, True, False],
            "d_valence": [0.1, 0.2, 0.3, 0.4, np.nan],
            "d_arousal": [-0.1, -0.2, -0.3, -0.4, -0.5],
        }
    )


def test_a_batch_holds_its_blocks_pairs_over_unique_faces(pairs):
    blocks = Blocks(pairs, pd.Series([5, 6, 7, 8], index=[10, 11, 12, 13]))
    assert len(blocks) == 3
    batch = blocks.batch(np.array([1, 0]))
    assert batch.faces.tolist() == [5, 6, 7, 8]
    assert batch.faces[batch.left].tolist() == [7, 5, 5, 6]
    assert batch.faces[batch.right].tolist() == [5, 8, 6, 7]
    assert batch.truth.similar.tolist() == [-1, 1, 1, 0]
    torch.testing.assert_close(batch.truth.d_valence, torch.tensor([0.3, 0.4, 0.1, 0.2]))
    torch.testing.assert_close(batch.truth.d_arousal, torch.tensor([-0.3, -0.4, -0.1, -0.2]))


def test_an_epoch_has_every_pair_once(pairs):
    blocks = Blocks(pairs, pd.Series([5, 6, 7, 8], index=[10, 11, 12, 13]))
    batches = list(blocks.batches(2, np.random.default_rng(0)))
    assert len(batches) == 2
    assert sorted(torch.cat([batch.truth.d_arousal for batch in batches]).tolist()) == pytest.approx(
        [-0.5, -0.4, -0.3, -0.2, -0.1]
    )
