"""From affect to facial actions."""

from __future__ import annotations

import numpy as np
import pytest

from mtclar.synthesis.actions import ACTIONS, INDEX, STRONGEST
from mtclar.synthesis.affect import (
    CLASS_MEANS,
    CLASS_SPREADS,
    DISPLAYS,
    EXPRESSIONS,
    actions_of,
    affect_of,
    draw_affect,
    split_affect,
)
from mtclar.synthesis.identity import draw_person
from mtclar.synthesis.motion import clip_of

NO_RESIDUAL = np.zeros(2)
FIRST = (0,) * len(EXPRESSIONS)


@pytest.mark.parametrize("expression", range(8), ids=EXPRESSIONS)
def test_each_class_is_drawn_around_its_published_mean_with_its_published_spread(expression: int) -> None:
    rng = np.random.default_rng(expression)
    drawn = np.array([draw_affect(rng, expression) for _ in range(2000)])
    # Pulling back into the unit disc shrinks the classes at its rim a little.
    assert np.abs(drawn.mean(0) - CLASS_MEANS[expression]).max() < 0.03
    assert np.abs(drawn.std(0) - CLASS_SPREADS[expression]).max() < 0.04
    assert np.linalg.norm(drawn, axis=1).max() <= 1 + 1e-9


@pytest.mark.parametrize("expression", range(8), ids=EXPRESSIONS)
def test_an_expression_and_its_residual_together_give_the_affect_back(expression: int) -> None:
    affect = draw_affect(np.random.default_rng(3), expression)
    strength, residual = split_affect(expression, affect)
    weights = strength * np.eye(8)[expression]
    assert affect_of(weights, residual) == pytest.approx(affect)


def test_every_expression_but_neutral_can_be_shown_in_several_ways() -> None:
    assert [len(ways) > 1 for ways in DISPLAYS] == [False] + [True] * 7


def test_actions_of_a_path_are_those_of_its_instants() -> None:
    rng = np.random.default_rng(0)
    weights, residual = rng.uniform(0, 1, (5, 8)), rng.normal(0, 0.2, (5, 2))
    together = actions_of(weights, residual, FIRST)
    one_by_one = [actions_of(w, r, FIRST) for w, r in zip(weights, residual, strict=True)]
    assert together == pytest.approx(np.stack(one_by_one), abs=1e-6)


def test_more_arousal_opens_the_eyes_and_less_lets_the_lids_droop() -> None:
    levels = [actions_of(np.eye(8)[0], np.array([0, a]), FIRST) for a in (-0.5, -0.2, 0.2, 0.5)]
    opening = [float(a[INDEX["lid_raise"], 0] - a[INDEX["lid_close"], 0]) for a in levels]
    assert opening == sorted(opening)
    assert opening[0] < opening[-1]


def test_a_face_never_goes_beyond_what_faces_can_do() -> None:
    person = draw_person(np.random.default_rng(1), "p")
    shown = person.show(actions_of(np.full(8, 2.0), np.array([1.0, 1.0]), person.displays))
    assert shown.shape == (len(ACTIONS), 2)
    assert shown.min() >= 0
    assert shown.max() <= STRONGEST


def test_a_clip_moves_on_the_grid_and_stays_in_the_disc() -> None:
    person = draw_person(np.random.default_rng(1), "p")
    for seed in range(30):
        affect, performances = clip_of(np.random.default_rng(seed), person, 36, 25.0, 0.1)
        assert affect.shape == (36, 2)
        assert len(performances) == 36
        assert np.abs(affect * 10 - np.round(affect * 10)).max() < 1e-9
        assert np.abs(affect).max() <= 1


def test_most_clips_go_somewhere_and_many_begin_near_neutral() -> None:
    person = draw_person(np.random.default_rng(1), "p")
    clips = np.array([clip_of(np.random.default_rng(s), person, 36, 25.0, 0.1)[0] for s in range(60)])
    away = np.linalg.norm(clips - clips[:, :1], axis=2).max(1)
    start = np.linalg.norm(clips[:, 0], axis=1)
    assert np.mean(away > 0.4) > 0.8
    assert 0.25 < np.mean(start < 0.3) < 0.75


def test_blinks_speech_and_head_do_not_move_the_label() -> None:
    """The path draws its chance first, so the same seed with another person shows the same affect."""
    people = [draw_person(np.random.default_rng(s), "p") for s in (1, 2)]
    affects = [clip_of(np.random.default_rng(5), person, 40, 25.0, 0.1)[0] for person in people]
    assert np.array_equal(*affects)
