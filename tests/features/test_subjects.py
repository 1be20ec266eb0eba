from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.data.anchors import Anchor, Anchors
from mtclar.errors import MtclarError
from mtclar.features.subjects import NOBODY, Meant, choice_notes, place_anchors, subjects
from mtclar.features.table import Faces, Features

WIDTH, HEIGHT = 640, 360
Span = tuple[int, int, tuple[float, float, float]]  # first frame, end, and the middle and side of the box


def video(
    frames: int, tracks: list[Span], cuts: tuple[int, ...] = (), person: dict[int, str] | None = None
) -> Features:
    """The features of a video with faces that keep still."""
    rows = [(track, frame, box) for track, (first, end, box) in enumerate(tracks) for frame in range(first, end)]
    m = len(rows)
    box = np.array([(x - side / 2, y - side / 2, side, side) for _, _, (x, y, side) in rows], np.float32)
    faces = Faces(
        frame=np.array([frame for _, frame, _ in rows], np.int64),
        track=np.array([track for track, _, _ in rows], np.int64),
        box=box.reshape(-1, 4),
        score=np.ones(m, np.float32),
        quality=np.ones(m, np.float32),
        pose=np.zeros((m, 3), np.float32),
        landmarks=np.zeros((m, 68, 2), np.float16),
        embedding=np.zeros((m, 4), np.float16),
        expression=np.zeros((m, 8), np.float16),
        head=np.zeros((m, 2), np.float32),
        prediction=np.zeros((m, 2), np.float32),
    )
    shot = np.searchsorted(np.array(cuts), np.arange(frames), side="right")
    facts = {"width": WIDTH, "height": HEIGHT}
    return Features(np.arange(frames), np.arange(frames) / 25, shot, faces, facts, {}, person=person or {})


LEFT, MIDDLE, RIGHT = (100.0, 180.0, 120.0), (320.0, 180.0, 80.0), (540.0, 180.0, 60.0)
THREE = video(30, [(0, 30, LEFT), (0, 30, MIDDLE), (0, 30, RIGHT)])


@pytest.mark.parametrize(
    ("rule", "track"), [("auto", 0), ("largest", 0), ("central", 1), ("track 2", 2), ("track 0", 0)]
)
def test_of_three_people_the_rule_chooses_one(rule, track):
    (chosen,) = subjects(THREE, rule)
    assert chosen.tracks == (track,)
    assert (chosen.track == track).all()


def test_all_are_everybody():
    assert [subject.tracks for subject in subjects(THREE, "all")] == [(0,), (1,), (2,)]


def test_a_small_face_all_along_outweighs_a_large_one_for_a_moment():
    passing = video(100, [(40, 45, (320.0, 180.0, 200.0)), (0, 100, MIDDLE)])
    assert subjects(passing, "largest")[0].tracks == (1,)


def test_each_shot_has_a_subject_of_its_own_and_frames_without_a_face_belong_to_it():
    cut = video(40, [(2, 15, LEFT), (20, 38, RIGHT), (25, 40, MIDDLE)], cuts=(20,))
    (chosen,) = subjects(cut, "largest")
    assert chosen.tracks == (0, 2)
    assert chosen.track.tolist() == [0] * 20 + [2] * 20


def test_a_shot_without_faces_has_nobody():
    cut = video(30, [(0, 10, LEFT)], cuts=(10,))
    assert subjects(cut, "largest")[0].track.tolist() == [0] * 10 + [NOBODY] * 20


def test_a_face_that_comes_back_as_another_track_goes_on_being_the_subject_and_it_is_said():
    back = video(60, [(0, 20, LEFT), (40, 60, LEFT)])
    (chosen,) = subjects(back, "largest")
    assert chosen.tracks == (0, 1)
    assert chosen.track.tolist() == [0] * 40 + [1] * 20
    assert choice_notes(back, "largest") == (
        "In shot 0 tracks 0 and 1 follow one another and are labelled as one subject.",
    )


def test_a_face_far_smaller_does_not_stand_in_for_the_subject():
    small = video(60, [(0, 20, LEFT), (40, 60, RIGHT)])
    assert subjects(small, "largest")[0].tracks == (0,)


def test_people_with_names_are_one_subject_over_cuts_and_others_do_not_stand_in_for_them():
    tracks = [(0, 10, LEFT), (20, 30, LEFT), (0, 30, RIGHT), (30, 40, MIDDLE)]
    named = {0: "person 0", 1: "person 1", 2: "person 2", 3: "person 0"}
    known = video(40, tracks, cuts=(30,), person=named)
    assert subjects(known, "track 3")[0].track.tolist() == [0] * 30 + [3] * 10
    assert [subject.tracks for subject in subjects(known, "all")] == [(0, 3), (1,), (2,)]
    assert subjects(known, "largest")[0].tracks == (0, 3)
    assert subjects(video(40, tracks, cuts=(30,)), "largest")[0].tracks == (0, 1, 3)


def test_where_nobody_else_could_be_meant_nothing_is_said():
    assert choice_notes(video(30, [(0, 30, LEFT)]), "largest") == ()
    assert choice_notes(video(30, [(0, 10, LEFT), (10, 30, RIGHT)], cuts=(10,)), "auto") == ()
    assert choice_notes(video(5, []), "auto") == ()


def test_where_there_was_a_choice_it_is_said_who_was_chosen_and_how_to_choose_otherwise():
    (note,) = choice_notes(THREE, "auto")
    assert "30 of 30 frames show several faces" in note
    assert "The largest face of each shot is labelled (track 0), not tracks 1 and 2" in note
    assert "--subject" in note
    assert choice_notes(THREE, "all") == ()


@pytest.mark.parametrize("rule", ["tracks 1", "track x", "track", "biggest", ""])
def test_a_rule_that_is_not_known_is_refused(rule):
    with pytest.raises(MtclarError, match="auto, largest, central, track N or all"):
        subjects(THREE, rule)


def test_a_track_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(MtclarError, match=r"label.subject is 'track 7', but the video has tracks 0, 1 and 2\."):
        subjects(THREE, "track 7")


def test_an_anchor_that_names_a_track_means_it():
    assert Meant(THREE, "auto")(3, 2, None) == 2


def test_an_anchor_with_a_point_means_the_face_around_it():
    meant = Meant(THREE, "auto")
    points = ((0, (110.0, 200.0)), (5, (300.0, 190.0)), (9, (540.0, 160.0)))
    assert [meant(frame, None, point) for frame, point in points] == [0, 1, 2]


def test_of_faces_that_overlap_a_point_means_the_one_whose_middle_is_nearest():
    close = video(5, [(0, 5, (100.0, 100.0, 80.0)), (0, 5, (150.0, 100.0, 80.0))])
    assert Meant(close, "auto")(2, None, (120.0, 100.0)) == 0
    assert Meant(close, "auto")(2, None, (130.0, 100.0)) == 1


def test_a_point_means_a_face_that_is_away_just_now():
    away = video(30, [(0, 10, LEFT), (0, 30, RIGHT)])
    blink = Features(
        away.pts,
        away.time_s,
        away.shot,
        away.faces[(away.faces.track == 1) | (away.faces.frame != 5)],
        away.video,
        {},
    )
    assert Meant(blink, "auto")(5, None, (100.0, 180.0)) == 0


def test_an_anchor_that_says_nothing_means_the_only_face_of_its_frame():
    alone = video(30, [(0, 10, LEFT), (10, 20, RIGHT)])
    meant = Meant(alone, "auto")
    assert [meant(frame, None, None) for frame in (3, 12, 25)] == [0, 1, 0]


@pytest.mark.parametrize("rule", ["auto", "all"])
def test_an_anchor_that_says_nothing_on_a_frame_with_several_people_is_refused_with_their_places(rule):
    with pytest.raises(MtclarError) as caught:
        Meant(THREE, rule)(7, None, None)
    assert str(caught.value) == (
        "the anchor on frame 7 does not say of whom it is, and the frame shows track 0 at (100, 180), track 1 at "
        "(320, 180) and track 2 at (540, 180); give its track_id or a point on the face (face_x, face_y), or choose "
        "with --subject whose labels are meant."
    )


@pytest.mark.parametrize(("rule", "track"), [("largest", 0), ("central", 1), ("track 2", 2)])
def test_once_it_is_said_who_is_meant_an_anchor_need_not_say_it(rule, track):
    assert Meant(THREE, rule)(7, None, None) == track


def test_an_anchor_on_a_frame_with_strangers_only_is_refused():
    strangers = video(30, [(0, 30, LEFT), (10, 20, MIDDLE), (10, 20, RIGHT)], cuts=(10, 20))
    faces = strangers.faces[(strangers.faces.track != 0) | (strangers.faces.frame < 10)]
    cut = Features(strangers.pts, strangers.time_s, strangers.shot, faces, strangers.video, {})
    assert Meant(cut, "track 0")(5, None, None) == 0
    with pytest.raises(MtclarError, match="does not say of whom"):
        Meant(cut, "track 0")(15, None, None)


@pytest.mark.parametrize(
    ("track", "point", "said"),
    [
        (9, None, "is of track 9, but the video has tracks 0 and 1"),
        (1, None, r"is of track 1, which ends with its shot \(frames 10 to 29\); the frame shows track 0 at"),
        (None, (600.0, 10.0), r"\(600, 10\) of the anchor on frame 3 lies on no face; the frame shows track 0 at"),
    ],
)
def test_an_anchor_of_a_face_that_is_not_there_is_refused(track, point, said):
    cut = video(30, [(0, 10, LEFT), (10, 30, RIGHT)], cuts=(10,))
    with pytest.raises(MtclarError, match=said):
        Meant(cut, "auto")(3, track, point)


def test_with_all_an_anchor_on_a_frame_without_a_face_must_name_its_track():
    gap = video(20, [(0, 5, LEFT), (0, 5, RIGHT)])
    with pytest.raises(MtclarError, match="no face was found on the frame; give its track_id"):
        Meant(gap, "all")(10, None, None)


@st.composite
def videos(draw) -> Features:
    frames = draw(st.integers(1, 40))
    cuts = tuple(sorted(set(draw(st.lists(st.integers(1, 40), max_size=3)))))
    bounds = [0, *[cut for cut in cuts if cut < frames], frames]
    tracks: list[Span] = []
    for begin, end in pairwise(bounds):
        for _ in range(draw(st.integers(0, 3))):
            first = draw(st.integers(begin, end - 1))
            place = draw(st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT), st.floats(20, 200)))
            tracks.append((first, draw(st.integers(first + 1, end)), place))
    names = draw(st.dictionaries(st.integers(0, max(len(tracks) - 1, 0)), st.sampled_from(["a", "b"]), max_size=4))
    return video(frames, tracks, cuts, {track: name for track, name in names.items() if track < len(tracks)})


@given(videos(), st.sampled_from(["auto", "largest", "central", "all"]))
def test_a_subject_is_of_its_own_shot_and_seen_wherever_one_of_its_tracks_is(features, rule):
    faces = features.faces
    found = subjects(features, rule)
    assert sorted(t for subject in found for t in subject.tracks) == sorted({t for s in found for t in s.tracks})
    for subject in found:
        for track in subject.tracks:
            shot = features.shot[faces.frame[faces.track == track][0]]
            assert (features.shot[subject.track == track] == shot).all()
            assert (subject.track[features.shot == shot] != NOBODY).all()
        own = np.isin(faces.track, subject.tracks)
        for frame in np.unique(faces.frame[own]):
            assert subject.track[frame] in faces.track[own & (faces.frame == frame)]
    if rule == "all":
        assert {t for s in found for t in s.tracks} == set(features.tracks)


@given(videos(), st.sampled_from(["auto", "largest", "all"]))
def test_a_point_in_the_middle_of_a_face_means_a_face_around_it(features, rule):
    meant, faces = Meant(features, rule), features.faces
    for row in range(len(faces)):
        x, y, w, h = faces.box[row].astype(float)
        track = meant(int(faces.frame[row]), None, (x + w / 2, y + h / 2))
        its = faces.box[(faces.track == track) & (faces.frame == faces.frame[row])][0].astype(float)
        assert np.abs(its[:2] + its[2:] / 2 - (x + w / 2, y + h / 2)).max() <= 1e-3


def anchors(*rows: tuple[float, int | None, tuple[float, float] | None, str]) -> Anchors:
    """Anchors of frame 3: valence, and whom they name."""
    listed = [
        Anchor(
            line, "clip", 3, None, valence, 0.0, track_id=track, person_id=person, annotator=str(line), face_xy=point
        )
        for line, (valence, track, point, person) in enumerate(rows, start=2)
    ]
    return Anchors(Path("anchors.csv"), tuple(listed))


def test_rows_that_mean_one_face_in_different_ways_are_put_together():
    left = (LEFT[0] + 5, LEFT[1])
    placed = place_anchors(
        THREE,
        anchors((0.2, 0, None, ""), (0.4, None, left, ""), (0.9, 2, None, ""), (0.6, None, None, "")),
        "clip",
        "largest",
    )
    assert placed.track.tolist() == [0, 2]
    np.testing.assert_allclose(placed.labels[:, 0], [0.4, 0.9])
    assert (placed.noise[:, 0] > 0).all()


def test_a_row_that_names_a_person_means_their_face_where_people_are_known():
    known = video(30, [(0, 30, LEFT), (0, 30, MIDDLE)], person={0: "ann", 1: "bob"})
    assert place_anchors(known, anchors((0.2, None, None, "bob")), "clip", "auto").track.tolist() == [1]
    alone = video(30, [(0, 30, LEFT)])
    assert place_anchors(alone, anchors((0.2, None, None, "bob")), "clip", "auto").track.tolist() == [0]


def test_a_row_that_does_not_say_of_whom_it_is_is_refused_by_its_line():
    with pytest.raises(MtclarError, match=r"anchors\.csv, line 2: the anchor on frame 3 does not say of whom it is"):
        place_anchors(THREE, anchors((0.2, None, None, "")), "clip", "auto")
