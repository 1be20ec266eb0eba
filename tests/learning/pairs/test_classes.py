"""Pairs by expression are drawn as declared: classes uniform, half and half, few faces a block."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.learning.pairs import class_pairs, partners
from mtclar.learning.pairs.wheel import POLARITY, ring_distances

APART = ring_distances(("happy", "surprise", "fear", "anger", "contempt", "disgust", "sad"))
RELEASE = partners("release", APART, 1.0)


def _draw(classes, pairs, weights=RELEASE, *, faces=64, block=256, seed=1):
    rng = np.random.default_rng(seed)
    return class_pairs(np.asarray(classes), weights, pairs, block_faces=faces, block_pairs=block, rng=rng)


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    """900 faces of eight very unequal classes, 100 of none."""
    drawn = np.random.default_rng(0).choice(8, 900, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.04, 0.04, 0.02])
    return np.concatenate([drawn, np.full(100, -1)])


@pytest.fixture(scope="module")
def draw(classes):
    return _draw(classes, 25_600)


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


def test_every_face_of_a_class_comes_about_equally_often(classes, draw):
    seen = pd.DataFrame({"block": np.tile(draw.block, 2), "face": np.concatenate([draw.left, draw.right])})
    blocks = seen.drop_duplicates()["face"].value_counts()
    of_one = blocks[blocks.index.isin(np.flatnonzero(classes == 0))]
    assert len(of_one) == (classes == 0).sum()
    assert of_one.max() <= of_one.min() + 2


@pytest.mark.parametrize("sampling", ["release", "wheel-far", "wheel-near", "polarity"])
@pytest.mark.parametrize("exponent", [1.0, 3.0])
def test_the_second_class_of_a_dissimilar_pair_comes_by_its_weight(classes, sampling, exponent):
    draw = _draw(classes, 200_000, partners(sampling, APART, exponent))
    left, right = classes[draw.left], classes[draw.right]
    counts = np.zeros((8, 8))
    np.add.at(counts, (left[left != right], right[left != right]), 1)
    expected = np.zeros((8, 8))
    for i, a in enumerate(EXPRESSIONS):
        for j, b in enumerate(EXPRESSIONS):
            if i != j:
                expected[i, j] = {
                    "release": 1.0,
                    "wheel-far": APART[i, j] ** exponent,
                    "wheel-near": 1 / APART[i, j] ** exponent,
                    "polarity": float(POLARITY.get(a, -1) != POLARITY.get(b, -1)),
                }[sampling]
        expected[i] /= expected[i].sum()
    np.testing.assert_allclose(counts.sum(1) / counts.sum(), 1 / 8, atol=0.005)
    np.testing.assert_allclose(counts / counts.sum(1, keepdims=True), expected, atol=0.015)
    assert (counts[expected == 0] == 0).all()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-1, 7), min_size=1, max_size=60).map(lambda some: some * 2),
    st.sampled_from(["release", "wheel-far", "wheel-near", "polarity"]),
    st.integers(16, 40),
    st.integers(1, 20),
    st.integers(1, 300),
    st.integers(0, 2**32),
)
def test_whatever_the_classes_blocks_are_small_halves_are_equal_and_the_seed_decides(
    classes, sampling, faces, half, pairs, seed
):
    classes = np.array(classes)
    weights = partners(sampling, APART, 2.0)
    present = set(classes[classes >= 0])
    signs = {POLARITY.get(EXPRESSIONS[c], -1) for c in present}
    if len(present) < 2 or (sampling == "polarity" and len(signs) < 2):
        with pytest.raises(MtclarError, match=r"at least two expressions|may be the dissimilar partner"):
            _draw(classes, pairs, weights, faces=faces, block=2 * half, seed=seed)
        return
    draw = _draw(classes, pairs, weights, faces=faces, block=2 * half, seed=seed)
    left, right = classes[draw.left], classes[draw.right]
    assert len(left) == pairs - pairs % 2
    assert (draw.left != draw.right).all()
    assert (left >= 0).all()
    assert (right >= 0).all()
    assert (left == right).sum() == len(left) // 2
    assert np.take(weights, left * 8 + right)[left != right].all()
    for block in np.unique(draw.block):
        at = draw.block == block
        assert at.sum() <= 2 * half
        assert len(np.unique([draw.left[at], draw.right[at]])) <= faces
    again = _draw(classes, pairs, weights, faces=faces, block=2 * half, seed=seed)
    assert all((a == b).all() for a, b in zip(draw, again, strict=True))


def test_another_seed_draws_other_pairs(classes):
    assert (_draw(classes, 512, seed=5).left != _draw(classes, 512, seed=6).left).any()


def test_a_class_with_fewer_faces_than_its_share_gives_all_it_has():
    classes = np.repeat([0, 1], [2, 50])
    draw = _draw(classes, 200, faces=20, block=50)
    assert (draw.left != draw.right).all()
    assert (classes[draw.left] == 0).mean() == pytest.approx(0.5, abs=0.1)


def test_a_million_pairs_take_about_a_second(classes):
    start = time.process_time()
    _draw(classes, 1_000_000)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("classes", "faces", "block", "sentence"),
    [
        ([2, 2, 2], 8, 8, "at least two expressions, got faces of sad alone"),
        ([-1, -1], 8, 8, "got faces of no expression alone"),
        ([0, 0, 1], 8, 8, "only one face of happy"),
        ([0, 0, 1, 1], 3, 8, "pair.block_faces=3: a block needs two faces of each of 2 expressions, so make it 4"),
        ([0, 0, 1, 1], 8, 7, "pair.block_pairs=7"),
    ],
)
def test_what_cannot_be_drawn_is_said(classes, faces, block, sentence):
    with pytest.raises(MtclarError, match=sentence):
        _draw(classes, 8, faces=faces, block=block)


def test_an_expression_without_a_possible_partner_is_named():
    with pytest.raises(MtclarError, match=r"\(sad, anger\) may be the dissimilar partner of sad, anger"):
        _draw([2, 2, 6, 6], 8, partners("polarity", APART, 1.0))
