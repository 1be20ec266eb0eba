"""The process against a plain account of the same: one joint normal distribution a grid point, built cell by cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.labelling import process as module
from mtclar.labelling.course import Course, course
from mtclar.labelling.hyper import Grid, Model
from mtclar.labelling.nominal import nominal
from mtclar.labelling.process import KINSHIP, Places, Posterior

NAMES = ("gain", "gain_sd", "level_sd", "slow_sd", "slow_s", "fast_sd", "fast_s", "look_sd", "look_scale")
SEEDS = st.integers(0, 2**32 - 1)


def some_model(rng: np.random.Generator, points: int = 4) -> Model:
    grid = Grid.of([dict(zip(NAMES, rng.uniform(0.1, 1.0, len(NAMES)).tolist(), strict=True)) for _ in range(points)])
    weight = rng.dirichlet(np.ones(points))
    return Model(0.1, 0.3, 0.05, Course(0.2, 1.0, 0.1, 1.0), grid.weighted(weight))


def some_places(rng: np.random.Generator, n: int, faceless: float = 0.2) -> Places:
    return Places(
        times_s=np.sort(rng.uniform(0, 5, n)),
        person=rng.integers(0, 2, n),
        prediction=rng.uniform(-0.8, 0.8, n),
        haze=rng.uniform(0, 0.01, n),
        face=np.where(rng.uniform(size=n) < faceless, -1, rng.permutation(n)),
        looks=rng.normal(size=(n, 3)),
        typical=1.7,
    )


def cell(model: Model, j: int, a: Places, i: int, b: Places, k: int) -> float:
    """Covariance of two labels at a grid point, less what no two frames share."""
    point = {name: float(getattr(model.grid, name)[j]) for name in NAMES}
    kin = 1.0 if a.person[i] == b.person[k] else KINSHIP
    apart = abs(a.times_s[i] - b.times_s[k])
    scaled = np.sqrt(3) * apart / point["fast_s"]
    found = kin * (
        point["level_sd"] ** 2
        + point["gain_sd"] ** 2 * (a.prediction[i] - model.mean) * (b.prediction[k] - model.mean)
        + point["slow_sd"] ** 2 * np.exp(-apart / point["slow_s"])
        + point["fast_sd"] ** 2 * (1 + scaled) * np.exp(-scaled)
    )
    if a.face[i] >= 0 and b.face[k] >= 0:
        square = float(((a.looks[a.face[i]] - b.looks[b.face[k]]) ** 2).sum())
        found += point["look_sd"] ** 2 * np.exp(-square / (2 * (point["look_scale"] * a.typical) ** 2))
    return float(found)


def plain(model: Model, anchors: Places, labels: np.ndarray, variances: np.ndarray, frames: Places):
    """Mean and standard deviation of the labels of frames, frame by frame and point by point."""
    n, k = len(frames), len(anchors)
    logs, means, squares = [], [], []
    for j in range(len(model.grid)):
        g, spread = model.grid.gain[j], model.grid.gain_sd[j]
        known = np.array([[cell(model, j, anchors, a, anchors, b) for b in range(k)] for a in range(k)]).reshape(k, k)
        for a in range(k):
            if anchors.face[a] < 0:
                known[a, a] += model.grid.look_sd[j] ** 2
            known[a, a] += (g**2 + spread**2) * anchors.haze[a] + variances[a]
        rest = labels - (model.mean + g * (anchors.prediction - model.mean))
        _sign, size = np.linalg.slogdet(known)
        logs.append(np.log(model.grid.weight[j]) - 0.5 * (rest @ np.linalg.solve(known, rest) + size))
        mean, square = np.empty(n), np.empty(n)
        for i in range(n):
            cross = np.array([cell(model, j, frames, i, anchors, a) for a in range(k)])
            mean[i] = model.mean + g * (frames.prediction[i] - model.mean) + cross @ np.linalg.solve(known, rest)
            own = cell(model, j, frames, i, frames, i) + (g**2 + spread**2) * frames.haze[i]
            if frames.face[i] < 0:
                own += model.grid.look_sd[j] ** 2
            square[i] = own - cross @ np.linalg.solve(known, cross) + mean[i] ** 2
        means.append(mean)
        squares.append(square)
    shares = np.exp(np.array(logs) - max(logs))
    shares /= shares.sum()
    mean = shares @ np.array(means)
    return mean, np.sqrt(shares @ np.array(squares) - mean**2 + model.noise**2)


@pytest.fixture(autouse=True)
def all_points(monkeypatch):
    """No grid point is left out, so that averages can be compared."""
    monkeypatch.setattr(module, "LEAST_SHARE", 0.0)


@pytest.mark.parametrize("k", [0, 1, 3, 7])
def test_means_and_standard_deviations_are_those_of_the_joint_normal_distribution(k):
    rng = np.random.default_rng(k)
    model, anchors, frames = some_model(rng), some_places(rng, k), some_places(rng, 9)
    labels, variances = rng.uniform(-0.5, 0.5, k), rng.uniform(0.001, 0.01, k)
    mean, sd = Posterior(model, anchors, labels, variances).at(frames)
    wanted = plain(model, anchors, labels, variances, frames)
    np.testing.assert_allclose(mean, wanted[0], atol=2e-5)
    np.testing.assert_allclose(sd, wanted[1], atol=2e-4)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_leaving_an_anchor_out_in_closed_form_is_fitting_without_it(seed, k):
    rng = np.random.default_rng(seed)
    model, anchors = some_model(rng), some_places(rng, k)
    labels, variances = rng.uniform(-0.5, 0.5, k), np.full(k, model.noise**2)
    mean, sd = Posterior(model, anchors, labels, variances).left_out()
    for a in range(k):
        others = np.delete(np.arange(k), a)
        without = Posterior(model, anchors[others], labels[others], variances[others])
        wanted, spread = without.at(anchors[np.array([a])])
        np.testing.assert_allclose(mean[a], wanted[0], atol=1e-4)
        np.testing.assert_allclose(sd[a], spread[0], atol=1e-3)  # a rater's noise is in both


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_taking_an_anchor_out_in_closed_form_is_never_having_had_it(seed, k):
    rng = np.random.default_rng(seed)
    model, anchors, frames = some_model(rng), some_places(rng, k), some_places(rng, 5)
    labels, variances = rng.uniform(-0.5, 0.5, k), rng.uniform(0.001, 0.01, k)
    gone = int(rng.integers(k))
    rest = np.delete(np.arange(k), gone)
    once = Posterior(model, anchors, labels, variances).without(gone)
    never = Posterior(model, anchors[rest], labels[rest], variances[rest])
    np.testing.assert_allclose(once.shares, never.shares, atol=1e-6)
    for one, other in zip(once.at(frames), never.at(frames), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_the_anchors_weights_make_up_the_mean(seed, k):
    rng = np.random.default_rng(seed)
    model, anchors, frames = some_model(rng), some_places(rng, k), some_places(rng, 6)
    variances = np.full(k, model.noise**2)
    labels = rng.uniform(-0.5, 0.5, k)
    found = Posterior(model, anchors, labels, variances)
    weights = np.zeros((6, k), np.float32)
    mean, _ = found.at(frames, weights, np.arange(6))
    base = mean - weights @ labels
    # With the shares of the grid held, moving a label moves the mean by its weight.
    moved = Posterior(model, anchors, labels + 0.1, variances)
    moved.parts, moved.kept = found.parts, found.kept
    np.testing.assert_allclose(moved.at(frames)[0], base + weights @ (labels + 0.1), atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_at_an_anchor_the_truth_is_its_label_up_to_the_raters_noise(seed, k):
    rng = np.random.default_rng(seed)
    model, anchors = some_model(rng), some_places(rng, k)
    labels = rng.uniform(-0.5, 0.5, k)
    exact = Posterior(model, anchors, labels, np.full(k, 1e-8))
    mean, sd, weights = exact.at_anchors()
    np.testing.assert_allclose(mean, labels, atol=1e-3)
    assert (sd < 1e-3).all()
    np.testing.assert_allclose(weights, np.eye(k), atol=1e-3)
    noisy = Posterior(model, anchors, labels, np.full(k, model.noise**2))
    assert (noisy.at_anchors()[1] <= model.noise + 0.02).all()


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 8))
def test_the_order_of_anchors_changes_nothing(seed, k):
    rng = np.random.default_rng(seed)
    model, anchors, frames = some_model(rng), some_places(rng, k), some_places(rng, 6)
    labels, variances = rng.uniform(-0.5, 0.5, k), rng.uniform(0.001, 0.01, k)
    order = rng.permutation(k)
    straight = Posterior(model, anchors, labels, variances).at(frames)
    turned = Posterior(model, anchors[order], labels[order], variances[order]).at(frames)
    np.testing.assert_allclose(straight, turned, atol=1e-4)


def test_chunks_of_frames_change_nothing(monkeypatch):
    rng = np.random.default_rng(4)
    model, anchors, frames = some_model(rng), some_places(rng, 5), some_places(rng, 300)
    found = Posterior(model, anchors, rng.uniform(-0.5, 0.5, 5), np.full(5, 0.001))
    whole = found.at(frames)
    monkeypatch.setattr(module, "CHUNK_CELLS", 640)
    np.testing.assert_allclose(found.at(frames), whole, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(0, 12))
def test_nothing_is_ever_unknown(seed, k):
    rng = np.random.default_rng(seed)
    anchors, frames = some_places(rng, k, faceless=0.5), some_places(rng, 8, faceless=0.5)
    anchors = replace(anchors, times_s=np.repeat(anchors.times_s[: -(-k // 2)], 2)[:k])  # two at one time
    found = Posterior(nominal().valence, anchors, rng.uniform(-1, 1, k), np.full(k, 0.03**2))
    mean, sd = found.at(frames)
    assert np.isfinite(mean).all()
    assert (sd > 0).all()
    if k:
        assert np.isfinite(found.left_out()).all()


def moving(rng: np.random.Generator, n: int = 100, seconds: float = 5.0) -> np.ndarray:
    """What people show: holds, and moves between them that start and end gently."""
    found, level = np.empty(n), rng.uniform(-0.5, 0.5)
    i = 0
    while i < n:
        hold, move = rng.integers(5, 20), rng.integers(6, 16)
        found[i : i + hold] = level
        i += hold
        to = rng.uniform(-0.6, 0.6)
        t = np.arange(1, move + 1) / move
        found[i : i + move] = (level + (to - level) * t**3 * (10 - 15 * t + 6 * t**2))[: max(0, n - i)]
        level, i = to, i + move
    return found


def errors(rng: np.random.Generator, k: int, told: str) -> tuple[float, float]:
    """RMSE of labels and of straight lines from k anchors on a clip of 5 s, with predictions of some kind."""
    times_s, n, model = np.arange(100) / 20, 100, nominal().valence
    truth, noise = moving(rng), rng.normal(0, 0.1, 100)
    predicted = {
        "own": truth + noise,
        "half own": 0.5 * truth + 0.5 * moving(rng) + noise,
        "another's": moving(rng) + noise,
        "shuffled": rng.permutation(truth + noise),
    }[told]
    looks = np.stack([predicted, rng.normal(0, 0.3, n)], axis=1)
    mean, haze = course(model.course, times_s, predicted, np.ones(n))
    places = Places(times_s, np.zeros(n, int), mean, haze, np.arange(n), looks)
    at = np.sort(rng.choice(n, k, replace=False))
    rest = np.setdiff1d(np.arange(n), at)
    found = Posterior(model, places[at], truth[at], np.full(k, 0.03**2))
    ours = found.at(places[rest])[0] - truth[rest]
    lines = np.interp(times_s[rest], times_s[at], truth[at]) - truth[rest]
    return float(np.sqrt((ours**2).mean())), float(np.sqrt((lines**2).mean()))


@pytest.mark.parametrize("told", ["another's", "shuffled"])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 6, 10, 20])
def test_useless_predictions_cost_at_most_a_twentieth_of_the_error_of_straight_lines(k, told):
    """Mean over random clips and placements."""
    rng = np.random.default_rng([k, 1])
    ours, lines = np.mean([errors(rng, k, told) for _ in range(100)], axis=0)
    assert ours <= 1.05 * lines


@pytest.mark.parametrize("told", ["own", "half own", "another's"])
def test_the_error_falls_as_anchors_are_added(told):
    found = [np.mean([errors(np.random.default_rng([i, k]), k, told)[0] for i in range(60)]) for k in (1, 2, 4, 8, 16)]
    assert (np.diff(found) < 0).all()


def test_good_predictions_make_one_anchor_worth_several():
    rng = np.random.default_rng(9)
    ours = np.mean([errors(rng, 1, "own")[0] for _ in range(60)])
    lines = np.mean([errors(rng, 4, "own")[1] for _ in range(60)])
    assert ours < lines
