"""Readings taken at their word, up to a person's level and scale."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from toy_track import KRIGING, votes_of

from mtclar.labelling import krige
from mtclar.labelling.personal import ERROR_S, ERRORS, LEVEL, SCALE, Anchored, Personal

TIMES = np.arange(60) / 25
READINGS = np.sin(2 * TIMES)
RATER = 0.02


def anchored(rows: list[int], labels: np.ndarray) -> Anchored:
    return Anchored(TIMES[rows], READINGS[rows], labels[rows], np.ones(len(rows)))


def answer(rows: list[int], labels: np.ndarray, quality: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    given = anchored(rows, labels)
    account = Personal.of(RATER, [given], levelled=True)
    return account.label(TIMES, READINGS, np.full(60, quality), given)


@pytest.mark.parametrize(("level", "scale"), [(0.3, 1.0), (0.0, 0.6), (-0.2, 1.3)])
def test_a_few_anchors_teach_level_and_scale_of_a_person(level, scale):
    truth = level + scale * READINGS
    mean, _ = answer([0, 20, 40, 55], truth)
    assert np.abs(mean - truth).max() < 0.06
    assert np.abs(mean - truth).mean() < 0.3 * np.abs(READINGS - truth).mean()


def test_one_anchor_is_its_label_plus_the_difference_that_is_read():
    mean, _ = answer([10], READINGS + 0.2)
    assert mean[10] == pytest.approx(READINGS[10] + 0.2, abs=0.02)
    assert np.corrcoef(mean, READINGS)[0, 1] > 0.98


def test_the_answer_of_one_size_of_error_is_that_of_a_normal_distribution_conditioned_by_hand():
    rows, labels = [3, 30], np.full(60, 0.25)
    account = Personal(LEVEL, RATER, np.eye(len(ERRORS))[1], 0.0)
    mean, variance = account.label(TIMES, READINGS, np.ones(60), anchored(rows, labels))

    def covariance(i: int, j: int) -> float:
        scaled = np.sqrt(3) * abs(TIMES[i] - TIMES[j]) / ERROR_S
        return LEVEL**2 + SCALE**2 * READINGS[i] * READINGS[j] + ERRORS[1] ** 2 * (1 + scaled) * np.exp(-scaled)

    for i in (0, 17, 59):
        among = np.array([[covariance(a, b) + RATER**2 * (a == b) for b in rows] for a in rows])
        seen = np.array([covariance(i, a) for a in rows])
        weights = np.linalg.inv(among) @ seen
        assert mean[i] == pytest.approx(READINGS[i] + weights @ (labels[rows] - READINGS[rows]))
        assert variance[i] == pytest.approx(covariance(i, i) - weights @ seen + RATER**2)


def test_the_evidence_is_the_mean_density_of_the_labels_over_the_sizes_of_the_error():
    given = anchored([0, 25, 50], 0.8 * READINGS + 0.1)
    account = Personal.of(RATER, [given], levelled=True)
    gaps = np.sqrt(3) * np.abs(given.times_s[:, None] - given.times_s) / ERROR_S
    densities = []
    for error in ERRORS:
        shared = LEVEL**2 + SCALE**2 * np.outer(given.readings, given.readings)
        total = shared + error**2 * (1 + gaps) * np.exp(-gaps) + RATER**2 * np.eye(3)
        densities.append(multivariate_normal(given.readings, total).pdf(given.labels))
    expected = np.log(np.mean(densities)) + 1.5 * np.log(2 * np.pi)  # `log_density` leaves a constant out
    assert account.evidence == pytest.approx(expected)
    np.testing.assert_allclose(account.shares, np.array(densities) / np.sum(densities))


def test_anchors_that_contradict_the_readings_make_the_error_large_and_the_band_wide():
    rng = np.random.default_rng(0)
    rows = [0, 12, 24, 36, 48]
    fitting, wild = READINGS.copy(), READINGS + rng.normal(0, 0.4, 60)
    assert answer(rows, wild)[1].mean() > 2 * answer(rows, fitting)[1].mean()


def test_a_face_that_can_hardly_be_seen_has_a_wider_band_and_the_same_label():
    clear, dim = answer([0, 40], READINGS), answer([0, 40], READINGS, quality=0.1)
    np.testing.assert_allclose(clear[0], dim[0])
    assert (dim[1] > clear[1]).all()


def test_without_a_level_the_readings_tell_differences_alone():
    truth = READINGS + 1.5
    given = anchored([5, 45], truth)
    account = Personal.of(RATER, [given], levelled=False)
    mean, _ = account.label(TIMES, READINGS, np.ones(60), given)
    np.testing.assert_allclose(mean, truth, atol=0.05)


def test_in_a_clip_whose_readings_are_clear_it_is_believed_and_jumps_stay_jumps():
    times = np.arange(100) / 25
    truth = np.repeat(np.where((times > 1) & (times < 3), 0.7, 0.0)[:, None], 2, axis=1)
    levels, anchors = 1.2 * truth - 0.1, np.array([0, 50, 99])
    mean, _ = krige(votes_of(times, truth, levels, anchors, levels=levels), KRIGING)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.06
