"""Which frames are suggested, and what is said of the error of a video's labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_annotate import CALIBRATION, NONE, ONE, SETTINGS, anchors, video

from mtclar.errors import MtclarError
from mtclar.labelling import Calibration
from mtclar.labelling.fitted import fit
from mtclar.labelling.suggest import candidates, estimated_error, suggest, surprise


def suggested(features, given=NONE, count=4, **more):
    settings = SETTINGS.model_copy(update={"subject": more.pop("subject", "auto")})
    return suggest(fit(features, given, settings, CALIBRATION), count, **more)


LONG = video([(0, np.arange(120), 50.0)], n=120)


def test_without_an_anchor_frames_are_spread_over_the_clip():
    frames = np.sort(suggested(LONG, count=4).frame)
    assert np.diff(frames).min() >= 15
    assert frames[0] < 40
    assert frames[-1] > 80


def test_frames_beside_anchors_are_not_suggested():
    given = anchors([10, 20, 30, 40], [(0.0, 0.0)] * 4)
    found = suggested(LONG, given, count=3)
    assert found.frame.min() > 45
    assert found.error.anchors == 4


def test_a_frame_that_can_hardly_be_seen_is_not_suggested_but_a_clear_one_beside_it():
    quality = np.full(120, 0.9, np.float32)
    quality[20:50] = 0.1
    quality[np.arange(120) % 3 != 0] *= 0.5
    dark = replace(LONG, faces=replace(LONG.faces, quality=quality))
    frames = suggested(dark, count=10).frame
    assert not np.isin(frames, np.arange(20, 50)).any()
    assert (frames % 3 == 0).all()
    all_dark = replace(LONG, faces=replace(LONG.faces, quality=np.full(120, 0.05, np.float32)))
    assert len(suggested(all_dark, count=2).frame) == 2  # rather a dark one than none


def test_frames_without_a_face_are_never_suggested():
    gap = video([(0, np.r_[0:40, 60:120], 50.0)], n=120)
    assert not np.isin(suggested(gap, count=12).frame, np.arange(40, 60)).any()


def test_several_people_are_each_suggested_with_their_track():
    two = video([(0, np.arange(60), 50.0), (1, np.arange(60), 30.0)], n=60)
    found = suggested(two, count=4, subject="all")
    assert set(found.track.tolist()) == {0, 1}
    assert set(suggested(two, count=4, subject="track 1").track.tolist()) == {1}


def test_the_error_falls_with_anchors_and_a_target_says_how_many_it_takes():
    fitted = fit(LONG, anchors([10, 60], [(0.1, 0.1), (0.3, -0.2)]), SETTINGS, CALIBRATION)
    error = estimated_error(fitted, ahead=8)
    assert error.after(0) == error.now
    both = np.vstack([error.now, error.ahead])
    assert (np.diff(both, axis=0) <= 1e-9).all()
    goal = float(max(error.after(4))) + 1e-4
    found = estimated_error(fitted, target=goal)
    assert found.needed is not None
    assert 1 <= found.needed <= 6
    assert estimated_error(fitted, target=2.0).needed == 0
    assert estimated_error(fitted, target=1e-6).needed is None


def test_without_surprise_the_estimated_error_is_that_of_the_labels_standard_deviations_as_calibrated():
    fitted = fit(LONG, anchors([10], [(0.1, 0.1)]), SETTINGS, CALIBRATION)
    at = np.flatnonzero(fitted.asked)
    for d in range(2):
        sd = fitted.posteriors[d].at(fitted.places(at, d))[1]
        # CALIBRATION: from one anchor the bands of 90 % are 0.75 standard deviations wide, where 1.6449 are Gaussian
        np.testing.assert_allclose(estimated_error(fitted).now[d], 0.75 / 1.6449 * np.sqrt(np.mean(sd**2)), rtol=1e-4)
    plain = fit(LONG, anchors([10], [(0.1, 0.1)]), SETTINGS, None)
    sd = plain.posteriors[0].at(plain.places(at, 0))[1]
    np.testing.assert_allclose(estimated_error(plain).now[0], np.sqrt(np.mean(sd**2)), rtol=1e-6)


def test_anchors_that_are_missed_by_more_than_the_process_says_raise_the_error():
    frames = list(range(5, 115, 10))
    smooth = fit(LONG, anchors(frames, [(0.0, 0.0)] * 11), SETTINGS, CALIBRATION)
    jumping = fit(LONG, anchors(frames, [(0.9 * (-1) ** k, 0.0) for k in range(11)]), SETTINGS, CALIBRATION)
    assert surprise(jumping.posteriors[0]) > surprise(smooth.posteriors[0])
    assert estimated_error(jumping).now[0] > estimated_error(smooth).now[0]


def test_of_a_long_video_some_frames_stand_for_all():
    fitted = fit(LONG, NONE, SETTINGS, CALIBRATION)
    rows, weight, allowed = candidates(fitted, points=30)
    assert len(rows) <= 31
    assert weight.sum() == 120
    assert allowed.all()


def test_all_frames_labelled_leaves_nothing_to_suggest():
    given = anchors(list(range(30)), [(0.0, 0.0)] * 30)
    found = suggested(ONE, given)
    assert len(found.frame) == 0
    assert found.error.now == (0.0, 0.0)


@pytest.mark.parametrize("coverage", [0.0, 1.0, "0.9", True, None])
def test_a_coverage_that_is_no_share_is_refused(coverage):
    with pytest.raises(MtclarError, match="as 'coverage'"):
        Calibration.read({**CALIBRATION, "coverage": coverage})
