"""Every kind of anchor gives the labels that its rule says, and the marks they deserve."""

import numpy as np
import pytest
from toy_world import SETTINGS, Skilled, clip_rows, embedded, faces_table, judged, pairs_table, toy_world, walk

from mtclar.errors import MtclarError
from mtclar.evaluation import metrics
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.few_shot import can_label, label_clips, score
from mtclar.evaluation.fusion import fusion_weights
from mtclar.evaluation.judge import rows_needed
from mtclar.evaluation.supports import NAMES, Pool, bank_rows, choose, spread_positions
from mtclar.labelling import interpolate, nominal, pchip

ALL = SETTINGS.model_copy(update={"supports": NAMES, "budgets": (0.02, 0.1), "fusion": "time"})


@pytest.fixture(scope="module")
def world():
    """Eight clips of four people, two each."""
    faces, _ = toy_world()
    test = (faces["split"] == "test") & faces["clip_id"].notna()
    number = faces.loc[test, "clip_id"].str.removeprefix("test-").astype(int)
    faces.loc[test, "subject_id"] = "p" + (number % 4).astype(str)
    return faces, pairs_table(faces, np.random.default_rng(0))


def labelled(world, skill=0.8, settings=ALL, heads=None, **options):
    faces, pairs = world
    clips = clips_of(faces, settings.split)
    embeddings = embedded(faces, rows_needed(faces, pairs, settings))
    found = label_clips(settings, faces, clips, embeddings, heads or Skilled(skill), np.array([0.1, 0.2]), **options)
    return clips, found


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_model_is_right_from_any_anchor(world, name):
    clips, found = labelled(world, skill=1.0)
    assert len(found.supports[name]) == len(clips)
    for item in found.supports[name]:
        np.testing.assert_allclose(item.methods["mtclar"], item.clip.truth, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("bank", "every")])
def test_with_one_anchor_a_frame_its_label_is_the_anchor_s_and_the_difference(world, name):
    faces, _ = world
    clips, found = labelled(world)
    pool = Pool.of(clips, faces, bank_rows(faces, ALL.seed))
    for number, item in enumerate(found.supports[name]):
        picks = choose(name, pool, number, stride=ALL.stride, seed=ALL.seed)
        for frame in range(len(item.clip)):
            anchor = picks.anchors[picks.use[frame]]
            label = pool.truth[anchor] + 0.8 * (item.clip.truth[frame] - pool.truth[anchor])
            np.testing.assert_allclose(item.methods["mtclar"][frame], label, atol=1e-9)
            np.testing.assert_allclose(item.methods["copy"][frame], pool.truth[anchor])
            np.testing.assert_allclose(item.given[frame], pool.truth[anchor])
        assert len(item.anchors) == (0 if picks.rule == "each" else (pool.clip[picks.anchors] == number).sum())
        assert ("interpolate" in item.methods) == (
            picks.rule != "each" and bool((pool.clip[picks.anchors] == number).all())
        )


def test_all_of_the_bank_speak_alike_of_every_frame(world):
    faces, _ = world
    _, found = labelled(world)
    bank = faces.loc[bank_rows(faces, ALL.seed), list(DIMENSIONS)].to_numpy()
    for item in found.supports["bank"]:
        for frame in range(len(item.clip)):
            votes = [label + 0.8 * (item.clip.truth[frame] - label) for label in bank]
            np.testing.assert_allclose(item.methods["mtclar"][frame], np.mean(votes, axis=0), atol=1e-9)
        assert "copy" not in item.methods
        assert item.queries.all()


def test_a_budget_s_anchors_are_fused_as_labelling_fuses_them(world):
    clips, found = labelled(world)
    for clip, item in zip(clips, found.budgets[0.1], strict=True):
        at = spread_positions(len(clip), 0.1)
        np.testing.assert_array_equal(item.anchors, at)
        assert (item.sd[at] == 0).all()
        weights = fusion_weights(clip.times_s, clip.times_s[at], "time", ALL.time_scale_s)
        for frame in range(len(clip)):
            votes = [clip.truth[a] + 0.8 * (clip.truth[frame] - clip.truth[a]) for a in at]
            label = clip.truth[frame] if frame in at else np.average(votes, axis=0, weights=weights[frame])
            np.testing.assert_allclose(item.methods["mtclar"][frame], label, atol=1e-9)
        for name, curve in (("interpolate", interpolate), ("pchip", pchip)):
            np.testing.assert_allclose(item.methods[name], curve(clip.times_s, clip.times_s[at], clip.truth[at]))


def test_budgets_state_the_share_that_came_out_and_their_paired_gains(world):
    clips, found = labelled(world)
    scores, _ = score(ALL, found, clips, np.random.default_rng(0))
    frames = sum(map(len, clips))
    for share in ALL.budgets:
        block = scores["budgets"][f"{share:g}"]
        assert block["nominal"] == share
        assert block["realised"] == sum(max(1, round(share * len(clip))) for clip in clips) / frames
        items = found.budgets[share]
        for k, dimension in enumerate(DIMENSIONS):
            truth = np.concatenate([item.clip.truth[item.queries, k] for item in items])
            error = {
                name: metrics.rmse(truth, np.concatenate([item.methods[name][item.queries, k] for item in items]))
                for name in ("mtclar", "interpolate", "pchip")
            }
            assert block["mtclar"][dimension]["rmse"] == pytest.approx(error["mtclar"])
            for name in ("interpolate", "pchip"):
                gain = block["gain"][name][dimension]
                assert gain["rmse"] == pytest.approx(error["mtclar"] - error[name])
                assert gain["ci_low"]["rmse"] <= gain["rmse"] <= gain["ci_high"]["rmse"]
    assert scores["area"]["valence"]["mtclar"] < scores["area"]["valence"]["copy"]


def test_no_two_frames_of_a_clip_are_compared_twice_by_supports_and_budgets_of_the_clip(world):
    class Counting(Skilled):
        pairs = 0

        def compare(self, left, right):
            self.pairs += len(left)
            return super().compare(left, right)

    own = ALL.model_copy(update={"supports": ("first", "stride", "random")})
    heads = Counting(0.8)
    clips, _ = labelled(world, settings=own, heads=heads)
    columns = 0
    for number, clip in enumerate(clips):
        pool = Pool.of(clips, world[0], np.empty(0, int))
        own_rows = np.flatnonzero(pool.clip == number)
        used = [choose(name, pool, number, stride=own.stride, seed=own.seed).anchors for name in own.supports]
        used += [own_rows[spread_positions(len(clip), share)] for share in own.budgets]
        columns += len(clip) * len(np.unique(np.concatenate(used)))
    assert heads.pairs == columns


def test_by_the_process_anchors_of_the_clip_lead_and_others_do_little_harm(world):
    ours = ALL.model_copy(update={"fusion": "process", "supports": ("first", "random:3", "bank")})
    _, found = labelled(world, settings=ours, process=nominal(1.0))

    def error(name: str) -> float:
        return float(
            np.mean(
                [np.abs(item.methods["mtclar"] - item.clip.truth)[item.queries].mean() for item in found.supports[name]]
            )
        )

    assert error("random:3") < error("first") < 0.1
    assert error("bank") < 0.1
    for item in found.supports["random:3"]:
        assert item.spoke == 3
        assert (item.sd[item.anchors] == 0).all()
        assert (item.sd[item.queries] > 0).all()


def test_a_recurring_anchor_speaks_alone_until_the_next(world):
    ours = ALL.model_copy(update={"fusion": "process", "supports": ("first", "stride")})
    _, found = labelled(world, settings=ours, process=nominal(1.0))
    for first, stride in zip(found.supports["first"], found.supports["stride"], strict=True):
        until = slice(0, ALL.stride)
        np.testing.assert_allclose(stride.methods["mtclar"][until], first.methods["mtclar"][until])
        np.testing.assert_allclose(stride.sd[until], first.sd[until])
        assert stride.spoke == 1


def test_people_are_drawn_instead_of_clips_where_the_settings_say_so(world):
    clips, found = labelled(world)
    by_clip, _ = score(ALL, found, clips, np.random.default_rng(0))
    by_person, _ = score(ALL.model_copy(update={"cluster": "subject"}), found, clips, np.random.default_rng(0))
    one, two = (scores["first"]["mtclar"]["valence"] for scores in (by_clip, by_person))
    assert one["rmse"] == two["rmse"]
    assert one["ci_low"]["rmse"] != two["ci_low"]["rmse"]


def test_a_set_that_has_no_anchor_for_a_clip_and_a_short_clip_are_said():
    rng = np.random.default_rng(0)
    lengths = {"a": 30, "b": 8, "c": 1}
    faces = faces_table([row for name, n in lengths.items() for row in clip_rows(name, name, "test", walk(rng, n))])
    settings = SETTINGS.model_copy(update={"supports": ("first", "other-clip-of-person")})
    found = judged(faces, pairs_table(faces, rng), 0.8, settings).metrics
    assert any("'other-clip-of-person' has no anchor for 3 of 3 clips" in note for note in found["notes"])
    assert any("2 of 3 clips are shorter than the stride" in note for note in found["notes"])
    assert any("no frame is left to score" in note for note in found["notes"])
    assert found["few_shot"]["other-clip-of-person"]["n_clips"] == 0
    assert found["few_shot"]["first"]["n_clips"] == 2  # the clip of one frame has nothing to label


def test_sagr_is_also_given_without_the_truths_of_zero(world):
    clips, found = labelled(world)
    scores, _ = score(ALL, found, clips, np.random.default_rng(0))
    own = scores["first"]["mtclar"]["valence"]
    truth = np.concatenate([item.clip.truth[item.queries, 0] for item in found.supports["first"]])
    label = np.concatenate([item.methods["mtclar"][item.queries, 0] for item in found.supports["first"]])
    signed = [(y, p) for y, p in zip(truth, label, strict=True) if y != 0]
    assert own["zero_truths"] == (truth == 0).sum() > 0
    assert own["sagr_nonzero"] == pytest.approx(np.mean([np.sign(y) == np.sign(p) for y, p in signed]))


class SimilarOnly(Skilled):
    """A model that was trained to tell similar pairs and nothing else."""

    def compare(self, left, right):
        same, valence, _ = super().compare(left, right)
        return same, np.full(len(valence), np.nan), np.full(len(valence), np.nan)


def test_a_model_without_differences_is_judged_on_the_rest_and_that_is_said(world, monkeypatch):
    import toy_world

    monkeypatch.setattr(toy_world, "Skilled", SimilarOnly)
    found = judged(*world, skill=0.8)
    assert found.metrics["few_shot"] == {}
    assert found.labelled == {}
    assert "labels no clips" in found.metrics["notes"][0]
    assert found.metrics["pairs"]["similarity"]["accuracy"] == 1
    assert "delta" not in found.metrics["pairs"]
    assert found.calibration["n_clips"] == 0
    assert not can_label(np.zeros((2, 3)), SimilarOnly(1.0))


def test_labels_outside_their_range_are_refused_by_the_name_of_the_clip():
    rows = clip_rows("c", "p", "test", walk(np.random.default_rng(2), 30))
    rows[3]["arousal"] = 7.0
    with pytest.raises(MtclarError, match="clip 'c' of toy holds a label of 7"):
        clips_of(faces_table(rows), "test")


def test_an_unknown_support_set_is_refused_before_any_work(world):
    with pytest.raises(MtclarError, match="did you mean 'stride'"):
        rows_needed(*world, SETTINGS.model_copy(update={"supports": ("strides",)}))
