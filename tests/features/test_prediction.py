"""The prediction of a face before any anchor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.features import prediction
from mtclar.features.prediction import predict, references


def compare(left, right):
    """A pair head with a difference that is not antisymmetric, so that left and right cannot be confused."""
    d_valence = left[:, 0] - 0.5 * right[:, 0]
    return np.full(len(left), np.nan, np.float32), d_valence, left[:, 1] * right[:, 1]


@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_references_are_of_the_better_half_distinct_in_order_and_no_more_than_asked_for(m, seed):
    quality = np.random.default_rng(seed).uniform(0, 1, m)
    chosen = references(quality)
    assert len(chosen) == min(32, (m + 1) // 2)
    assert (np.diff(chosen) > 0).all()
    worst = np.sort(quality)[::-1][: (m + 1) // 2].min()
    assert (quality[chosen] >= worst).all()


def test_references_reach_from_the_first_to_the_last_face_of_the_better_half():
    quality = np.ones(1000)
    quality[:100] = 0.1
    quality[900:] = 0.1
    chosen = references(quality)
    assert chosen[0] == 100
    assert chosen[-1] == 899
    assert np.diff(chosen).max() <= 26


def test_the_prediction_is_the_formula_face_by_face_within_each_track(monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK_PAIRS", 7)
    rng = np.random.default_rng(5)
    m, track = 90, np.repeat([0, 2, 3], [70, 19, 1])
    embeddings, head = rng.normal(size=(m, 4)).astype(np.float32), rng.uniform(-1, 1, (m, 2))
    quality = rng.uniform(size=m)
    found = predict(embeddings, head, quality, track, compare)
    for i in range(m):
        same = np.flatnonzero(track == track[i])
        chosen = same[references(quality[same])]
        told = [
            [head[r, 0] + embeddings[i, 0] - 0.5 * embeddings[r, 0], head[r, 1] + embeddings[i, 1] * embeddings[r, 1]]
            for r in chosen
        ]
        np.testing.assert_allclose(found[i], 0.75 * head[i] + 0.25 * np.mean(told, axis=0), atol=1e-5)


def test_where_the_pair_head_does_not_know_a_dimension_the_supervised_head_speaks_alone():
    def blind(left, right):
        similar, _, d_arousal = compare(left, right)
        return similar, np.full(len(left), np.nan), d_arousal

    rng = np.random.default_rng(6)
    head = rng.uniform(-1, 1, (5, 2)).astype(np.float32)
    found = predict(rng.normal(size=(5, 2)), head, np.ones(5), np.zeros(5, int), blind)
    np.testing.assert_array_equal(found[:, 0], head[:, 0])
    assert (found[:, 1] != head[:, 1]).all()


def test_without_a_supervised_head_differences_predict_up_to_a_constant():
    def apart(left, right):
        return np.full(len(left), np.nan), left[:, 0] - right[:, 0], left[:, 1] - right[:, 1]

    faces = np.random.default_rng(8).normal(size=(9, 2)).astype(np.float32)
    found = predict(faces, np.full((9, 2), np.nan), np.ones(9), np.zeros(9, int), apart)
    np.testing.assert_allclose(found - found[0], faces - faces[0], atol=1e-5)


def test_references_of_faces_of_one_quality_reach_over_the_whole_track():
    chosen = references(np.ones(1000))
    assert chosen[0] == 0
    assert chosen[-1] == 999


def test_no_face_is_no_prediction_and_shapes_that_do_not_fit_are_refused():
    assert predict(np.empty((0, 3)), np.empty((0, 2)), np.empty(0), np.empty(0, int), compare).shape == (0, 2)
    with pytest.raises(MtclarError, match=r"expected head \(4, 2\)"):
        predict(np.zeros((4, 3)), np.zeros((4, 3)), np.ones(4), np.zeros(4, int), compare)
