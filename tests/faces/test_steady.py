from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.faces import Face, Steady


def test_the_first_face_is_taken_as_it_is():
    face = Face(10.0, 20.0, 30.0, 30.0, 0.5)
    assert Steady(0.15)(face, 0.0) == face


def test_without_a_time_constant_boxes_stay_as_they_are():
    steady = Steady(0.0)
    steady(Face(0.0, 0.0, 100.0, 100.0, 1.0), 0.0)
    assert steady(Face(5.0, 0.0, 120.0, 120.0, 1.0), 0.04) == Face(5.0, 0.0, 120.0, 120.0, 1.0)


def test_after_one_time_constant_a_change_has_been_followed_by_63_percent():
    steady = Steady(0.2)
    steady(Face(0.0, 0.0, 100.0, 100.0, 1.0), 0.0)
    face = steady(Face(10.0, 0.0, 100.0, 100.0, 0.3), 0.2)
    assert face.x == pytest.approx(10 * (1 - math.exp(-1)))
    assert face.score == 0.3


def test_a_side_that_flips_between_two_sizes_settles_between_them():
    steady = Steady(0.3)
    sides = [steady(Face(-s / 2, -s / 2, s, s, 1.0), i / 30).w for i, s in enumerate([100.0, 120.0] * 30)]
    assert max(sides[20:]) - min(sides[20:]) < 4
    assert 105 < sides[-1] < 115


def test_a_face_that_has_jumped_is_followed_at_once():
    steady = Steady(0.5)
    steady(Face(0.0, 0.0, 100.0, 100.0, 1.0), 0.0)
    assert steady(Face(90.0, 0.0, 100.0, 100.0, 1.0), 0.04).x == 90.0


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(40, 200)), min_size=2, max_size=20),
    st.floats(0, 2),
)
def test_the_steadied_box_lies_between_the_boxes_seen(boxes, constant):
    steady = Steady(constant)
    for i, (x, y, side) in enumerate(boxes):
        face = steady(Face(x, y, side, side, 1.0), i / 25)
        seen = boxes[: i + 1]
        assert min(s for *_, s in seen) - 1e-6 <= face.w <= max(s for *_, s in seen) + 1e-6
        centres = [a + s / 2 for a, _, s in seen]
        assert min(centres) - 1e-6 <= face.x + face.w / 2 <= max(centres) + 1e-6
