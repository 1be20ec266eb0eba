"""People walk about before each other through cuts, seen by the real detectors and meshes: everybody keeps a track."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mtclar.faces.shots import by_shot
from mtclar.faces.tracks import open_tracker
from tests.faces.footage import FPS, Truth, film, timed
from tests.faces.world import Settings

WHOLE, HALF = 0.7, 0.5
"""Shares of a face that must not be hidden for it to be found, and for a track on it to be held against the truth."""


def check(seconds: float, seed: int, cast: int = 2) -> None:
    """Makes a film of four shots and follows everybody through it.

    Asserts:
        Each shot begins where it should. Each person is one track in each shot, and maybe another one after having been
        hidden for longer than a lost face is waited for; on at least 97 of 100 frames that show their face whole, and
        on none of another's: that is on at most 2 in 100 frames of the track, while one passes close before the other.
    """
    pictures, truth = film(seed, seconds, cast=cast)
    tracker = open_tracker(Settings(steady_s=0.15))
    begins, told = [], []
    for index, (frame, new_shot) in enumerate(by_shot(timed(pictures))):
        if new_shot:
            begins.append(index)
        told += [(index, seen) for seen in tracker.push(index, frame.time_s, frame.image, new_shot)]
    number = tracker.finish().number
    assert begins == [int(np.flatnonzero(truth.shot == shot)[0]) for shot in range(4)]

    people: dict[int, list[int]] = {}
    found: set[tuple[int, int]] = set()
    for index, seen in told:
        if seen.track not in number:
            continue
        middle = np.array([seen.face.x + seen.face.w / 2, seen.face.y + seen.face.h / 2])
        boxes = truth.box[index]
        away = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - middle, axis=1) / boxes[:, 2]
        person = int((away - 0.3 * truth.shown[index]).argmin())
        assert away[person] < HALF, f"track {seen.track} shows nobody on frame {index}"
        if truth.shown[index, person] >= HALF:
            people.setdefault(seen.track, []).append(person)
            found.add((index, person))
    whole = {(int(i), int(p)) for i, p in np.argwhere(truth.shown >= WHOLE)}
    assert len(found & whole) >= 0.97 * len(whole)
    for track, shown in people.items():
        (_, most), *others = Counter(shown).most_common()
        assert sum(count for _, count in others) <= 0.02 * most + 1, f"track {track} shows {Counter(shown)}"
    assert 4 * cast <= len(people) <= 4 * cast + long_absences(truth)


def long_absences(truth: Truth) -> int:
    """How often somebody is hidden within a shot for longer than a lost face is waited for."""
    count = 0
    for shot in range(4):
        for shown in (truth.shown[truth.shot == shot] >= HALF).T:
            seen = np.flatnonzero(shown)
            count += int((np.diff(seen) > Settings.lost_after_s * FPS).sum())
    return count


def test_two_people_and_three_cuts_in_twenty_seconds_are_eight_tracks_without_a_swap():
    check(20.0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_two_people_and_three_cuts_in_two_minutes_keep_their_tracks_without_a_swap(seed):
    check(120.0, seed)
