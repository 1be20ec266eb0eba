"""What a bundle carries about how sure its labels are, measured through a whole evaluation on a toy world."""

import json

import numpy as np
import pytest
from toy_world import SETTINGS, Skilled, embedded, judged, toy_world

from mtclar.evaluation import calibrate as module
from mtclar.evaluation.calibrate import COUNTS, as_raters_do, calibrate
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.scores import plain
from mtclar.labelling import Calibration, Process

BY_PROCESS = SETTINGS.model_copy(update={"fusion": "process"})


@pytest.fixture(scope="module")
def by_process():
    return judged(*toy_world(), skill=0.8, settings=BY_PROCESS)


def calibrated(settings=SETTINGS, heads=None, spoilt=None):
    faces, _ = toy_world()
    clips = clips_of(faces, "validation")
    clear = embedded(faces, np.sort(np.concatenate([clip.rows for clip in clips])))
    return calibrate(settings, clips, clear, spoilt, heads or Skilled(0.8))


def test_it_is_fitted_on_the_validation_clips_and_travels_as_json(by_process):
    found = json.loads(json.dumps(plain(by_process.calibration), allow_nan=False))
    known = Calibration.read(found)
    # JSON keeps six digits after the point.
    wanted = Process.from_dict(by_process.calibration["process"])
    np.testing.assert_allclose(known.process.valence.grid.weight, wanted.valence.grid.weight, atol=1e-5)
    assert found["multiples"]["anchors"] == list(COUNTS[: len(found["multiples"]["anchors"])])
    assert known.banded
    assert found["n_clips"] == 10


def test_it_labels_better_than_the_difference_alone(by_process):
    plainly = judged(*toy_world(), skill=0.8)
    for dimension in DIMENSIONS:
        own, other = (
            found.metrics["few_shot"]["first"]["mtclar"][dimension]["rmse"] for found in (by_process, plainly)
        )
        assert own < other


def test_the_coverage_is_told_by_budget_and_is_that_of_the_bands_that_labels_get(by_process):
    found = by_process.metrics["calibration"]
    assert set(found["budgets"]) == {"0.06"}
    multiples = Calibration.read(by_process.calibration).multiples
    for name, held in (("first", found), ("none", found["none"])):
        items = by_process.labelled[name]
        inside = np.concatenate(
            [
                (np.abs(one.methods["mtclar"] - one.clip.truth) <= multiples.at(np.array([one.spoke])) * one.sd + 1e-9)[
                    one.queries
                ]
                for one in items
            ]
        )
        for k, dimension in enumerate(DIMENSIONS):
            assert held[dimension]["coverage"] == pytest.approx(inside[:, k].mean())
    assert found["budgets"]["0.06"]["valence"]["per_clip"]["n_clips"] == 8


def test_a_clip_is_scored_with_a_process_that_nothing_of_it_went_into(monkeypatch):
    fitted_on: dict[int, set[int]] = {}
    scored: list[tuple[int, Process]] = []
    fit, scores = module.fit, module._scores

    def noting_fit(stretches, seed, *more):
        process = fit(stretches, seed, *more)
        fitted_on[id(process)] = {stretch.clip for stretch in stretches}
        return process

    def noting_scores(stretch, process, *more):
        scored.append((stretch.clip, process))
        return scores(stretch, process, *more)

    monkeypatch.setattr(module, "fit", noting_fit)
    monkeypatch.setattr(module, "_scores", noting_scores)
    calibrated()
    assert {clip for clip, _ in scored} == set(range(10))
    assert all(clip not in fitted_on[id(process)] for clip, process in scored)
    assert len({id(process) for _, process in scored}) == module.FOLDS


def test_labels_without_an_anchor_are_judged_too(by_process):
    items = by_process.labelled["none"]
    assert len(items) == 8
    assert all(len(item.anchors) == 0 and item.queries.all() for item in items)
    assert set(items[0].methods) == {"mtclar", "train_mean", "zero_shot"}
    assert by_process.metrics["few_shot"]["none"]["mtclar"]["valence"]["rmse"] < 0.15


def test_it_is_the_same_whatever_fusion_is_judged():
    one, other = (
        judged(*toy_world(clips=2, validation=6), skill=0.8, settings=settings).calibration
        for settings in (SETTINGS, BY_PROCESS)
    )
    assert plain(one) == plain(other)


def test_without_validation_clips_labels_are_nominal_and_say_so():
    found = judged(*toy_world(validation=0), skill=0.8, settings=BY_PROCESS)
    assert found.calibration["nominal"] is True
    assert found.calibration["n_clips"] == 0
    assert found.metrics["few_shot"]["first"]["mtclar"]["valence"]["ccc"] > 0.5


def test_a_model_whose_predictions_are_worth_nothing_is_not_believed():
    class Blind(Skilled):
        """Sees something else than there is."""

        def compare(self, left, right):
            return super().compare(left[:, ::-1], right[:, ::-1])

        def single(self, embedding):
            rng = np.random.default_rng(int(1e6 * np.abs(embedding).sum()) % 2**32)
            expression, *_ = super().single(embedding)
            return expression, *rng.normal(0, 0.3, (2, len(embedding)))

    seeing, blind = (
        Calibration.read(calibrated(heads=heads).content).process.valence.grid for heads in (Skilled(0.8), Blind(0.0))
    )
    believed = [grid.weight @ grid.gain for grid in (seeing, blind)]
    alone = [grid.alone @ grid.gain for grid in (seeing, blind)]
    useless = [grid.weight[grid.gain == 0.0].sum() for grid in (seeing, blind)]
    assert believed[0] > believed[1]
    assert alone[0] > alone[1]
    assert useless[1] > useless[0]


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
    widths = []
    for settings in (SETTINGS, SETTINGS.model_copy(update={"rater_level": 0.2, "rater_scale": 0.25})):
        known = Calibration.read(calibrated(settings).content)
        grid = known.process.valence.grid
        widths.append(known.multiples.values[0, 0] * np.sqrt(grid.weight @ grid.level_sd**2))
    assert widths[1] > widths[0]
