"""What a bundle carries about how sure its labels are, measured through a whole evaluation on a toy world."""

import json

import numpy as np
import pytest
from toy_world import SETTINGS, Skilled, embedded, judged, toy_world

from mtclar.evaluation.calibrate import as_raters_do, calibrate
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


def test_labels_without_an_anchor_have_multiples_and_half_widths_of_their_own_and_are_judged(kriged):
    found = kriged.calibration
    assert set(found["multiples_zero_shot"]) == set(found["zero_shot"]) == set(DIMENSIONS)
    items = kriged.labelled["none"]
    assert len(items) == 8
    assert all(len(item.anchors) == 0 and item.queries.all() for item in items)
    assert set(items[0].methods) == {"mtclar", "class_mean", "zero_shot"}
    for k, dimension in enumerate(DIMENSIONS):
        held = kriged.metrics["calibration"]["none"][dimension]
        inside = [
            np.abs(item.methods["mtclar"] - item.clip.truth)[:, k]
            <= half_bands(found, item.sd, zero_shot=True)[:, k] + 1e-9
            for item in items
        ]
        assert held["coverage"] == pytest.approx(np.concatenate(inside).mean())
        assert held["multiple"] == found["multiples_zero_shot"][dimension]
    assert kriged.metrics["few_shot"]["none"]["mtclar"]["valence"]["rmse"] < 0.1


def test_without_a_head_that_says_levels_nothing_is_said_of_labels_without_an_anchor():
    class Pairwise(Skilled):
        def single(self, embedding):
            expression, *_ = super().single(embedding)
            return expression, *(np.full(len(embedding), np.nan),) * 2

    faces, _ = toy_world()
    clips = clips_of(faces, "validation")
    clear = embedded(faces, np.sort(np.concatenate([clip.rows for clip in clips])))
    found = calibrate(SETTINGS, faces, clips, clear, None, Pairwise(0.8), np.zeros(2)).content
    assert plain(found)["zero_shot"] == {"valence": None, "arousal": None}
    assert found["valence"] > 0


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
    assert found["multiples"] is found["multiples_zero_shot"] is None
    assert found["zero_shot"]["valence"] == pytest.approx(0, abs=1e-6)
    assert found["valence"] > 0


def test_raters_move_and_stretch_each_clip_in_their_own_way_and_the_same_for_the_same_seed():
    faces, _ = toy_world(validation=200)
    clips = clips_of(faces, "validation")
    apart = SETTINGS.model_copy(update={"rater_level": 0.1, "rater_scale": 0.25})
    found = as_raters_do(clips, apart)
    np.testing.assert_array_equal(found[3].truth, as_raters_do(clips, apart)[3].truth)
    np.testing.assert_array_equal(as_raters_do(clips, SETTINGS)[3].truth, clips[3].truth)
    lines = []
    for before, after in zip(clips, found, strict=True):
        inner = np.abs(after.truth[:, 0]) < 1
        lines.append(np.polyfit(before.truth[inner, 0], after.truth[inner, 0], 1))
    scale, level = np.array(lines).T
    assert np.log(scale).std() == pytest.approx(0.25, rel=0.15)
    assert level.std() == pytest.approx(0.1, rel=0.15)
    assert np.abs(np.concatenate([clip.truth for clip in found])).max() <= 1


def test_raters_who_differ_make_bands_without_an_anchor_wider():
    faces, _ = toy_world()
    clips = clips_of(faces, "validation")
    clear = embedded(faces, np.sort(np.concatenate([clip.rows for clip in clips])))
    exact, rated = (
        calibrate(settings, faces, clips, clear, None, Skilled(0.8), np.zeros(2)).content["zero_shot"]["valence"]
        for settings in (SETTINGS, SETTINGS.model_copy(update={"rater_level": 0.1, "rater_scale": 0.25}))
    )
    assert rated > exact + 0.1
