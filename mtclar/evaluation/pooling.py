"""One metric, three averages: over all frames together, over clips, over folds.

CCC and PCC depend on the spread of the labels, so the three differ, and a number without its pooling says little. All
three come from the nine sums of `metrics.sums`, one row a clip:

- pooled: the metric of the sums over all clips;
- per clip: the mean over the clips that define it; a clip whose labels do not move has no PCC, and clips of that kind
  are counted, not hidden;
- per fold: mean and population standard deviation (ddof = 0) over folds, each fold pooled over its own clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtclar.evaluation.metrics import REGRESSION, from_sums, sums


def sums_by_clip(clip: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The nine sums of each clip.

    Args:
        clip: int (n,), 0..c-1, the clip of each frame.
        truth, prediction: (n,), one dimension of the labels.

    Returns:
        float64 (c, 9).

    Raises:
        MtclarError: As `metrics.sums`.
    """
    total = np.zeros((int(clip.max()) + 1 if len(clip) else 0, 9))
    np.add.at(total, clip, sums(truth, prediction))
    return total


def poolings(by_clip: np.ndarray, folds: Sequence[int] | np.ndarray | None = None) -> dict[str, dict[str, Any]]:
    """Every pooling of every metric of `metrics.REGRESSION`.

    Args:
        by_clip: float64 (c, 9), the sums of each clip.
        folds: int (c,), the fold each clip belongs to; None for no folds.

    Returns:
        `{"pooled": {metric: value}, "per_clip": {metric: mean, "undefined": {metric: clips}}, "per_fold": {...}}`;
        `per_fold` as `over_folds` gives it, and only with `folds`.
    """
    by_clip = np.asarray(by_clip, np.float64).reshape(-1, 9)
    found: dict[str, dict[str, Any]] = {"pooled": _values(by_clip.sum(axis=0)), "per_clip": _over_clips(by_clip)}
    if folds is not None:
        names, fold = np.unique(np.asarray(folds), return_inverse=True)
        total = np.zeros((len(names), 9))
        np.add.at(total, fold, by_clip)
        found["per_fold"] = over_folds([_values(row) for row in total])
    return found


def over_folds(values: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    """Mean and spread of metrics over folds.

    Args:
        values: The same metrics of each fold; NaN or None where a fold leaves one undefined.

    Returns:
        `{"mean": {metric: value}, "sd": {metric: value}, "undefined": {metric: folds}, "folds": how many}`; mean and
        sd are over the folds that define the metric, NaN where none does.
    """
    found: dict[str, Any] = {"mean": {}, "sd": {}, "undefined": {}, "folds": len(values)}
    for name in values[0] if values else ():
        each = np.array([np.nan if fold[name] is None else fold[name] for fold in values], np.float64)
        known = each[np.isfinite(each)]
        found["mean"][name] = float(known.mean()) if len(known) else float("nan")
        found["sd"][name] = float(known.std()) if len(known) else float("nan")
        found["undefined"][name] = int(len(each) - len(known))
    return found


def _values(total: np.ndarray) -> dict[str, float]:
    return {name: float(value) for name, value in from_sums(total).items()}


def _over_clips(by_clip: np.ndarray) -> dict[str, Any]:
    each = from_sums(by_clip)
    known = {name: each[name][np.isfinite(each[name])] for name in REGRESSION}
    return {
        **{name: float(values.mean()) if len(values) else float("nan") for name, values in known.items()},
        "undefined": {name: int(len(by_clip) - len(values)) for name, values in known.items()},
    }
