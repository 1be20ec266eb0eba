"""Intervals over several seeds: people or clips are one level of chance, how a training turned out is another.

A metric is measured for every seed on the same resamples of clips or people (`mtclar.evaluation.bootstrap`). Three
intervals say three things: over clips alone (would other people have given another number, with these networks?), over
seeds alone (would another training, judged on these people?), and over both at once. Variants are compared seed by
seed and resample by resample, so that what both share falls out of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.evaluation.bootstrap import LEVEL, Draws

T_QUANTILES = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Of Student's t at 97.5 %, by degrees of freedom; with more than nine the normal one is near enough."""


@dataclass(frozen=True)
class Measured:
    """The mean of a metric, or of a difference of two, over seeds.

    Attributes:
        value: On the data as they are.
        seeds: float64 (s,), the value of each seed.
        clips: Interval over clips or people, seeds as they are.
        trainings: Student's interval over seeds, clips as they are; NaN with one seed.
        both: Interval over clips and seeds, drawn independently. With s seeds a bootstrap makes their part too narrow
            by a factor of sqrt(1 - 1/s), so the drawn deviations are widened by its inverse; with one seed this is
            `clips`.
    """

    value: float
    seeds: np.ndarray
    clips: tuple[float, float]
    trainings: tuple[float, float]
    both: tuple[float, float]

    def row(self) -> dict[str, float]:
        """The numbers as columns of a table."""
        return {
            "value": self.value,
            "low": self.both[0],
            "high": self.both[1],
            "low_clips": self.clips[0],
            "high_clips": self.clips[1],
            "low_seeds": self.trainings[0],
            "high_seeds": self.trainings[1],
            "seeds": len(self.seeds),
        }


def measured(draws: Sequence[Draws], rng: np.random.Generator) -> Measured:
    """Sums up one metric of several seeds that were judged on the same resamples.

    Args:
        draws: One a seed.
        rng: Draws the seeds.
    """
    seeds = np.array([draw.value for draw in draws])
    resampled = np.stack([draw.resampled for draw in draws])  # (seeds, resamples)
    count, resamples = resampled.shape
    value = float(seeds.mean())
    means = resampled.mean(axis=0)
    drawn = resampled[rng.integers(count, size=(count, resamples)), np.arange(resamples)].mean(axis=0)
    widened = means + (drawn - means) * (np.sqrt(count / (count - 1)) if count > 1 else 0.0)
    half = np.nan
    if count > 1:
        half = T_QUANTILES.get(count - 1, 1.96) * seeds.std(ddof=1) / np.sqrt(count)
    return Measured(
        value,
        seeds,
        clips=Draws(value, means).interval(LEVEL),
        trainings=(float(value - half), float(value + half)),
        both=Draws(value, widened).interval(LEVEL),
    )


def differences(ours: Sequence[Draws], others: Sequence[Draws], rng: np.random.Generator) -> Measured:
    """The difference of two variants, paired by seed and resample; only seeds that both have count."""
    return measured([a - b for a, b in zip(ours, others, strict=False)], rng)
