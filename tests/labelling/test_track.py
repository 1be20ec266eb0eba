"""A whole track, frames without a face among its rows."""

from functools import partial

import numpy as np
import pytest
from toy_track import KRIGING, TIMES_S, path

from mtclar.errors import MtclarError
from mtclar.labelling import krige, label_track, refine

TRUTH = path(TIMES_S)
GAP = np.arange(40, 65)


def compare(left, right):
    """A network that reads an embedding's two numbers as valence and arousal."""
    delta = left - right
    return np.full(len(left), 0.5), delta[:, 0], delta[:, 1]


def labelled(anchors, *, bridge_s, method="kriging", gap=GAP):
    faces = TRUTH.astype(np.float32).copy()
    faces[gap] = np.nan
    return label_track(
        faces,
        TIMES_S,
        np.array(anchors, int),
        TRUTH[anchors],
        compare,
        method=method,
        time_scale_s=1.0,
        levels=np.where(np.isnan(faces), np.nan, faces).astype(float),
        krige=partial(krige, kriging=KRIGING),
        bridge_s=bridge_s,
    )


def test_a_gap_that_is_short_enough_is_bridged_with_a_band_that_is_widest_in_its_middle(monkeypatch):
    monkeypatch.setattr(refine, "PERSONAL_SHARE", 0.0)
    found = labelled([0, 90], bridge_s=1.1)
    assert not np.isnan(found.labels).any()
    assert np.abs(found.labels[GAP] - TRUTH[GAP]).max() < 0.35
    around = found.sd[[30, 75]].max(0)
    assert (found.sd[52] > 1.3 * around).all()
    assert (found.sd[52] > found.sd[[41, 63]].max(0)).all()


@pytest.mark.parametrize(("bridge_s", "method"), [(0.0, "kriging"), (0.9, "kriging"), (9.0, "time")])
def test_a_gap_that_is_too_long_stays_unknown_and_so_does_every_gap_without_kriging(bridge_s, method):
    found = labelled([0, 90], bridge_s=bridge_s, method=method)
    assert np.isnan(found.labels[GAP]).all()
    assert np.isnan(found.sd[GAP]).all()
    assert not np.isnan(np.delete(found.labels, GAP, 0)).any()


def test_frames_before_the_first_face_and_after_the_last_are_never_guessed():
    edges = np.concatenate([np.arange(8), np.arange(93, 100)])
    found = labelled([20, 60], bridge_s=9.0, gap=edges)
    assert np.isnan(found.labels[edges]).all()


def test_an_anchor_whose_face_cannot_be_seen_says_what_was_there_at_its_time():
    without, given = labelled([0, 90], bridge_s=2.0), labelled([0, 52, 90], bridge_s=2.0)
    near = np.array([49, 50, 51, 53, 54, 55])
    errors = [np.abs(found.labels[near] - TRUTH[near]).mean() for found in (without, given)]
    assert errors[1] < 0.5 * errors[0]
    assert (given.sd[near] < without.sd[near]).all()
    assert given.used[near, 1].all()


def test_a_gap_is_bridged_without_any_anchor_too():
    found = labelled([], bridge_s=2.0)
    assert found.zero_shot
    assert not np.isnan(found.labels).any()
    assert (found.sd[52] > found.sd[30]).all()


def test_the_frames_that_show_a_face_do_not_depend_on_the_gap_being_bridged():
    bridged, left = labelled([0, 90], bridge_s=2.0), labelled([0, 90], bridge_s=0.0)
    rest = np.delete(np.arange(100), GAP)
    np.testing.assert_allclose(bridged.labels[rest], left.labels[rest], atol=1e-9)
    np.testing.assert_allclose(bridged.sd[rest], left.sd[rest], atol=1e-9)


def test_a_track_with_no_face_at_all_is_refused():
    with pytest.raises(MtclarError, match="no anchor shows a face"):
        labelled([0, 50], bridge_s=9.0, gap=np.arange(100))
