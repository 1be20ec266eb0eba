"""The real test's numbers, beside explicit loops over placements, frames and clips."""

from itertools import combinations

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from mtclar.evaluation.placements import Rated, placements, try_placements
from mtclar.evaluation.real import interval_kind, score_portraits, score_trials

RESAMPLES = 200


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rated(name: str = "clip", m: int = 7, seed: int = 1) -> Rated:
    draw = rng(seed)
    return Rated(name, np.sort(draw.uniform(0, 5, m)), np.round(draw.uniform(-1, 1, (m, 2)), 2))


def labeller(clip: Rated, seed: int = 3):
    """Labels that are the truth and an error that depends on the anchors, with a band of 0.3 above and 0.2 below."""

    def label(positions):
        error = rng(seed + 7 * sum(positions)).normal(0, 0.2, clip.truth.shape)
        ours = clip.truth + error
        ours[positions] = clip.truth[positions]
        return ours, ours - 0.2, ours + 0.3

    return label


def tried(clip: Rated, k: int, limit: int = 200):
    ticks = []
    trials = try_placements(clip, placements(len(clip), k, limit, rng()), labeller(clip), lambda: ticks.append(1))
    assert len(ticks) == len(trials.anchors)
    return trials


def by_hand(clip: Rated, k: int, method: str, d: int):
    """RMSE of every placement, and all pairs of truth and label, by explicit loops."""
    errors, truths, labels, inside = [], [], [], []
    for anchors in combinations(range(len(clip)), k):
        ours, low, high = labeller(clip)(list(anchors))
        squares = []
        for i in range(len(clip)):
            if i in anchors:
                continue
            at, values = clip.times_s[list(anchors)], clip.truth[list(anchors), d]
            t = clip.times_s[i]
            if method == "mtclar":
                p = ours[i, d]
            elif method == "copy":
                p = values[max([j for j in range(k) if at[j] <= t], default=0)]
            elif method == "linear":
                p = np.interp(t, at, values)
            else:
                p = PchipInterpolator(at, values)(np.clip(t, at[0], at[-1])) if k > 1 else values[0]
            squares.append((p - clip.truth[i, d]) ** 2)
            truths.append(clip.truth[i, d])
            labels.append(float(p))
            inside.append(low[i, d] <= clip.truth[i, d] <= high[i, d])
        errors.append(np.sqrt(np.mean(squares)))
    return np.array(errors), np.array(truths), np.array(labels), np.array(inside)


def concordance(y, p):
    return 2 * np.mean((y - y.mean()) * (p - p.mean())) / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("method", ["mtclar", "copy", "linear", "pchip"])
def test_scores_of_one_clip_are_means_over_placements_and_pooled_moments(k, method):
    clip = rated()
    found = score_trials([tried(clip, k)], RESAMPLES, rng())
    for d, dimension in enumerate(("valence", "arousal")):
        errors, y, p, inside = by_hand(clip, k, method, d)
        block = found[dimension][method]
        assert block["rmse"] == pytest.approx(errors.mean())
        assert block["rmse_interval"] == pytest.approx(np.quantile(errors, [0.05, 0.95]))
        assert block["ccc"] == pytest.approx(concordance(y, p))
        assert np.isnan([*block["ccc_interval"], *block["pcc_interval"]]).all()  # of all placements together
        assert block["pcc"] == pytest.approx(np.corrcoef(y, p)[0, 1])
        if method == "mtclar":
            assert block["coverage"] == pytest.approx(inside.mean())
            assert block["width"] == pytest.approx(0.5)
            straight = by_hand(clip, k, "linear", d)[0]
            assert block["to_linear"] == pytest.approx((errors - straight).mean())
            assert block["to_linear_interval"] == pytest.approx(np.quantile(errors - straight, [0.05, 0.95]))
            assert block["skill"] == pytest.approx(1 - errors.mean() / straight.mean())
            assert np.isnan(block["skill_interval"]).all()


def test_over_clips_each_counts_the_same_however_many_ratings_it_has():
    clips = [rated("a", 5, 1), rated("b", 9, 2), rated("c", 6, 3)]
    found = score_trials([tried(clip, 2) for clip in clips], RESAMPLES, rng())
    for d, dimension in enumerate(("valence", "arousal")):
        parts = [by_hand(clip, 2, "mtclar", d) for clip in clips]
        assert found[dimension]["mtclar"]["rmse"] == pytest.approx(np.mean([errors.mean() for errors, *_ in parts]))
        y, p = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
        share = np.concatenate([np.full(len(part[1]), 1 / len(part[1])) for part in parts])
        my, mp = np.average(y, weights=share), np.average(p, weights=share)
        cov = np.average((y - my) * (p - mp), weights=share)
        spread = np.average((y - my) ** 2, weights=share) + np.average((p - mp) ** 2, weights=share)
        assert found[dimension]["mtclar"]["ccc"] == pytest.approx(2 * cov / (spread + (my - mp) ** 2))


def test_with_several_clips_the_interval_is_that_of_a_bootstrap_over_clips():
    clips = [rated(str(i), 6, i) for i in range(4)]
    found = score_trials([tried(clip, 1) for clip in clips], 4000, rng())
    means = np.array([by_hand(clip, 1, "mtclar", 0)[0].mean() for clip in clips])
    straight = np.array([by_hand(clip, 1, "linear", 0)[0].mean() for clip in clips])
    drawn = rng(9).integers(0, 4, (4000, 4))
    block = found["valence"]["mtclar"]
    assert block["rmse_interval"] == pytest.approx(np.quantile(means[drawn].mean(1), [0.025, 0.975]), abs=0.01)
    paired = np.quantile((means - straight)[drawn].mean(1), [0.025, 0.975])
    assert block["to_linear_interval"] == pytest.approx(paired, abs=0.02)
    gained = 1 - means[drawn].mean(1) / straight[drawn].mean(1)
    assert block["skill_interval"] == pytest.approx(np.quantile(gained, [0.025, 0.975]), abs=0.05)
    for name in ("rmse", "ccc", "pcc", "skill", "to_linear"):
        low, high = block[f"{name}_interval"]
        assert low <= block[name] <= high
    assert (interval_kind(1), interval_kind(2)) == ("placements", "clips")


def test_a_single_placement_has_no_interval():
    block = score_trials([tried(rated(), 0)], RESAMPLES, rng())["valence"]["mtclar"]
    assert np.isfinite(block["rmse"])
    assert np.isnan(block["rmse_interval"]).all()
    assert "to_linear" not in block


def test_ccc_is_defined_where_every_single_placement_leaves_constant_truths():
    """With two of three ratings given away one is left, and a single truth never varies."""
    clip = rated(m=3)
    block = score_trials([tried(clip, 2)], RESAMPLES, rng())["valence"]["mtclar"]
    _, y, p, _ = by_hand(clip, 2, "mtclar", 0)
    assert block["ccc"] == pytest.approx(concordance(y, p))


def test_labels_without_a_band_have_no_coverage():
    clip = rated()

    def label(positions):
        unknown = np.full(clip.truth.shape, np.nan)
        return clip.truth, unknown, unknown

    trials = try_placements(clip, placements(7, 1, 200, rng()), label, lambda: None)
    block = score_trials([trials], RESAMPLES, rng())["valence"]["mtclar"]
    assert np.isnan(block["coverage"])
    assert np.isnan(block["width"])
    assert block["rmse"] == 0


def test_portraits_are_scored_with_intervals_by_person():
    draw = rng(2)
    truth = draw.uniform(-1, 1, (12, 2))
    labels = truth + draw.normal(0, 0.1, (12, 2))
    band = labels - 0.1, labels + 0.15
    each = score_portraits(truth, labels, *band, np.arange(12), 500, rng())
    people = score_portraits(truth, labels, *band, np.repeat(np.arange(3), 4), 500, rng())
    for d, dimension in enumerate(("valence", "arousal")):
        error = np.sqrt(np.mean((truth - labels)[:, d] ** 2))
        assert each[dimension]["rmse"] == people[dimension]["rmse"] == pytest.approx(error)
        assert each[dimension]["ccc"] == pytest.approx(concordance(truth[:, d], labels[:, d]))
        held = (band[0][:, d] <= truth[:, d]) & (truth[:, d] <= band[1][:, d])
        assert each[dimension]["coverage"] == pytest.approx(held.mean())
        assert each[dimension]["rmse_interval"] != people[dimension]["rmse_interval"]
