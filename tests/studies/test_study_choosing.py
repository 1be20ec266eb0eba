"""The studies of suggested frames and of suspect anchors, on a few clips of made-up people."""

from __future__ import annotations

import numpy as np
from test_study_useless import stretch

from mtclar.labelling import Calibration, Multiples, nominal
from studies import suggest, suspects


def test_suggested_frames_beat_random_ones_and_the_tables_say_by_how_many(monkeypatch):
    monkeypatch.setattr(suggest, "COUNTS", (2, 4, 8))
    monkeypatch.setattr(suggest, "ASKED", (4,))
    scores = suggest.score([stretch(k) for k in range(5)], Calibration(nominal(1.7), Multiples.level(1.6)))
    assert len(scores) == 5 * 3 * len(suggest.WAYS)
    means = scores.groupby(["placed", "anchors"])["valence"].mean()
    assert means["largest error", 8] < means["random", 8]
    saved = suggest.saved_table(scores, resamples=20)
    assert (saved.loc[saved["placed"] == "suggested anywhere", "share"] > 0).all()
    assert suggest.errors_table(scores)["anchors"].tolist() == [2, 4, 8]
    assert (suggest.estimates_table(scores)["error over estimate"] > 0).all()
    assert suggest.figure(scores).axes


def test_the_number_of_anchors_that_reach_an_error_is_read_between_those_tried():
    import pandas as pd

    means = pd.Series([0.4, 0.2, 0.1], index=[2, 4, 8])
    assert suggest._reaching(means, 0.3) == 3
    assert suggest._reaching(means, 0.15) == 6
    assert suggest._reaching(means, 0.5) == 2
    assert suggest._reaching(means, 0.05) == np.inf


def test_wrong_anchors_of_made_up_people_are_found():
    found = suspects.table(
        suspects.score([stretch(k) for k in range(4)], nominal(1.7), _differences, (10,)), resamples=50
    )
    assert found["asked"].tolist() == ["process", "process and pair head"]
    assert (found["found_first"] > 0.7).all()
    assert suspects.figure(found).axes
    labels, wrong = suspects.spoilt(np.zeros((20, 2)), np.random.default_rng(0))
    assert len(wrong) == 2
    np.testing.assert_allclose(np.abs(labels).sum(axis=1)[wrong], 0.8)
    assert np.abs(labels).sum() == 1.6


def _differences(left: np.ndarray, right: np.ndarray):
    return np.zeros(len(left)), np.zeros(len(left)), np.zeros(len(left))
