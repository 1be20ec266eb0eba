"""The band holds about what it promises, on clips it has not seen."""

import numpy as np
import pytest

from mtclar.evaluation.calibration import reach


def clip_errors(rng, clips):
    """Errors whose size differs from clip to clip, in clips of very different length."""
    return [rng.normal(0, rng.uniform(0.05, 0.3), rng.integers(5, 60)) for _ in range(clips)]


@pytest.mark.parametrize("clips", [10, 31])
def test_a_frame_of_a_new_clip_lies_inside_about_as_often_as_wanted_and_at_least_as_often_as_assured(clips):
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(600):
        found = reach(clip_errors(rng, clips), 0.9)
        inside.append(np.mean(np.abs(clip_errors(rng, 1)[0]) <= found.value))
    assert 0.88 < np.mean(inside) < 0.92
    assert np.mean(inside) > found.assured


def test_scores_over_their_standard_deviation_hold_as_much_where_it_is_wide_as_where_it_is_narrow():
    rng = np.random.default_rng(1)

    def clip():
        sd = np.where(rng.uniform(size=40) < 0.5, 0.05, 0.3)
        return sd, rng.normal(0, 2 * sd)

    value = reach([error / sd for sd, error in (clip() for _ in range(60))], 0.9).value
    sd, error = (np.concatenate(part) for part in zip(*(clip() for _ in range(400)), strict=True))
    for chosen in (0.05, 0.3):
        assert np.mean(np.abs(error)[sd == chosen] <= value * chosen) == pytest.approx(0.9, abs=0.02)


def test_with_one_frame_a_clip_it_is_the_plain_quantile():
    errors = np.random.default_rng(1).normal(size=20)
    assert reach([np.array([error]) for error in errors], 0.9).value == np.sort(np.abs(errors))[17]


def test_a_long_clip_weighs_no_more_than_a_short_one():
    errors = [np.full(10, 0.1 * k) for k in range(1, 12)]
    longer = [*errors[:-1], np.full(10_000, 1.1)]
    assert reach(errors, 0.9) == reach(longer, 0.9)


@pytest.mark.parametrize(("clips", "assured"), [(1, 0.45), (9, 0.81), (99, 0.891)])
def test_what_is_assured_grows_with_the_clips(clips, assured):
    found = reach([np.array([0.1])] * clips, 0.9)
    assert found.assured == pytest.approx(assured)
    assert (found.value, found.clips) == (0.1, clips)


def test_without_clips_there_is_no_band():
    found = reach([np.array([])], 0.9)
    assert np.isnan(found.value)
    assert np.isnan(found.assured)
    assert found.clips == 0
