"""What a bundle carries about how sure its labels are, measured through a whole evaluation on a toy world."""

import json

import numpy as np
import pytest
from toy_world import SETTINGS, Skilled, embedded, judged, toy_world

from mtclar.evaluation.calibrate import calibrate
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.scores import plain
from mtclar.labelling import Kriging, half_bands

KRIGED = SETTINGS.model_copy(update={"fusion": "kriging"})


@pytest.fixture(scope="module")
def kriged():
    return judged(*toy_world(), skill=0.8, settings=KRIGED)


def test_kriging_is_fitted_on_the_validation_clips_and_travels_as_json(kriged):
    found = json.loads(json.dumps(plain(kriged.calibration), allow_nan=False))
    assert set(found["kriging"]) == set(found["multiples"]) == set(DIMENSIONS)
    # JSON keeps six digits after the point.
    assert Kriging.from_dict(found["kriging"]).valence.gain == pytest.approx(
        kriged.calibration["kriging"]["valence"]["gain"], abs=1e-6
    )
    assert all(value > 0 for value in found["multiples"].values())
    assert found["n_clips"] == 10


def test_it_labels_better_than_the_difference_alone(kriged):
    plainly = judged(*toy_world(), skill=0.8)
    for dimension in DIMENSIONS:
        own, other = (found.metrics["few_shot"]["first"]["mtclar"][dimension]["rmse"] for found in (kriged, plainly))
        assert own < other


def test_the_coverage_is_told_by_budget_and_is_that_of_the_bands_that_labels_get(kriged):
    found = kriged.metrics["calibration"]
    assert set(found["budgets"]) == {"0.06"}
    item = kriged.labelled["first"]
    inside = np.concatenate(
        [
            (np.abs(one.methods["mtclar"] - one.clip.truth) <= half_bands(kriged.calibration, one.sd) + 1e-9)[
                one.queries
            ]
            for one in item
        ]
    )
    for k, dimension in enumerate(DIMENSIONS):
        assert found[dimension]["coverage"] == pytest.approx(inside[:, k].mean())
        assert found["budgets"]["0.06"][dimension]["per_clip"]["n_clips"] == 8


def test_copies_that_are_hard_to_see_teach_that_quality_matters():
    faces, _ = toy_world()
    clips = clips_of(faces, "validation")
    rows = np.sort(np.concatenate([clip.rows for clip in clips]))
    clear = embedded(faces, rows)
    values = clear.values.copy()
    bad = np.arange(len(rows)) % 30 > 15
    values[bad, :2] += np.random.default_rng(0).normal(0, 0.5, (bad.sum(), 2))
    spoilt = type(clear)(rows, values, np.where(bad, 0.1, 1.0))
    without, taught = (
        calibrate(KRIGED, faces, clips, clear, copies, Skilled(0.8), np.zeros(2)).content["kriging"]["valence"]
        for copies in (None, spoilt)
    )
    assert taught["haze"] > without["haze"]


def test_without_validation_clips_kriging_still_labels_but_has_no_band():
    found = judged(*toy_world(validation=0), skill=0.8, settings=KRIGED)
    assert plain(found.calibration)["multiples"] == {"valence": None, "arousal": None}
    assert found.metrics["few_shot"]["first"]["mtclar"]["valence"]["ccc"] > 0.5


def test_another_fusion_leaves_kriging_out():
    found = judged(*toy_world(clips=2, validation=2), skill=0.8).calibration
    assert found["kriging"] is None
    assert found["multiples"] is None
    assert found["valence"] > 0
