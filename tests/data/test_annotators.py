"""What several annotators of one face come to."""

import numpy as np
import pytest

from mtclar.data.annotators import PRIOR_DISAGREEMENT, VideoAnchors, standard_errors
from mtclar.errors import MtclarError


def groups(rng, frames, annotators, spread):
    """Labels of frames by annotators who disagree with a standard deviation of `spread`."""
    truth = rng.uniform(-0.5, 0.5, (frames, 1, 2))
    labels = truth + rng.normal(0, spread, (frames, annotators, 2))
    return [(each, np.ones(annotators)) for each in labels]


@pytest.mark.parametrize("annotators", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.05, 0.2])
def test_the_standard_error_is_that_of_the_mean_where_there_are_many_frames(annotators, spread):
    found = standard_errors(groups(np.random.default_rng(0), 400, annotators, spread))
    np.testing.assert_allclose(np.sqrt((found**2).mean(axis=0)), spread / np.sqrt(annotators), rtol=0.05)


def test_the_mean_lies_within_twice_its_standard_error_as_often_as_it_should():
    rng = np.random.default_rng(1)
    truth = rng.uniform(-0.5, 0.5, (1000, 2))
    labels = truth[:, None] + rng.normal(0, 0.15, (1000, 3, 2))
    noise = standard_errors([(each, np.ones(3)) for each in labels])
    inside = (np.abs(labels.mean(axis=1) - truth) < 2 * noise).mean()
    assert 0.92 < inside < 0.98


def test_annotators_who_agree_on_a_few_frames_are_not_taken_for_certain():
    (few, *_), (many, *_) = (standard_errors([(np.zeros((2, 2)), np.ones(2))] * n) for n in (1, 100))
    assert np.all(few > PRIOR_DISAGREEMENT / 3)
    assert np.all((many > 0) & (many < few / 3))


def test_a_frame_on_which_they_disagree_more_is_less_certain_in_that_dimension_alone():
    calm = [(np.array([[0.1, 0.1], [0.12, 0.1]]), np.ones(2))] * 10
    found = standard_errors([*calm, (np.array([[-0.5, 0.1], [0.5, 0.1]]), np.ones(2))])
    assert found[-1, 0] > 2 * found[0, 0]
    assert found[-1, 1] == pytest.approx(found[0, 1], rel=0.01)


def test_a_frame_of_one_annotator_among_frames_of_several_has_their_standard_deviation():
    found = standard_errors([*groups(np.random.default_rng(2), 300, 2, 0.2), (np.zeros((1, 2)), np.ones(1))])
    np.testing.assert_allclose(found[-1], 0.2, rtol=0.1)


def test_without_a_second_annotator_nothing_is_known_and_nothing_added():
    assert not standard_errors([(np.zeros((1, 2)), np.ones(1))] * 3).any()
    assert standard_errors([]).shape == (0, 2)


def test_the_scale_of_the_weights_does_not_matter():
    labels = np.random.default_rng(3).normal(size=(3, 2))
    once, tenfold = (standard_errors([(labels, scale * np.array([1.0, 2.0, 3.0]))]) for scale in (1, 10))
    np.testing.assert_allclose(once, tenfold)


def test_anchors_are_taken_apart_by_position_and_what_is_not_given_is_filled_in():
    anchors = VideoAnchors(np.array([3, 5, 9]), np.zeros((3, 2)), np.ones(3))
    assert anchors.track.tolist() == [-1, -1, -1]
    assert np.isnan(anchors.face_xy).all()
    some = anchors[np.array([True, False, True])]
    assert (some.frames.tolist(), len(some), some.own.tolist()) == ([3, 9], 2, [True, True])
    with pytest.raises(MtclarError, match="expected labels of 1 anchors, got 2"):
        VideoAnchors(np.array([1]), np.zeros((2, 2)), np.ones(1))
