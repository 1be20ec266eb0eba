"""Kendall's tau-b and Spearman's rho against scipy, with the ties of real labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mtclar.evaluation.rank import kendall, spearman

tenths = st.integers(-4, 4).map(lambda step: step / 10)
frames = st.lists(st.tuples(st.integers(0, 3), tenths, tenths), min_size=1, max_size=40)


def columns(rows):
    """Groups numbered without a gap, truth and prediction."""
    group, y, p = (np.array(column) for column in zip(*rows, strict=True))
    return np.unique(group, return_inverse=True)[1], y, p


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ours", "theirs"), [(kendall, stats.kendalltau), (spearman, stats.spearmanr)])
@settings(max_examples=120, deadline=None)
@given(rows=frames)
def test_each_group_has_the_value_that_scipy_gives_it(ours, theirs, rows):
    group, y, p = columns(rows)
    expected = [
        theirs(y[group == g], p[group == g]).statistic if (group == g).sum() > 1 else np.nan
        for g in range(group.max() + 1)
    ]
    np.testing.assert_allclose(ours(y, p, group), expected, atol=1e-12)
    assert ours(y, p) == pytest.approx([theirs(y, p).statistic if len(y) > 1 else np.nan], nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("n", [257, 1000, 4096])
def test_long_columns_without_ties_agree_with_scipy(n):
    rng = np.random.default_rng(n)
    y = rng.normal(size=n)
    p = y + rng.normal(size=n)
    assert kendall(y, p)[0] == pytest.approx(stats.kendalltau(y, p).statistic, abs=1e-12)
    assert spearman(y, p)[0] == pytest.approx(stats.spearmanr(y, p).statistic, abs=1e-12)


@pytest.mark.parametrize("of", [kendall, spearman])
@settings(max_examples=60, deadline=None)
@given(rows=frames, seed=st.integers(0, 1000))
def test_only_the_order_of_the_values_matters_and_not_that_of_the_frames(of, rows, seed):
    group, y, p = columns(rows)
    value = of(y, p, group)
    np.testing.assert_allclose(of(np.exp(3 * y), p, group), value, atol=1e-12)
    np.testing.assert_allclose(of(y, 0.2 * p - 0.7, group), value, atol=1e-12)
    np.testing.assert_allclose(of(p, y, group), value, atol=1e-12)
    np.testing.assert_allclose(of(y, -p, group), -value, atol=1e-12)
    mixed = np.random.default_rng(seed).permutation(len(y))
    np.testing.assert_allclose(of(y[mixed], p[mixed], group[mixed]), value, atol=1e-12)


@pytest.mark.parametrize("of", [kendall, spearman])
def test_a_constant_a_single_frame_and_no_frame_have_no_order(of):
    assert np.isnan(of(np.full(5, 0.1), np.arange(5.0)))
    assert np.isnan(of(np.arange(5.0), np.full(5, 0.1)))
    assert np.isnan(of(np.array([0.3]), np.array([0.2])))
    assert np.isnan(of(np.zeros(0), np.zeros(0)))
