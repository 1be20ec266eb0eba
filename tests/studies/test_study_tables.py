"""The table and figure of each study on toy worlds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studies import ablation, anchors, identity, shift, similarity
from studies.figures import ccc_by_row
from studies.files import markdown, write_results
from studies.judging import judge_few_shot, judge_labels, judge_pairs, label_from, other_frames
from tests.studies.study_world import study_world

RESAMPLES = 100


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def pairs_by_seed() -> dict[str, list]:
    """Similarity accuracy of a poor and of two better kinds of model, three seeds each."""
    skills = {"similarity-only": 0.6, "similarity-embedding": 0.6, "full": 0.9}
    return {
        name: [judge_pairs(study_world(skill, seed), RESAMPLES, rng()) for seed in range(3)]
        for name, skill in skills.items()
    }


def test_similarity_finds_the_gain_that_is_there_and_none_where_there_is_none(pairs_by_seed):
    accuracies = {name: [seed["similarity_accuracy"] for seed in pairs_by_seed[name]] for name in similarity.VARIANTS}
    found = similarity.table(accuracies, rng())
    gain = found[found["what"] != "accuracy"].set_index("variant")
    full, embedding = gain.loc[similarity.VARIANTS["full"]], gain.loc[similarity.VARIANTS["similarity-embedding"]]
    assert full["low"] > 0
    assert full["value"] == pytest.approx(0.3, abs=0.1)
    assert embedding["low"] <= 0 <= embedding["high"]
    seeds = similarity.seeds_table(accuracies)
    assert len(seeds) == 3
    assert seeds.iloc[:, -1].mean() == pytest.approx(full["value"])
    assert similarity.figure(accuracies, found).axes


def test_ablation_compares_each_variant_with_the_default_seed_by_seed(pairs_by_seed):
    found = ablation.long_table({"full": pairs_by_seed["full"], "worse": pairs_by_seed["similarity-only"][:2]}, rng())
    worse = found[(found["variant"] == "worse") & (found["metric"] == "similarity accuracy")].iloc[0]
    assert worse["separate"]
    assert worse["difference_high"] < 0
    assert worse["seeds"] == 2
    wide = ablation.wide_table(found)
    assert wide["variant"].tolist() == ["full", "worse"]
    assert wide.loc[1, "similarity accuracy"].endswith("*")
    assert ablation.figure(found).axes


def test_a_model_without_a_head_has_no_number_for_it(pairs_by_seed):
    lacking = [{"similarity_accuracy": seed["similarity_accuracy"]} for seed in pairs_by_seed["full"]]
    found = ablation.long_table({"full": pairs_by_seed["full"], "similarity-only": lacking}, rng())
    assert found[found["variant"] == "similarity-only"]["metric"].tolist() == ["similarity accuracy"]


def test_labels_from_a_clips_own_frame_are_exact_for_a_model_that_sees_all():
    world = study_world()
    clip = world.clips[0]
    labels = label_from(world, clip, clip.rows[:1], ("mean",), time_scale_s=1.0)["mean"]
    np.testing.assert_allclose(labels, clip.truth, atol=1e-12)
    assert judge_few_shot(world, RESAMPLES, rng())["few_shot_valence_ccc"].value == pytest.approx(1)


def test_labels_are_judged_on_the_frames_asked_for():
    world = study_world()
    wrong_at_anchor = [clip.truth.copy() for clip in world.clips]
    for labels in wrong_at_anchor:
        labels[0] = -1
    masks = [other_frames(clip, np.zeros(1, int)) for clip in world.clips]
    found = judge_labels(world.clips, wrong_at_anchor, masks, RESAMPLES, rng())
    assert found["valence_rmse"].value == 0


def test_anchors_covers_every_support_fusion_and_budget_and_foreign_ones_lose():
    scores: dict = {}
    for seed in (1, 2):
        found = anchors.score_world(
            study_world(seed=seed), (0.05, 0.1), seed=seed, time_scale_s=1.0, resamples=RESAMPLES, bootstrap_seed=3
        )
        for key, value in found.items():
            scores.setdefault(key, []).append(value)
    full = anchors.table(scores, rng())
    assert set(full["support"]) == {"spread", "random", "first", "other people", "any", "bank of 100"}
    assert set(full.loc[full["support"] == "spread", "fusion"]) >= {"time", "latest", "copied", "joined", "pchip"}
    by = full.set_index(["support", "fusion"])["valence_rmse"]
    assert by["spread", "mean"].max() < 1e-9 < by["other people", "mean"].min()
    assert not full.duplicated(["support", "fusion", "budget"]).any()
    assert len(anchors.short_table(full)) == len(full)
    assert anchors.figure(full).axes


def test_anchors_of_the_same_person_come_from_other_clips_of_theirs():
    world = study_world()
    clip = world.clips[0]
    assert anchors.rows_of("same person", world, clip, 1, rng()) is None
    theirs = world.faces.assign(subject_id=world.faces["subject_id"].replace(world.clips[1].person, clip.person))
    pair = [clip, replace(world.clips[1], person=clip.person), *world.clips[2:]]
    rows = anchors.rows_of("same person", replace(world, faces=theirs, clips=pair), clip, 3, rng())
    assert np.isin(rows, pair[1].rows).all()


def test_identity_measures_what_others_cost_and_that_a_level_of_ones_own_takes_it_back():
    scores: dict = {}
    for seed in (1, 2):
        for way, metrics in identity.score_world(
            study_world(seed=seed), seed=seed, resamples=RESAMPLES, bootstrap_seed=3
        ).items():
            scores.setdefault(("full", way), []).append(metrics)
    full = identity.table(scores, rng()).set_index("anchors")
    assert full.loc["1 of other people", "valence_ccc_gap_high"] < 0
    assert full.loc["zero-shot + own level", "valence_ccc"] == pytest.approx(1, abs=0.02)
    assert full.loc["own frame", "valence_ccc_gap"] == 0
    assert "own frame, process" not in full.index  # this world has no hyper-parameters for it
    short = identity.short_table(full.reset_index())
    assert len(short) == len(full)
    assert ccc_by_row(full.reset_index(), "anchors", "variant").axes


def test_shift_states_the_change_from_unchanged_pictures():
    scores: dict = {}
    for name, bias in ((shift.NONE, 0.0), ("biased", 0.5)):
        for seed in (1, 2):
            found = shift.score_world(
                study_world(seed=seed, bias=bias), stride=20, resamples=RESAMPLES, bootstrap_seed=3
            )
            for mode, metrics in found.items():
                scores.setdefault((name, mode), []).append(metrics)
    full = shift.table(scores, rng())
    by = full.set_index(["condition", "mode"])
    assert by.loc[("biased", "zero-shot"), "valence_ccc_change_high"] < 0
    assert by.loc[("biased", "one anchor"), "valence_ccc_change"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(by.loc[(shift.NONE, "zero-shot"), "valence_ccc_change"])
    assert len(shift.short_table(full)) == len(full)
    assert ccc_by_row(full, "condition", "mode").axes


def test_the_changes_of_a_picture_are_what_they_are_called():
    crops = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    for name, change in shift.CHANGES.items():
        seen = change(crops)
        assert seen.shape == crops.shape, name
        assert seen.dtype == np.uint8, name
    assert shift.gamma(1.0, 1 / 3)(crops).mean() == pytest.approx(crops.mean() / 3, abs=1)
    light = shift.side_light(0.1)(crops).astype(float)
    assert light[:, :, :8].mean() > 3 * light[:, :, -8:].mean()
    assert shift.blur(0.02)(crops).std() < crops.std()
    assert shift.coarse(12)(crops).std() < crops.std()


def test_thinned_clips_keep_their_first_frame_and_every_nth():
    clip = study_world().clips[0]
    thin = shift.thin(clip, 5)
    assert thin.rows.tolist() == clip.rows[::5].tolist()
    assert len(thin.times_s) == len(thin.truth) == len(thin)


def test_results_are_written_as_csv_markdown_and_svg_and_alike_each_time(tmp_path, monkeypatch, pairs_by_seed):
    monkeypatch.setattr("studies.files.RESULTS", tmp_path)
    accuracies = {name: [seed["similarity_accuracy"] for seed in pairs_by_seed[name]] for name in similarity.VARIANTS}
    found = similarity.table(accuracies, rng())
    seen = []
    for _ in range(2):
        out = write_results("similarity", {"table": found}, {"figure": similarity.figure(accuracies, found)})
        seen.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert list(seen[0]) == ["figure.svg", "table.csv", "table.md"]
    assert seen[0] == seen[1]
    assert markdown(found).splitlines()[1].startswith("|---|---|---:|")
