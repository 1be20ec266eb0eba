import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.labelling import Queries, Support

ONE = {
    "embeddings": np.zeros((1, 4)),
    "labels": np.zeros((1, 2)),
    "times_s": np.zeros(1),
    "own_track": np.ones(1, bool),
    "own_person": np.ones(1, bool),
    "weights": np.ones(1),
}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"labels": np.array([[0.0, 1.2]])}, "outside -1 to 1"),
        ({"labels": np.array([[np.nan, 0.0]])}, "unknown or outside"),
        ({"labels": np.zeros(2)}, r"labels \(k, 2\)"),
        ({"weights": np.zeros(1)}, "not above 0"),
        ({"times_s": np.zeros(3)}, "times_s of 1 faces"),
        ({"quality": np.zeros(3)}, "quality of 1 faces"),
    ],
)
def test_a_support_that_makes_no_sense_is_refused_in_one_sentence(changed, says):
    with pytest.raises(MtclarError, match=says):
        Support(**{**ONE, **changed})


def test_frames_and_times_must_be_as_many():
    with pytest.raises(MtclarError, match="times"):
        Queries(np.zeros((2, 4)), np.zeros(3))


def test_two_supports_are_joined_and_what_one_does_not_know_is_not_known():
    one = Support(**ONE, quality=np.array([0.5]), levels=np.zeros((1, 2)))
    two = Support(**{**ONE, "labels": np.array([[0.3, 0.1]]), "own_track": np.zeros(1, bool)}, quality=np.array([0.25]))
    both = one.joined(two)
    np.testing.assert_array_equal(both.labels, [[0, 0], [0.3, 0.1]])
    assert both.own_track.tolist() == [True, False]
    assert both.quality.tolist() == [0.5, 0.25]
    assert both.levels is None
