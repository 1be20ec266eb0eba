"""Distances of expressions, from a ring or a matrix, and what is refused of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.learning.pairs import distances, partners
from mtclar.learning.pairs.wheel import ring_distances
from mtclar.settings import PairSettings, read_params

PARAMS = read_params()["pair"]


def _settings(**changes) -> PairSettings:
    return PairSettings.model_validate({**PARAMS, **changes})


@given(st.permutations(EXPRESSIONS), st.integers(0, 8))
def test_distances_on_a_ring_are_one_plus_the_shorter_way_round(names, length):
    ring = names[:length]
    found = distances(_settings(ring=ring))
    for i, a in enumerate(EXPRESSIONS):
        for j, b in enumerate(EXPRESSIONS):
            if a == b:
                expected = 1
            elif a not in ring or b not in ring:
                expected = 2
            else:
                forward = 0
                while ring[(ring.index(a) + forward) % length] != b:
                    forward += 1
                expected = 1 + min(forward, length - forward)
            assert found[i, j] == expected


def test_a_name_that_is_no_expression_is_refused_with_the_nearest():
    with pytest.raises(MtclarError, match=r"pair.ring: 'hapy' is not an expression \(did you mean 'happy'\?\)"):
        ring_distances(["hapy", "sad"])


def test_a_name_that_comes_twice_is_refused():
    with pytest.raises(MtclarError, match="names sad twice"):
        ring_distances(["happy", "sad", "sad"])


def test_a_matrix_takes_the_ring_s_place():
    matrix = np.abs(np.subtract.outer(np.arange(8.0), np.arange(8.0))) / 2
    assert (distances(_settings(distances=matrix.tolist())) == matrix).all()


def _matrix(*changes) -> list[list[float]]:
    matrix = np.ones((8, 8))
    for i, j, value in changes:
        matrix[i, j] = value
    return matrix.tolist()


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        ([[1.0] * 8] * 7, "expected 8 rows of 8 numbers .*, got 7 rows of 8"),
        ([[1.0] * 8] * 7 + [[1.0] * 9], "got 8 rows of 8, 9"),
        (_matrix((1, 2, -1.0), (2, 1, -1.0)), "happy to sad is -1, but a distance is 0 or more"),
        (_matrix((0, 7, 3.0)), "neutral to contempt is 3, but contempt to neutral is 1, and both ways"),
    ],
)
def test_a_matrix_that_is_not_one_of_distances_is_refused(matrix, sentence):
    with pytest.raises(MtclarError, match=sentence):
        distances(_settings(distances=matrix))


def test_wheel_near_refuses_two_expressions_at_the_same_place():
    apart = np.array(_matrix((1, 3, 0.0), (3, 1, 0.0)))
    with pytest.raises(MtclarError, match="happy and surprise are at distance 0"):
        partners("wheel-near", apart, 1.0)
    assert partners("wheel-far", apart, 0.0)[1, 3] == 0


def test_dissimilar_pairs_of_polarity_never_share_it():
    weights = partners("polarity", ring_distances(EXPRESSIONS), 1.0)
    positive, negative = ("happy", "surprise"), ("sad", "fear", "disgust", "anger", "contempt")
    for group in (positive, negative, ("neutral",)):
        at = [EXPRESSIONS.index(name) for name in group]
        assert (weights[np.ix_(at, at)] == 0).all()
        others = [i for i in range(8) if i not in at]
        assert (weights[np.ix_(at, others)] == 1).all()


@given(st.sampled_from(["wheel-far", "wheel-near"]), st.floats(0, 200), st.floats(1e-6, 1e6))
def test_weights_stay_finite_and_whatever_unit_the_distances_have(sampling, exponent, unit):
    apart = ring_distances(EXPRESSIONS)
    weights = partners(sampling, apart * unit, exponent)
    np.testing.assert_allclose(weights, partners(sampling, apart, exponent), rtol=1e-6, atol=1e-12)
    assert (weights.max(axis=1) == 1).all()
