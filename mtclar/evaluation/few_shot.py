"""The few-shot part of an evaluation: every support set, every budget, and the release's own protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.fine import area_under_budget
from mtclar.evaluation.protocol import Labelled, Labeller, Model, read_pool
from mtclar.evaluation.release import Seen, score_release
from mtclar.evaluation.scores import score_clips
from mtclar.evaluation.supports import WITHOUT, Pool, bank_rows, choose, spread_positions
from mtclar.labelling import Process
from mtclar.settings import EvaluateSettings

if TYPE_CHECKING:
    import pandas as pd

ALWAYS = ("first", "stride")
"""Support sets that are judged whatever the settings name: the gate of `mtclar promote` reads them."""
EVERY = "every"
"""Judged too whatever the settings name: recurring anchors as labelling uses them, beside the straight lines."""


@dataclass(frozen=True)
class FewShot:
    """All clips of a split, labelled from every kind of anchor.

    Attributes:
        supports: By support set, `none` among them where a head says levels; a clip for which a set has no anchor is
            not in its list.
        budgets: By budget, anchors evenly spread.
        drawn: By budget, as many anchors drawn at random: bands are judged by them, for people do not label evenly
            spread frames.
        seen: What the model sees between the frames and the recurring anchors.
    """

    supports: dict[str, list[Labelled]]
    budgets: dict[float, list[Labelled]]
    seen: list[Seen] = field(default_factory=list)
    drawn: dict[float, list[Labelled]] = field(default_factory=dict)


def can_label(embeddings: np.ndarray, heads: Heads) -> bool:
    """Whether the model predicts both differences; a model trained on other tasks alone answers NaN.

    Args:
        embeddings: (m, d), of any faces.
        heads: The trained heads.
    """
    if not len(embeddings):
        return True
    _, valence, arousal = heads.compare(embeddings[:1], embeddings[:1])
    return bool(np.isfinite(valence).all() and np.isfinite(arousal).all())


def label_clips(
    settings: EvaluateSettings,
    faces: pd.DataFrame,
    clips: Sequence[Clip],
    embeddings: Embeddings,
    heads: Heads,
    mean: np.ndarray,
    process: Process | None = None,
    *,
    supports: Sequence[str] | None = None,
    budgets: Sequence[float] | None = None,
) -> FewShot:
    """Labels clips by every method from every kind of anchor.

    Args:
        settings: Which support sets and budgets, and how anchors are fused.
        faces: Table of the faces store.
        clips: The clips; anchors of other clips and people come from among them.
        embeddings: Of all `judge.rows_needed`.
        heads: The trained heads.
        mean: float64 (2,), mean training label.
        process: Hyper-parameters for the fusion `process`.
        supports, budgets: These alone; None for all that the settings ask for. What the release's protocol needs is
            kept only where all support sets are.
    """
    names = tuple(dict.fromkeys((*ALWAYS, EVERY, WITHOUT, *settings.supports))) if supports is None else tuple(supports)
    bank = bank_rows(faces, settings.seed) if "bank" in names else np.empty(0, np.int64)
    chosen = process if settings.fusion == "process" else None
    model = Model(heads.compare, settings.fusion, settings.time_scale_s, chosen)
    pool = Pool.of(clips, faces, bank)
    shares = settings.budgets if budgets is None else budgets
    read = read_pool(pool, embeddings, heads, chosen)
    if not np.isfinite(read.levels).all():
        names = tuple(name for name in names if name != WITHOUT)  # no head says anything without an anchor
    found = FewShot({name: [] for name in names}, {share: [] for share in shares})
    for number, clip in enumerate(clips):
        labeller = Labeller(clip, number, pool, embeddings, model, mean=mean, read=read)
        for name in names:
            picks = choose(name, pool, number, stride=settings.stride, seed=settings.seed)
            if picks is not None:
                found.supports[name].append(labeller.by_support(picks))
        for share in found.budgets:
            even = spread_positions(len(clip), share)
            found.budgets[share].append(labeller.by_positions(even))
            if chosen is not None:
                rng = np.random.default_rng([settings.seed, number, len(even)])
                drawn = np.sort(rng.permutation(len(clip))[: len(even)])
                found.drawn.setdefault(share, []).append(labeller.by_positions(drawn))
        if supports is None:
            recurring = np.arange(0, len(clip), settings.stride)
            found.seen.append(Seen(clip, recurring, labeller.deltas(recurring)))
    return found


def score(
    settings: EvaluateSettings, found: FewShot, clips: Sequence[Clip], rng: np.random.Generator
) -> tuple[dict[str, Any], list[str]]:
    """The section `few_shot` of metrics.json, and what its reader should know, one sentence each.

    `{support set: scores, "first_with_anchors": ..., "stride_with_anchors": ..., "budgets": {share: scores + nominal
    and realised share}, "area": {dimension: {method: mean RMSE over the budgets}}, "release": ...}`.
    """
    draw: dict[str, Any] = {"cluster": settings.cluster, "resamples": settings.bootstrap, "rng": rng}
    metrics: dict[str, Any] = {}
    notes = []
    for name, labelled in found.supports.items():
        main = name in ALWAYS
        metrics[name] = score_clips(labelled, with_anchors=False, fine=main, **draw)
        if main:
            metrics[f"{name}_with_anchors"] = score_clips(labelled, with_anchors=True, fine=False, **draw)
        if missing := len(clips) - len(labelled):
            notes.append(f"The support set '{name}' has no anchor for {missing} of {len(clips)} clips.")
    short = sum(len(clip) < settings.stride for clip in clips)
    if short:
        notes.append(
            f"{short} of {len(clips)} clips are shorter than the stride of {settings.stride} frames: their first frame "
            "is their only recurring anchor."
        )
    budgets: dict[str, Any] = {}
    for share, labelled in found.budgets.items():
        block = score_clips(labelled, with_anchors=False, fine=False, **draw)
        frames = sum(len(item.clip) for item in labelled)
        realised = sum(len(item.anchors) for item in labelled) / frames if frames else float("nan")
        budgets[f"{share:g}"] = {"nominal": share, "realised": realised, **block}
    metrics["budgets"], metrics["area"] = budgets, _areas(budgets)
    metrics["release"] = score_release(found.seen, **draw)
    if any(not block["n_rows"] for part in metrics["release"].values() for block in part.values()):
        notes.append(
            "Cut to whole batches of 32 and then of 512, as the release does, no frame is left to score: those numbers "
            "are missing."
        )
    return metrics, notes


def _areas(budgets: dict[str, Any]) -> dict[str, Any]:
    """Mean RMSE over the budgets of each method: the area under error by budget."""
    scored = [block for block in budgets.values() if "mtclar" in block]
    shares = [block["realised"] for block in scored]
    return {
        dimension: {
            method: area_under_budget(shares, [block[method][dimension]["rmse"] for block in scored])
            for method in ("mtclar", "copy", "interpolate", "pchip")
        }
        for dimension in DIMENSIONS
    }
