"""Pairs by affect: differences spread over their range, without expressions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from mtclar.errors import MtclarError
from mtclar.learning.pairs import affect_pairs

GRID = st.integers(-10, 10).map(lambda tenth: tenth / 10)
LABEL = st.one_of(st.tuples(GRID, GRID), st.tuples(st.floats(-1, 1), st.floats(-1, 1)), st.just((np.nan, 0.0)))


def _draw(labels, pairs, *, faces=64, block=256, seed=0):
    return affect_pairs(labels, pairs, block_faces=faces, block_pairs=block, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """900 labels on AFEW-VA's grid, most of them near the middle."""
    drawn = np.random.default_rng(0).normal([0.1, 0.2], [0.35, 0.3], (900, 2))
    return np.clip(drawn.round(1), -1, 1)


def _spread(labels, left, right, bins) -> float:
    """Chi-square of the differences against all squares that occur being alike, a pair."""
    delta = labels[left] - labels[right]
    every = labels[:, None] - labels[None, :]
    edges = np.linspace(-2.05, 2.05, bins + 1)
    occupied = np.histogram2d(every[..., 0].ravel(), every[..., 1].ravel(), bins=[edges, edges])[0] > 0
    counts = np.histogram2d(delta[:, 0], delta[:, 1], bins=[edges, edges])[0][occupied]
    return chisquare(counts).statistic / len(left)


@pytest.mark.parametrize("bins", [9, 15])
def test_differences_are_spread_far_more_evenly_than_those_of_random_pairs(labels, bins):
    draw = _draw(labels, 51_200)
    random = np.random.default_rng(1).integers(len(labels), size=(2, 51_200))
    assert _spread(labels, draw.left, draw.right, bins) < _spread(labels, *random, bins) / 5


@pytest.mark.parametrize("dimension", [0, 1])
def test_large_differences_come_much_oftener_than_in_random_pairs(labels, dimension):
    draw = _draw(labels, 51_200)
    large = np.abs(labels[draw.left, dimension] - labels[draw.right, dimension]) > 1
    random = np.random.default_rng(1).integers(len(labels), size=(2, 51_200))
    of_random = np.abs(labels[random[0], dimension] - labels[random[1], dimension]) > 1
    assert large.mean() > 5 * of_random.mean()


def test_differences_have_both_signs_alike(labels):
    draw = _draw(labels, 51_200)
    delta = labels[draw.left] - labels[draw.right]
    np.testing.assert_allclose(np.sign(delta).mean(axis=0), 0, atol=0.02)


def test_no_pair_fills_a_block(labels):
    draw = _draw(labels, 2560)
    for block in range(10):
        at = draw.block == block
        _, times = np.unique(np.stack([draw.left[at], draw.right[at]]), axis=1, return_counts=True)
        assert times.max() <= 6


def test_every_labelled_face_takes_part_in_time(labels):
    draw = _draw(labels, 300_000)
    assert len(np.unique([draw.left, draw.right])) > 0.95 * len(labels)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(LABEL, min_size=1, max_size=60),
    st.integers(4, 40),
    st.integers(1, 30),
    st.integers(1, 200),
    st.integers(0, 2**32),
)
def test_whatever_the_labels_pairs_are_of_two_labelled_faces_of_a_small_block(labels, faces, block, pairs, seed):
    labels = np.array(labels, float)
    known = np.isfinite(labels).all(axis=1)
    if len(np.unique(labels[known], axis=0)) < 2:
        with pytest.raises(MtclarError, match="labelled faces that differ"):
            _draw(labels, pairs, faces=faces, block=block, seed=seed)
        return
    draw, again = (_draw(labels, pairs, faces=faces, block=block, seed=seed) for _ in range(2))
    assert len(draw.left) == pairs
    assert (draw.left != draw.right).all()
    assert known[draw.left].all()
    assert known[draw.right].all()
    for number in np.unique(draw.block):
        at = draw.block == number
        assert at.sum() <= block
        assert len(np.unique([draw.left[at], draw.right[at]])) <= faces
    assert all((a == b).all() for a, b in zip(draw, again, strict=True))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([[0.1, 0.2]] * 9, "the same valence and arousal in all of them"),
        ([[0.1, 0.2], [np.nan, 0.0]], "got 1 of them"),
        ([[np.nan, np.nan]] * 3, "got 0 of them"),
    ],
)
def test_labels_that_do_not_differ_are_refused(labels, sentence):
    with pytest.raises(MtclarError, match=sentence):
        _draw(np.array(labels), 10)
