"""Two artists behind one interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtclar.synthesis.actions import actions_from, no_actions
from mtclar.synthesis.artists import Artist, Light, Performance, View, make_artist
from mtclar.synthesis.draw import count_faces
from mtclar.synthesis.identity import draw_person
from mtclar.synthesis.scene import draw_scene, photograph

VIEW = View(160, 160, 22.0, (0.0, -1.2))
LIGHTS = (Light((0.3, 0.4, 1.0), (0.9, 0.9, 0.9)),)
LIPS = slice(48, 68)


@pytest.fixture(scope="session", params=["drawn", "rendered"])
def artist(request: pytest.FixtureRequest) -> Artist:
    if request.param == "drawn":
        return make_artist("drawn")
    return make_artist("rendered", request.getfixturevalue("face_model"))


def landmarks(artist: Artist, **strengths: float) -> np.ndarray:
    person = draw_person(np.random.default_rng(4), "p")
    return artist.draw(person, Performance(actions_from(strengths)), VIEW, LIGHTS).landmarks


def test_the_more_one_smiles_the_higher_and_wider_are_the_corners_of_the_mouth(artist: Artist) -> None:
    marks = [landmarks(artist, smile=s) for s in (0.0, 0.3, 0.6, 0.9)]
    height = [float(m[27, 1] - m[[48, 54], 1].mean()) for m in marks]
    width = [float(m[54, 0] - m[48, 0]) for m in marks]
    assert height == sorted(height)
    assert height[-1] - height[0] > 2
    assert width == sorted(width)
    assert width[-1] - width[0] > 2


@pytest.mark.parametrize(
    ("action", "upper", "lower", "opens"),
    [
        ("jaw_open", 62, 66, True),
        ("lid_raise", 37, 41, True),
        ("lid_close", 37, 41, False),
        ("brow_inner_up", 21, 27, True),
        ("brow_down", 21, 27, False),
    ],
)
def test_an_action_moves_the_part_it_is_named_for(
    artist: Artist, action: str, upper: int, lower: int, opens: bool
) -> None:
    gaps = [float(m[lower, 1] - m[upper, 1]) for m in (landmarks(artist), landmarks(artist, **{action: 0.8}))]
    assert (gaps[1] - gaps[0] > 0.5) if opens else (gaps[0] - gaps[1] > 0.5)


def test_the_left_side_of_a_person_is_the_right_side_of_the_picture(artist: Artist) -> None:
    person = draw_person(np.random.default_rng(4), "p")
    rest = artist.draw(person, Performance(), VIEW, LIGHTS).landmarks
    left = artist.draw(person, Performance(actions_from({"smile": (0.9, 0.0)})), VIEW, LIGHTS).landmarks
    moved = np.linalg.norm(left - rest, axis=1)
    assert rest[54, 0] > rest[48, 0]
    assert moved[54] > 5 * moved[48]


def test_a_picture_depends_on_nothing_drawn_before_it(artist: Artist) -> None:
    people = [draw_person(np.random.default_rng(s), "p") for s in (1, 2)]
    performance = Performance(actions_from({"smile": 0.5}), (5.0, 3.0, 2.0), (4.0, -3.0))
    first = artist.draw(people[0], performance, VIEW, LIGHTS)
    artist.draw(people[1], Performance(), View(200, 120, 30.0), LIGHTS * 2)
    again = artist.draw(people[0], performance, VIEW, LIGHTS)
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.alpha, again.alpha)


def test_the_face_covers_the_middle_and_leaves_the_upper_corners_free(artist: Artist) -> None:
    layer = artist.draw(draw_person(np.random.default_rng(4), "p"), Performance(), VIEW, LIGHTS)
    assert layer.rgb.shape == (160, 160, 3)
    assert layer.alpha[80, 80] == 1
    assert layer.alpha[2, 2] == 0
    assert layer.alpha[2, -3] == 0


def test_landmarks_lie_where_the_face_is_drawn_also_off_centre_and_turned(artist: Artist) -> None:
    view = View(240, 160, 26.0, (4.0, -1.0))
    layer = artist.draw(draw_person(np.random.default_rng(4), "p"), Performance(head=(12.0, 5.0, -6.0)), view, LIGHTS)
    inside = layer.landmarks[17:].astype(int)
    assert (layer.alpha[inside[:, 1], inside[:, 0]] > 0.9).all()
    assert layer.landmarks[LIPS, 0].mean() > 120


def test_the_detector_finds_faces_of_many_people_in_many_scenes(artist: Artist) -> None:
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scene = draw_scene(rng, (160, 160), (20.5, 24.5), 1.0, (60, 70))
        person = draw_person(rng, "p")
        layer = artist.draw(person, Performance(person.show(no_actions())), scene.view, scene.lights)
        found += count_faces(photograph(scene, [layer], rng)) == 1
    assert found >= 19


def test_a_face_model_from_the_packed_file_is_complete(face_model: Path) -> None:
    from mtclar.synthesis.artists.facemodel import load_face_model
    from mtclar.synthesis.artists.rendered import SHAPES

    model = load_face_model(face_model)
    stems = {name.removesuffix("_L").removesuffix("_R") for name in model.expression_names}
    assert {shape for shape, _ in SHAPES.values()} <= stems
