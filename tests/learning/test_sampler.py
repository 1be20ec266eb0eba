"""Pairs are drawn as declared: classes uniform, half and half, few faces a block."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.learning.sampler import class_pairs, pairs_table, person_pairs, wheel_distances


@pytest.fixture
def classes() -> np.ndarray:
    """900 faces of eight very unequal classes, 100 of none."""
    drawn = np.random.default_rng(0).choice(8, 900, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.04, 0.04, 0.02])
    return np.concatenate([drawn, np.full(100, -1)])


@pytest.fixture
def draw(classes):
    return class_pairs(classes, 25_600, block_faces=64, block_pairs=256, rng=np.random.default_rng(1))


def test_half_of_the_pairs_of_every_block_are_of_one_class(classes, draw):
    same = classes[draw.left] == classes[draw.right]
    assert (np.bincount(draw.block, weights=same) == 128).all()


def test_no_face_is_paired_with_itself_and_none_without_a_class_takes_part(classes, draw):
    assert (draw.left != draw.right).all()
    assert classes[draw.left].min() >= 0
    assert classes[draw.right].min() >= 0


def test_classes_are_uniform_on_both_sides_however_unequal_they_are(classes, draw):
    for side in (draw.left, draw.right):
        shares = np.bincount(classes[side], minlength=8) / len(side)
        np.testing.assert_allclose(shares, 1 / 8, atol=0.01)


def test_the_second_class_of_a_dissimilar_pair_is_uniform_over_the_others(classes, draw):
    left, right = classes[draw.left], classes[draw.right]
    counts = np.zeros((8, 8))
    np.add.at(counts, (left[left != right], right[left != right]), 1)
    assert (np.diag(counts) == 0).all()
    off = counts[~np.eye(8, dtype=bool)]
    np.testing.assert_allclose(off / off.mean(), 1, atol=0.3)


def test_a_block_has_no_more_unique_faces_than_declared(draw):
    for block in range(5):
        at = draw.block == block
        assert len(np.unique([draw.left[at], draw.right[at]])) <= 64


def test_every_face_of_a_class_comes_about_equally_often(classes, draw):
    seen = pd.DataFrame({"block": np.tile(draw.block, 2), "face": np.concatenate([draw.left, draw.right])})
    blocks = seen.drop_duplicates()["face"].value_counts()
    of_one = blocks[blocks.index.isin(np.flatnonzero(classes == 0))]
    assert len(of_one) == (classes == 0).sum()
    assert of_one.max() <= of_one.min() + 2


def test_the_same_seed_draws_the_same_pairs_and_another_seed_others(classes):
    a, b, c = (
        class_pairs(classes, 512, block_faces=32, block_pairs=128, rng=np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    assert all((x == y).all() for x, y in zip(a, b, strict=True))
    assert (a.left != c.left).any()


def test_a_class_with_fewer_faces_than_its_share_gives_all_it_has():
    classes = np.repeat([0, 1], [2, 50])
    draw = class_pairs(classes, 200, block_faces=20, block_pairs=50, rng=np.random.default_rng(0))
    assert (draw.left != draw.right).all()
    assert (classes[draw.left] == 0).mean() == pytest.approx(0.5, abs=0.1)


def test_a_last_block_that_is_cut_short_is_half_and_half_too(classes):
    draw = class_pairs(classes, 301, block_faces=32, block_pairs=128, rng=np.random.default_rng(0))
    assert len(draw.left) == 300
    assert (classes[draw.left] == classes[draw.right]).sum() == 150


def test_a_million_pairs_take_about_a_second(classes):
    start = time.process_time()
    class_pairs(classes, 1_000_000, block_faces=64, block_pairs=256, rng=np.random.default_rng(0))
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("classes", "block_faces", "block_pairs", "sentence"),
    [
        ([0, 0, 0], 8, 8, "at least two expressions"),
        ([0, 0, 1], 8, 8, "at least two faces of every expression"),
        ([0, 0, 1, 1], 3, 8, "pair.block_faces=3"),
        ([0, 0, 1, 1], 8, 7, "pair.block_pairs=7"),
    ],
)
def test_what_cannot_be_drawn_is_said(classes, block_faces, block_pairs, sentence):
    with pytest.raises(MtclarError, match=sentence):
        class_pairs(
            np.array(classes), 8, block_faces=block_faces, block_pairs=block_pairs, rng=np.random.default_rng(0)
        )


def test_pairs_of_people_are_two_faces_of_one_person_and_people_are_uniform():
    people = np.concatenate([np.repeat(np.arange(10), 40), np.repeat([10, 11], 2), [12], np.full(50, -1)])
    rng = np.random.default_rng(0)
    people = rng.permutation(people)
    draw = person_pairs(people, 24_000, block_faces=64, block_pairs=240, rng=rng)
    assert (people[draw.left] == people[draw.right]).all()
    assert (draw.left != draw.right).all()
    np.testing.assert_allclose(np.bincount(people[draw.left], minlength=12) / 24_000, 1 / 12, atol=0.025)
    assert len(np.unique(draw.left[people[draw.left] == 3])) == 40
    for block in range(5):
        at = draw.block == block
        assert len(np.unique([draw.left[at], draw.right[at]])) <= 64


def test_frames_of_a_clip_that_meet_in_a_block_are_spread_over_it():
    draw = person_pairs(np.zeros(80, int), 40, block_faces=8, block_pairs=40, rng=np.random.default_rng(0))
    faces = np.unique([draw.left, draw.right])
    assert set(np.diff(faces)) == {10}


def test_pairs_of_people_need_somebody_with_two_faces():
    with pytest.raises(MtclarError, match="person_share"):
        person_pairs(np.arange(5), 10, block_faces=8, block_pairs=8, rng=np.random.default_rng(0))


def test_distances_on_the_ring_are_one_plus_the_shorter_way_round():
    ring = ["happy", "surprise", "fear", "anger", "contempt", "disgust", "sad"]
    distances = wheel_distances()
    for i, a in enumerate(EXPRESSIONS):
        for j, b in enumerate(EXPRESSIONS):
            if a == b:
                expected = 1
            elif "neutral" in (a, b):
                expected = 2
            else:
                forward = 0
                while ring[(ring.index(a) + forward) % 7] != b:
                    forward += 1
                expected = 1 + min(forward, 7 - forward)
            assert distances[i, j] == expected


def test_a_table_of_pairs_holds_differences_of_labels_left_less_right():
    faces = pd.DataFrame(
        {
            "valence": [0.5, -0.25, np.nan],
            "arousal": [0.0, 1.0, 0.5],
            "expression": ["happy", "anger", None],
        },
        index=[10, 20, 30],
    )
    draw = class_pairs(np.array([0, 0, 1, 1]), 2, block_faces=4, block_pairs=2, rng=np.random.default_rng(0))
    draw = draw._replace(left=np.array([0, 1, 0]), right=np.array([1, 1, 2]), block=np.zeros(3, int))
    table = pairs_table(faces, draw, "train")
    assert table["left"].tolist() == [10, 20, 10]
    assert table["right"].tolist() == [20, 20, 30]
    assert table["similar"].tolist()[:2] == [False, True]
    assert table["similar"].isna().tolist() == [False, False, True]
    assert table["wheel_distance"].tolist()[:2] == [4, 1]
    np.testing.assert_array_equal(table["d_valence"], [0.75, 0, np.nan])
    np.testing.assert_array_equal(table["d_arousal"], [-1, 0, -0.5])
