import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.labelling import confidence, half_widths


def test_half_widths_come_from_the_calibration_and_are_unknown_without_one():
    np.testing.assert_array_equal(half_widths({"valence": 0.2, "arousal": None, "coverage": 0.9}), [0.2, np.nan])
    assert np.isnan(half_widths(None)).all()


@pytest.mark.parametrize("value", [-0.1, "wide"])
def test_a_half_width_that_is_none_is_refused(value):
    with pytest.raises(MtclarError, match="half-width of valence"):
        half_widths({"valence": value, "arousal": 0.1})


def test_confidence_falls_with_the_band_and_with_disagreeing_anchors():
    spread = np.array([[0.0, 0.0], [0.6, 0.0], [2.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_allclose(confidence(np.array([0.2, 0.4]), spread), [0.7, 0.5, 0.0, np.nan])
