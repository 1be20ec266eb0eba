import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.evaluation.fusion import METHODS, fuse, fusion_weights

TIMES = np.linspace(0, 3, 13)
ANCHORS = np.array([0.6, 2.4, 1.5, 2.4])
TRUST = np.array([1.0, 3.0, 2.0, 0.5])
SIMILAR = np.random.default_rng(0).uniform(0, 1, (len(TIMES), len(ANCHORS)))
BY_TIME = ("time", "nearest", "latest", "bracket")


def slow_row(t, anchors, method, scale, trust, similar):
    """The definitions, one frame and one anchor at a time."""
    order = sorted(range(len(anchors)), key=lambda k: anchors[k])
    row = [0.0] * len(anchors)
    if method in ("mean", "release"):
        row = list(trust)
    elif method == "similarity":
        row = [s * w for s, w in zip(similar, trust, strict=True)]
    elif method == "time":
        row = [w * math.exp(-abs(t - a) / scale) / (abs(t - a) + 1e-3) for a, w in zip(anchors, trust, strict=True)]
    elif method == "nearest":
        row[min(order, key=lambda k: abs(t - anchors[k]))] = 1.0
    elif method == "latest":
        row[([k for k in order if anchors[k] <= t] or order[:1])[-1]] = 1.0
    else:
        before, after = [k for k in order if anchors[k] <= t], [k for k in order if anchors[k] > t]
        if before and after:
            a, b = before[-1], after[0]
            row[b] = (t - anchors[a]) / (anchors[b] - anchors[a])
            row[a] = 1 - row[b]
        else:
            row[before[-1] if before else after[0]] = 1.0
    return [value / sum(row) for value in row]


@pytest.mark.parametrize("method", METHODS)
def test_weights_follow_their_definition(method):
    weights = fusion_weights(TIMES, ANCHORS, method, 0.7, TRUST, SIMILAR)
    slow = [
        slow_row(t, list(ANCHORS), method, 0.7, list(TRUST), list(row)) for t, row in zip(TIMES, SIMILAR, strict=True)
    ]
    np.testing.assert_allclose(weights, slow, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=6),
    st.lists(st.one_of(st.floats(0, 1e5), st.just(math.nan)), min_size=1, max_size=6),
    st.sampled_from(METHODS),
    st.randoms(use_true_random=False),
)
def test_weights_sum_to_one_and_go_with_their_anchors_whatever_their_order(times, anchors, method, random):
    times, anchors = np.array(times), np.array(anchors)
    similar = np.linspace(0, 1, len(times) * len(anchors)).reshape(len(times), len(anchors))
    weights = fusion_weights(times, anchors, method, 1.0, None, similar)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    if len(np.unique(anchors[~np.isnan(anchors)])) < np.sum(~np.isnan(anchors)):
        return  # of two anchors at one time the order decides
    order = random.sample(range(len(anchors)), len(anchors))
    again = fusion_weights(times, anchors[order], method, 1.0, None, similar[:, order])
    np.testing.assert_allclose(again, weights[:, order], atol=1e-9)


@pytest.mark.parametrize("method", BY_TIME)
def test_at_an_anchor_its_own_voice_prevails(method):
    weights = fusion_weights(np.array([1.5]), ANCHORS, method, 1.0)
    assert weights[0, 2] > 0.99


@pytest.mark.parametrize("method", BY_TIME)
def test_an_anchor_off_the_timeline_is_infinitely_far_unless_all_are(method):
    off = np.array([np.nan, 1.0, np.nan])
    np.testing.assert_allclose(fusion_weights(TIMES, off, method, 1.0), np.tile([0, 1, 0], (len(TIMES), 1)))
    none = fusion_weights(TIMES, np.full(2, np.nan), method, 1.0, np.array([1.0, 3.0]))
    np.testing.assert_allclose(none, np.tile([0.25, 0.75], (len(TIMES), 1)))


def test_of_two_anchors_equally_near_the_earlier_speaks_whatever_their_order():
    np.testing.assert_array_equal(fusion_weights(np.array([1.0]), np.array([2.0, 0.0]), "nearest", 1.0), [[0, 1]])


def test_votes_are_averaged_and_clipped():
    weights = np.array([[0.25, 0.75], [0.5, 0.5]])
    votes = np.array([[[0.6, 0.0], [0.6, 0.4]], [[2.2, -1.0], [2.4, 1.0]]])
    labels, spread = fuse(votes, weights)
    np.testing.assert_allclose(labels, [[0.6, 0.3], [1.0, 0.0]], atol=1e-12)
    np.testing.assert_allclose(spread, [[0.0, 0.4 * math.sqrt(0.75 * 0.25)], [0.1, 1.0]], atol=1e-12)


def test_an_unknown_method_is_refused_with_the_nearest_known_one():
    with pytest.raises(MtclarError, match="did you mean 'nearest'"):
        fusion_weights(TIMES, ANCHORS, "nearst", 1.0)


def test_weighing_by_similarity_needs_the_similarities():
    with pytest.raises(MtclarError, match="needs the model's similarity"):
        fusion_weights(TIMES, ANCHORS, "similarity", 1.0)


def test_no_anchor_is_refused():
    with pytest.raises(MtclarError, match="without an anchor"):
        fusion_weights(TIMES, np.array([]), "time", 1.0)
