"""Where the anchors show that the readings are worth nothing, labels are about what the anchors alone give."""

from dataclasses import replace

import numpy as np
import pytest
from toy_track import KRIGING, TERMS, TIMES_S, path, votes_of

from mtclar.labelling import interpolate
from mtclar.labelling.blind import SIZES, SLOWNESS, Blind, mixed
from mtclar.labelling.kriging import Kriging, matern
from mtclar.labelling.windows import krige

LIVELY = Kriging(*(replace(TERMS, gain=1.0, move=0.5, level=0.2, offset=0.08, drift=0.06, look=0.08),) * 2)
"""As of the synthetic people, who move much and whose faces are read well."""


def rmse(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)))


def noise(rng: np.random.Generator, kind: str, n: int) -> np.ndarray:
    """Readings that have nothing to do with the face (n, 2)."""
    gaps = np.abs(TIMES_S[:n, None] - TIMES_S[:n])
    shapes = {"white": np.eye(n), "lasting": np.exp(-gaps / 0.4), "smooth": matern(gaps / 0.5)}
    return 0.25 * np.linalg.cholesky(shapes[kind] + 1e-9 * np.eye(n)) @ rng.normal(size=(n, 2)) + rng.normal(0, 0.15, 2)


@pytest.mark.parametrize("kind", ["white", "lasting", "smooth"])
def test_with_readings_of_pure_noise_labels_are_about_as_good_as_straight_lines(kind):
    n, own, lines = len(TIMES_S), [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        truth, levels = path(TIMES_S + rng.uniform(0, 5)), noise(rng, kind, n)
        faces = np.cumsum(rng.normal(0, 0.3, (n, 8)), axis=0)
        anchors = np.sort(rng.permutation(n)[: 3 + seed % 2])
        mean, _ = krige(votes_of(TIMES_S, truth, levels, anchors, levels=levels, embeddings=faces), LIVELY)
        own.append(rmse(mean, truth) ** 2)
        lines.append(rmse(interpolate(TIMES_S, TIMES_S[anchors], truth[anchors]), truth) ** 2)
    assert np.sqrt(np.mean(own) / np.mean(lines)) < 1.15


def test_readings_that_follow_the_anchors_are_believed_as_if_there_were_no_other_account():
    truth = path(TIMES_S)
    levels = truth + 0.05 + np.random.default_rng(0).normal(0, 0.05, truth.shape)
    anchors = np.array([5, 40, 80])
    mean, _ = krige(votes_of(TIMES_S, truth, levels, anchors, levels=levels), LIVELY)
    assert rmse(mean, truth) < 0.4 * rmse(interpolate(TIMES_S, TIMES_S[anchors], truth[anchors]), truth)


def test_the_account_without_readings_is_a_regression_on_time_whose_candidates_are_weighed_by_their_evidence():
    times_s, labels, weights = np.array([0.0, 1.0, 2.5]), np.array([0.2, 0.5, -0.1]), np.array([1.0, 2.0, 1.0])
    asked = np.array([0.5, 4.0])
    scores, means, variances = [], [], []
    for size in SIZES:
        for slow in SLOWNESS:
            every = np.concatenate([times_s, asked])
            moving = matern(np.abs(every[:, None] - every) / (slow * TERMS.move_s))
            truth = TERMS.level**2 + TERMS.move**2 * (1 + size**2 * moving)
            blur = TERMS.drift**2 + TERMS.look**2 + TERMS.noise**2 + TERMS.rater**2 / weights
            blurred = truth[:3, :3] + np.diag(blur)
            rest = labels - TERMS.mean
            scores.append(np.exp(-0.5 * rest @ np.linalg.inv(blurred) @ rest) / np.sqrt(np.linalg.det(blurred)))
            lever = truth[3:, :3] @ np.linalg.inv(truth[:3, :3] + np.diag(TERMS.rater**2 / weights))
            means.append(TERMS.mean + lever @ rest)
            variances.append(np.diag(truth[3:, 3:] - lever @ truth[:3, 3:]) + TERMS.rater**2)
    found = Blind.of(TERMS, [(times_s, labels, weights)])
    np.testing.assert_allclose(found.shares, np.array(scores) / np.sum(scores))
    assert found.evidence == pytest.approx(np.log(np.mean(scores)))
    mean, variance = found.label(asked, times_s, labels, weights)
    expected = found.shares @ np.array(means)
    np.testing.assert_allclose(mean, expected)
    second = found.shares @ (np.array(variances) + np.array(means) ** 2)
    np.testing.assert_allclose(variance, second - expected**2, atol=1e-10)


def test_at_the_anchors_and_between_those_that_agree_it_says_what_they_say():
    times_s, labels = np.array([0.0, 2.0]), np.array([0.3, 0.3])
    blind = Blind.of(TERMS, [(times_s, labels, np.ones(2))])
    mean, variance = blind.label(np.array([0.0, 1.0, 2.0]), times_s, labels, np.ones(2))
    np.testing.assert_allclose(mean, 0.3, atol=0.01)
    assert variance[1] > variance[0]


def test_a_mixture_has_the_mean_and_the_variance_of_draws_from_it():
    rng = np.random.default_rng(0)
    shares, means, deviations = np.array([0.3, 0.7]), np.array([[0.0], [1.0]]), np.array([[0.2], [0.5]])
    part = rng.choice(2, 200_000, p=shares)
    draws = means[part, 0] + deviations[part, 0] * rng.normal(size=len(part))
    mean, variance = mixed(shares, means, deviations**2)
    assert mean[0] == pytest.approx(draws.mean(), abs=0.01)
    assert variance[0] == pytest.approx(draws.var(), abs=0.01)


def test_a_single_anchor_leaves_the_readings_their_word():
    truth = path(TIMES_S)
    levels = np.random.default_rng(1).normal(0, 0.3, truth.shape)
    mean, _ = krige(votes_of(TIMES_S, truth, levels, np.array([10]), levels=levels), KRIGING)
    assert np.corrcoef(mean[:, 0], levels[:, 0])[0, 1] > 0.3
