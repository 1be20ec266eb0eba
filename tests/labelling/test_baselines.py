import numpy as np

from mtclar.labelling import copy_latest, interpolate

TIMES = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
AT = np.array([3.0, 1.0])
LABELS = np.array([[0.6, -0.2], [0.2, 0.4]])


def test_copying_takes_the_latest_anchor_and_before_the_first_that_one():
    np.testing.assert_array_equal(copy_latest(TIMES, AT, LABELS), LABELS[[1, 1, 1, 0, 0]])


def test_interpolation_is_straight_between_anchors_and_level_outside():
    np.testing.assert_allclose(interpolate(TIMES, AT, LABELS)[:, 0], [0.2, 0.2, 0.4, 0.6, 0.6])
    np.testing.assert_allclose(interpolate(TIMES, AT, LABELS[:, 1]), [0.4, 0.4, 0.1, -0.2, -0.2])
