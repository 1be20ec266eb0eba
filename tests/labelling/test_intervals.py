"""Multiples of the standard deviation by number of anchors."""

from __future__ import annotations

import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.labelling.calibration import Calibration
from mtclar.labelling.intervals import Multiples, confidence
from mtclar.labelling.nominal import nominal

MULTIPLES = Multiples(np.array([0.0, 1.0, 4.0, 16.0]), np.array([[3.0, 2.0], [2.0, 1.0], [1.0, 1.0], [0.5, 2.0]]))


def test_multiples_are_linear_in_the_logarithm_of_the_number_of_anchors_and_none_is_a_case_of_its_own():
    found = MULTIPLES.at(np.array([0, 1, 2, 4, 8, 16, 1000]))
    np.testing.assert_allclose(found[:, 0], [3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.5])
    np.testing.assert_allclose(found[:, 1], [2.0, 1.0, 1.0, 1.0, 1.5, 2.0, 2.0])


def test_one_multiple_serves_any_number():
    np.testing.assert_array_equal(Multiples.level(1.6).at(np.array([0, 3])), np.full((2, 2), 1.6))


def test_what_is_written_is_read_again():
    content = {"process": nominal(2.0).to_dict(), "multiples": MULTIPLES.to_dict()}
    known = Calibration.read(content)
    assert known.process.to_dict() == content["process"]
    np.testing.assert_array_equal(known.multiples.values, MULTIPLES.values)
    assert known.banded


def test_a_model_without_a_calibration_has_nominal_hyper_parameters_and_no_bands():
    known = Calibration.read(None)
    assert known.process.to_dict() == nominal().to_dict()
    assert not known.banded


def test_a_calibration_of_an_earlier_version_is_refused_with_the_way_out():
    with pytest.raises(MtclarError, match=r"earlier version.*mtclar export --model"):
        Calibration.read({"kriging": {}, "multiples": {"valence": 1.0, "arousal": 1.0}, "zero_shot": {}})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda c: c.pop("multiples"), "multiples"),
        (lambda c: c["multiples"].update(valence=[1.0]), "valence"),
        (lambda c: c["multiples"].update(anchors=[0, 4, 1, 16]), "ascending"),
        (lambda c: c["process"].pop("arousal"), "arousal"),
        (lambda c: c["process"]["valence"].update(noise="much"), "much"),
        (lambda c: c["process"]["valence"]["grid"].update(gain=[1.0]), "gain"),
        (lambda c: c["process"]["valence"]["course"].update(fog=1.0), "fog"),
        (lambda c: c["process"]["valence"]["grid"].update(slow_s=[0.0] * 58), "slow_s"),
    ],
)
def test_a_calibration_that_is_not_whole_is_refused_by_name(change, what):
    content = {"process": nominal().to_dict(), "multiples": MULTIPLES.to_dict()}
    change(content)
    with pytest.raises(MtclarError, match=what):
        Calibration.read(content)


def test_confidence_falls_from_one_as_the_band_widens():
    half = np.array([[0.0, 0.0], [0.2, 0.4], [2.0, 2.0], [np.nan, 0.1]])
    np.testing.assert_allclose(confidence(half), [1.0, 0.7, 0.0, np.nan])
