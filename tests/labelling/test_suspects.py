"""Anchors that contradict the others are found, and a good one beside a wrong one is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_annotate import CALIBRATION, SETTINGS, anchors, video

from mtclar.labelling.fitted import fit
from mtclar.labelling.suspects import differences, suspects

LONG = video([(0, np.arange(200), 50.0)], n=200)
FRAMES = np.arange(5, 200, 10)
TRUE = LONG.faces.prediction[FRAMES].astype(float)


def judged(labels: np.ndarray, compare=None):
    return suspects(fit(LONG, anchors(FRAMES.tolist(), labels.tolist()), SETTINGS, CALIBRATION), compare)


def right(left: np.ndarray, other: np.ndarray):
    """A pair head that sees what is true: the toy's embedding begins with valence and arousal."""
    return np.zeros(len(left)), left[:, 0] - other[:, 0], left[:, 1] - other[:, 1]


@pytest.mark.parametrize("compare", [None, right])
def test_two_wrong_anchors_side_by_side_are_ranked_first(compare):
    labels = TRUE.copy()
    labels[7, 0] += 0.8 if labels[7, 0] < 0 else -0.8
    labels[8, 1] += 0.8 if labels[8, 1] < 0 else -0.8
    found = judged(labels, compare)
    assert set(found.order[:2].tolist()) == {7, 8}
    assert found.suspect.sum() == 2
    np.testing.assert_allclose(found.expected[found.order == 7][0, 0], TRUE[7, 0], atol=0.3)


@pytest.mark.parametrize("compare", [None, right])
def test_anchors_that_agree_are_left_alone(compare):
    assert not judged(TRUE, compare).suspect.any()


def test_the_pair_head_is_asked_of_each_pair_and_its_disagreement_told():
    labels = TRUE.copy()
    labels[4, 0] -= 0.8
    found = judged(labels, right)
    place = int(np.flatnonzero(found.order == 4)[0])
    assert found.pair[place, 0] < -3
    assert np.abs(np.delete(found.pair[:, 0], place)).max() < 3
    assert np.isnan(judged(labels).pair).all()
    values = LONG.faces.embedding[:3]
    gaps = differences(values, right)
    for i in range(3):
        for j in range(3):
            np.testing.assert_allclose(gaps[i, j], (values[i, :2] - values[j, :2]).astype(float), atol=1e-3)


def test_of_two_anchors_nobody_can_say_which_is_wrong():
    given = anchors([3, 100], [(0.9, 0.9), (-0.9, -0.9)])
    found = suspects(fit(LONG, given, SETTINGS, CALIBRATION), right)
    assert found.score.tolist() == [0, 0]
    assert not found.suspect.any()


def test_an_anchor_without_a_face_is_judged_by_time_alone():
    gap = replace(LONG, faces=LONG.faces[np.flatnonzero(LONG.faces.frame != FRAMES[3])])
    labels = TRUE.copy()
    found = suspects(fit(gap, anchors(FRAMES.tolist(), labels.tolist()), SETTINGS, CALIBRATION), right)
    assert np.isfinite(found.score).all()
    assert np.isnan(found.pair[found.order == 3]).all()
