"""Pairs of one person's faces: everybody alike, frames of a clip spread out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.learning.pairs import person_pairs


def test_pairs_of_people_are_two_faces_of_one_person_and_people_are_uniform():
    people = np.concatenate([np.repeat(np.arange(10), 40), np.repeat([10, 11], 2), [12], np.full(50, -1)])
    rng = np.random.default_rng(0)
    people = rng.permutation(people)
    draw = person_pairs(people, 24_000, block_faces=64, block_pairs=240, rng=rng)
    np.testing.assert_allclose(np.bincount(people[draw.left], minlength=12) / 24_000, 1 / 12, atol=0.025)
    assert len(np.unique(draw.left[people[draw.left] == 3])) == 40


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-1, 5), min_size=1, max_size=80).map(lambda some: [*some, 3, 3]),
    st.integers(4, 40),
    st.integers(1, 30),
    st.integers(1, 200),
    st.integers(0, 2**32),
)
def test_whoever_has_how_many_faces_blocks_are_small_and_the_seed_decides(people, faces, block, pairs, seed):
    people = np.array(people)
    draw, again = (
        person_pairs(people, pairs, block_faces=faces, block_pairs=block, rng=np.random.default_rng(seed))
        for _ in range(2)
    )
    assert len(draw.left) == pairs
    assert (people[draw.left] == people[draw.right]).all()
    assert (people[draw.left] >= 0).all()
    assert (draw.left != draw.right).all()
    for number in np.unique(draw.block):
        at = draw.block == number
        assert at.sum() <= block
        assert len(np.unique([draw.left[at], draw.right[at]])) <= faces
    assert all((a == b).all() for a, b in zip(draw, again, strict=True))


def test_frames_of_a_clip_that_meet_in_a_block_are_spread_over_it():
    draw = person_pairs(np.zeros(80, int), 40, block_faces=8, block_pairs=40, rng=np.random.default_rng(0))
    faces = np.unique([draw.left, draw.right])
    assert set(np.diff(faces)) == {10}


def test_pairs_of_people_need_somebody_with_two_faces():
    with pytest.raises(MtclarError, match="person_share"):
        person_pairs(np.arange(5), 10, block_faces=8, block_pairs=8, rng=np.random.default_rng(0))
