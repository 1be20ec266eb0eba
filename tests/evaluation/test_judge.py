"""Models of known skill get the marks they deserve."""

import json

import numpy as np
import pytest
from toy_world import SETTINGS, clip_rows, faces_table, judged, pairs_table, picture_rows, toy_world, walk

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.evaluation import metrics
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.judge import rows_needed
from mtclar.evaluation.scores import plain

PROTOCOLS = ("first", "stride", "first_with_anchors", "stride_with_anchors")


@pytest.fixture(scope="module")
def world():
    return toy_world()


@pytest.fixture(scope="module")
def perfect(world):
    return judged(*world, skill=1.0).metrics


@pytest.fixture(scope="module")
def blind(world):
    return judged(*world, skill=0.0).metrics


@pytest.fixture(scope="module")
def fair(world):
    return judged(*world, skill=0.8)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_a_perfect_predictor_has_ccc_one_and_no_error(perfect, protocol, dimension):
    found = perfect["few_shot"][protocol]["mtclar"][dimension]
    assert found["ccc"] == pytest.approx(1)
    assert found["delta_ccc"] == pytest.approx(1)
    assert found["rmse"] == pytest.approx(0, abs=1e-9)
    assert found["ci_low"]["ccc"] == pytest.approx(1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_predictor_of_no_difference_is_exactly_the_copied_anchor(blind, protocol):
    found = blind["few_shot"][protocol]
    assert plain(found["mtclar"]) == plain(found["copy"])
    for dimension in DIMENSIONS:
        assert found["gain"]["copy"][dimension]["ccc"] == 0
        assert not found["gain"]["copy"][dimension]["separate"]
        assert found["mtclar"][dimension]["delta_ccc"] == 0


def test_pooled_metrics_are_those_of_all_frames_of_all_clips_but_the_anchors(world, fair):
    faces, _ = world
    truth = np.concatenate([clip.truth[1:] for clip in clips_of(faces, "test")])
    first = np.concatenate([np.tile(clip.truth[0], (len(clip) - 1, 1)) for clip in clips_of(faces, "test")])
    predicted = first + 0.8 * (truth - first)
    found = fair.metrics["few_shot"]["first"]
    for k, dimension in enumerate(DIMENSIONS):
        for name, value in metrics.regression(truth[:, k], predicted[:, k]).items():
            assert found["mtclar"][dimension][name] == pytest.approx(value, abs=1e-9)
    assert found["n_frames"] == len(truth)
    assert found["n_anchors"] == found["n_clips"] == 8


def test_a_good_model_is_above_copying_and_the_mean_with_intervals_apart(fair):
    gain = fair.metrics["few_shot"]["first"]["gain"]
    for dimension in DIMENSIONS:
        assert gain["copy"][dimension]["separate"]
        assert gain["train_mean"][dimension]["separate"]
        assert gain["copy"][dimension]["ci_low"]["ccc"] > 0


def test_scoring_the_anchors_as_well_flatters_the_copied_anchor(fair):
    scores = fair.metrics["few_shot"]
    for dimension in DIMENSIONS:
        free, honest = (scores[name]["copy"][dimension]["rmse"] for name in ("first_with_anchors", "first"))
        assert free < honest
    assert scores["stride_with_anchors"]["n_frames"] == scores["stride"]["n_frames"] + scores["stride"]["n_anchors"]


def test_recurring_anchors_stand_every_twenty_frames_and_help_everyone_who_uses_them(world, fair):
    faces, _ = world
    expected = sum(-(-len(clip) // 20) for clip in clips_of(faces, "test"))
    scores = fair.metrics["few_shot"]
    assert scores["stride"]["n_anchors"] == expected
    for method in ("mtclar", "copy", "interpolate"):
        assert scores["stride"][method]["valence"]["rmse"] < scores["first"][method]["valence"]["rmse"]


def test_with_one_anchor_interpolating_is_copying(fair):
    found = fair.metrics["few_shot"]["first"]
    assert plain(found["interpolate"]) == plain(found["copy"])


def test_the_mean_of_the_training_faces_is_a_constant_with_ccc_zero(fair):
    found = fair.metrics["few_shot"]["first"]["train_mean"]["valence"]
    assert found["ccc"] == 0
    assert np.isnan(found["pcc"])
    assert found["undefined_clips"] == 8


def test_the_pair_heads_are_judged_beside_chance_and_no_difference(perfect, fair):
    found = perfect["pairs"]
    assert found["similarity"]["accuracy"] == 1
    assert found["similarity"]["chance"]["accuracy"] == 0.5
    assert found["delta"]["valence"]["ccc"] == pytest.approx(1)
    assert found["delta"]["zero"]["valence"]["ccc"] == 0
    truth = fair.pairs.delta[:, 0]
    assert fair.metrics["pairs"]["delta"]["valence"]["ccc"] == pytest.approx(metrics.ccc(truth, 0.8 * truth))
    assert fair.metrics["pairs"]["delta"]["zero"]["valence"]["rmse"] == pytest.approx(np.sqrt(np.mean(truth**2)))


def test_the_supervised_heads_are_judged_beside_the_mean_of_the_true_class(world, perfect):
    faces, _ = world
    found = perfect["single"]
    assert found["expression"]["accuracy"] == found["expression"]["macro_f1"] == 1
    assert found["expression"]["chance"]["accuracy"] == 1 / 8
    assert found["expression"]["majority"]["accuracy"] == 1 / 8
    assert found["valence"]["ccc"] == pytest.approx(1)
    train = faces[faces["split"] == "train"].groupby("expression")["valence"].mean()
    test = faces[(faces["split"] == "test") & faces["clip_id"].isna()]
    expected = metrics.ccc(test["valence"].to_numpy(), test["expression"].map(train).to_numpy(float))
    assert found["class_mean"]["valence"]["ccc"] == pytest.approx(expected)
    assert found["train_mean"]["valence"]["ccc"] == 0


def test_the_confusion_matrix_counts_every_picture_once(fair):
    assert fair.confusion.sum() == 4 * len(EXPRESSIONS)
    assert np.trace(fair.confusion) == fair.confusion.sum()


def test_the_band_is_measured_on_validation_clips_and_its_coverage_on_the_judged(fair):
    assert fair.calibration["n_clips"] == 10
    assert fair.calibration["assured"] == pytest.approx(0.9 * 10 / 11)
    assert len(fair.calibration["multiples"]["anchors"]) > 3
    assert all(0 < value < 5 for value in fair.calibration["multiples"]["valence"])
    assert "coverage" not in fair.metrics["calibration"]["valence"]  # votes have no band
    assert not fair.metrics["calibration"]["same_clips"]


def test_the_same_seed_gives_the_same_numbers(world, fair):
    assert plain(judged(*world, skill=0.8).metrics) == plain(fair.metrics)


def test_every_number_can_be_written_as_json_with_null_for_the_unknown(fair):
    text = json.dumps(plain(fair.metrics), allow_nan=False)
    assert json.loads(text)["few_shot"]["first"]["train_mean"]["valence"]["pcc"] is None


def test_a_split_with_one_clip_has_values_but_no_intervals():
    found = plain(judged(*toy_world(clips=1), skill=0.8).metrics)["few_shot"]["first"]
    assert found["n_clips"] == 1
    assert found["mtclar"]["valence"]["ccc"] is not None
    assert found["mtclar"]["valence"]["ci_low"]["ccc"] is None
    assert found["gain"]["copy"]["valence"]["separate"] is False


def test_a_split_without_clips_is_judged_on_its_pictures_and_pairs_alone():
    found = judged(*toy_world(clips=0, validation=0), skill=0.8)
    assert found.metrics["few_shot"]["first"] == {"n_clips": 0, "n_frames": 0, "n_people": 0, "n_anchors": 0}
    assert found.metrics["single"]["expression"]["accuracy"] == 1
    assert found.calibration["nominal"] is True


def test_a_split_with_clips_alone_is_judged_without_pictures_and_pairs():
    rng = np.random.default_rng(0)
    faces = faces_table([row for i in range(4) for row in clip_rows(f"c{i}", f"p{i}", "test", walk(rng, 30))])
    found = judged(faces, pairs_table(faces, rng), skill=0.8).metrics
    assert found["pairs"] == {"n_pairs": 0, "n_people": 0}
    assert found["single"]["n_pictures"] == 0
    assert found["few_shot"]["first"]["mtclar"]["valence"]["ccc"] > 0.5


def test_clips_that_do_not_move_are_counted_as_undefined_and_spoil_nothing():
    rng = np.random.default_rng(1)
    still = [row for i in range(3) for row in clip_rows(f"s{i}", f"s{i}", "test", np.tile([0.1, 0.2], (25, 1)))]
    moving = [row for i in range(4) for row in clip_rows(f"m{i}", f"m{i}", "test", walk(rng, 30))]
    faces = faces_table(still + moving)
    found = judged(faces, pairs_table(faces, rng), skill=0.8).metrics["few_shot"]["first"]["mtclar"]["valence"]
    assert found["undefined_clips"] == 3
    assert np.isfinite(found["clip_ccc"])
    assert np.isfinite(found["ccc"])


def test_frames_without_a_label_are_neither_anchors_nor_scored():
    rows = clip_rows("c", "p", "test", walk(np.random.default_rng(2), 30)) + clip_rows(
        "d", "q", "test", walk(np.random.default_rng(3), 30)
    )
    rows[0]["valence"] = float("nan")
    faces = faces_table(rows)
    clip = clips_of(faces, "test")[0]
    assert len(clip) == 29
    assert clip.rows[0] == 1


def test_two_tracks_of_one_clip_are_two_clips():
    rows = clip_rows("c", "p", "test", walk(np.random.default_rng(2), 30))
    other = clip_rows("c", "q", "test", walk(np.random.default_rng(3), 20))
    found = clips_of(faces_table(rows + [{**row, "track_id": 1} for row in other]), "test")
    assert [(clip.person, len(clip)) for clip in found] == [("p", 30), ("q", 20)]
    assert len({clip.name for clip in found}) == 2


def test_a_split_with_nothing_to_judge_is_refused_in_one_sentence():
    faces = faces_table(picture_rows(np.random.default_rng(0), ["t"], "train"))
    with pytest.raises(MtclarError, match="split 'test' has no labelled clips, pictures or pairs"):
        rows_needed(faces, pairs_table(faces, np.random.default_rng(0)), SETTINGS)


def test_pairs_of_another_store_are_refused(world):
    faces, pairs = world
    with pytest.raises(MtclarError, match="run 'mtclar pair' on this store"):
        rows_needed(faces, pairs.assign(left=10**6), SETTINGS)
    with pytest.raises(MtclarError, match="faces of another split"):
        rows_needed(faces, pairs.assign(split="test"), SETTINGS)


def test_every_few_shot_method_has_the_finer_metrics_and_its_skill_against_the_anchors_alone(blind, fair):
    found = fair.metrics["few_shot"]["stride"]
    for method in ("mtclar", "mtclar_fused", "copy", "interpolate", "train_mean", "zero_shot"):
        own = found[method]["valence"]
        mse = {other: found[other]["valence"]["rmse"] ** 2 for other in ("copy", "interpolate")}
        for other, value in mse.items():
            assert own["fine"]["skill"][other] == pytest.approx(1 - own["rmse"] ** 2 / value)
        assert own["fine"]["per_clip"]["n_clips"] == 8
        assert own["fine"]["off_grid"] == 0
    assert blind["few_shot"]["first"]["mtclar"]["valence"]["fine"]["skill"]["copy"] == 0
    assert blind["few_shot"]["first"]["mtclar"]["valence"]["fine"]["per_clip"]["undefined"]["kendall"] == 8


def test_the_sums_of_a_method_give_its_metrics_again(fair):
    found = fair.metrics["few_shot"]["first"]["mtclar"]["arousal"]
    again = metrics.from_sums(np.array(found["sums"]))
    assert {name: float(value) for name, value in again.items()} == pytest.approx(
        {name: found[name] for name in metrics.REGRESSION}
    )
