"""The finer metrics against numpy, loops and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtclar.evaluation import fine, metrics
from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.scores import plain

tenths = st.integers(-10, 10).map(lambda step: step / 10)
columns = st.integers(1, 40).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=tenths) for _ in "yp"]))


@pytest.fixture
def clips():
    """Five clips on the grid, with the bootstrap over them."""
    rng = np.random.default_rng(2)
    counts = [30, 25, 41, 22, 28]
    clip = np.repeat(np.arange(5), counts)
    position = np.concatenate([np.arange(n) for n in counts])
    walk = np.cumsum(rng.integers(-1, 2, len(clip))) / 10
    truth = np.clip(walk - walk.mean(), -1, 1).round(1)
    prediction = np.clip(truth + rng.normal(0, 0.1, len(clip)), -1, 1)
    return by_cluster(clip, 200, np.random.default_rng(0)), clip, position, truth, prediction


@settings(max_examples=60, deadline=None)
@given(columns)
def test_tolerance_and_grid_accuracies_are_those_of_whole_steps(pair):
    y, p = pair
    steps = np.abs(np.rint(10 * y) - np.rint(10 * p))
    found = {name: column.mean() for name, column in fine.near_enough(y, p).items()}
    assert found["ta_05"] == found["grid"] == np.mean(steps == 0)
    assert found["ta_10"] == found["grid_near"] == np.mean(steps <= 1)
    assert found["ta_20"] == np.mean(steps <= 2)
    assert found["ta_30"] == np.mean(steps <= 3)


def test_the_area_under_tolerance_accuracy_is_that_of_a_fine_grid_of_tolerances(clips):
    *_, y, p = clips
    grid = np.linspace(0, 0.5, 20001)
    expected = np.trapezoid([(np.abs(y - p) <= t).mean() for t in grid], grid) / 0.5
    assert fine.near_enough(y, p)["ta_area"].mean() == pytest.approx(expected, abs=1e-4)
    assert fine.near_enough(y, y)["ta_area"].mean() == 1
    assert fine.near_enough(np.zeros(1), np.full(1, 0.5))["ta_area"].mean() == 0


@settings(max_examples=40, deadline=None)
@given(columns, st.integers(-3, 3))
def test_shifting_both_by_steps_of_the_grid_changes_nothing_and_so_does_swapping_them(pair, steps):
    y, p = pair
    mean = {name: column.mean() for name, column in fine.near_enough(y, p).items()}
    moved = fine.near_enough((y + steps / 10).round(1), (p + steps / 10).round(1))
    swapped = fine.near_enough(p, y)
    for name, value in mean.items():
        assert moved[name].mean() == pytest.approx(value, abs=1e-9)
        assert swapped[name].mean() == pytest.approx(value, abs=1e-9)


def test_labels_off_the_grid_have_no_grid_accuracy_and_are_counted():
    y, p = np.array([0.1, 0.23, -0.4]), np.array([0.1, 0.2, -0.4])
    found = fine.fine_block(by_cluster(np.arange(3), 100, np.random.default_rng(0)), y, p)
    assert np.isnan(found["grid"])
    assert np.isnan(found["grid_near"])
    assert found["off_grid"] == 1
    assert found["ta_05"] == 1
    assert "per_clip" not in found


def test_quantiles_are_numpys_and_those_of_no_frames_are_unknown(clips):
    *_, y, p = clips
    found = fine.quantiles(y, p)
    assert found["median_ae"] == np.median(np.abs(y - p))
    assert found["p90_ae"] == np.percentile(np.abs(y - p), 90)
    assert all(np.isnan(value) for value in fine.quantiles(np.zeros(0), np.zeros(0)).values())


def test_values_per_clip_are_plain_means_over_clips_and_lie_within_their_intervals(clips):
    bootstrap, clip, position, y, p = clips
    found = fine.fine_block(bootstrap, y, p, clip=clip, position=position)
    own = found["per_clip"]
    assert own["ccc"] == pytest.approx(np.mean([metrics.ccc(y[clip == c], p[clip == c]) for c in range(5)]))
    assert own["p95_ae"] == pytest.approx(np.mean([np.percentile(np.abs(y - p)[clip == c], 95) for c in range(5)]))
    for name in ("ccc", "mae", "kendall", "dtw"):
        assert own["ci_low"][name] <= own[name] <= own["ci_high"][name]
    assert found["ci_low"]["ta_10"] <= found["ta_10"] <= found["ci_high"]["ta_10"]
    assert found["sda_1"] == pytest.approx(
        np.mean([2 * (same(y, i) == same(p, i)) - 1 for i in range(len(y) - 1) if clip[i] == clip[i + 1]])
    )
    assert own["n_clips"] == 5


def same(column, i):
    """Direction of the step from frame i to the next."""
    step = column[i + 1] - column[i]
    return 0 if abs(step) <= 0.05 + 1e-9 else np.sign(step)


def test_clips_that_do_not_move_are_counted_and_leave_no_nan_in_the_file(clips):
    bootstrap, clip, position, y, p = clips
    y = np.where(clip <= 1, 0.2, y)
    own = plain(fine.fine_block(bootstrap, y, p, clip=clip, position=position))["per_clip"]
    for name in ("pcc", "kendall", "spearman", "delay"):
        assert own["undefined"][name] == 2
        assert own[name] is not None
    assert own["undefined"]["dtw"] == own["undefined"]["ccc"] == 0
    still = plain(fine.fine_block(bootstrap, y, np.zeros_like(y), clip=clip, position=position))
    assert still["kendall"] is None
    assert still["per_clip"]["kendall"] is None
    assert still["per_clip"]["undefined"]["kendall"] == 5


def test_a_clip_shorter_than_a_lag_leaves_that_lag_undefined():
    clip, position = np.repeat([0, 1], 3), np.tile(np.arange(3), 2)
    y = np.array([0.1, 0.2, 0.3, 0.0, 0.1, 0.0])
    found = plain(fine.fine_block(by_cluster(clip, 100, np.random.default_rng(0)), y, y, clip=clip, position=position))
    assert found["sda_1"] == 1
    assert found["sda_5"] is None
    assert found["direction_20"] is None


def test_skill_is_none_for_a_copy_one_for_the_truth_and_below_none_for_worse(clips):
    bootstrap, _, _, y, p = clips
    ours, worse = bootstrap.regression(y, p)["rmse"], bootstrap.regression(y, -y)["rmse"]
    assert fine.skill(ours, ours).value == 0
    assert fine.skill(bootstrap.regression(y, y)["rmse"], ours).value == 1
    assert fine.skill(worse, ours).value == pytest.approx(1 - np.mean((2 * y) ** 2) / np.mean((y - p) ** 2))
    assert np.isnan(fine.skill(ours, bootstrap.regression(y, y)["rmse"]).value)
    low, high = fine.skill(ours, worse).interval()
    assert low <= fine.skill(ours, worse).value <= high


def test_a_band_holds_the_share_that_a_count_finds_and_unknown_bands_are_counted(clips):
    bootstrap, clip, _, y, p = clips
    low, high = p - 0.1, p + 0.15
    low[3] = np.nan
    found = fine.interval_block(bootstrap, clip, y, low, high, target=0.9)
    inside = [low[i] <= y[i] <= high[i] for i in range(len(y)) if i != 3]
    assert found["coverage"] == pytest.approx(np.mean(inside))
    assert found["width"] == pytest.approx(0.25)
    assert found["unknown"] == 1
    each = np.array(
        [np.mean([low[i] <= y[i] <= high[i] for i in np.flatnonzero(clip == c) if i != 3]) for c in range(5)]
    )
    assert found["per_clip"] == {
        "coverage": pytest.approx(each.mean()),
        "lowest": each.min(),
        "below_target": int((each < 0.9).sum()),
        "n_clips": 5,
    }


def test_without_any_band_coverage_is_unknown(clips):
    bootstrap, clip, _, y, _ = clips
    unknown = np.full(len(y), np.nan)
    found = plain(fine.interval_block(bootstrap, clip, y, unknown, unknown, target=0.9))
    assert found["coverage"] is None
    assert found["per_clip"] == {"coverage": None, "lowest": None, "below_target": 0, "n_clips": 0}


def test_the_area_under_error_by_budget_is_the_mean_error_over_the_range():
    assert fine.area_under_budget([0.1, 0.0], [0.2, 0.4]) == pytest.approx(0.3)
    assert fine.area_under_budget([0.01, 0.02, 0.1], [0.5, 0.5, 0.5]) == pytest.approx(0.5)
    assert fine.area_under_budget([0.01, 0.02, 0.1], [0.3, float("nan"), 0.1]) == pytest.approx(0.2)
    assert fine.area_under_budget([0.06], [0.3]) == 0.3
    assert np.isnan(fine.area_under_budget([], []))
