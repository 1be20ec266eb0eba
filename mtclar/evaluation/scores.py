"""From labels to the nested numbers of metrics.json.

A block of numbers is `{"ccc": 0.8, ..., "ci_low": {"ccc": 0.7, ...}, "ci_high": {...}}`: the value stands under its
plain name and its 95 % interval beside it. Unknown is NaN here and null in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mtclar.evaluation.bootstrap import Bootstrap, Draws, block, by_cluster
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.fine import fine_block, skill
from mtclar.evaluation.metrics import from_sums
from mtclar.evaluation.pooling import sums_by_clip
from mtclar.evaluation.protocol import Labelled

BASELINES = ("copy", "interpolate", "pchip", "train_mean")
"""What mtclar is compared with, frame by frame."""

EFFORTLESS = ("copy", "interpolate")
"""What the anchors alone give, and what skill is measured against."""


def affect_block(bootstrap: Bootstrap, truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """The regression metrics of both dimensions: `truth` and `prediction` (n, 2)."""
    return {name: block(bootstrap.regression(truth[:, k], prediction[:, k])) for k, name in enumerate(DIMENSIONS)}


def score_clips(
    labelled: Sequence[Labelled],
    *,
    with_anchors: bool,
    cluster: str,
    resamples: int,
    rng: np.random.Generator,
    fine: bool = True,
) -> dict[str, Any]:
    """Scores every method over all frames of all clips together (pooled), with intervals by clip.

    Besides the metrics of `metrics.REGRESSION` each method gets, per dimension,

    - `delta_ccc`: CCC of the deviations from the given label, y - y_anchor against p - y_anchor. It takes away what the
      anchor gives away; copying the anchor has 0.
    - `sagr_nonzero`: SAGR over the frames whose true label is not 0, and `zero_truths`: how many are. To SAGR a truth
      of 0 is met by 0 alone, and many labels on the grid of tenths are 0.
    - `clip_ccc`: mean CCC of the clips that have one, and `undefined_clips`: how many clips have no PCC, because truth
      or prediction does not move in them;
    - `sums`: the nine sums of `metrics.sums`, from which several evaluations are pooled exactly;
    - `fine`: `fine.fine_block`, with `skill` against copying and interpolating.

    Args:
        labelled: The clips; a method that does not label all of them is left out.
        with_anchors: Whether the anchor frames are scored too; they are nearly free, so they are not by default.
        cluster: What the bootstrap draws: `clip`, or `subject` with all of a person's clips.
        resamples: Of the bootstrap.
        rng: Where its draws come from.
        fine: Whether to add the finer metrics.

    Returns:
        `{method: {dimension: block}, "gain": {baseline: {dimension: block}}, "n_clips": ..., ...}`; a gain is mtclar
        minus the baseline with its paired interval, and `separate` tells that the two methods' intervals of CCC do not
        overlap and mtclar's is the higher.
    """
    masks = [np.ones(len(item.clip), bool) if with_anchors else item.queries for item in labelled]
    kept = [(item, mask) for item, mask in zip(labelled, masks, strict=True) if mask.any()]
    found: dict[str, Any] = {
        "n_clips": len(kept),
        "n_frames": int(sum(mask.sum() for _, mask in kept)),
        "n_people": len({item.clip.person for item, _ in kept}),
        "n_anchors": int(sum(len(item.anchors) for item, _ in kept)),
    }
    if not kept:
        return found
    clip = np.repeat(np.arange(len(kept)), [int(mask.sum()) for _, mask in kept])
    truth = np.concatenate([item.clip.truth[mask] for item, mask in kept])
    given = np.concatenate([item.given[mask] for item, mask in kept])
    position = np.concatenate([np.flatnonzero(mask) for _, mask in kept])
    bootstrap = by_cluster(clusters([item.clip for item, _ in kept], cluster)[clip], resamples, rng)
    draws: dict[str, dict[str, dict[str, Draws]]] = {}
    for method in [name for name in kept[0][0].methods if all(name in item.methods for item, _ in kept)]:
        predicted = np.concatenate([item.methods[method][mask] for item, mask in kept])
        draws[method], found[method] = {}, {}
        for k, name in enumerate(DIMENSIONS):
            y, p, a = truth[:, k], predicted[:, k], given[:, k]
            draws[method][name] = bootstrap.regression(y, p)
            draws[method][name]["delta_ccc"] = bootstrap.regression(y - a, p - a)["ccc"]
            found[method][name] = {**block(draws[method][name]), **_per_clip(clip, y, p)}
            found[method][name] |= _signs(y, p)
            if fine:
                found[method][name]["fine"] = fine_block(bootstrap, y, p, clip=clip, position=position)
    for method in draws if fine else ():
        for name in DIMENSIONS:
            own = draws[method][name]["rmse"]
            found[method][name]["fine"]["skill"] = block(
                {other: skill(own, draws[other][name]["rmse"]) for other in EFFORTLESS if other in draws}
            )
    found["gain"] = {other: _gain(draws["mtclar"], draws[other]) for other in BASELINES if other in draws}
    return found


def clusters(clips: Sequence[Clip], cluster: str) -> np.ndarray:
    """What the bootstrap draws, for each of some clips (c,): the clip's number or its person."""
    return np.array([clip.person for clip in clips], dtype=str) if cluster == "subject" else np.arange(len(clips))


def _signs(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """SAGR where the truth is not 0, and how often it is 0."""
    signed = truth != 0
    agrees = np.sign(truth[signed]) == np.sign(prediction[signed])
    return {
        "sagr_nonzero": float(agrees.mean()) if len(agrees) else float("nan"),
        "zero_truths": int((~signed).sum()),
    }


def _per_clip(clip: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Mean CCC over the clips that have one, the number of clips without a PCC, and the sums over all."""
    total = sums_by_clip(clip, truth, prediction)
    each = from_sums(total)
    known = each["ccc"][np.isfinite(each["ccc"])]
    return {
        "clip_ccc": float(known.mean()) if len(known) else float("nan"),
        "undefined_clips": int(np.isnan(each["pcc"]).sum()),
        "sums": total.sum(axis=0).tolist(),
    }


def _gain(ours: dict[str, dict[str, Draws]], other: dict[str, dict[str, Draws]]) -> dict[str, Any]:
    """mtclar minus a baseline, CCC and RMSE, paired."""
    found = {}
    for name in DIMENSIONS:
        difference = {metric: ours[name][metric] - other[name][metric] for metric in ("ccc", "rmse")}
        low, high = ours[name]["ccc"].interval()[0], other[name]["ccc"].interval()[1]
        found[name] = {**block(difference), "separate": bool(low > high)}
    return found


def plain(value: Any) -> Any:
    """Nested numbers as JSON can hold them: numpy scalars become Python's, NaN and infinity become None.

    Six decimals are kept, but for `sums`, whose last digits tell a constant from what moves a little.
    """
    if isinstance(value, Mapping):
        return {str(key): list(item) if key == "sums" else plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if np.isfinite(value) else None
    return value
