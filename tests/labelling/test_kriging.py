"""Kriging is the conditional mean of the joint Gaussian it claims to be, and leans where it should."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from toy_track import KRIGING, TERMS

from mtclar.errors import MtclarError
from mtclar.labelling.kriging import CONSTANT, KINSHIP, Kriging, Points, covariances, posterior


def points_of(rng, n: int, foreign: int = 0, kin: int = 0, levelled: bool = False) -> Points:
    """n random points; the first `foreign` are of other people's clips, the next `kin` of the person's other tracks."""
    faces = rng.normal(size=(n, 3))
    own = np.arange(n) >= foreign + kin
    return Points(
        times_s=np.where(own, rng.uniform(0, 3, n), np.nan),
        readings=rng.normal(0, 0.4, n),
        distances=((faces[:, None] - faces) ** 2).sum(axis=2),
        quality=rng.uniform(0.05, 1, n),
        own_track=own,
        own_person=np.arange(n) >= foreign,
        levelled=levelled,
    )


def slow_covariances(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """The definitions, pair by pair."""
    n = len(points.times_s)
    truth, added = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            same_clip = i == j or (points.own_track[i] and points.own_track[j])
            gap = 0.0 if i == j or not same_clip else abs(points.times_s[i] - points.times_s[j])
            near = np.sqrt(3) * gap / TERMS.move_s
            unsure = (points.quality[i] * points.quality[j]) ** (-TERMS.haze / 2)
            if same_clip:
                truth[i, j] = TERMS.level**2 + TERMS.move**2 * (1 + near) * np.exp(-near)
                added[i, j] += TERMS.drift**2 * unsure * np.exp(-gap / TERMS.drift_s)
            same_person = points.own_person[i] and points.own_person[j]
            kin = 1.0 if same_clip else KINSHIP if same_person else 0.0
            added[i, j] += (0.0 if points.levelled else CONSTANT**2) + kin * TERMS.offset**2
            added[i, j] += TERMS.look**2 * np.exp(-points.distances[i, j] / 2 / TERMS.look_scale**2)
            if i == j:
                added[i, j] += TERMS.noise**2 * unsure
    return truth, added


@pytest.mark.parametrize("levelled", [True, False])
def test_covariances_follow_their_definition(levelled):
    points = points_of(np.random.default_rng(0), 9, foreign=2, kin=2, levelled=levelled)
    for found, expected in zip(covariances(TERMS, points), slow_covariances(points), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_posterior_is_the_conditional_of_the_joint_gaussian():
    points = points_of(np.random.default_rng(1), 8, foreign=1)
    labels, weights = np.array([0.3, -0.2, 0.1]), np.array([1.0, 2.0, 0.5])
    k, n = 3, 8
    truth, added = slow_covariances(points)
    # All that is random, one after another: y (n), rater's noise (k), what readings add (n); then linear maps of it.
    root = np.zeros((2 * n + k, 2 * n + k))
    root[:n, :n], root[n : n + k, n : n + k], root[n + k :, n + k :] = (
        truth,
        np.diag(TERMS.rater**2 / weights),
        added,
    )
    see = np.zeros((k + n, 2 * n + k))
    see[:k, :k], see[:k, n : n + k] = np.eye(k), np.eye(k)
    see[k:, :n], see[k:, n + k :] = TERMS.gain * np.eye(n), np.eye(n)
    ask = np.eye(n, 2 * n + k)
    lever = ask @ root @ see.T @ np.linalg.pinv(see @ root @ see.T)
    surprise = np.concatenate([labels - TERMS.mean, points.readings - TERMS.gain * TERMS.mean])
    found = posterior(replace(TERMS, scale=0.0), points, labels, weights)
    np.testing.assert_allclose(found.mean, TERMS.mean + lever @ surprise, atol=1e-8)
    variance = np.diag(ask @ root @ ask.T - lever @ see @ root @ ask.T)
    np.testing.assert_allclose(found.sd**2, variance + TERMS.rater**2, atol=1e-8)


def test_a_slope_of_the_person_is_drawn_on_what_the_readings_alone_say():
    """By hand: the posterior without anchors is the prior of a regression on its mean, solved with the slope shown."""
    points, terms = points_of(np.random.default_rng(3), 9, levelled=True), replace(TERMS, scale=0.5)
    labels, weights, k = np.array([0.6, -0.5, 0.2]), np.array([1.0, 2.0, 0.5]), 3
    truth, added = slow_covariances(points)
    share = terms.gain * truth @ np.linalg.pinv(terms.gain**2 * truth + added)
    read = share @ (points.readings - terms.gain * terms.mean)
    rest = truth - terms.gain * share @ truth
    # Unknown are the slope, then what is left of the truth; seen are the anchors' labels less what was read.
    root = np.zeros((10, 10))
    root[0, 0], root[1:, 1:] = terms.scale**2, rest
    see = np.concatenate([read[:, None], np.eye(9)], axis=1)
    noise = np.diag(terms.rater**2 / weights)
    lever = root @ see[:k].T @ np.linalg.pinv(see[:k] @ root @ see[:k].T + noise)
    unknown = lever @ (labels - terms.mean - read[:k])
    found = posterior(terms, points, labels, weights)
    np.testing.assert_allclose(found.mean, terms.mean + read + see @ unknown, atol=1e-8)
    variance = np.diag(see @ (root - lever @ see[:k] @ root) @ see.T)
    np.testing.assert_allclose(found.sd**2, variance + terms.rater**2, atol=1e-8)
    alone = posterior(terms, points, np.empty(0), np.empty(0))
    np.testing.assert_allclose(alone.mean, terms.mean + read, atol=1e-8)
    np.testing.assert_allclose(alone.sd**2, np.diag(rest) + (terms.scale * read) ** 2 + terms.rater**2, atol=1e-8)


def test_the_evidence_is_the_log_density_of_the_labels_given_the_readings():
    points = points_of(np.random.default_rng(2), 7)
    labels, weights = np.array([0.3, -0.2, 0.1, 0.5]), np.array([1.0, 2.0, 0.5, 1.0])
    slow = 0.0
    for i in range(4):  # one label after the other, each given those before it
        order = np.concatenate([np.arange(i), [i], np.setdiff1d(np.arange(7), np.arange(i + 1))]).astype(int)
        moved = replace(
            points,
            times_s=points.times_s[order],
            readings=points.readings[order],
            distances=points.distances[np.ix_(order, order)],
            quality=points.quality[order],
        )
        before = posterior(TERMS, moved, labels[:i], weights[:i])
        variance = before.sd[i] ** 2 - TERMS.rater**2 + TERMS.rater**2 / weights[i]
        slow += stats.norm.logpdf(labels[i], before.mean[i], np.sqrt(variance)) + 0.5 * np.log(2 * np.pi)
    assert posterior(TERMS, points, labels, weights).evidence == pytest.approx(slow, abs=1e-8)
    assert posterior(TERMS, points, labels[:0], weights[:0]).evidence == 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 12))
def test_whatever_the_points_the_label_is_finite_and_no_surer_than_a_rater_nor_less_sure_than_nothing_known(seed, k, n):
    rng = np.random.default_rng(seed)
    points = points_of(rng, k + n, foreign=int(rng.integers(0, k + 1)))
    found = posterior(TERMS, points, rng.uniform(-1, 1, k), rng.uniform(0.1, 3, k))
    assert np.isfinite(found.mean).all()
    assert (found.sd >= TERMS.rater - 1e-9).all()
    # A person's slope is a doubt of its own, about what is read.
    read = posterior(TERMS, points, np.empty(0), np.empty(0)).mean - TERMS.mean
    known = TERMS.level**2 + TERMS.move**2 + (TERMS.scale * read) ** 2 + TERMS.rater**2
    assert (found.sd**2 <= known + 1e-9).all()


def test_hyper_parameters_survive_the_way_through_json():
    other = Kriging(replace(TERMS, mean=-0.2), TERMS)
    assert Kriging.from_dict(other.to_dict()) == other


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"move_s": 0.0}, "gives 0.0 as 'arousal.move_s'"),
        ({"noise": float("nan")}, "gives nan as 'arousal.noise'"),
        ({"drift": -0.1}, "gives -0.1 as 'arousal.drift'"),
        ({"gain": "much"}, "gives 'much' as 'arousal.gain'"),
        ({"gian": 1.0}, "unknown 'arousal.gian' .did you mean 'gain'"),
    ],
)
def test_hyper_parameters_that_cannot_be_are_refused_by_name(change, says):
    values = KRIGING.to_dict()
    values["arousal"] |= change
    with pytest.raises(MtclarError, match=says):
        Kriging.from_dict(values)


def test_a_calibration_without_one_of_the_dimensions_is_refused():
    with pytest.raises(MtclarError, match="says nothing of arousal"):
        Kriging.from_dict({"valence": KRIGING.to_dict()["valence"]})
    with pytest.raises(MtclarError, match=r"gives None as 'valence.gain'"):
        Kriging.from_dict({"valence": {"mean": 0.0, "level": 1, "move": 1, "move_s": 1}, "arousal": {}})
