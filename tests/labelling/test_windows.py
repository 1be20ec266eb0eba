"""A kriged track: eyes where they see, time where they do not, whatever its length."""

from dataclasses import replace

import numpy as np
import pytest
from toy_track import TERMS, path, votes_of

from mtclar.labelling import interpolate, refine
from mtclar.labelling.kriging import Kriging
from mtclar.labelling.windows import krige

TIMES = np.arange(100) / 25
TRUTH = path(TIMES)
KNOWN = Kriging(replace(TERMS, gain=1.0), replace(TERMS, gain=1.0))
LEVEL = Kriging(*(replace(TERMS, gain=1.0, offset=0.05),) * 2)


@pytest.fixture(autouse=True)
def kriged_alone(monkeypatch):
    """The world of these tests is the kriged account's own; the one that takes readings at their word has others."""
    monkeypatch.setattr(refine, "PERSONAL_SHARE", 0.0)


def seen(rng: np.random.Generator, noise: float = 0.05) -> np.ndarray:
    """Readings of `TRUTH`: off by a constant, and noisy."""
    return TRUTH + 0.3 + rng.normal(0, noise, TRUTH.shape)


def rmse(found: np.ndarray, expected: np.ndarray = TRUTH) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def test_at_an_anchor_the_result_is_its_label_up_to_the_raters_noise():
    anchors = np.array([0, 40, 80])
    mean, _ = krige(votes_of(TIMES, TRUTH, seen(np.random.default_rng(0)), anchors), KNOWN)
    assert np.abs(mean[anchors] - TRUTH[anchors]).max() < 2 * TERMS.rater


def test_one_anchor_alone_is_its_label_plus_the_difference_that_is_seen():
    sure = Kriging(*(replace(TERMS, gain=1.0, drift=1e-4, look=1e-4, noise=1e-3, rater=1e-3, move=1.0),) * 2)
    readings = seen(np.random.default_rng(1))
    mean, _ = krige(votes_of(TIMES, TRUTH, readings, np.array([0])), sure)
    np.testing.assert_allclose(mean, TRUTH[0] + readings - readings[0], atol=0.02)


def test_a_reading_off_by_a_constant_changes_nothing():
    readings, anchors = seen(np.random.default_rng(2)), np.array([0, 50])
    one, other = (krige(votes_of(TIMES, TRUTH, readings + c, anchors), KNOWN)[0] for c in (0.0, 5.0))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_it_beats_interpolation_with_few_anchors_and_the_raw_difference_with_any():
    readings = seen(np.random.default_rng(3))
    for anchors in (np.array([0]), np.array([0, 50]), np.arange(0, 100, 20), np.arange(0, 100, 5)):
        mean, _ = krige(votes_of(TIMES, TRUTH, readings, anchors), KNOWN)
        assert rmse(mean) < rmse(interpolate(TIMES, TIMES[anchors], TRUTH[anchors]))
        assert rmse(mean) < rmse(TRUTH[0] + readings - readings[0])


def test_close_anchors_and_a_network_that_is_blind_are_as_good_as_interpolation():
    anchors = np.arange(0, 100, 5)
    mean, _ = krige(votes_of(TIMES, TRUTH, np.zeros_like(TRUTH), anchors), KNOWN)
    inner = slice(0, anchors[-1] + 1)
    lines = interpolate(TIMES, TIMES[anchors], TRUTH[anchors])
    assert rmse(mean[inner], TRUTH[inner]) < 1.5 * rmse(lines[inner], TRUTH[inner]) + 0.005


def test_where_the_face_can_hardly_be_seen_it_leans_on_time_and_says_so_the_more_the_worse():
    wrong = seen(np.random.default_rng(4), noise=0.0)
    dark = slice(40, 60)
    wrong[dark] += 0.5
    anchors = np.array([0, 30, 70, 99])
    errors, widths = [], []
    for quality in (1.0, 0.5, 0.2, 0.05, 0.02):
        shown = np.ones(100)
        shown[dark] = quality
        mean, sd = krige(votes_of(TIMES, TRUTH, wrong, anchors, quality=shown), KNOWN)
        errors.append(rmse(mean[dark], TRUTH[dark]))
        widths.append(sd[dark].mean())
    assert (np.diff(errors) < 0).all()
    assert (np.diff(widths) > 0).all()
    assert errors[0] > 0.3
    assert errors[-1] < 0.1
    clear = np.r_[0:35, 65:100]
    assert rmse(mean[clear], TRUTH[clear]) < 0.05


def test_faces_of_unknown_quality_count_as_clear():
    readings, anchors = seen(np.random.default_rng(5)), np.array([0, 50])
    without, _ = krige(votes_of(TIMES, TRUTH, readings, anchors), KNOWN)
    unknown, _ = krige(votes_of(TIMES, TRUTH, readings, anchors, quality=np.full(100, np.nan)), KNOWN)
    np.testing.assert_array_equal(without, unknown)


def test_the_band_holds_the_truth_as_often_as_it_says_where_the_model_is_right():
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        gaps = np.abs(TIMES[:, None] - TIMES)
        near = np.sqrt(3) * gaps / TERMS.move_s
        smooth = np.linalg.cholesky(TERMS.move**2 * (1 + near) * np.exp(-near) + 1e-9 * np.eye(100))
        truth = smooth @ rng.normal(size=(100, 2))
        last = np.linalg.cholesky(TERMS.drift**2 * np.exp(-gaps / TERMS.drift_s) + 1e-9 * np.eye(100))
        readings = truth + last @ rng.normal(size=(100, 2)) + rng.normal(0, TERMS.noise, (100, 2))
        labels = np.clip(truth + rng.normal(0, TERMS.rater, (100, 2)), -1, 1)
        mean, sd = krige(votes_of(TIMES, truth, readings, np.array([0, 50]), labels=labels[[0, 50]]), KNOWN)
        inside.append(np.abs(mean - truth) <= 1.645 * sd)
    assert 0.88 < np.mean(inside) < 0.96


@pytest.mark.parametrize("every", [25, 200, 899])
def test_windows_give_what_the_whole_gives(every):
    times_s = np.arange(900) / 25
    truth = path(times_s)
    rng = np.random.default_rng(6)
    readings = truth + rng.normal(0, 0.06, truth.shape)
    quality = np.where(rng.uniform(size=900) < 0.1, 0.1, 1.0)
    votes = votes_of(times_s, truth, readings, np.arange(0, 900, every), quality=quality)
    mean, sd = krige(votes, KNOWN)
    whole, whole_sd = krige(votes, KNOWN, window=900, nearest=900)
    assert np.abs(mean - whole).max() < 0.02
    np.testing.assert_allclose(sd, whole_sd, rtol=0.1)


def test_the_order_of_the_frames_does_not_matter():
    readings, anchors = seen(np.random.default_rng(7)), np.array([10, 50])
    votes = votes_of(TIMES, TRUTH, readings, anchors)
    shuffled = np.random.default_rng(8).permutation(100)
    moved = replace(
        votes,
        queries=replace(
            votes.queries, embeddings=votes.queries.embeddings[shuffled], times_s=votes.queries.times_s[shuffled]
        ),
        votes=votes.votes[shuffled],
    )
    straight, mixed = krige(votes, KNOWN)[0], krige(moved, KNOWN)[0]
    np.testing.assert_allclose(mixed, straight[shuffled], atol=1e-9)


def test_anchors_of_strangers_say_less_than_anchors_of_the_clip():
    readings, anchors = seen(np.random.default_rng(9)), np.array([0, 50])
    _, own = krige(votes_of(TIMES, TRUTH, readings, anchors), KNOWN)
    mean, foreign = krige(votes_of(TIMES, TRUTH, readings, anchors, foreign=True), KNOWN)
    assert np.isfinite(mean).all()
    assert (foreign > own).all()
    assert foreign.mean() > 0.9 * TERMS.offset


@pytest.mark.parametrize("foreign", [False, True])
def test_a_head_that_knows_levels_makes_an_anchor_and_one_of_a_stranger_say_more(foreign):
    errors = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        readings, levels = seen(rng), TRUTH + rng.normal(0, 0.03, 2) + rng.normal(0, 0.05, TRUTH.shape)
        with_levels = votes_of(TIMES, TRUTH, readings, np.array([0]), foreign=foreign, levels=levels)
        without = votes_of(TIMES, TRUTH, readings, np.array([0]), foreign=foreign)
        (mean, sd), (other, other_sd) = krige(with_levels, LEVEL), krige(without, LEVEL)
        assert sd.mean() < 0.95 * other_sd.mean()
        errors.append((rmse(mean), rmse(other)))
    better, worse = np.mean(errors, axis=0)
    assert better < worse


def test_levels_that_no_head_says_count_as_no_levels():
    readings, anchors = seen(np.random.default_rng(12)), np.array([0, 50])
    unknown = votes_of(TIMES, TRUTH, readings, anchors, levels=np.full((100, 2), np.nan))
    np.testing.assert_array_equal(krige(unknown, KNOWN)[0], krige(votes_of(TIMES, TRUTH, readings, anchors), KNOWN)[0])


def test_an_anchor_far_from_the_level_that_the_head_says_moves_the_whole_clip():
    off = TRUTH + 0.5  # the head is wrong about this person by five times what is usual
    usual = Kriging(*(replace(TERMS, gain=1.0, offset=0.1, scale=0.05),) * 2)
    mean, _ = krige(votes_of(TIMES, TRUTH, TRUTH, np.array([0]), levels=off), usual)
    assert rmse(mean) < 0.1


def test_with_anchors_that_contradict_the_readings_the_readings_are_believed_less():
    anchors = np.arange(0, 100, 10)
    fair, noisy = (seen(np.random.default_rng(10), noise) for noise in (0.03, 0.3))
    _, sure = krige(votes_of(TIMES, TRUTH, fair, anchors), KNOWN)
    _, unsure = krige(votes_of(TIMES, TRUTH, noisy, anchors), KNOWN)
    between = np.delete(np.arange(100), anchors)
    assert unsure[between].mean() > 1.2 * sure[between].mean()


def test_without_an_anchor_the_readings_are_smoothed_and_the_band_is_wider():
    rng = np.random.default_rng(13)
    levels, none = TRUTH + rng.normal(0, 0.06, TRUTH.shape), np.empty(0, int)
    mean, sd = krige(votes_of(TIMES, TRUTH, levels, none, levels=levels), LEVEL)
    assert rmse(mean) < 0.7 * rmse(levels)
    _, told = krige(votes_of(TIMES, TRUTH, levels, np.array([0, 50]), levels=levels), LEVEL)
    assert sd.mean() > 1.2 * told.mean()
    assert (sd >= 0.9 * LEVEL.valence.offset).all()


@pytest.mark.parametrize("frames", [1, 2])
def test_a_picture_or_two_are_labelled_without_an_anchor(frames):
    mean, sd = krige(votes_of(TIMES[:frames], TRUTH, TRUTH[:frames], np.empty(0, int), levels=TRUTH[:frames]), LEVEL)
    assert np.abs(mean - TRUTH[:frames]).max() < 0.1
    assert (sd > 0).all()


def test_three_anchors_tell_how_much_a_person_shows_and_one_leaves_it_as_it_is():
    scaled, fixed = (Kriging(*(replace(TERMS, gain=1.0, offset=0.05, scale=s),) * 2) for s in (0.4, 1e-6))
    gains = []
    for seed in range(10):
        shown = TERMS.mean + 0.5 * (TRUTH - TERMS.mean)  # half of it, around the mean of all
        levels = shown + np.random.default_rng(seed).normal(0, 0.03, TRUTH.shape)
        found = []
        for anchors in (np.array([50]), np.array([5, 35, 65])):
            votes = votes_of(TIMES, TRUTH, levels, anchors, levels=levels)
            found += [rmse(krige(votes, terms)[0]) for terms in (scaled, fixed)]
        gains.append(found)
    one, one_fixed, three, three_fixed = np.mean(gains, axis=0)
    assert one < 1.05 * one_fixed
    assert three < 0.7 * three_fixed
