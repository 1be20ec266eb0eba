from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mtclar.faces.association import LOOK_BINS, assign, distance, look, unlike
from mtclar.faces.detect import Face
from tests.faces.footage import paste, people, room


@st.composite
def costs(draw) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cost = rng.random((draw(st.integers(0, 7)), draw(st.integers(0, 7))))
    cost[rng.random(cost.shape) < draw(st.sampled_from([0.0, 0.3, 0.9]))] = np.inf
    return cost


@given(costs(), st.floats(0.01, 1.5))
def test_the_assignment_costs_as_little_as_scipys(cost, limit):
    pairs = assign(cost, limit)
    rows, columns = cost.shape
    padded = np.full((rows, columns + rows), 1e6)
    padded[:, :columns] = np.where(np.isfinite(cost), cost, 1e6)
    padded[:, columns:][np.diag_indices(rows)] = limit
    best = padded[linear_sum_assignment(padded)].sum()
    assert sum(cost[pair] for pair in pairs) + limit * (rows - len(pairs)) == pytest.approx(best)


@given(costs(), st.floats(0.01, 1.5))
def test_no_row_and_no_column_is_paired_twice_or_beyond_the_limit(cost, limit):
    pairs = assign(cost, limit)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(cost[pair] <= limit for pair in pairs)
    assert pairs == sorted(pairs)


@given(costs(), st.floats(0.01, 1.5), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_columns_does_not_matter(cost, limit, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(cost.shape[0]), rng.permutation(cost.shape[1])
    shuffled = assign(cost[np.ix_(rows, columns)], limit)
    assert sorted((int(rows[i]), int(columns[j])) for i, j in shuffled) == assign(cost, limit)


def test_two_rows_that_want_one_column_share_so_that_the_total_is_least():
    assert assign(np.array([[0.1, 0.2], [0.2, 0.9]]), 1.0) == [(0, 1), (1, 0)]


def test_distance_is_in_sides_of_the_face_and_counts_a_change_of_size():
    face = Face(100.0, 50.0, 40.0, 40.0)
    assert distance(face, face) == 0
    assert distance(face, Face(140.0, 50.0, 40.0, 40.0)) == pytest.approx(1.0)
    assert distance(face, Face(80.0, 30.0, 80.0, 80.0)) == pytest.approx(math.log(2))


@given(st.tuples(*[st.floats(-300, 900)] * 2), st.floats(1, 600))
def test_a_look_has_length_one_or_is_empty_wherever_the_face_lies(corner, side):
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    length = np.linalg.norm(look(picture, Face(*corner, side, side)))
    assert length == pytest.approx(1.0, abs=1e-5) or length == 0


def test_faces_of_one_person_look_more_alike_than_those_of_two():
    rng = np.random.default_rng(3)
    wall = room(rng, 320, 180)

    def seen(head: np.ndarray) -> np.ndarray:
        picture = wall.copy()
        x, y, size = rng.uniform(60, 260), rng.uniform(60, 120), rng.uniform(35, 70)
        paste(picture, head, x, y, size)
        return look(picture.astype(np.uint8), Face(x - size * 0.55, y - size * 0.64, 1.1 * size, 1.1 * size))

    looks = [(seen(clip[0]), seen(clip[-1])) for clip in people("test")[:12]]
    same = [unlike(a, b) for a, b in looks]
    other = [unlike(a, b) for i, (a, _) in enumerate(looks) for _, b in looks[:i]]
    assert np.median(same) < 0.5 * np.median(other)
    assert len(looks[0][0]) == np.prod(LOOK_BINS)
