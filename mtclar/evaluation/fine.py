"""The finer metrics: how often the label is near enough, in the right order, and moving the right way.

RMSE, PCC, CCC and SAGR were called coarse by MT-CLAR's own authors: RMSE says nothing of the shape in time, CCC hangs
on the spread of the labels, SAGR knows two bins. Beside them, with error e = y - p in the units of the labels:

    ta_05 .. ta_30     share of frames with |e| <= 0.05, 0.1, 0.2, 0.3 (tolerance accuracy)
    ta_area            area under tolerance accuracy over [0, 0.5], over 0.5; exactly mean(max(0, 1 - |e| / 0.5))
    grid, grid_near    share of frames with round(10 p) = 10 y, and with |round(10 p) - 10 y| <= 1; halves go to even
    median_ae, p90_ae, p95_ae   quantiles of |e|, between two frames on the line between them
    kendall, spearman  `rank`
    sda_k, direction_k `course.changes` over k = 1, 5, 20 frames
    dtw, delay         `course.warped`, `course.delays`: of each clip

What is a mean over frames has an interval from the bootstrap over clips or people. What is not is given pooled, without
one, and as the mean over clips, with one: there each clip is one value. How many clips leave a metric undefined stands
beside it. The grid metrics are undefined (NaN) where a label lies off the grid of tenths; `off_grid` counts those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtclar.evaluation.bootstrap import Bootstrap, Draws, block
from mtclar.evaluation.course import LAGS, changes, delays, warped
from mtclar.evaluation.metrics import from_sums
from mtclar.evaluation.pooling import sums_by_clip
from mtclar.evaluation.rank import kendall, spearman

TOLERANCES = (0.05, 0.1, 0.2, 0.3)
AREA_LIMIT = 0.5
QUANTILES = {"median_ae": 0.5, "p90_ae": 0.9, "p95_ae": 0.95}

_ROUNDING = 1e-9  # 0.4 - 0.3 is a hair above 0.1


def near_enough(truth: np.ndarray, prediction: np.ndarray) -> dict[str, np.ndarray]:
    """Columns (n,) whose means are the tolerance accuracies, their area and the grid accuracies.

    Args:
        truth, prediction: (n,), finite.
    """
    error = np.abs(np.asarray(truth, np.float64) - prediction)
    found = {f"ta_{round(100 * t):02d}": (error <= t + _ROUNDING).astype(float) for t in TOLERANCES}
    found["ta_area"] = np.maximum(0.0, 1.0 - error / AREA_LIMIT)
    steps = np.abs(np.rint(10 * np.asarray(prediction, np.float64)) - np.rint(10 * np.asarray(truth, np.float64)))
    on_grid = off_grid(truth) == 0
    found["grid"] = np.where(on_grid, steps == 0, np.nan)
    found["grid_near"] = np.where(on_grid, steps <= 1, np.nan)
    return found


def off_grid(truth: np.ndarray) -> int:
    """How many labels (n,) are not whole tenths."""
    tenths = 10 * np.asarray(truth, np.float64)
    return int((np.abs(tenths - np.rint(tenths)) > 1e-6).sum())


def quantiles(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Median, 90th and 95th percentile of the absolute error of (n,) frames; NaN of none."""
    error = np.abs(np.asarray(truth, np.float64) - prediction)
    values = np.quantile(error, list(QUANTILES.values())) if len(error) else np.full(len(QUANTILES), np.nan)
    return dict(zip(QUANTILES, map(float, values), strict=True))


def fine_block(
    bootstrap: Bootstrap,
    truth: np.ndarray,
    prediction: np.ndarray,
    *,
    clip: np.ndarray | None = None,
    position: np.ndarray | None = None,
) -> dict[str, Any]:
    """The finer metrics of one dimension.

    Args:
        bootstrap: Over the same n rows.
        truth, prediction: (n,), finite.
        clip: int (n,), 0..c-1, ascending: the clip of each frame; None for single pictures, which have no course.
        position: int (n,), where each frame stands in its clip; needed with `clip`.

    Returns:
        A block as `bootstrap.block` makes it; with clips `per_clip`, a block of means over clips with `undefined`, the
        number of clips that leave each metric undefined, and `n_clips`.
    """
    columns = near_enough(truth, prediction)
    if clip is not None and position is not None:
        for lag in LAGS:
            found = changes(clip, position, truth, prediction, lag)
            columns |= {f"{name}_{lag}": column for name, column in found.items()}
    fine: dict[str, Any] = {
        **block(bootstrap.means(columns)),
        **quantiles(truth, prediction),
        "kendall": float(kendall(truth, prediction)[0]),
        "spearman": float(spearman(truth, prediction)[0]),
        "off_grid": off_grid(truth),
    }
    if clip is not None:
        fine["per_clip"] = _per_clip(bootstrap, clip, truth, prediction)
    return fine


def _per_clip(bootstrap: Bootstrap, clip: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Means over clips of what is defined within a clip."""
    starts = np.flatnonzero(np.r_[True, clip[1:] != clip[:-1]])[1:]
    parts = [
        quantiles(y, p) for y, p in zip(np.split(truth, starts), np.split(prediction, starts), strict=True) if len(y)
    ]
    columns = {
        **from_sums(sums_by_clip(clip, truth, prediction)),
        **{name: np.array([part[name] for part in parts]) for name in QUANTILES},
        "kendall": kendall(truth, prediction, clip),
        "spearman": spearman(truth, prediction, clip),
        "dtw": warped(clip, truth, prediction),
        "delay": delays(clip, truth, prediction),
    }
    return {
        **block(bootstrap.of_groups(clip).means(columns)),
        "undefined": {name: int((~np.isfinite(column)).sum()) for name, column in columns.items()},
        "n_clips": len(parts),
    }


def skill(ours: Draws, baseline: Draws) -> Draws:
    """1 - MSE / MSE of a baseline: 0 is as good as the baseline, 1 is perfect, below 0 is worse.

    Args:
        ours, baseline: Draws of the two RMSE, of one bootstrap, so that the interval is the paired one.

    Returns:
        NaN where the baseline has no error.
    """

    def of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(b > 0, 1 - np.square(a) / np.square(b), np.nan)

    value = float(of(np.asarray(ours.value), np.asarray(baseline.value)))
    return Draws(value, of(ours.resampled, baseline.resampled))


def interval_block(
    bootstrap: Bootstrap, clip: np.ndarray, truth: np.ndarray, low: np.ndarray, high: np.ndarray, *, target: float
) -> dict[str, Any]:
    """What a band holds, and how wide it is for that.

    Args:
        bootstrap: Over the same n rows.
        clip: int (n,), 0..c-1: the clip of each frame.
        truth: (n,).
        low, high: (n,), the band; NaN where there is none.
        target: The share that the band is meant to hold.

    Returns:
        Block of `coverage` (share of frames with low <= y <= high) and `width` (mean of high - low), `unknown` (frames
        without a band) and `per_clip`: mean and smallest coverage of a clip, how many of the clips stay below the
        target, and how many have a band at all.
    """
    known = np.isfinite(low) & np.isfinite(high)
    inside = np.where(known, (low <= truth + _ROUNDING) & (truth <= high + _ROUNDING), np.nan)
    clips = int(clip.max()) + 1 if len(clip) else 0
    counts = np.bincount(clip[known], minlength=clips)
    with np.errstate(invalid="ignore"):
        each = (np.bincount(clip[known], weights=inside[known], minlength=clips) / counts)[counts > 0]
    return {
        **block(bootstrap.means({"coverage": inside, "width": np.where(known, high - low, np.nan)})),
        "unknown": int((~known).sum()),
        "per_clip": {
            "coverage": float(each.mean()) if len(each) else float("nan"),
            "lowest": float(each.min()) if len(each) else float("nan"),
            "below_target": int((each < target - _ROUNDING).sum()),
            "n_clips": len(each),
        },
    }


def area_under_budget(budgets: Sequence[float], errors: Sequence[float]) -> float:
    """Mean error over a range of budgets: the area under error by budget (trapezoids) over the width of the range.

    Args:
        budgets: Shares of the frames that are labelled by hand, in any order.
        errors: The error at each, in any unit; NaN where unknown, which leaves that budget out.

    Returns:
        In the unit of the errors; of a single budget its error, of none NaN.
    """
    b, e = np.asarray(budgets, np.float64), np.asarray(errors, np.float64)
    order = np.argsort(b, kind="stable")
    order = order[np.isfinite(e[order])]
    b, e = b[order], e[order]
    if len(b) == 0:
        return float("nan")
    width = b[-1] - b[0]
    return float(np.trapezoid(e, b) / width) if width > 0 else float(e.mean())
