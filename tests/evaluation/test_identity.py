"""What a model was judged on has one name: the same for the same, another for anything that changes the numbers."""

import numpy as np
import pytest
from toy_world import SETTINGS, toy_world

from mtclar.evaluation.identity import evaluation_set

DATA = "a" * 64


@pytest.fixture(scope="module")
def world():
    return toy_world()


@pytest.fixture(scope="module")
def name(world):
    return evaluation_set(SETTINGS, DATA, *world)


def test_the_same_people_pairs_and_settings_have_the_same_name(world, name):
    faces, pairs = world
    assert evaluation_set(SETTINGS, DATA, faces.copy(), pairs.copy()) == name
    other = SETTINGS.model_copy(update={"real_placements": 3})
    assert evaluation_set(other, DATA, faces, pairs) == name, "the test on real faces is another one"


def test_a_face_that_is_not_judged_changes_nothing(world, name):
    faces, pairs = world
    spare = faces.index[faces["split"] == "train"]
    changed = faces.copy()
    changed.loc[spare, "valence"] = 0.0
    without = SETTINGS.model_copy(update={"supports": ("first",)})
    assert evaluation_set(without, DATA, changed, pairs) == evaluation_set(without, DATA, faces, pairs)


def test_other_data_settings_labels_people_or_pairs_have_another(world, name):
    faces, pairs = world
    row = int(np.flatnonzero(faces["split"] == "test")[0])
    label, person = faces.copy(), faces.copy()
    label.loc[row, "arousal"] = 0.123
    person.loc[row, "subject_id"] = "somebody else"
    fewer = pairs[pairs["split"] == "test"].iloc[1:]
    others = [
        evaluation_set(SETTINGS, "b" * 64, faces, pairs),
        evaluation_set(SETTINGS.model_copy(update={"stride": SETTINGS.stride + 1}), DATA, faces, pairs),
        evaluation_set(SETTINGS, DATA, label, pairs),
        evaluation_set(SETTINGS, DATA, person, pairs),
        evaluation_set(SETTINGS, DATA, faces, fewer),
    ]
    assert len({name, *others}) == 6


def test_of_data_that_nobody_knows_the_name_is_unknown(world):
    assert evaluation_set(SETTINGS, "unknown", *world) == "unknown"
