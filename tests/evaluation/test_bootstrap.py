"""The cluster bootstrap against an explicit loop, closed forms and its own promises."""

import time

import numpy as np
import pytest
from scipy import stats

from mtclar.evaluation import metrics
from mtclar.evaluation.bootstrap import Draws, by_cluster, pigeonhole


def clips(rng, count=20, frames=30):
    cluster = np.repeat(np.arange(count), frames)
    truth = rng.uniform(-0.8, 0.8, count)[cluster] + rng.normal(0, 0.1, len(cluster))
    return cluster, truth, truth + rng.normal(0, 0.2, count)[cluster] + rng.normal(0, 0.05, len(cluster))


def test_a_resample_is_the_metric_of_the_frames_of_the_clips_drawn():
    cluster, truth, prediction = clips(np.random.default_rng(0), count=6)
    found = by_cluster(cluster, 25, np.random.default_rng(5)).regression(truth, prediction)
    counts = np.random.default_rng(5).multinomial(6, np.full(6, 1 / 6), size=25)
    for i, drawn in enumerate(counts):
        rows = np.concatenate([np.flatnonzero(cluster == c) for c in range(6) for _ in range(drawn[c])])
        expected = metrics.regression(truth[rows], prediction[rows])
        for name in metrics.REGRESSION:
            assert found[name].resampled[i] == pytest.approx(expected[name], abs=1e-10)


def test_the_interval_of_a_mean_agrees_with_its_normal_theory():
    rng = np.random.default_rng(1)
    holds = rng.random(4000) < 0.3
    low, high = by_cluster(np.arange(4000), 2000, rng).share(holds).interval()
    half = stats.norm.ppf(0.975) * np.sqrt(0.3 * 0.7 / 4000)
    assert low == pytest.approx(holds.mean() - half, abs=0.003)
    assert high == pytest.approx(holds.mean() + half, abs=0.003)


def test_resampling_clips_gives_a_wider_interval_than_resampling_frames():
    rng = np.random.default_rng(2)
    cluster, truth, prediction = clips(rng)
    by_clip = by_cluster(cluster, 500, rng).regression(truth, prediction)["mae"].interval()
    by_frame = by_cluster(np.arange(len(cluster)), 500, rng).regression(truth, prediction)["mae"].interval()
    assert by_clip[1] - by_clip[0] > 2 * (by_frame[1] - by_frame[0])


def test_the_paired_difference_of_a_method_with_itself_is_nothing():
    rng = np.random.default_rng(3)
    cluster, truth, prediction = clips(rng)
    bootstrap = by_cluster(cluster, 100, rng)
    first, again = (bootstrap.regression(truth, prediction)["ccc"] for _ in range(2))
    assert (first - again).interval() == (0, 0)


def test_the_paired_difference_is_narrower_than_the_two_intervals_together():
    rng = np.random.default_rng(4)
    cluster, truth, prediction = clips(rng)
    bootstrap = by_cluster(cluster, 500, rng)
    a, b = (bootstrap.regression(truth, p)["rmse"] for p in (prediction, prediction + 0.02))
    widths = [high - low for low, high in (a.interval(), b.interval(), (b - a).interval())]
    assert widths[2] < 0.5 * (widths[0] + widths[1])


def test_the_same_seed_gives_the_same_interval():
    cluster, truth, prediction = clips(np.random.default_rng(5))
    first, again = (
        by_cluster(cluster, 100, np.random.default_rng(9)).regression(truth, prediction)["ccc"].interval() for _ in "ab"
    )
    assert first == again


def test_one_cluster_alone_has_a_value_but_no_interval():
    truth = np.linspace(-1, 1, 30)
    found = by_cluster(np.zeros(30), 100, np.random.default_rng(0)).regression(truth, truth)["ccc"]
    assert found.value == pytest.approx(1)
    assert np.isnan(found.interval()).all()


def test_no_rows_give_no_value_and_no_interval():
    found = by_cluster(np.zeros(0), 100, np.random.default_rng(0)).regression(np.zeros(0), np.zeros(0))["rmse"]
    assert np.isnan(found.value)
    assert np.isnan(found.interval()).all()


def test_a_metric_that_most_resamples_leave_undefined_has_no_interval():
    assert np.isnan(Draws(0.5, np.array([0.5, np.nan, np.nan])).interval()).all()


def test_a_pair_weighs_the_product_of_its_peoples_draws():
    left, right = np.array(["a", "a", "b", "c"]), np.array(["b", "a", "c", "a"])
    holds = np.array([True, False, True, False])
    found = pigeonhole(left, right, 40, np.random.default_rng(7)).share(holds)
    counts = np.random.default_rng(7).multinomial(3, np.full(3, 1 / 3), size=40)
    for i, (a, b, c) in enumerate(counts):
        weights = np.array([a * b, a, b * c, c * a], float)
        expected = (weights @ holds) / weights.sum() if weights.sum() else np.nan
        np.testing.assert_allclose(found.resampled[i], expected)


def test_macro_f1_and_accuracy_are_resampled_with_the_whole_confusion():
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 8, 300)
    predicted = np.where(rng.random(300) < 0.6, truth, rng.integers(0, 8, 300))
    found = by_cluster(np.arange(300), 300, rng).classification(truth, predicted, 8)
    low, high = found["accuracy"].interval()
    assert found["accuracy"].value == pytest.approx(np.mean(truth == predicted))
    assert low < found["accuracy"].value < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.65 * 0.35 / 300), rel=0.2)


def test_a_thousand_resamples_of_many_frames_take_a_moment():
    cluster, truth, prediction = clips(np.random.default_rng(6), count=600, frames=50)
    start = time.perf_counter()
    by_cluster(cluster, 1000, np.random.default_rng(0)).regression(truth, prediction)
    assert time.perf_counter() - start < 1.0


def test_means_pass_over_rows_without_a_value_and_keep_the_draws_of_one_bootstrap():
    clusters = np.repeat(np.arange(6), 5)
    values = np.random.default_rng(4).normal(size=30)
    values[::7] = np.nan
    bootstrap = by_cluster(clusters, 300, np.random.default_rng(0))
    found = bootstrap.means({"a": values, "b": 2 * values, "none": np.full(30, np.nan)})
    assert found["a"].value == pytest.approx(np.nanmean(values))
    np.testing.assert_allclose(found["b"].resampled, 2 * found["a"].resampled)
    assert np.isnan(found["none"].value)
    assert np.isnan(found["none"].interval()).all()


def test_a_table_of_one_row_a_clip_is_resampled_with_the_people_of_the_frames():
    clip = np.repeat(np.arange(4), 3)
    people = np.array(["p", "p", "q", "r"])[clip]
    bootstrap = by_cluster(people, 200, np.random.default_rng(0))
    per_clip = np.array([0.1, 0.5, 0.2, 0.9])
    clips_alike = bootstrap.of_groups(clip).means({"x": per_clip})["x"]
    frames = bootstrap.means({"x": per_clip[clip]})["x"]
    assert clips_alike.value == pytest.approx(per_clip.mean())
    np.testing.assert_allclose(clips_alike.resampled, frames.resampled)
