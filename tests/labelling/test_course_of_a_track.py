"""The course of predictions, against the same process with dense matrices."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.labelling.course import LEAST_NOISE, Course, course, roughness


def dense(hyper: Course, times_s: np.ndarray, readings: np.ndarray, noises: np.ndarray):
    """Mean and variance of an Ornstein-Uhlenbeck process around the weighted mean, given readings with such noise."""
    seen = np.isfinite(readings)
    middle = np.average(readings[seen], weights=noises[seen] ** -2.0)
    prior = hyper.spread**2 * np.exp(-np.abs(times_s[:, None] - times_s) / hyper.lasting_s)
    known = prior[np.ix_(seen, seen)] + np.diag(noises[seen] ** 2)
    lever = np.linalg.solve(known, prior[seen]).T
    return middle + lever @ (readings[seen] - middle), np.diag(prior - lever @ prior[seen])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.floats(0.0, 0.9), st.integers(0, 2**32 - 1))
def test_it_is_the_process_given_all_readings_and_haze_is_what_clear_faces_would_tell_more(n, gone, seed):
    rng = np.random.default_rng(seed)
    hyper = Course(*rng.uniform(0.05, 0.5, 3), rng.uniform(0.2, 2.0))
    times_s, readings, quality = np.cumsum(rng.uniform(0.01, 0.3, n)), rng.normal(size=n), rng.uniform(0.02, 1, n)
    readings[rng.uniform(size=n) < gone] = np.nan
    if np.isnan(readings).all():
        readings[0] = 0.2
    mean, haze = course(hyper, times_s, readings, quality)
    own = min(hyper.noise, max(LEAST_NOISE, roughness(times_s, readings)))
    hazy = np.sqrt(own**2 + hyper.noise**2 * (quality**-hyper.haze - 1))
    wanted, variance = dense(hyper, times_s, readings, hazy)
    clear = dense(hyper, times_s, np.zeros(n), np.full(n, own))[1]
    np.testing.assert_allclose(mean, wanted, atol=1e-9)
    np.testing.assert_allclose(haze, np.maximum(variance - clear, 0), atol=1e-9)


def test_a_dark_face_and_none_at_all_are_bridged_by_those_around_them_and_said_to_be_unsure():
    hyper = Course(0.3, 1.0, 0.05, 1.5)
    times_s, readings, quality = np.arange(21) / 10, np.full(21, 0.2), np.ones(21)
    readings[10], quality[10] = 0.9, 0.02
    dark, unsure = course(hyper, times_s, readings, quality)
    assert dark[10] < 0.3
    assert unsure[10] > 5 * unsure[3]
    readings[10] = np.nan
    gone, unknown = course(hyper, times_s, readings, quality)
    assert abs(gone[10] - 0.2) < 1e-6
    assert unknown[10] > unsure[10]


def test_without_a_reading_nothing_is_known():
    mean, haze = course(Course(0.3, 1.0, 0.05, 1.5), np.arange(3.0), np.full(3, np.nan), np.ones(3))
    assert np.isnan(mean).all()
    assert np.isnan(haze).all()


@settings(max_examples=20, deadline=None)
@given(st.floats(0.005, 0.3), st.integers(0, 2**32 - 1))
def test_roughness_is_the_size_of_independent_errors_whatever_changes_slowly_beneath_them(size, seed):
    rng, times_s = np.random.default_rng(seed), np.arange(2000) / 25
    slow = 0.5 * np.sin(times_s / 3) + np.where(times_s > 40, 0.6, 0.0)
    found = roughness(times_s, slow + rng.normal(0, size, len(times_s)))
    assert abs(found / size - 1) < 0.15


def test_a_quick_change_of_a_smooth_track_is_kept_and_one_of_a_rough_track_is_doubted():
    hyper, times_s = Course(0.3, 1.0, 0.2, 0.5), np.arange(100) / 25
    jump = np.where(times_s < 3.9, 0.7, 0.1)  # in the last two frames
    smooth = course(hyper, times_s, jump, np.ones(100))[0]
    rough = course(hyper, times_s, jump + np.random.default_rng(1).normal(0, 0.3, 100), np.ones(100))[0]
    assert abs(smooth[-1] - 0.1) < 0.02
    assert rough[-1] > 0.2


def test_roughness_of_a_few_frames_or_of_uneven_ones_is_not_known():
    rng = np.random.default_rng(2)
    assert np.isinf(roughness(np.arange(9) / 25, rng.normal(size=9)))
    assert np.isinf(roughness(np.cumsum(2.0 ** np.arange(30)), rng.normal(size=30)))
