from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.faces.detect import Face, overlap
from mtclar.faces.tracks import MOST_FACES, Seen, Tracker, Tracks
from tests.faces.world import FPS, SIZE, Lays, Settings, World


def watch(
    world: World, s: Settings | None = None, cuts: tuple[int, ...] = (), fps: float = FPS
) -> tuple[list[tuple[int, Seen]], Tracks]:
    """What the tracker tells of a world: (frame, face) with the final numbers of tracks, dropped ones left out."""
    tracker = Tracker(s or Settings(), world.detector("quick"), world.detector("careful"), Lays(world))
    told = [
        (frame, seen)
        for frame in range(len(world.people))
        for seen in tracker.push(frame, frame / fps, world.picture(frame), frame in (0, *cuts))
    ]
    tracks = tracker.finish()
    kept = [
        (frame, Seen(tracks.number[seen.track], seen.face, seen.mesh, seen.turn))
        for frame, seen in told
        if seen.track in tracks.number
    ]
    return kept, tracks


def box(x: float, y: float = 80.0, side: float = 60.0) -> Face:
    return Face(x, y, side, side)


def frames_of(told: list[tuple[int, Seen]], track: int) -> list[int]:
    return [frame for frame, seen in told if seen.track == track]


def people_of(told: list[tuple[int, Seen]], world: World) -> dict[int, set[int]]:
    """The people whose faces each track shows."""
    found: dict[int, set[int]] = {}
    for frame, seen in told:
        faces = {person: face for person, face in enumerate(world.people[frame]) if face is not None}
        found.setdefault(seen.track, set()).add(max(faces, key=lambda p: overlap(faces[p], seen.face)))
    return found


def test_a_face_that_moves_is_one_track_with_its_boxes():
    world = World([[box(20 + 2 * i)] for i in range(60)])
    told, tracks = watch(world)
    assert tracks == Tracks({0: 0}, ())
    assert [frame for frame, _ in told] == list(range(60))
    assert all(overlap(seen.face, world.people[frame][0]) > 0.99 for frame, seen in told)
    assert all(seen.mesh is not None and seen.turn == 0 for _, seen in told)


def test_detectors_look_at_every_kth_frame_and_the_careful_one_every_half_second():
    world = World([[box(100)] for _ in range(100)])
    watch(world, Settings(detect_every=10))
    assert world.calls["follow"] == 99
    assert 10 <= world.calls["quick"] <= 18
    assert world.calls["careful"] <= 8


def test_two_people_are_two_tracks_at_once():
    world = World([[box(30 + i), box(200 - i)] for i in range(40)])
    told, tracks = watch(world)
    assert len(tracks.number) == 2
    assert people_of(told, world) == {0: {0}, 1: {1}}
    assert len(told) == 80


def test_no_track_goes_over_a_cut_though_the_face_stays_where_it_was():
    told, tracks = watch(World([[box(100)] for _ in range(40)]), cuts=(17,))
    assert len(tracks.number) == 2
    assert frames_of(told, 0) == list(range(17))
    assert frames_of(told, 1) == list(range(17, 40))


@pytest.mark.parametrize(("away", "tracks"), [(20, 1), (70, 2)])
def test_a_face_that_comes_back_in_time_is_the_same_track(away, tracks):
    people = [[box(100)] for _ in range(20)] + [[None]] * away + [[box(110)] for _ in range(20)]
    told, found = watch(World(people), Settings(lost_after_s=2.0))
    assert len(found.number) == tracks
    assert {frame for frame, _ in told}.isdisjoint(range(20, 20 + away))
    assert frames_of(told, 0)[:20] == list(range(20))


def test_another_person_who_comes_where_one_has_left_is_another_track():
    people = [[box(100), None] for _ in range(20)] + [[None, None]] * 10 + [[None, box(104)] for _ in range(20)]
    world = World(people)
    told, tracks = watch(world)
    assert people_of(told, world) == {0: {0}, 1: {1}}
    assert len(tracks.number) == 2


def test_a_face_of_which_detectors_are_unsure_is_kept_but_begins_a_track_only_with_a_mesh():
    people = [[box(100)] for _ in range(40)]
    unsure = {(frame, 0) for frame in range(25, 40)}
    told, _ = watch(World(people, unsure=unsure, meshless={0}))
    assert [frame for frame, _ in told] == list(range(40))
    always = {(frame, 0) for frame in range(40)}
    assert watch(World(people, unsure=always, meshless={0})) == ([], Tracks({}, ()))
    told, _ = watch(World(people, unsure=always))
    assert [frame for frame, _ in told] == list(range(40))


def test_where_the_quick_detector_loses_a_face_the_careful_one_finds_it_again():
    people = [[box(100 if frame < 10 else 150)] for frame in range(30)]  # it jumps, so the mesh slips off
    blind = {("quick", frame, 0) for frame in range(10, 30)}
    told, tracks = watch(World(people, blind=blind))
    assert [frame for frame, _ in told] == list(range(30))
    assert len(tracks.number) == 1


def test_a_face_without_a_mesh_is_followed_by_its_detections():
    told, _ = watch(World([[box(100 + i)] for i in range(30)], meshless={0}))
    assert [frame for frame, _ in told] == list(range(30))
    assert all(seen.mesh is None and seen.face.score == 0.9 for _, seen in told)


def test_a_mesh_that_no_detector_confirms_is_given_up_after_two_seconds():
    people = [[box(100)] for _ in range(120)]
    gone = {(name, frame, 0) for name in ("quick", "careful") for frame in range(20, 120)}
    told, _ = watch(World(people, blind=gone))
    assert 60 <= max(frame for frame, _ in told) <= 72


def test_false_faces_of_a_single_frame_are_dropped():
    people = [[box(100)] for _ in range(60)]
    false = {("careful", frame): [Face(250.0, 10.0, 40.0, 40.0, 0.95)] for frame in (0, 13, 26)}
    false |= {("quick", frame): faces for (_, frame), faces in false.items()}
    _, tracks = watch(World(people, false=false))
    assert len(tracks.number) == 1


def test_a_picture_is_a_video_of_one_frame_whose_faces_are_kept():
    told, tracks = watch(World([[box(30), box(200)]]))
    assert len(tracks.number) == 2
    assert len(told) == 2


def test_two_people_who_pass_each_other_stay_who_they_were():
    people = []
    for i in range(80):
        left, right = box(20 + 3 * i), box(250 - 3 * i, 85.0)
        people.append([None if overlap(left, right) > 0.3 else left, right])  # the second one passes before the first
    world = World(people)
    told, tracks = watch(world)
    assert len(tracks.number) == 2
    assert people_of(told, world) == {0: {0}, 1: {1}}


def test_two_people_who_turn_round_when_they_meet_stay_who_they_were():
    people = []
    for i in range(80):
        gone = 3 * (i if i < 40 else 80 - i)
        left, right = box(20 + gone), box(250 - gone, 85.0)
        people.append([None if overlap(left, right) > 0.3 else left, right])
    world = World(people)
    told, tracks = watch(world)
    assert len(tracks.number) == 2
    assert people_of(told, world) == {0: {0}, 1: {1}}


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_faces_that_lie_are_found_in_the_picture_turned_and_said(turn):
    world = World([[box(100 + i)] for i in range(100)], turn=turn)
    told, tracks = watch(world)
    first = told[0][0]
    assert first <= 2 * FPS
    assert [frame for frame, _ in told] == list(range(first, 100))
    assert all(seen.turn == turn and overlap(seen.face, world.people[frame][0]) > 0.95 for frame, seen in told)
    assert len(tracks.notes) == 1
    assert f"turned by {turn} degrees clockwise" in tracks.notes[0]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_face_that_lies_and_is_found_all_the_same_is_turned_upright_from_the_first_frame_on(turn):
    world = World([[box(100 + i)] for i in range(30)], turn=turn, any_turn=True)
    told, _ = watch(world)
    assert [frame for frame, _ in told] == list(range(30))
    assert all(seen.turn == turn and overlap(seen.face, world.people[frame][0]) > 0.95 for frame, seen in told)


def test_the_crop_of_a_face_that_lies_is_turned_upright():
    crop = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    face = box(0)
    assert Seen(0, face, None).upright(crop) is crop
    assert Seen(0, face, None, 90).upright(crop).tolist() == [
        [crop[1, 0].tolist(), crop[0, 0].tolist()],
        [crop[1, 1].tolist(), crop[0, 1].tolist()],
    ]


def test_a_video_without_faces_is_turned_ever_more_seldom():
    world = World([[None] for _ in range(500)])
    told, tracks = watch(world)
    assert not told
    assert not tracks.number
    assert not tracks.notes
    assert world.calls["careful"] <= 500 / FPS / 0.5 + 1 + 3 * 5


def test_what_is_carried_from_frame_to_frame_follows_a_picture_size_that_changes():
    small = World([[box(100)] for _ in range(20)])
    large = World([[Face(200.0, 160.0, 120.0, 120.0)]])

    class Both(Lays):
        def _on(self, picture, face):
            self.world = small if picture.shape[1] == SIZE[0] else large
            return super()._on(picture, face)

    tracker = Tracker(Settings(steady_s=0.5), small.detector("quick"), small.detector("careful"), Both(small))
    for frame in range(20):
        tracker.push(frame, frame / FPS, small.picture(frame), frame == 0)
    doubled = np.zeros((2 * SIZE[1], 2 * SIZE[0], 3), np.uint8)
    seen = tracker.push(20, 20 / FPS, doubled, False)
    assert [one.track for one in seen] == [0]
    assert seen[0].face.box == pytest.approx((200.0, 160.0, 120.0, 120.0), abs=0.1)


def test_boxes_are_steadied_in_time_whatever_the_frame_rate():
    def last(fps: float) -> float:
        frames = round(fps)
        people = [[box(100 if i / fps < 0.5 else 112)] for i in range(frames)]
        told, _ = watch(World(people), Settings(steady_s=0.3), fps=fps)
        return told[-1][1].face.x

    expected = 112 - 12 * math.exp(-0.5 / 0.3)
    assert last(25.0) == pytest.approx(expected, abs=1.0)
    assert last(50.0) == pytest.approx(expected, abs=0.6)


def test_of_a_crowd_the_largest_are_followed_and_it_is_said():
    sides = [16.0 + 2 * i for i in range(MOST_FACES + 3)]
    people = [[box(2 + 60 * (i % 5), 5 + 70 * (i // 5), side) for i, side in enumerate(sides)] for _ in range(20)]
    world = World(people)
    told, tracks = watch(world)
    assert {person for of in people_of(told, world).values() for person in of} == set(range(3, MOST_FACES + 3))
    assert any("largest are followed" in note for note in tracks.notes)


@st.composite
def worlds(draw) -> tuple[World, tuple[int, ...]]:
    """People who wander about, are hidden at times and missed by detectors at times; and cuts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames, cast = draw(st.integers(1, 50)), draw(st.integers(1, 4))
    place = rng.uniform([0, 0], [260, 180], (cast, 2))
    speed = rng.normal(0, 2.5, (cast, 2))
    sides = rng.uniform(30, 70, cast)
    hidden = rng.random((frames, cast)) < draw(st.sampled_from([0.0, 0.05, 0.3]))
    people = [
        [
            None if hidden[i, p] else Face(*(place[p] + speed[p] * i).tolist(), float(sides[p]), float(sides[p]))
            for p in range(cast)
        ]
        for i in range(frames)
    ]
    missed = np.argwhere(rng.random((2, frames, cast)) < draw(st.sampled_from([0.0, 0.2, 0.6])))
    blind = {(("quick", "careful")[int(d)], int(i), int(p)) for d, i, p in missed}
    cuts = draw(st.lists(st.integers(1, 49), max_size=3))
    return World(people, blind=blind), tuple(cuts)


@settings(deadline=None, max_examples=60)
@given(worlds())
def test_a_track_is_seen_once_a_frame_in_one_shot_and_numbers_have_no_gaps(given_world):
    world, cuts = given_world
    told, tracks = watch(world, cuts=cuts)
    assert sorted(tracks.number.values()) == list(range(len(tracks.number)))
    assert len({(frame, seen.track) for frame, seen in told}) == len(told)
    for track in tracks.number.values():
        shots = {sum(cut <= frame for cut in cuts) for frame in frames_of(told, track)}
        assert len(shots) == 1
    firsts = [min(frames_of(told, track)) for track in sorted(tracks.number.values())]
    assert firsts == sorted(firsts)


@settings(deadline=None, max_examples=40)
@given(worlds())
def test_the_order_in_which_detectors_name_their_boxes_does_not_matter(given_world):
    world, cuts = given_world
    told, _ = watch(world, cuts=cuts)
    backwards = World(world.people, blind=world.blind, backwards=True)
    other, _ = watch(backwards, cuts=cuts)

    def rows(told):
        groups: dict[int, list] = {}
        for frame, seen in told:
            groups.setdefault(seen.track, []).append((frame, *(round(v, 3) for v in seen.face.box)))
        return sorted(map(tuple, groups.values()))

    assert rows(told) == rows(other)
