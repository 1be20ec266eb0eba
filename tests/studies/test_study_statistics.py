import numpy as np
import pytest

from mtclar.evaluation.bootstrap import Draws
from studies.statistics import differences, measured


def draws(values, spread: float, resamples: int = 4000) -> list[Draws]:
    """Seeds with these values; clips move all of them together by a normal deviation."""
    moved = np.random.default_rng(0).normal(0, spread, resamples)
    return [Draws(value, value + moved) for value in values]


def test_the_interval_over_clips_leaves_the_seeds_alone():
    found = measured(draws([0.5, 0.7], 0.01), np.random.default_rng(1))
    assert found.value == pytest.approx(0.6)
    assert found.clips == pytest.approx((0.6 - 0.0196, 0.6 + 0.0196), abs=0.002)


def test_the_interval_over_seeds_is_students():
    scipy = pytest.importorskip("scipy.stats")
    values = np.array([0.1, 0.3, 0.2, 0.5])
    found = measured(draws(values, 0.01), np.random.default_rng(1))
    expected = scipy.t.interval(0.95, 3, loc=values.mean(), scale=scipy.sem(values))
    assert found.trainings == pytest.approx(expected, abs=1e-3)


def test_the_interval_over_both_adds_the_variances_of_clips_and_seeds():
    values = np.random.default_rng(2).normal(0, 0.1, 200)
    found = measured(draws(values, 0.01), np.random.default_rng(1))
    half = 1.96 * np.sqrt(0.01**2 + values.var(ddof=1) / 200)
    assert (found.both[1] - found.both[0]) / 2 == pytest.approx(half, rel=0.06)


def test_few_seeds_are_widened_to_the_unbiased_variance():
    values = [0.0, 0.1]
    found = measured(draws(values, 1e-9, resamples=20000), np.random.default_rng(1))
    drawn_sd = np.sqrt(np.var(values, ddof=1) / 2)
    assert found.both[1] - found.both[0] == pytest.approx(2 * drawn_sd * np.sqrt(2), rel=0.01)  # the two extremes


def test_one_seed_has_no_interval_over_seeds():
    found = measured(draws([0.4], 0.01), np.random.default_rng(1))
    assert np.isnan(found.trainings).all()
    assert found.both == found.clips


def test_what_two_variants_share_falls_out_of_their_difference():
    ours, others = draws([0.5, 0.7, 0.6], 0.2), draws([0.4, 0.6, 0.5], 0.2)
    found = differences(ours, others, np.random.default_rng(1))
    assert found.value == pytest.approx(0.1)
    assert found.both == pytest.approx((0.1, 0.1), abs=1e-9)


def test_seeds_that_only_one_variant_has_do_not_count():
    found = differences(draws([1.0, 2.0, 9.0], 0.1), draws([0.0, 0.0], 0.1), np.random.default_rng(1))
    assert found.seeds.tolist() == [1.0, 2.0]
