"""The choice of frames against the process itself, asked again with each of them labelled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from test_process import SEEDS, cell, some_model, some_places

from mtclar.labelling.design import activity, choose, field_of, followed
from mtclar.labelling.process import Places, Posterior


def one_point(rng: np.random.Generator):
    """A model of a single grid point: a Gaussian process and no mixture."""
    model = some_model(rng, points=1)
    return replace(model, grid=model.grid.weighted(np.ones(1)))


def with_anchors(model, at: Places, rows: np.ndarray, labels: np.ndarray) -> Posterior:
    return Posterior(model, at[rows], labels, np.full(len(rows), model.noise**2))


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(0, 5))
def test_what_is_not_known_of_one_process_is_the_conditional_covariance(seed, k):
    rng = np.random.default_rng(seed)
    model, frames, anchors = one_point(rng), some_places(rng, 5, 0.0), some_places(rng, k, 0.0)
    found = field_of(Posterior(model, anchors, rng.uniform(-1, 1, k), np.full(k, model.noise**2)), frames)
    own = np.array([[cell(model, 0, frames, i, frames, j) for j in range(5)] for i in range(5)])
    cross = np.array([[cell(model, 0, frames, i, anchors, j) for j in range(k)] for i in range(5)]).reshape(5, k)
    known = np.array([[cell(model, 0, anchors, i, anchors, j) for j in range(k)] for i in range(k)]).reshape(k, k)
    haze = (model.grid.gain[0] ** 2 + model.grid.gain_sd[0] ** 2) * anchors.haze + model.noise**2
    expected = own - cross @ np.linalg.solve(known + np.diag(haze), cross.T)
    np.testing.assert_allclose(found.cov, expected, atol=1e-4)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_foretold_error_is_that_of_the_process_once_the_frames_are_labelled_whatever_they_say(seed):
    rng = np.random.default_rng(seed)
    model, at = one_point(rng), some_places(rng, 12, 0.0)
    none = with_anchors(model, at, np.empty(0, int), np.empty(0))
    plan = followed([field_of(none, at)], np.ones(12), [3, 8, 5])
    for k in range(4):
        rows = np.array([3, 8, 5][:k], int)
        rest = np.setdiff1d(np.arange(12), rows)
        _, sd = with_anchors(model, at, rows, rng.uniform(-1, 1, k)).at(at[rest])
        np.testing.assert_allclose(plan.error[k, 0], np.sqrt(np.mean(sd**2)), rtol=2e-3)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_variance_of_a_mixture_is_what_labelling_says(seed):
    rng = np.random.default_rng(seed)
    model, frames, anchors = some_model(rng), some_places(rng, 8), some_places(rng, 3)
    found = Posterior(model, anchors, rng.uniform(-0.5, 0.5, 3), np.full(3, model.noise**2))
    field = field_of(found, frames)
    np.testing.assert_allclose(field.variance() + field.noise, found.at(frames)[1] ** 2, rtol=1e-3)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_two_chosen_frames_are_at_least_as_good_as_greedy_and_never_better_than_the_best_pair(seed):
    rng = np.random.default_rng(seed)
    model, at = one_point(rng), some_places(rng, 9, 0.0)
    field = field_of(with_anchors(model, at, np.empty(0, int), np.empty(0)), at)

    def left(pair) -> float:
        given = field.given_all(list(pair))
        return float((given.variance() - np.isin(np.arange(9), pair) * given.haze).sum())

    allowed = np.arange(9) != 4
    plan = choose([field], np.ones(9), allowed, 2)
    assert 4 not in plan.order
    pairs = [(i, j) for i in range(9) for j in range(i) if 4 not in (i, j)]
    best, worst = min(map(left, pairs)), max(map(left, pairs))
    assert best - 1e-9 <= left(plan.order.tolist()) <= best + 0.25 * (worst - best) + 1e-9


def test_the_first_frame_takes_most_and_errors_fall():
    rng = np.random.default_rng(1)
    model, at = some_model(rng), some_places(rng, 40, 0.0)
    field = field_of(with_anchors(model, at, np.empty(0, int), np.empty(0)), at)
    plan = choose([field, field], np.ones(40), np.ones(40, bool), 6)
    assert len(set(plan.order.tolist())) == 6
    assert (plan.gain > 0).all()
    assert plan.gain[0] == plan.gain.max()
    assert (np.diff(plan.error, axis=0) < 0).all()
    assert len(choose([field], np.ones(40), np.arange(40) < 3, 6).order) == 3


def test_activity_is_high_where_labels_change_and_one_of_a_label_that_never_does():
    times = np.arange(100) / 25
    values = np.stack([np.clip((times - 2) / 0.3, 0, 1), np.clip((times - 1) / 0.3, 0, 1)], axis=1)
    found = activity(times, np.zeros(100, int), values)
    assert found[52, 0] > 1.5 > 1 > found[5, 0]
    assert found[28, 1] > 1.5 > 1 > found[90, 1]
    np.testing.assert_array_equal(activity(times, np.zeros(100, int), np.full((100, 2), 0.3)), np.ones((100, 2)))
