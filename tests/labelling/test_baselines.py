import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from mtclar.labelling import copy_latest, interpolate, pchip

TIMES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
AT = np.array([3.0, 1.0])
LABELS = np.array([[0.6, -0.2], [0.2, 0.4]])


def test_copying_takes_the_latest_anchor_and_before_the_first_that_one():
    np.testing.assert_array_equal(copy_latest(TIMES, AT, LABELS), LABELS[[1, 1, 1, 0, 0]])


def test_interpolation_is_straight_between_anchors_and_level_outside():
    np.testing.assert_allclose(interpolate(TIMES, AT, LABELS)[:, 0], [0.2, 0.2, 0.4, 0.6, 0.6])
    np.testing.assert_allclose(interpolate(TIMES, AT, LABELS[:, 1]), [0.4, 0.4, 0.1, -0.2, -0.2])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(-1, 1)), min_size=2, max_size=8, unique_by=lambda pair: pair[0]),
    st.lists(st.floats(-5, 60), min_size=1, max_size=10),
)
def test_the_smooth_curve_is_scipy_s_pchip_between_the_anchors_and_level_outside(anchors, times):
    at, values = np.array(sorted(anchors)).T
    if np.diff(at).min() < 1e-3:
        return  # there scipy's own slopes are but rounding
    times = np.array(times)
    expected = PchipInterpolator(at, values)(np.clip(times, at[0], at[-1]))
    np.testing.assert_allclose(pchip(times, at, values), expected, atol=1e-9)
    both = pchip(times, at, np.stack([values, -values], axis=1))
    np.testing.assert_allclose(both, np.stack([expected, -expected], axis=1), atol=1e-9)
    assert (np.abs(both) <= np.abs(values).max() + 1e-9).all()


def test_the_smooth_curve_of_one_anchor_is_its_label_and_twins_are_averaged():
    np.testing.assert_array_equal(pchip(TIMES, AT[:1], LABELS[:1]), np.tile(LABELS[0], (5, 1)))
    twins = pchip(TIMES, np.array([1.0, 1.0, 3.0]), np.array([0.2, 0.4, 0.3]))
    np.testing.assert_allclose(twins, 0.3)
