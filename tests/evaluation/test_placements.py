"""Placements of anchors among the ratings of a clip."""

from itertools import combinations
from math import comb

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.evaluation.placements import Rated, median_placement, placements, try_placements


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tried(k: int, error=lambda positions: 0.1):
    """A clip of six ratings, labelled with an error that depends on the anchors."""
    clip = Rated("clip", np.arange(6.0), rng(1).uniform(-1, 1, (6, 2)))

    def label(positions):
        ours = clip.truth + error(positions)
        return ours, ours - 0.1, ours + 0.1

    return try_placements(clip, placements(6, k, 200, rng()), label, lambda: None)


@given(st.integers(1, 12), st.integers(0, 6), st.integers(1, 60), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_placements_are_all_of_them_or_as_many_different_ones_as_asked_for(m, k, limit, seed):
    k = min(k, m)
    found = placements(m, k, limit, rng(seed))
    assert found.shape == (min(comb(m, k), limit), k)
    assert len({tuple(row) for row in found.tolist()}) == len(found)
    assert set(map(tuple, found.tolist())) <= set(combinations(range(m), k))


def test_placements_depend_on_the_seed_alone():
    np.testing.assert_array_equal(placements(20, 4, 50, rng(5)), placements(20, 4, 50, rng(5)))
    assert (placements(20, 4, 50, rng(5)) != placements(20, 4, 50, rng(6))).any()


def test_no_anchor_is_one_placement_and_nothing_stands_beside_mtclar():
    trials = tried(0)
    assert trials.anchors.shape == (1, 0)
    assert list(trials.labels) == ["mtclar"]
    assert trials.scored.all()


def test_anchors_are_not_scored():
    trials = tried(2)
    for anchors, scored in zip(trials.anchors, trials.scored, strict=True):
        assert set(np.flatnonzero(~scored)) == set(anchors)


def test_the_median_placement_has_as_many_better_ones_as_worse():
    """With one anchor at position i every label is off by (i - 2)^2 / 10, so the order is 2, 1, 3, 0, 4, 5."""
    trials = tried(1, error=lambda positions: (positions[0] - 2) ** 2 / 10)
    assert median_placement(trials).tolist() == [3]
