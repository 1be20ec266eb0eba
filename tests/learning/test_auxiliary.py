"""What the encoder learns of each face besides the pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.faces.detect import LANDMARK_ACROSS
from mtclar.learning.auxiliary import Auxiliary, auxiliary_targets, upright

ALL = ("affect", "expression", "actions", "landmarks", "pose", "hidden")


@pytest.fixture
def faces() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"valence": rng.uniform(-1, 1, 40), "arousal": rng.uniform(-1, 1, 40)})
    table["expression"] = [None, "happy", "sad", "neutral"] * 10
    table["split"] = ["train"] * 30 + ["validation"] * 10
    return table


@pytest.fixture
def made() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"yaw": rng.normal(0, 20, 40), "pitch": rng.normal(0, 9, 40), "covered": rng.random(40)})
    table["actions"] = list(rng.random((40, 23)).astype(np.float32))
    table["landmarks"] = list(rng.normal(size=(40, 136)).astype(np.float32))
    return table


def test_a_face_and_its_mirror_image_have_the_same_upright_landmarks():
    rng = np.random.default_rng(2)
    points = rng.normal(size=(5, 68, 2))
    mirrored = points[:, list(LANDMARK_ACROSS)] * (-1, 1)
    assert np.allclose(upright(points), upright(mirrored))


def test_upright_landmarks_do_not_change_with_place_size_and_roll():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(5, 68, 2))
    turn = 3 * np.array([[0.8, -0.6], [0.6, 0.8]])
    assert np.allclose(upright(points), upright(points @ turn.T + (7, -4)))


def test_each_landmark_lies_across_from_the_one_across_from_it():
    assert sorted(LANDMARK_ACROSS) == list(range(68))
    assert all(LANDMARK_ACROSS[across] == i for i, across in enumerate(LANDMARK_ACROSS))


def test_targets_are_in_standard_deviations_of_the_training_faces(faces, made):
    found = auxiliary_targets(ALL, faces, made)
    training = found.values[:30].double()
    assert torch.allclose(training.mean(0), torch.zeros(training.shape[1], dtype=torch.float64), atol=1e-6)
    spread = training.std(0, correction=0)
    varied = spread > 0
    assert torch.allclose(spread[varied], torch.ones(int(varied.sum()), dtype=torch.float64), atol=1e-5)
    assert list(found.columns) == ["affect", "actions", "landmarks", "pose", "hidden"]


def test_yaw_to_either_side_is_the_same(faces, made):
    turned = made.assign(yaw=-made["yaw"])
    one, other = (auxiliary_targets(["pose"], faces, table).values for table in (made, turned))
    assert torch.equal(one, other)


def test_losses_are_the_squared_error_of_what_is_known_and_the_cross_entropy(faces, made):
    faces.loc[3, "valence"] = np.nan
    targets = auxiliary_targets(ALL, faces, made)
    module = Auxiliary(dict.fromkeys(ALL, 1.0), targets, 6)
    embeddings, at = torch.randn(4, 6), torch.tensor([0, 1, 2, 3])
    losses = module(embeddings, at)
    said = module.heads["affect"](embeddings).detach().numpy()
    truth = targets.values[:4, :2].numpy()
    assert losses["affect"].item() == pytest.approx(float(np.nanmean((said - truth) ** 2)), rel=1e-5)
    logits = module.heads["expression"](embeddings).detach().numpy()
    each = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), targets.expression[:4].numpy().clip(0)]
    assert losses["expression"].item() == pytest.approx(float(each[1:].mean()), rel=1e-5)  # the first has none
    assert module.weighed(losses).item() == pytest.approx(sum(loss.item() for loss in losses.values()), rel=1e-5)


def test_faces_that_were_not_made_know_no_actions(faces):
    with pytest.raises(MtclarError, match="actions, which only faces of 'mtclar synthesize' know"):
        auxiliary_targets(["affect", "actions"], faces, None)
