"""The study of the heads on made-up faces whose embedding is their label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studies import heads


def faces(seed: int, n: int = 400, error: float = 0.2) -> heads.Faces:
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (n, 2))
    expression = np.eye(8)[rng.integers(8, size=n)]
    person = np.repeat([f"p{k}" for k in range(n // 20)], 20)
    single = truth + rng.normal(0, error, (n, 2))
    return heads.Faces(np.arange(n), person, truth, single, expression, np.hstack([truth, expression]))


def compare(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sees differences as they are, and whether two faces show one expression."""
    same = (left[:, 2:] * right[:, 2:]).sum(axis=1)
    return same, left[:, 0] - right[:, 0], left[:, 1] - right[:, 1]


def test_heads_that_see_differences_exactly_beat_noisy_single_heads_and_no_difference():
    found = heads.difference_table(faces(0), compare, resamples=100).set_index(["dimension", "difference from"])
    for dimension in ("valence", "arousal"):
        assert found.loc[(dimension, "pair heads"), "rmse"] == pytest.approx(0, abs=1e-9)
        assert found.loc[(dimension, "single heads"), "rmse"] == pytest.approx(0.2 * np.sqrt(2), rel=0.15)
        assert found.loc[(dimension, "mean of both"), "rmse"] == pytest.approx(0.1 * np.sqrt(2), rel=0.15)
        assert found.loc[(dimension, "no difference"), "ccc"] == 0
        assert found.loc[(dimension, "pair heads"), "rmse_less_single_high"] < 0
    assert len(heads.figure(found.reset_index()).axes) == 2


def test_similarity_is_read_with_a_threshold_of_other_people():
    def pairs(of: heads.Faces, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        left, right = rng.integers(len(of.rows), size=(2, 500))
        same = (of.posterior[left] * of.posterior[right]).sum(axis=1) > 0
        return pd.DataFrame({"left": left, "right": right, "similar": pd.array(same, "boolean")})

    judged, others = faces(1), faces(2)
    found = heads.similarity_table(judged, pairs(judged, 3), others, pairs(others, 4), compare, resamples=100)
    by = found.set_index("read from")
    assert by.loc["pair head", "accuracy"] == by.loc["agreement of posteriors", "accuracy"] == 1
    assert by.loc["pair head", "auc"] == 1
    assert 0.8 < by.loc["cosine of embeddings", "auc"] <= 1


def test_the_area_under_the_curve_is_the_chance_that_a_similar_pair_scores_higher():
    rng = np.random.default_rng(0)
    values, similar = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.4
    wins = [(a > b) + 0.5 * (a == b) for a in values[similar] for b in values[~similar]]
    assert heads.area_under_curve(values, similar) == pytest.approx(np.mean(wins))


def test_the_threshold_has_the_most_right_answers():
    values, similar = np.array([0.1, 0.4, 0.3, 0.8, 0.6]), np.array([False, False, True, True, True])
    threshold = heads._threshold(values, similar)
    right = max(np.mean((values > t) == similar) for t in np.linspace(0, 1, 101))
    assert np.mean((values > threshold) == similar) == right
