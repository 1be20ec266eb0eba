from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtclar.faces.shots import AHEAD, ShotFinder, by_shot
from tests.faces.footage import Shown, scene, timed


def starts(pictures, fps: float = 25.0) -> list[int]:
    """The frames that begin a shot."""
    return [index for index, (_, new) in enumerate(by_shot(timed(pictures, fps))) if new]


@pytest.mark.parametrize("seed", range(5))
def test_a_cut_is_found_on_its_frame(seed):
    assert starts(scene(10 + seed, 20) + scene(20 + seed, 25) + scene(30 + seed, 12)) == [0, 20, 45]


def test_a_cut_is_found_in_a_grey_film_of_little_contrast():
    grey = [
        np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] // 3 + 90, 3, axis=2)
        for picture in scene(1, 20) + scene(2, 20)
    ]
    assert starts(grey) == [0, 20]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length):
    pictures = scene(3, 30)
    for index in range(12, 12 + length):
        pictures[index] = np.clip(pictures[index].astype(float) * 3 + 60, 0, 255).astype(np.uint8)
    assert starts(pictures) == [0]


def test_a_white_and_a_black_frame_are_no_cuts():
    pictures = scene(4, 40)
    pictures[10][:], pictures[25][:] = 255, 0
    assert starts(pictures) == [0]


@pytest.mark.parametrize("speed", [2.0, 6.0, 12.0])
def test_a_pan_is_no_cut(speed):
    assert starts(scene(5, 24, speed=speed)) == [0]


def test_a_jolt_of_the_camera_by_a_tenth_of_the_picture_is_no_cut():
    pictures = scene(6, 30)
    jolted = [np.roll(picture, 32, axis=1) for picture in pictures[15:]]
    assert starts(pictures[:15] + jolted) == [0]


def test_a_cut_within_a_pan_is_found():
    assert starts(scene(7, 20, speed=6.0) + scene(8, 20, speed=5.0)) == [0, 20]


def test_a_lamp_that_is_switched_on_is_no_cut():
    pictures = scene(9, 30)
    dark = [(picture * 0.7).astype(np.uint8) for picture in pictures[:15]]
    assert starts(dark + pictures[15:]) == [0]


def test_a_picture_that_mixes_both_sides_of_a_cut_gives_one_cut():
    before, after = scene(11, 20), scene(12, 20)
    mixed = ((before[-1].astype(int) + after[0]) // 2).astype(np.uint8)
    assert len(starts([*before, mixed, *after])) == 2


@pytest.mark.parametrize("length", [8, 15, 22])
def test_a_dissolve_is_one_cut_within_it_or_a_few_frames_after(length):
    before, after = scene(13, 40), scene(14, 40)
    shares = np.arange(1, length + 1) / (length + 1)
    mixed = [
        np.rint(a * (1 - share) + b * share).astype(np.uint8)
        for a, b, share in zip(before[-length:], after[:length], shares, strict=True)
    ]
    found = starts(before[:-length] + mixed + after[length:])
    assert len(found) == 2
    assert 40 - length <= found[1] <= 40 + 3


def test_a_picture_size_that_changes_is_no_cut_and_a_cut_at_the_change_is():
    pictures = scene(15, 15)
    larger = [cv2.resize(picture, (480, 270), interpolation=cv2.INTER_LINEAR) for picture in scene(15, 30)[15:]]
    assert starts(pictures + larger) == [0]
    other = [cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA) for picture in scene(16, 15)]
    assert starts(pictures + other) == [0, 15]


def test_a_film_slowed_down_by_repeated_pictures_has_the_same_cuts():
    pictures = scene(17, 14) + scene(18, 14)
    assert starts([picture for picture in pictures for _ in range(2)], fps=50.0) == [0, 28]


def test_decisions_come_a_few_frames_late_and_all_of_them_at_the_end():
    finder, pictures = ShotFinder(), scene(19, 10)
    given = [len(finder.push(picture, index / 25)) for index, picture in enumerate(pictures)]
    assert given == [0] * AHEAD + [1] * (10 - AHEAD)
    assert finder.finish() == [False] * AHEAD


@pytest.mark.parametrize("frames", [0, 1, 3, AHEAD, AHEAD + 1])
def test_a_short_video_is_one_shot(frames):
    assert starts(scene(20, frames)) == [0][:frames]


def test_frames_pass_through_in_order_and_untouched():
    frames = timed(scene(21, 12))
    assert [frame for frame, _ in by_shot(iter(frames))] == frames


def test_what_fails_while_frames_are_read_is_raised():
    def broken():
        yield Shown(scene(22, 1)[0], 0.0)
        raise OSError("the file ended")

    with pytest.raises(OSError, match="the file ended"):
        list(by_shot(broken()))
