"""Pooled, per clip and per fold, from the sums alone, against loops over the frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.evaluation import metrics
from mtclar.evaluation.pooling import over_folds, poolings, sums_by_clip


@pytest.fixture
def clips():
    """Frames of six clips, the last of which does not move, in three folds."""
    rng = np.random.default_rng(1)
    clip = np.repeat(np.arange(6), [9, 4, 20, 7, 5, 6])
    truth = rng.uniform(-1, 1, len(clip))
    truth[clip == 5] = 0.3
    return clip, truth, np.clip(0.7 * truth + rng.normal(0, 0.2, len(clip)), -1, 1), np.array([0, 0, 1, 1, 2, 2])


def test_pooled_values_are_those_of_all_frames_together(clips):
    clip, y, p, _ = clips
    found = poolings(sums_by_clip(clip, y, p))["pooled"]
    assert found == pytest.approx(metrics.regression(y, p))


def test_values_per_clip_are_means_over_the_clips_that_define_them_and_the_others_are_counted(clips):
    clip, y, p, _ = clips
    found = poolings(sums_by_clip(clip, y, p))["per_clip"]
    each = [metrics.regression(y[clip == c], p[clip == c]) for c in range(6)]
    for name in metrics.REGRESSION:
        known = [one[name] for one in each if np.isfinite(one[name])]
        assert found[name] == pytest.approx(np.mean(known))
        assert found["undefined"][name] == 6 - len(known)
    assert found["undefined"]["pcc"] == 1


def test_values_per_fold_are_mean_and_spread_of_the_pooled_folds(clips):
    clip, y, p, folds = clips
    found = poolings(sums_by_clip(clip, y, p), folds)["per_fold"]
    each = [metrics.regression(y[folds[clip] == f], p[folds[clip] == f]) for f in range(3)]
    for name in metrics.REGRESSION:
        assert found["mean"][name] == pytest.approx(np.mean([one[name] for one in each]))
        assert found["sd"][name] == pytest.approx(np.std([one[name] for one in each]))
    assert found["folds"] == 3


def test_a_fold_without_a_metric_is_counted_and_left_out():
    found = over_folds([{"pcc": 0.5}, {"pcc": None}, {"pcc": float("nan")}, {"pcc": 0.7}])
    assert found["mean"]["pcc"] == pytest.approx(0.6)
    assert found["sd"]["pcc"] == pytest.approx(0.1)
    assert found["undefined"]["pcc"] == 2
    assert np.isnan(over_folds([{"pcc": None}])["mean"]["pcc"])


def test_no_clips_have_no_values():
    found = poolings(sums_by_clip(np.zeros(0, int), np.zeros(0), np.zeros(0)))
    assert all(np.isnan(found[kind][name]) for kind in ("pooled", "per_clip") for name in metrics.REGRESSION)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_the_order_of_the_clips_does_not_matter(seed, count):
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(count), rng.integers(2, 9, count))
    total = sums_by_clip(clip, rng.uniform(-1, 1, len(clip)), rng.uniform(-1, 1, len(clip)))
    mixed = poolings(total[rng.permutation(count)])
    for kind, found in poolings(total).items():
        assert [mixed[kind][name] for name in metrics.REGRESSION] == pytest.approx(
            [found[name] for name in metrics.REGRESSION], nan_ok=True, abs=1e-9
        )
