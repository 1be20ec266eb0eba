import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.evaluation.ridge import PENALTIES, fit_ridge


def world(seed: int, people: int = 12, each: int = 10, width: int = 6, noise: float = 0.3):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (people * each, width)) * np.geomspace(0.2, 3, width)
    y = x @ rng.normal(0, 1, (width, 2)) + [0.3, -0.5] + rng.normal(0, noise, (len(x), 2))
    return x, y, np.repeat([f"p{k}" for k in range(people)], each)


@given(seed=st.integers(0, 1000))
def test_the_weights_solve_the_penalised_least_squares(seed):
    """The oracle is an ordinary least-squares solution of the problem with the penalty as further rows."""
    x, y, people = world(seed)
    found = fit_ridge(x, y, people, np.random.default_rng(0))
    centred, level = x - x.mean(0), y - y.mean(0)
    added = found.penalty * x.var(axis=0).mean() * len(x)
    rows = np.vstack([centred, np.sqrt(added) * np.eye(x.shape[1])])
    weights = np.linalg.lstsq(rows, np.vstack([level, np.zeros((x.shape[1], 2))]), rcond=None)[0]
    np.testing.assert_allclose(found.weights, weights, atol=1e-7)
    np.testing.assert_allclose(x.mean(0) @ found.weights + found.bias, y.mean(0), atol=1e-9)


def test_noise_calls_for_a_higher_penalty():
    clean, noisy = (fit_ridge(*world(3, noise=n), np.random.default_rng(0)) for n in (0.01, 60.0))
    assert clean.penalty < noisy.penalty
    assert {clean.penalty, noisy.penalty} <= set(PENALTIES)


def test_the_error_is_that_on_people_it_has_not_seen():
    """Who somebody is says all of the labels here and nothing of those of others."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(10), 20)
    x, y = np.eye(10)[people], rng.normal(0, 1, (10, 1))[people]
    found = fit_ridge(x, y, people.astype(str), rng)
    assert found.rmse[0] > 0.8 * y.std()


def test_one_person_is_too_few():
    with pytest.raises(MtclarError, match="at least two people, got 1"):
        fit_ridge(np.eye(3), np.ones((3, 2)), ["a"] * 3, np.random.default_rng(0))
