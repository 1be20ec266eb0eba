import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.labelling import METHODS, fuse, fusion_weights

TIMES = np.linspace(0, 3, 13)
ANCHORS = np.array([0.6, 2.4])


def slow_weights(times, anchors, method, scale, trust):
    """The definitions, one frame and one anchor at a time."""
    rows = []
    for t in times:
        if method == "nearest":
            best = min(range(len(anchors)), key=lambda k: (abs(t - anchors[k]), anchors[k]))
            row = [float(k == best) for k in range(len(anchors))]
        elif method == "mean":
            row = list(trust)
        else:
            row = [w * math.exp(-abs(t - a) / scale) / (abs(t - a) + 1e-3) for a, w in zip(anchors, trust, strict=True)]
        rows.append([value / sum(row) for value in row])
    return np.array(rows)


@pytest.mark.parametrize("method", METHODS)
def test_weights_follow_their_definition(method):
    trust = np.array([1.0, 3.0])
    weights = fusion_weights(TIMES, ANCHORS, method, 0.7, trust)
    np.testing.assert_allclose(weights, slow_weights(TIMES, ANCHORS, method, 0.7, trust), atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=6),
    st.lists(st.floats(0, 1e5), min_size=1, max_size=6),
    st.sampled_from(METHODS),
)
def test_weights_sum_to_one_however_far_the_anchors_are(times, anchors, method):
    weights = fusion_weights(np.array(times), np.array(anchors), method, 1.0)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)


def test_of_two_anchors_equally_near_the_earlier_speaks_whatever_their_order():
    np.testing.assert_array_equal(fusion_weights(np.array([1.0]), np.array([2.0, 0.0]), "nearest", 1.0), [[0, 1]])


def test_labels_and_deltas_are_added_averaged_and_clipped():
    weights = np.array([[0.25, 0.75], [0.5, 0.5]])
    labels, spread = fuse(np.array([0.2, 0.6]), np.array([[0.4, 0.0], [2.0, 1.8]]), weights)
    np.testing.assert_allclose(labels, [0.6, 1.0])
    np.testing.assert_allclose(spread, [0.0, 0.1], atol=1e-12)


def test_an_unknown_method_is_refused_with_the_nearest_known_one():
    with pytest.raises(MtclarError, match="did you mean 'nearest'"):
        fusion_weights(TIMES, ANCHORS, "nearst", 1.0)


def test_no_anchor_is_refused():
    with pytest.raises(MtclarError, match="without an anchor"):
        fusion_weights(TIMES, np.array([]), "time", 1.0)
