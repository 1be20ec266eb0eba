"""Metrics against scipy, closed forms and their defining properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from mtclar.errors import MtclarError
from mtclar.evaluation import metrics

columns = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.integers(-10, 10).map(lambda v: v / 10)) for _ in "yp"])
)


@pytest.fixture
def noisy():
    rng = np.random.default_rng(3)
    truth = rng.uniform(-1, 1, 500)
    return truth, np.clip(0.6 * truth + 0.1 + rng.normal(0, 0.2, 500), -1, 1)


def test_pcc_agrees_with_scipy(noisy):
    assert metrics.pcc(*noisy) == pytest.approx(stats.pearsonr(*noisy).statistic, abs=1e-12)


def test_ccc_agrees_with_its_definition_from_scipys_correlation(noisy):
    y, p = noisy
    rho = stats.pearsonr(y, p).statistic
    expected = 2 * rho * y.std() * p.std() / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)
    assert metrics.ccc(y, p) == pytest.approx(expected, abs=1e-12)


def test_rmse_and_mae_are_the_norms_of_the_error(noisy):
    y, p = noisy
    found = metrics.regression(y, p)
    assert found["rmse"] == pytest.approx(np.linalg.norm(y - p) / np.sqrt(len(y)), abs=1e-12)
    assert found["mae"] == pytest.approx(np.linalg.norm(y - p, 1) / len(y), abs=1e-12)


def test_icc_is_that_of_a_two_way_analysis_of_variance_and_is_blind_to_a_shift(noisy):
    ratings = np.stack(noisy, axis=1)
    n, k = ratings.shape
    frames, raters, grand = ratings.mean(axis=1), ratings.mean(axis=0), ratings.mean()
    between = k * np.sum((frames - grand) ** 2) / (n - 1)
    residual = np.sum((ratings - frames[:, None] - raters + grand) ** 2) / ((n - 1) * (k - 1))
    expected = (between - residual) / (between + (k - 1) * residual)
    y, p = noisy
    assert metrics.regression(y, p)["icc"] == pytest.approx(expected, abs=1e-12)
    assert metrics.regression(y, p + 0.4)["icc"] == pytest.approx(expected, abs=1e-12)
    assert metrics.regression(y, np.full_like(y, 0.4))["icc"] == 0
    assert np.isnan(metrics.regression(np.zeros(5), np.full(5, 0.4))["icc"])


@pytest.mark.parametrize("shift", [0.05, 0.3, -0.7])
def test_ccc_of_a_shifted_truth_has_its_closed_form_and_pcc_is_one(shift):
    y = np.linspace(-0.5, 0.5, 101)
    assert metrics.ccc(y, y + shift) == pytest.approx(2 * y.var() / (2 * y.var() + shift**2), abs=1e-12)
    assert metrics.pcc(y, y + shift) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("scale", [0.2, 0.5, 2.0])
def test_ccc_of_a_scaled_truth_has_its_closed_form(scale):
    y = np.linspace(-1, 1, 101)
    assert metrics.ccc(y, scale * y) == pytest.approx(2 * scale / (1 + scale**2), abs=1e-12)


@pytest.mark.parametrize("constant", [0.1, -0.7, 0.0])
def test_a_constant_prediction_has_no_pcc_and_a_ccc_of_zero(constant):
    y = np.linspace(-1, 1, 101)
    found = metrics.regression(y, np.full_like(y, constant))
    assert np.isnan(found["pcc"])
    assert found["ccc"] == 0


def test_two_different_constants_have_ccc_zero_and_the_same_constant_has_none():
    y = np.full(30, 0.1)
    assert metrics.ccc(y, np.full(30, 0.2)) == 0
    assert np.isnan(metrics.ccc(y, y))
    assert metrics.rmse(y, y) == 0


def test_zero_agrees_in_sign_with_zero_only():
    truth = np.array([0.0, 0.0, 0.3, -0.3, 0.3])
    assert metrics.sagr(truth, np.array([0.0, 0.1, 0.9, -0.1, -0.1])) == pytest.approx(3 / 5)


@settings(max_examples=60, deadline=None)
@given(columns)
def test_ccc_is_symmetric_and_never_beyond_pcc(pair):
    y, p = pair
    ccc, pcc = metrics.ccc(y, p), metrics.pcc(y, p)
    np.testing.assert_allclose(ccc, metrics.ccc(p, y), atol=1e-12)
    if np.isfinite(pcc):
        assert abs(ccc) <= abs(pcc) + 1e-9


@settings(max_examples=60, deadline=None)
@given(columns)
def test_pcc_keeps_its_value_under_positive_scaling_and_flips_under_negation(pair):
    y, p = pair
    np.testing.assert_allclose(metrics.pcc(y, 0.5 * p + 0.2), metrics.pcc(y, p), atol=1e-7)
    np.testing.assert_allclose(metrics.pcc(y, -p), -metrics.pcc(y, p), atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(columns)
def test_the_order_of_the_frames_does_not_matter(pair):
    y, p = pair
    forward, backward = metrics.regression(y, p), metrics.regression(y[::-1], p[::-1])
    np.testing.assert_allclose(list(forward.values()), list(backward.values()), atol=1e-9)


def test_an_unknown_value_is_refused_rather_than_scored():
    with pytest.raises(MtclarError, match="NaN"):
        metrics.regression(np.array([0.1, np.nan]), np.array([0.1, 0.2]))


def test_columns_of_different_length_are_refused():
    with pytest.raises(MtclarError, match="one length"):
        metrics.ccc(np.zeros(3), np.zeros(4))


def test_no_frames_give_unknown_metrics_and_no_warning():
    assert all(np.isnan(value) for value in metrics.regression(np.zeros(0), np.zeros(0)).values())


def test_accuracy_and_macro_f1_agree_with_an_explicit_count():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    found = metrics.from_confusion(metrics.confusion(truth, predicted, 8))
    scores = []
    for k in range(4):
        tp = sum(t == k and p == k for t, p in zip(truth, predicted, strict=True))
        precision, recall = tp / np.sum(predicted == k), tp / np.sum(truth == k)
        scores.append(2 * precision * recall / (precision + recall))
    assert found["accuracy"] == pytest.approx(np.mean(truth == predicted))
    assert found["macro_f1"] == pytest.approx(np.mean(scores))


def test_a_class_outside_the_known_ones_is_refused():
    with pytest.raises(MtclarError, match=r"outside 0\.\.7"):
        metrics.confusion(np.array([0, 8]), np.array([0, 0]), 8)
