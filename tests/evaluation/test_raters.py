"""Lag, scale and agreement of raters against simulated raters, published examples and plain accounts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.evaluation.metrics import ccc
from mtclar.evaluation.raters import Course, agreement, alpha, icc21, link, merged, together, undone


def moving(times: np.ndarray, seed: int) -> np.ndarray:
    """Valence and arousal that come and go within seconds."""
    rng = np.random.default_rng(seed)
    rates, phases = rng.uniform(0.3, 2.0, (2, 4)), rng.uniform(0, 6, (2, 4))
    return np.stack([0.18 * np.sin(np.outer(times, r) + p).sum(axis=1) for r, p in zip(rates, phases, strict=True)], 1)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.floats(-3, 3),
    st.floats(-0.2, 0.2),
    st.floats(0.5, 1.5),
    st.sampled_from([10.0, 25.0, 29.97]),
)
def test_a_simulated_lag_is_found_within_a_frame_and_the_offset_within_two_hundredths(seed, lag, offset, scale, fps):
    times = np.arange(0, 60, 1 / fps)
    rng = np.random.default_rng(seed)
    noise = 0.02 * rng.normal(size=(2, len(times), 2))
    first = {"clip": Course(times, moving(times, seed) + noise[0])}
    other = {"clip": Course(times, offset + scale * moving(times - lag, seed) + scale * noise[1])}
    found = link(first, other, 5.0)
    assert abs(found.lag - lag) <= 1 / fps
    np.testing.assert_allclose(found.offset, offset, atol=0.02)
    np.testing.assert_allclose(found.scale, scale, rtol=0.1)
    ((_, values),) = together([first, undone(other, found, scale=True)]).values()
    assert agreement(values[:, :, 0]).icc > 0.95


def test_lags_of_several_videos_at_other_rates_are_one():
    first, other = {}, {}
    for k, fps in enumerate((10, 25)):
        times = np.arange(0, 40, 1 / fps)
        first[f"v{k}"] = Course(times, moving(times, k))
        later = np.arange(0, 40, 1 / 12)
        other[f"v{k}"] = Course(later, moving(later - 1.2, k))
    assert abs(link(first, other, 4.0).lag - 1.2) < 0.04


def test_a_few_frames_that_both_rated_tell_a_scale_and_no_lag():
    times = np.array([0.0, 3.0, 7.0, 12.0, 20.0])
    values = moving(times, 3)
    found = link({"clip": Course(times, values)}, {"clip": Course(times, 0.1 + 0.5 * values)}, 5.0)
    assert found.lag is None
    assert found.pairs == 5
    np.testing.assert_allclose(found.offset, 0.1, atol=1e-9)
    np.testing.assert_allclose(found.scale, 0.5, atol=1e-9)


def test_raters_with_nothing_in_common_have_no_scale():
    rng = np.random.default_rng(0)
    times = np.arange(40.0)
    up = np.stack([times / 40, times / 40], axis=1)
    found = link({"a": Course(times, up)}, {"a": Course(times, -up)}, 2.0)
    assert np.isnan(found.scale).all()
    flat = link({"a": Course(times, rng.normal(size=(40, 2)))}, {"a": Course(times, np.zeros((40, 2)))}, 2.0)
    assert np.isnan(flat.scale).all()


SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)


def test_icc_is_that_of_shrout_and_fleiss_example():
    assert icc21(SHROUT_FLEISS) == pytest.approx(0.2898, abs=5e-4)


def test_alpha_is_that_of_krippendorffs_example():
    missing = np.nan
    raters = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, missing, missing, missing],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, missing, 3],
        [missing, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, missing],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, missing],
    ]
    assert alpha(np.array(raters, float).T) == pytest.approx(0.849, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(3, 12))
def test_alpha_is_one_less_observed_over_expected_disagreement_counted_pair_by_pair(seed, raters, n):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, raters))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    units = [row[np.isfinite(row)] for row in values if np.isfinite(row).sum() > 1]
    if not units:
        assert np.isnan(alpha(values))
        return
    total = sum(len(unit) for unit in units)
    seen = sum(((a - b) ** 2) / (len(unit) - 1) for unit in units for a in unit for b in unit) / total
    pooled = np.concatenate(units)
    chance = sum((a - b) ** 2 for a in pooled for b in pooled) / (total * (total - 1))
    assert alpha(values) == pytest.approx(1 - seen / chance, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.floats(-0.5, 0.5))
def test_two_raters_icc_is_near_their_ccc_and_one_of_each_other_is_perfect(seed, n, gap):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    assert icc21(np.stack([a, a], axis=1)) == pytest.approx(1)
    both = np.stack([a, a + gap + 0.3 * rng.normal(size=n)], axis=1)
    assert abs(icc21(both) - ccc(both[:, 0], both[:, 1])) < 3 / n + 1e-9  # they differ by terms of the order 1/n


def test_merged_ratings_are_means_with_the_standard_error_of_raters_who_differ():
    values = np.zeros((3, 2, 2))
    values[0, 1], values[1, 1], values[2, 1] = 0.1, 0.8, np.nan
    mean, error, count = merged(values)
    np.testing.assert_allclose(mean, [[0.05, 0.05], [0.4, 0.4], [0, 0]])
    assert count.tolist() == [2, 2, 1]
    assert (error[1] > error[0]).all()
    assert (error > 0).all()


def test_constant_and_empty_ratings_are_not_known_rather_than_wrong():
    assert np.isnan(icc21(np.zeros((4, 2))))
    assert np.isnan(alpha(np.zeros((4, 2))))
    assert np.isnan(alpha(np.full((4, 2), np.nan)))
    assert agreement(np.empty((0, 2))).n == 0
