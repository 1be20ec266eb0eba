"""The band holds what it promises, on clips it has not seen."""

import numpy as np
import pytest

from mtclar.evaluation.calibration import half_width


def clip_errors(rng, clips):
    """Errors whose size differs from clip to clip, in clips of very different length."""
    return [rng.normal(0, rng.uniform(0.05, 0.3), rng.integers(5, 60)) for _ in range(clips)]


def test_a_frame_of_a_new_clip_lies_inside_at_least_as_often_as_promised():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        width = half_width(clip_errors(rng, 19), 0.9).value
        inside.append(np.mean(np.abs(clip_errors(rng, 1)[0]) <= width))
    assert np.mean(inside) >= 0.89
    assert np.mean(inside) < 0.97


def test_with_one_frame_a_clip_it_is_the_plain_split_conformal_quantile():
    errors = np.random.default_rng(1).normal(size=19)
    expected = np.sort(np.abs(errors))[int(np.ceil(20 * 0.9)) - 1]
    assert half_width([np.array([error]) for error in errors], 0.9).value == expected


def test_a_long_clip_weighs_no_more_than_a_short_one():
    errors = [np.full(10, 0.1 * k) for k in range(1, 12)]
    longer = [*errors[:-1], np.full(10_000, 1.1)]
    assert half_width(errors, 0.9) == half_width(longer, 0.9)


@pytest.mark.parametrize(("clips", "guaranteed"), [(8, False), (9, True)])
def test_nine_clips_are_needed_to_guarantee_ninety_percent(clips, guaranteed):
    found = half_width([np.array([0.1])] * clips, 0.9)
    assert found.guaranteed is guaranteed
    assert found.value == 0.1


def test_without_clips_there_is_no_band():
    found = half_width([np.array([])], 0.9)
    assert np.isnan(found.value)
    assert (found.clips, found.guaranteed) == (0, False)
