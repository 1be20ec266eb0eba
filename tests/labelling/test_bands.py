import numpy as np
import pytest
from toy_track import KRIGING, TIMES_S, path, votes_of

from mtclar.errors import MtclarError
from mtclar.labelling import bound_krige, confidence, half_bands, half_widths


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


def test_a_band_that_varies_is_a_multiple_of_the_standard_deviation_and_the_half_width_where_there_is_none():
    calibration = {"valence": 0.2, "arousal": 0.3, "multiples": {"valence": 2.0, "arousal": 1.5}}
    sd = np.array([[0.1, 0.2], [np.nan, np.nan]])
    np.testing.assert_allclose(half_bands(calibration, sd), [[0.2, 0.3], [0.2, 0.3]])
    np.testing.assert_array_equal(half_bands({"valence": 0.2}, sd), [[np.nan, np.nan], [0.2, np.nan]])
    assert np.isnan(half_bands(None, sd)).all()


def test_labels_without_an_anchor_have_a_band_of_their_own():
    calibration = {"valence": 0.2, "multiples": {"valence": 2.0, "arousal": 1.5}}
    calibration |= {"zero_shot": {"valence": 0.4, "arousal": 0.5}}
    calibration |= {"multiples_zero_shot": {"valence": 3.0, "arousal": 4.0}}
    sd = np.array([[0.1, 0.2], [np.nan, np.nan]])
    np.testing.assert_allclose(half_bands(calibration, sd, zero_shot=True), [[0.3, 0.8], [0.4, 0.5]])
    assert np.isnan(half_bands({"valence": 0.2, "arousal": 0.3}, sd, zero_shot=True)).all()


def test_a_multiple_that_is_none_is_refused():
    with pytest.raises(MtclarError, match="multiple of the standard deviation of arousal"):
        half_bands({"multiples": {"valence": 1.0, "arousal": -1.0}}, np.zeros((1, 2)))


def test_confidence_follows_a_band_that_varies():
    half = np.array([[0.2, 0.4], [0.6, 0.8]])
    np.testing.assert_allclose(confidence(half, np.zeros((2, 2))), [0.7, 0.3])


def test_the_fusion_kriging_comes_with_the_calibration_or_not_at_all():
    assert bound_krige(None) is None
    assert bound_krige({"valence": 0.2}) is None
    krige = bound_krige({"kriging": KRIGING.to_dict()})
    truth = path(TIMES_S)
    mean, sd = krige(votes_of(TIMES_S, truth, truth, np.array([0])))
    assert mean.shape == sd.shape == truth.shape
    with pytest.raises(MtclarError, match="says nothing of valence"):
        bound_krige({"kriging": {}})
