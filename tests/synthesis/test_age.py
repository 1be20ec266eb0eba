"""Faces look younger or older without seeming to show anything, and a grown one is as it was modelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtclar.synthesis.artists.age import GREY, Ageing, brow_of, find_ageing, hair_colour, hair_height, hairline_of
from mtclar.synthesis.artists.facemodel import FaceModel, load_face_model
from mtclar.synthesis.artists.paint import find_masks, paint
from mtclar.synthesis.identity import GROWN, Person, draw_person


@pytest.fixture(scope="module")
def model(face_model: Path) -> FaceModel:
    return load_face_model(face_model)


@pytest.fixture(scope="module")
def ageing(model: FaceModel) -> Ageing:
    return find_ageing(model)


def aged(age: float, seed: int = 3) -> Person:
    return replace(draw_person(np.random.default_rng(seed), "p"), age=age)


def landmarks(model: FaceModel, ageing: Ageing, age: float) -> np.ndarray:
    """The neutral face's landmarks at an age, centimetres (68, 3)."""
    return (model.vertices + ageing.shift(aged(age)))[model.landmarks68]


def test_whoever_is_drawn_is_grown_unless_told_otherwise() -> None:
    person = draw_person(np.random.default_rng(0), "p")
    assert person.age == GROWN
    assert person.young == person.old == 0
    assert brow_of(person) == person.brow
    assert (hair_height(person), hairline_of(person)) == (person.hair_volume, person.hairline)
    assert np.array_equal(hair_colour(person), person.hair)


def test_a_grown_face_is_the_models(model: FaceModel, ageing: Ageing) -> None:
    assert not ageing.shift(aged(GROWN)).any()
    masks, person = find_masks(model), aged(GROWN)
    with_lines, without = (paint(model, masks, lines, person) for lines in (ageing.lines, 0 * ageing.lines))
    assert np.array_equal(with_lines, without)


def test_a_child_has_larger_eyes_and_a_smaller_and_shorter_lower_face(model: FaceModel, ageing: Ageing) -> None:
    child, grown = (landmarks(model, ageing, age) for age in (0.0, GROWN))

    def width(marks: np.ndarray, a: int, b: int) -> float:
        return float(np.linalg.norm(marks[a] - marks[b]))

    assert width(child, 36, 39) > 1.08 * width(grown, 36, 39)
    assert width(child, 37, 41) > 1.08 * width(grown, 37, 41)
    assert width(child, 33, 8) < 0.92 * width(grown, 33, 8)
    assert width(child, 31, 35) < 0.9 * width(grown, 31, 35)
    assert width(child, 48, 54) < width(grown, 48, 54)


def test_an_old_face_hangs_a_little_and_less_than_a_sad_one(model: FaceModel, ageing: Ageing) -> None:
    sunk = landmarks(model, ageing, GROWN) - landmarks(model, ageing, 1.0)
    frown = [model.expression_names.index(f"mouthFrown_{side}") for side in "LR"]
    sad = -model.expression[frown].sum(0)[model.landmarks68]
    assert (sunk[[18, 25], 1] > 0.1).all(), "outer brows"
    for corner in (48, 54):
        assert 0.03 < sunk[corner, 1] < 0.35 * sad[corner, 1]


@pytest.mark.parametrize("age", [0.0, 0.25, 0.8, 1.0])
def test_what_age_does_is_the_same_on_both_sides_and_smooth(model: FaceModel, ageing: Ageing, age: float) -> None:
    shift = ageing.shift(aged(age))
    assert np.isfinite(shift).all()
    marks = shift[model.landmarks68]
    assert np.abs(marks[36] * [-1, 1, 1] - marks[45]).max() < 0.02
    assert np.abs(marks[48] * [-1, 1, 1] - marks[54]).max() < 0.02
    edges = np.concatenate([model.faces[:, [0, 1]], model.faces[:, [1, 2]]])
    length = np.linalg.norm(model.vertices[edges[:, 0]] - model.vertices[edges[:, 1]], axis=1)
    stretch = np.linalg.norm(shift[edges[:, 0]] - shift[edges[:, 1]], axis=1)
    assert (stretch < 0.45 * length + 1e-4).all(), "no edge is torn or folded over"


def test_half_as_young_is_half_the_way(ageing: Ageing) -> None:
    assert ageing.shift(aged(GROWN / 2)) == pytest.approx(ageing.shift(aged(0.0)) / 2, abs=1e-6)


def test_old_skin_has_darker_lines_and_old_hair_is_greyer_and_thinner(model: FaceModel, ageing: Ageing) -> None:
    masks = find_masks(model)
    old, grown = aged(1.0), aged(GROWN)
    deep = (ageing.lines > 0.6) & (masks.skin > 0) & (masks.mouth == 0) & (masks.lips < 0.1)
    painted = [paint(model, masks, ageing.lines, p)[deep].mean() for p in (old, grown)]
    assert deep.sum() > 50
    assert painted[0] < 0.9 * painted[1]
    assert np.abs(hair_colour(old) - GREY).max() < 0.5 * np.abs(grown.hair - GREY).max()
    assert hair_height(old) < grown.hair_volume
    assert hairline_of(old) > grown.hairline
