"""How labels are made and how sure they are, measured on validation people: calibration.json, which a bundle carries.

That is the hyper-parameters of the process and the multiples of its standard deviation that make bands, by number of
anchors. The scores of a clip come from a process fitted without that clip (cross-fitting), else the bands of the very
clips that were fitted would look better than they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.calibration import Reach, reach
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.process_fit import Stretch, fit, stretches_of
from mtclar.labelling import Calibration, Multiples, Process, nominal
from mtclar.labelling.process import Posterior
from mtclar.settings import EvaluateSettings

FOLDS = 4
"""Parts of the clips, each of which is scored with a process fitted on the others."""
COUNTS = (0, 1, 2, 3, 4, 6, 10, 20)
"""Numbers of anchors for which multiples are measured, as far as clips are long enough."""
PLACEMENTS = 2
"""Placements of so many anchors that a stretch is scored from, drawn at random: people do not label evenly spread
frames, and what lies far from all anchors is harder to hold."""
LEAST_CLIPS = 5
"""With fewer clips that are long enough, a number of anchors has no multiple of its own."""


@dataclass(frozen=True)
class Calibrated:
    """What was measured.

    Attributes:
        content: Of calibration.json.
        process: The hyper-parameters.
    """

    content: dict[str, Any]
    process: Process

    @property
    def multiples(self) -> Multiples:
        """The multiples by number of anchors."""
        return Calibration.read(self.content).multiples


def calibrate(
    settings: EvaluateSettings, clips: Sequence[Clip], embeddings: Embeddings, spoilt: Embeddings | None, heads: Heads
) -> Calibrated:
    """Calibrates on clips, of people that training has not seen.

    Args:
        settings: The coverage wanted, how raters differ, the seed.
        clips: The validation clips; none gives nominal hyper-parameters. They are taken `as_raters_do`.
        embeddings: Of their rows among others.
        spoilt: Of the same rows, made harder to see; fit and bands learn from them too.
        heads: The trained heads.
    """
    clips = as_raters_do(clips, settings)
    stretches = stretches_of(clips, embeddings, heads)
    if not stretches:
        return nominal_calibration(settings.coverage)
    if spoilt is not None:
        stretches += stretches_of(clips, spoilt, heads)
    process = fit(stretches, settings.seed)
    reaches = _reaches(stretches, process, settings)
    measured = reaches[0][0]
    content = {
        "process": process.to_dict(),
        "multiples": {
            "anchors": list(COUNTS[: len(reaches)]),
            **{name: [each[d].value for each in reaches] for d, name in enumerate(DIMENSIONS)},
        },
        "coverage": settings.coverage,
        "assured": measured.assured,
        "n_clips": measured.clips,
        "n_frames": sum(len(clip) for clip in clips),
        "split": "validation",
    }
    return Calibrated(content, process)


def nominal_calibration(coverage: float, typical: float | None = None) -> Calibrated:
    """Hyper-parameters of a model on which nothing was measured, and the multiples of a normal distribution."""
    process = nominal(typical)
    content = {
        "process": process.to_dict(),
        "multiples": Multiples.level(NormalDist().inv_cdf((1 + coverage) / 2)).to_dict(),
        "coverage": coverage,
        "assured": None,
        "n_clips": 0,
        "n_frames": 0,
        "split": None,
        "nominal": True,
    }
    return Calibrated(content, process)


def as_raters_do(clips: Sequence[Clip], settings: EvaluateSettings) -> list[Clip]:
    """The clips as so many people would have rated them, each with a level and a scale of their own.

    The truth of synthetic people is exact, but labels and anchors of real ones are given by people, who agree on the
    course of a clip more than on its level and on how far it swings. So each clip and dimension becomes

        clip(exp(rater_scale z1) y + rater_level z2, -1, 1),    z1, z2 standard normal, drawn by the seed,

    and anchors and truth alike are those of its one rater; what the process learns of level and gain, and how wide a
    band must be without an anchor or with few, is learned from that.
    """
    rng = np.random.default_rng([settings.seed, len(clips)])
    scales = np.exp(settings.rater_scale * rng.normal(size=(len(clips), 2)))
    levels = settings.rater_level * rng.normal(size=(len(clips), 2))
    return [
        replace(clip, truth=np.clip(scale * clip.truth + level, -1.0, 1.0))
        for clip, scale, level in zip(clips, scales, levels, strict=True)
    ]


def _reaches(stretches: Sequence[Stretch], fitted: Process, settings: EvaluateSettings) -> list[list[Reach]]:
    """The multiples for each of `COUNTS`, valence and arousal, as far as clips are long enough."""
    rng = np.random.default_rng([settings.seed, 3])
    numbers = rng.permutation(np.unique([stretch.clip for stretch in stretches]))
    scores: dict[int, dict[int, list[np.ndarray]]] = {k: {} for k in COUNTS}
    for part in np.array_split(numbers, min(FOLDS, len(numbers))):
        others = [stretch for stretch in stretches if stretch.clip not in part]
        process = fit(others, settings.seed) if others else fitted
        for stretch in stretches:
            if stretch.clip in part:
                for k in COUNTS:
                    if len(stretch) > k:
                        scores[k].setdefault(stretch.clip, []).append(_scores(stretch, process, k, rng))
    found: list[list[Reach]] = []
    for k in COUNTS:
        if k and len(scores[k]) < LEAST_CLIPS:
            break
        each = [np.concatenate(parts) for parts in scores[k].values()]
        found.append([reach([clip[:, d] for clip in each], settings.coverage) for d in range(len(DIMENSIONS))])
    return found


def _scores(stretch: Stretch, process: Process, k: int, rng: np.random.Generator) -> np.ndarray:
    """Absolute errors over their standard deviation (m, 2) on the frames that are no anchors, of all placements."""
    n, found = len(stretch), []
    for _ in range(PLACEMENTS if k else 1):
        at = np.sort(rng.permutation(n)[:k])
        rest = np.setdiff1d(np.arange(n), at)
        columns = []
        for d in range(len(DIMENSIONS)):
            places, truth = stretch.places(process, d), stretch.truth[:, d]
            told = Posterior(process[d], places[at], truth[at], np.full(k, process[d].noise ** 2))
            mean, sd = told.at(places[rest])
            columns.append(np.abs(np.clip(mean, -1, 1) - truth[rest]) / sd)
        found.append(np.stack(columns, axis=1))
    return np.concatenate(found)
