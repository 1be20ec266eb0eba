"""Many ways to the same label: what they have in common, and that they differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.data.tables import EXPRESSIONS
from mtclar.synthesis.actions import ACTIONS, INDEX
from mtclar.synthesis.repertoire import act, between, draw_manner, draw_point, expression_of

MANNERS = [draw_manner(np.random.default_rng(seed)) for seed in range(60)]
unit = st.floats(-1, 1)


def shown(name: str, affect: tuple[float, float]) -> float:
    """Mean strength of an action over many manners."""
    return float(np.mean([act(np.array(affect), manner)[INDEX[name]] for manner in MANNERS]))


@given(st.integers(0, 10_000), unit, unit)
def test_every_affect_has_actions_that_are_finite_and_not_negative(seed, valence, arousal):
    actions = act(np.array([valence, arousal]), draw_manner(np.random.default_rng(seed)))
    assert actions.shape == (len(ACTIONS), 2)
    assert np.isfinite(actions).all()
    assert (actions >= 0).all()


@pytest.mark.parametrize("arousal", [-0.6, 0.0, 0.6])
def test_a_smile_grows_with_pleasure_and_only_with_it(arousal):
    smiles = [shown("smile", (valence, arousal)) for valence in (-0.8, -0.3, 0.0, 0.3, 0.8)]
    assert smiles[:3] == [0, 0, 0]
    assert smiles[3] < smiles[4]


def test_excitement_opens_eyes_and_mouth_and_its_want_lowers_the_lids():
    assert shown("lid_raise", (0, 0.8)) > shown("lid_raise", (0, 0.3)) > shown("lid_raise", (0, -0.3)) == 0
    assert shown("jaw_open", (0.7, 0.7)) > shown("jaw_open", (0.7, 0.0))
    assert shown("lid_close", (0, -0.8)) > shown("lid_close", (0, -0.2)) > shown("lid_close", (0, 0.2))


def test_one_label_is_shown_in_clearly_different_ways():
    fierce = np.stack([act(np.array([-0.6, 0.6]), manner) for manner in MANNERS])
    distance = np.linalg.norm((fierce[:, None] - fierce[None]).reshape(60, 60, -1), axis=2)
    assert np.median(distance[np.triu_indices(60, 1)]) > 1.0


def test_all_eight_expressions_occur_and_a_still_face_is_neutral():
    rng = np.random.default_rng(3)
    names = [expression_of(draw_point(rng), draw_manner(rng)) for _ in range(4000)]
    assert set(EXPRESSIONS) <= set(names)
    assert min(names.count(name) for name in EXPRESSIONS) > 0.01 * len(names)
    assert expression_of(np.array([0.02, -0.05]), MANNERS[0]) == "neutral"


def test_points_lie_in_the_disc_and_fill_it():
    rng = np.random.default_rng(4)
    points = np.array([draw_point(rng) for _ in range(4000)])
    assert np.hypot(*points.T).max() <= 1 + 1e-9
    for sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        assert (points * sign > 0.35).all(1).mean() > 0.01


def test_the_way_from_one_manner_to_another_begins_and_ends_with_them():
    start, end, affects = MANNERS[0], MANNERS[1], np.array([[-0.5, 0.5], [0.0, 0.2], [0.6, 0.1]])
    path = between(start, end, affects, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(path[0], act(affects[0], start), atol=1e-6)
    np.testing.assert_allclose(path[2], act(affects[2], end), atol=1e-6)
    np.testing.assert_allclose(path[1], (act(affects[1], start) + act(affects[1], end)) / 2, atol=1e-6)
