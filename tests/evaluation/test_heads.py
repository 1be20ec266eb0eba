"""Pairs whose similarity nobody knows are judged by their differences alone."""

from __future__ import annotations

import numpy as np
import pytest

from mtclar.evaluation.heads import Pairs, score_pairs, training_facts

TRAINING = training_facts(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 2)))


def _pairs(similar: list[float]) -> Pairs:
    rng = np.random.default_rng(0)
    people, delta = np.array([f"p{i % 5}" for i in range(len(similar))]), rng.uniform(-1, 1, (len(similar), 2))
    said = np.tile([0.9, 0.2], len(similar))[: len(similar)]
    return Pairs(people, people[::-1].copy(), np.array(similar), delta, said, delta)


def _score(similar: list[float]) -> dict:
    return score_pairs(_pairs(similar), TRAINING, resamples=100, rng=np.random.default_rng(0))


def test_similarity_is_judged_where_it_is_known():
    found = _score([1, 0, 1, 1, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan])
    assert found["similarity"]["accuracy"] == pytest.approx(3 / 4)
    assert found["similarity"]["majority"]["accuracy"] == pytest.approx(3 / 4)
    assert found["n_pairs"] == found["n_pairs_with_labels"] == 10


def test_similarity_that_is_nowhere_known_is_left_out():
    found = _score([np.nan] * 10)
    assert "similarity" not in found
    assert found["delta"]["valence"]["rmse"] == 0
