"""Direction, warping and delay against explicit loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.evaluation.course import DEAD_BAND, changes, delays, pairs_at, warped

lengths = st.lists(st.integers(1, 25), min_size=1, max_size=5)


def made(counts, seed=0):
    """Clips of some lengths with a tenth of the frames left out, on the grid of tenths."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(len(counts)), counts)
    position = np.concatenate([np.arange(n) + rng.integers(0, 2, n).cumsum() for n in counts])
    return clip, position, *(rng.integers(-5, 6, len(clip)) / 10 for _ in "yp")


@settings(max_examples=60, deadline=None)
@given(lengths, st.integers(0, 1000), st.sampled_from([1, 5, 20]))
def test_changes_are_those_of_a_loop_over_all_pairs_of_frames(counts, seed, lag):
    clip, position, y, p = made(counts, seed)
    found = changes(clip, position, y, p, lag)

    def sign(change):
        return 0 if abs(change) <= DEAD_BAND + 1e-9 else np.sign(change)

    sda, direction = np.full(len(clip), np.nan), np.full(len(clip), np.nan)
    for i in range(len(clip)):
        for j in range(i + 1, len(clip)):
            if clip[i] == clip[j] and position[j] - position[i] == lag:
                same = sign(y[j] - y[i]) == sign(p[j] - p[i])
                sda[i] = 1 if same else -1
                if sign(y[j] - y[i]) != 0:
                    direction[i] = same
    np.testing.assert_array_equal(found["sda"], sda)
    np.testing.assert_array_equal(found["direction"], direction)


def test_a_step_within_the_dead_band_counts_as_standing_still():
    clip, position, truth = np.zeros(3, int), np.arange(3), np.array([0.1, 0.1, 0.2])
    found = changes(clip, position, truth, np.array([0.30, 0.35, 0.32]), 1)
    assert found["sda"][:2].tolist() == [1, -1]
    assert np.isnan(found["direction"][0])
    assert found["direction"][1] == 0


def test_no_frames_have_no_pairs():
    first, later = pairs_at(np.zeros(0, int), np.zeros(0, int), 1)
    assert len(first) == len(later) == 0


def slow_warp(y, p, reach):
    """The textbook recursion."""
    n = len(y)
    best = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(max(0, i - reach), min(n, i + reach + 1)):
            before = [best[a, b] for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if a >= 0 and b >= 0]
            best[i, j] = abs(y[i] - p[j]) + (min(before) if before else 0)
    return best[-1, -1] / n


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 1000), st.sampled_from([0, 1, 5, 40]))
def test_the_warped_distance_is_that_of_the_recursion_and_never_above_the_mean_error(counts, seed, reach):
    clip, _, y, p = made(counts, seed)
    found = warped(clip, y, p, reach)
    expected = [slow_warp(y[clip == c], p[clip == c], reach) for c in range(len(counts))]
    np.testing.assert_allclose(found, expected, atol=1e-7)
    straight = [np.abs(y - p)[clip == c].mean() for c in range(len(counts))]
    assert (found <= np.array(straight) + 1e-7).all()


def test_a_curve_that_comes_a_little_late_is_near_after_warping_and_its_delay_is_found():
    t = np.arange(80)
    y = np.sin(t / 9)
    late = np.sin((t - 4) / 9)
    clip = np.zeros(80, int)
    assert delays(clip, y, late)[0] == 4
    assert delays(clip, late, y)[0] == -4
    assert warped(clip, y, late)[0] < 0.2 * np.abs(y - late).mean()


@settings(max_examples=40, deadline=None)
@given(lengths, st.integers(0, 1000))
def test_delays_are_those_of_a_loop_over_shifts(counts, seed):
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(len(counts)), counts)
    y, p = rng.normal(size=(2, len(clip)))
    found = delays(clip, y, p, 3)
    for c, n in enumerate(counts):
        a, b = y[clip == c], p[clip == c]
        best = {}
        for k in range(-3, 4):
            left, right = (a[: n - k], b[k:]) if k >= 0 else (a[-k:], b[: n + k])
            if 2 * len(left) >= n and len(left) > 1:
                best[k] = np.corrcoef(left, right)[0, 1]
        if n == 1:
            assert np.isnan(found[c])
        else:
            assert best[int(found[c])] == pytest.approx(max(best.values()), abs=1e-9)


def test_a_clip_that_does_not_move_has_no_delay():
    clip = np.repeat([0, 1], 10)
    moving = np.sin(np.arange(20))
    assert np.isnan(delays(clip, np.where(clip == 0, 0.3, moving), moving)[0])
    assert delays(clip, moving, moving)[1] == 0
