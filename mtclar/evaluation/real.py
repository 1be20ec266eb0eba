"""Clips of real people with a few human-rated frames: every placement of a few anchors, scored at the other ratings.

Of each clip, k of the rated frames are given as anchors and the labels of the others are compared with their ratings:
mtclar's beside what the same anchors give without a model (`placements.METHODS`). That is done for every placement of
the k anchors, or for a number of them drawn at random, so that no number hangs on a lucky choice; with k = 0 there is
one placement, mtclar labels without any anchor, and nothing stands beside it.

What is averaged how, for one clip, one k and one dimension, with truth y and label p of the frames that are scored:

- `rmse`: of each placement, then the mean over placements;
- `ccc`, `pcc`: over the pairs (y, p) of all placements together. Within one placement the few truths may all be the
  same, which leaves both without meaning; pooled they are defined as soon as the clip's ratings differ.

Over clips, each counts the same, however many ratings it has: `rmse` is the mean over clips, `ccc` and `pcc` come from
the mean of the clips' moments (`metrics.sums` over their number), and so see the differences between people too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtclar.evaluation.bootstrap import LEVEL, Bootstrap, Draws, by_cluster
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.metrics import from_sums, sums
from mtclar.evaluation.placements import Trials

SHOWN = ("rmse", "ccc", "pcc")
RANGE = 0.9
"""Of the placements of a single clip: from the 5th to the 95th percentile."""


def score_trials(trials: Sequence[Trials], resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """Scores of all methods over some clips, labelled from the same number of anchors.

    With two clips or more the intervals are those of a bootstrap over clips, 95 % wide. Of a single clip those of what
    is a mean over its placements are the range from their 5th to their 95th percentile (`interval_kind`), none with one
    placement; CCC and PCC, which are of all placements together, have none.

    Args:
        trials: One a clip, each with at least one frame to score.
        resamples: Of the bootstrap.
        rng: Where its draws come from.

    Returns:
        `{dimension: {method: block}}`, where a block holds each of `SHOWN` and `NAME_interval` of it, [low, high].
        That of `mtclar` has beside it `coverage`, the share of ratings inside the band, `width`, its mean width,
        `to_linear`, its RMSE less that of straight lines, and `skill`, by how much of that it is less (1 - RMSE / RMSE
        of lines), each with an interval as above, those of the comparisons paired; `skill` of one clip has none.
    """
    bootstrap = by_cluster(np.arange(len(trials)), resamples, rng) if len(trials) > 1 else None
    found: dict[str, Any] = {}
    for d, dimension in enumerate(DIMENSIONS):
        draws = {name: _scores([_sums(item, name, d) for item in trials], bootstrap) for name in trials[0].labels}
        found[dimension] = {name: _block({key: draw[key] for key in SHOWN}, bootstrap) for name, draw in draws.items()}
        more = {
            "coverage": _means([_inside(item, d) for item in trials], bootstrap),
            "width": _means([_width(item, d) for item in trials], bootstrap),
        }
        if "linear" in draws:
            more["to_linear"] = draws["mtclar"]["rmse"] - draws["linear"]["rmse"]
            more["skill"] = _skill(draws["mtclar"]["rmse"], draws["linear"]["rmse"], of_means=bootstrap is not None)
        found[dimension]["mtclar"] |= _block(more, bootstrap)
    return found


def _skill(own: Draws, lines: Draws, *, of_means: bool) -> Draws:
    """1 - RMSE / RMSE of straight lines; NaN where the lines have no error.

    It is of means over placements, so what single placements have is no interval of it (`of_means` False).
    """

    def of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return 1 - a / np.where(b > 0, b, np.nan)

    value = of(np.array([own.value]), np.array([lines.value]))[0]
    return Draws(float(value), of(own.resampled, lines.resampled) if of_means else own.resampled[:0])


def interval_kind(clips: int) -> str:
    """What the intervals over so many clips are of: `clips` or `placements`."""
    return "clips" if clips > 1 else "placements"


def score_portraits(
    truth: np.ndarray,
    labels: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    people: np.ndarray,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Scores of single pictures labelled without an anchor.

    Args:
        truth, labels: float64 (n, 2), n >= 1, valence and arousal.
        low, high: float64 (n, 2), the band; NaN where there is none.
        people: (n,), what the bootstrap draws: who is seen, or the picture where that is not known.
        resamples: Of the bootstrap.
        rng: Where its draws come from.

    Returns:
        `{dimension: block}` as `score_trials` has it for mtclar, with 95 % intervals.
    """
    bootstrap = by_cluster(people, resamples, rng)
    found = {}
    for d, name in enumerate(DIMENSIONS):
        draws = bootstrap.regression(truth[:, d], labels[:, d])
        held = _held(truth[:, d], low[:, d], high[:, d])
        more = bootstrap.means({"coverage": held, "width": high[:, d] - low[:, d]})
        found[name] = _block({**{key: draws[key] for key in SHOWN}, **more}, bootstrap)
    return found


def _sums(trials: Trials, method: str, d: int) -> np.ndarray:
    """`metrics.sums` of each placement, (p, 9)."""
    scored, labels = trials.scored, trials.labels[method][..., d]
    truth = np.broadcast_to(trials.clip.truth[:, d], labels.shape)
    placement = np.repeat(np.arange(len(scored)), scored.sum(axis=1))
    total = np.zeros((len(scored), 9))
    np.add.at(total, placement, sums(truth[scored], labels[scored]))
    return total


def _scores(totals: Sequence[np.ndarray], bootstrap: Bootstrap | None) -> dict[str, Draws]:
    """The metrics from the sums (p, 9) of each clip's placements."""
    rmse = _means([from_sums(total)["rmse"] for total in totals], bootstrap)
    pooled = np.stack([total.sum(axis=0) / total[:, 0].sum() for total in totals])
    if bootstrap is not None:
        return {**bootstrap.of_sums(pooled), "rmse": rmse}
    # What is pooled over the placements has no spread over them, so there is no interval to go with it.
    return {**{name: Draws(float(value[0]), value[:0]) for name, value in from_sums(pooled).items()}, "rmse": rmse}


def _means(values: Sequence[np.ndarray], bootstrap: Bootstrap | None) -> Draws:
    """The mean over clips of the mean over placements; `values` (p,) a clip, NaN where unknown."""
    known = [each[np.isfinite(each)] for each in values]
    means = np.array([each.mean() if len(each) else np.nan for each in known])
    if bootstrap is None:
        return Draws(float(means[0]), values[0])
    return bootstrap.means({"": means})[""]


def _held(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Whether a rating lies inside the band, 1 or 0; NaN where there is no band."""
    held = (low - _ROUNDING <= truth) & (truth <= high + _ROUNDING)
    return np.where(np.isfinite(low) & np.isfinite(high), held, np.nan)


def _inside(trials: Trials, d: int) -> np.ndarray:
    """Share of the scored ratings that lie inside the band, of each placement (p,); NaN where there is no band."""
    return _over_scored(trials, _held(trials.clip.truth[:, d], trials.low[..., d], trials.high[..., d]))


def _width(trials: Trials, d: int) -> np.ndarray:
    """Mean width of the band at the scored frames, of each placement (p,)."""
    return _over_scored(trials, trials.high[..., d] - trials.low[..., d])


def _over_scored(trials: Trials, values: np.ndarray) -> np.ndarray:
    counted = trials.scored & np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(counted, values, 0.0).sum(axis=1) / np.where(counted.any(axis=1), counted.sum(axis=1), np.nan)


def _block(draws: Mapping[str, Draws], bootstrap: Bootstrap | None) -> dict[str, Any]:
    """Values with their intervals; a single placement has none."""
    level = RANGE if bootstrap is None else LEVEL
    found: dict[str, Any] = {}
    for name, draw in draws.items():
        alone = len(draw.resampled) < 2
        found |= {name: draw.value, f"{name}_interval": [math.nan] * 2 if alone else list(draw.interval(level))}
    return found


_ROUNDING = 1e-9  # 0.7 - 0.1 is a hair below 0.6
