from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.video.stamps import mend

MS = 0.001


def mended(stamps, step=40, **options):
    return mend(stamps, step, MS, **options)


ascending = st.lists(st.integers(1, 90), min_size=8, max_size=120).map(lambda steps: np.cumsum(steps).tolist())


@given(ascending)
def test_stamps_that_ascend_are_never_touched_whatever_their_steps(stamps):
    result = mended(stamps)
    assert result.pts.tolist() == stamps
    assert not result.wrong.any()
    assert result.sentences("clip.mp4", MS) == []


@given(ascending, st.data())
def test_a_single_stamp_hours_off_is_set_between_its_neighbours_and_no_other_moves(stamps, data):
    at = data.draw(st.integers(0, len(stamps) - 1))
    broken = list(stamps)
    broken[at] += data.draw(st.sampled_from([-1, 1])) * data.draw(st.integers(4_000_000, 10**12))
    result = mended(broken)
    others = np.arange(len(stamps)) != at
    np.testing.assert_array_equal(result.pts[others], np.array(stamps)[others])
    steps = np.diff(stamps)
    interval = steps[at - 1 : at + 1].max() if 0 < at < len(steps) else steps.max()
    assert abs(result.pts[at] - stamps[at]) <= interval
    assert np.all(np.diff(result.pts) > 0)
    assert np.flatnonzero(result.wrong).tolist() == [at]


@given(st.integers(6, 80), st.integers(1, 50), st.data())
def test_at_a_constant_rate_a_single_stamp_off_by_any_amount_is_put_right_exactly(n, step, data):
    truth = np.arange(n) * step + 7
    at = data.draw(st.integers(2, n - 3))
    broken = truth.tolist()
    broken[at] = data.draw(st.integers(-(10**9), 10**9).filter(lambda v: not truth[at - 1] < v < truth[at + 1]))
    np.testing.assert_array_equal(mended(broken, step=step).pts, truth)


@given(ascending, st.sets(st.integers(0, 119), min_size=1, max_size=6))
def test_frames_without_a_stamp_get_one_between_their_neighbours(stamps, gone):
    gone = {i for i in gone if i < len(stamps)}
    result = mended([None if i in gone else stamp for i, stamp in enumerate(stamps)])
    kept = [i for i in range(len(stamps)) if i not in gone]
    np.testing.assert_array_equal(result.pts[kept], np.array(stamps)[kept])
    assert np.all(np.diff(result.pts) > 0)
    assert set(np.flatnonzero(result.missing).tolist()) == gone


def test_a_doubled_stamp_gets_a_place_between_and_the_later_ones_stay():
    assert mended([0, 1, 2, 2, 3, 4, 5]).pts.tolist() == [0, 1, 2, 2.5, 3, 4, 5]
    assert mended([0, 1, 2, 2, 4, 5, 6]).pts.tolist() == [0, 1, 2, 3, 4, 5, 6]


@given(st.integers(30, 200), st.integers(30, 200), st.integers(0, 200))
def test_a_recording_joined_to_another_goes_on_one_frame_later_and_keeps_its_own_steps(left, right, lead):
    first, second = np.arange(left) * 40 + lead, np.arange(right) * 40 + lead
    result = mended([*first.tolist(), *second.tolist()])
    np.testing.assert_array_equal(result.pts, np.arange(left + right) * 40 + lead)
    assert result.joins == ((left, (left - 1) * 40),)
    assert not result.wrong.any()


def test_a_wrong_stamp_close_to_a_join_is_mended_and_the_join_stays_where_it_is():
    stamps = [*range(0, 4000, 40), *range(0, 4000, 40)]
    stamps[95] = 9_000_000
    result = mended(stamps)
    np.testing.assert_array_equal(result.pts, np.arange(200) * 40)
    assert [frame for frame, _ in result.joins] == [100]
    assert np.flatnonzero(result.wrong).tolist() == [95]


def test_three_recordings_have_two_joins():
    result = mended([*range(0, 2000, 40), *range(500, 2500, 40), *range(0, 2000, 40)])
    assert [frame for frame, _ in result.joins] == [50, 100]
    np.testing.assert_array_equal(result.pts, np.arange(150) * 40)


def test_a_pause_of_hours_is_kept_because_all_later_frames_agree():
    stamps = [*range(0, 4000, 40), *range(9_000_000, 9_004_000, 40)]
    assert mended(stamps).pts.tolist() == stamps


def test_a_last_picture_that_stays_for_minutes_is_believed():
    stamps = [*range(0, 4000, 40), 4000 + 600_000]
    assert mended(stamps).pts.tolist() == stamps


@pytest.mark.parametrize("moved_on", [0, 1 << 33])
def test_a_clock_that_starts_anew_goes_on(moved_on):
    """MPEG's clock has 33 bits; a demuxer may add a turn where it believes in one."""
    start = (1 << 33) - 100 * 3600
    stamps = [start + 3600 * i for i in range(200)]
    result = mend([s if s < 1 << 33 else s - (1 << 33) + moved_on for s in stamps], 3600, 1 / 90000, period=1 << 33)
    assert result.pts.tolist() == stamps
    assert not result.joins


def test_a_jump_back_that_a_demuxer_took_for_a_turn_of_the_clock_is_a_join():
    stamps = [900_000 + 3600 * i for i in range(100)] + [(1 << 33) + 3600 * i for i in range(100)]
    result = mend(stamps, 3600, 1 / 90000, period=1 << 33)
    np.testing.assert_array_equal(result.pts, 900_000 + 3600 * np.arange(200))
    assert [frame for frame, _ in result.joins] == [100]


def test_without_any_stamp_the_rate_decides():
    result = mended([None] * 5)
    assert result.pts.tolist() == [0, 40, 80, 120, 160]
    (sentence,) = result.sentences("clip.h264", MS)
    assert "no time stamps" in sentence


def test_the_note_says_how_many_where_and_the_largest_correction():
    stamps = list(range(0, 40_000, 40))
    stamps[100], stamps[500] = stamps[99], 4000 + 3 * 3_600_000
    (sentence,) = mended(stamps).sentences("clip.mp4", MS)
    assert "2 of 1000 time stamps" in sentence
    assert "frame 100 at 4.000 s, frame 500 at 20.000 s" in sentence
    assert str(timedelta(milliseconds=4000 + 3 * 3_600_000 - 20_000)) in sentence


@given(st.lists(st.none() | st.integers(-(2**40), 2**40), min_size=1, max_size=150))
def test_whatever_the_stamps_the_mended_ones_ascend(stamps):
    result = mended(stamps)
    assert len(result.pts) == len(stamps)
    assert np.all(np.diff(result.pts) > 0)
    assert np.isfinite(result.pts).all()


def test_a_long_file_with_many_wrong_stamps_is_mended_in_seconds():
    generator = np.random.default_rng(0)
    stamps = (np.arange(100_000) * 40).tolist()
    at = np.arange(10, 99_990, 37)
    for i in at.tolist():
        stamps[i] = int(generator.integers(0, 10**9))
    np.testing.assert_allclose(mended(stamps).pts, np.arange(100_000) * 40, atol=40)
