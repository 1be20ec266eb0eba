"""What a bundle carries about how sure its labels are, measured on the validation people: calibration.json.

For the fusion `kriging` that is its hyper-parameters and, of its standard deviation, the multiple that makes a band.
The scores of a clip come from hyper-parameters fitted without that clip (cross-fitting), else the bands of the very
clips that were fitted would look better than they are. For the other fusions it is a half-width. Both are measured once
with anchors and once without any (zero-shot).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.calibration import Reach, reach
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.few_shot import label_clips
from mtclar.evaluation.kriging_fit import START, Stretch, fit, stretches_of
from mtclar.evaluation.protocol import Labelled
from mtclar.evaluation.supports import WITHOUT
from mtclar.labelling import Krige, Kriging, krige
from mtclar.settings import EvaluateSettings

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 4
"""Parts of the clips, each of which is scored with hyper-parameters fitted on the others."""
STEPS, FOLD_STEPS = 30, 10
"""Of the fit on all clips, and of those that begin where it ended."""
UNFITTED = Kriging(START, START)
"""The fusion `kriging` where there are no clips to fit it; it comes without a band."""
PLAIN = "time"
"""The fusion of which half-widths are measured where `kriging` is judged, for labels made without it."""


@dataclass(frozen=True)
class Calibrated:
    """What was measured.

    Attributes:
        content: Of calibration.json.
        krige: The fusion `kriging`, if it is the one that is judged.
    """

    content: dict[str, Any]
    krige: Krige | None


def calibrate(
    settings: EvaluateSettings,
    faces: pd.DataFrame,
    clips: Sequence[Clip],
    embeddings: Embeddings,
    spoilt: Embeddings | None,
    heads: Heads,
    mean: np.ndarray,
) -> Calibrated:
    """Calibrates on clips, of people that training has not seen.

    Args:
        settings: The fusion that is judged, the budgets of anchors, the coverage wanted.
        faces: Table of the faces store.
        clips: The validation clips; none gives a calibration of NaN. They are taken `as_raters_do`.
        embeddings: Of their rows among others.
        spoilt: Of the same rows, made harder to see; the fit of `kriging` learns from them too.
        heads: The trained heads.
        mean: float64 (2,), mean training label.
    """
    unknown = Reach(float("nan"), 0, float("nan"))
    clips = as_raters_do(clips, settings)
    kriging, multiples, alone = None, [unknown] * 2, [unknown] * 2
    if settings.fusion == "kriging":
        stretches = stretches_of(clips, embeddings, heads)
        if spoilt is not None:
            stretches += stretches_of(clips, spoilt, heads)
        kriging = UNFITTED
        if stretches:
            kriging = fit(stretches, np.random.default_rng(settings.seed), steps=STEPS)
            scores: list[tuple[np.ndarray, np.ndarray]] = []
            without: list[tuple[np.ndarray, np.ndarray]] = []
            for part, other in _cross_fits(clips, stretches, kriging, settings.seed):
                bound = partial(krige, kriging=other)
                found = label_clips(settings, faces, part, embeddings, heads, mean, bound, supports=("first", WITHOUT))
                without += [
                    (_standardised([one], 0), _standardised([one], 1)) for one in found.supports.get(WITHOUT, [])
                ]
                for items in zip(found.supports["first"], *found.budgets.values(), strict=True):
                    scores.append((_standardised(items, 0), _standardised(items, 1)))
            multiples = [reach([score[d] for score in scores], settings.coverage) for d in range(2)]
            alone = [reach([score[d] for score in without], settings.coverage) for d in range(2)]
    plain = settings.model_copy(update={"fusion": PLAIN}) if kriging else settings
    first = label_clips(plain, faces, clips, embeddings, heads, mean, supports=("first", WITHOUT), budgets=())
    errors = [_errors(item) for item in first.supports["first"]]
    widths = [reach([error[:, d] for error in errors], settings.coverage) for d in range(2)]
    far = [_errors(item) for item in first.supports.get(WITHOUT, [])]
    zero_shot = [reach([error[:, d] for error in far], settings.coverage) for d in range(2)]
    content = {
        **_by_name(widths),
        "zero_shot": _by_name(zero_shot),
        "multiples": _by_name(multiples) if kriging else None,
        "multiples_zero_shot": _by_name(alone) if kriging else None,
        "kriging": kriging.to_dict() if kriging else None,
        "fusion": settings.fusion,
        "coverage": settings.coverage,
        "assured": widths[0].assured,
        "n_clips": widths[0].clips,
        "n_frames": sum(map(len, errors)),
        "split": "validation",
    }
    return Calibrated(content, None if kriging is None else partial(krige, kriging=kriging))


def as_raters_do(clips: Sequence[Clip], settings: EvaluateSettings) -> list[Clip]:
    """The clips as so many people would have rated them, each with a level and a scale of their own.

    The truth of synthetic people is exact, but labels and anchors of real ones are given by people, who agree on the
    course of a clip more than on its level and on how far it swings. So each clip and dimension becomes

        clip(exp(rater_scale z1) y + rater_level z2, -1, 1),    z1, z2 standard normal, drawn by the seed,

    and anchors and truth alike are those of its one rater; what `kriging` learns of offset and scale, and how wide a
    band must be without an anchor or with few, is learned from that.
    """
    rng = np.random.default_rng([settings.seed, len(clips)])
    scales = np.exp(settings.rater_scale * rng.normal(size=(len(clips), 2)))
    levels = settings.rater_level * rng.normal(size=(len(clips), 2))
    return [
        replace(clip, truth=np.clip(scale * clip.truth + level, -1.0, 1.0))
        for clip, scale, level in zip(clips, scales, levels, strict=True)
    ]


def _cross_fits(
    clips: Sequence[Clip], stretches: Sequence[Stretch], kriging: Kriging, seed: int
) -> Iterator[tuple[list[Clip], Kriging]]:
    """Parts of the clips, with hyper-parameters that were fitted on the others; of a single clip, on itself."""
    numbers = np.random.default_rng(seed).permutation(len(clips))
    for part in np.array_split(numbers, min(FOLDS, len(clips))):
        others = [stretch for stretch in stretches if stretch.clip not in part]
        rng = np.random.default_rng(seed)
        yield (
            [clips[number] for number in part],
            fit(others, rng, steps=FOLD_STEPS, start=kriging) if others else kriging,
        )


def _by_name(reaches: Sequence[Reach]) -> dict[str, float]:
    return {name: item.value for name, item in zip(DIMENSIONS, reaches, strict=True)}


def _errors(item: Labelled) -> np.ndarray:
    """Errors (m, 2) on the frames of a clip that are no anchors."""
    return (item.methods["mtclar"] - item.clip.truth)[item.queries]


def _standardised(items: Sequence[Labelled], dimension: int) -> np.ndarray:
    """Absolute errors over their standard deviation on the frames that are no anchors, of one clip labelled in turn
    from several sets of anchors."""
    return np.concatenate([np.abs(_errors(item)[:, dimension]) / item.sd[item.queries, dimension] for item in items])
