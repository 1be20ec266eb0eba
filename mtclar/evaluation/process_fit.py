"""The hyper-parameters of `mtclar.labelling`'s process, from clips of people whose truth is known at every frame.

Empirical Bayes: of the candidates of a grid each gets the prior weight with which the frames that are no anchors are
foretold best, that is by the largest log density averaged over clips and placements of no, one and some anchors.

How well predictions carry to other people, cameras and raters than there are among these clips is not known from them.
So in a share of the clips predictions are spoilt, in part or altogether, by those of another person in another clip;
that keeps some weight on models that do not believe them. Fitted on faultless readers alone, a prior would not. Without
an anchor nothing tells whether predictions are worth nothing, and nothing better is known: prior weights for that case
are fitted apart, on predictions as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.features.prediction import predict
from mtclar.labelling.course import Course, course
from mtclar.labelling.hyper import Grid, Model, Process
from mtclar.labelling.nominal import CANDIDATES, COURSE, NOISE
from mtclar.labelling.process import Places, Posterior

FOREIGN_SHARE, LEAST_FOREIGN = 1 / 3, 0.5
"""Share of the clips whose predictions are mixed with another person's, and by what share at least, drawn evenly up to
1. A third is reasoned: so many that the grid keeps an answer to useless predictions, so few that most clips are as they
are. Of the shares that were tried on validation people this is the smallest whose labels from useless predictions were
no more than a twentieth worse than straight lines from up to ten anchors; it costs the others a hundredth."""
BUDGETS = (0, 1, 2, 3, 4, 6, 10)
"""Anchors a clip is given in turn, drawn at random."""
LONGEST, SCORED, MOST = 400, 48, 240
"""Frames of a stretch of a clip, frames of it that are foretold, and stretches that are used."""
PRIOR = 2e-3
"""Weight of the logarithm of each prior weight in the sum that is maximised (a Dirichlet prior): no candidate is given
up altogether. Of 0.0006, 0.002 and 0.005, fitted on the validation people of the model that ships, this carried over to
those of the sample in both dimensions."""
NOISES, HAZES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6), (0.25, 0.5, 1.0, 1.5, 2.0)
"""Noise of a prediction, in parts of its spread, and haze, as they are tried."""
SEARCHED = 60
"""Stretches on which they are tried."""
ROUNDS = 150
SLOPES = (0.5, 2.0)
"""Within these is what the gains of a grid are multiplied with."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """n frames of one clip, as labelling sees them.

    Attributes:
        clip: Which clip; several stretches may be of one.
        times_s: float64 (n,).
        truth, prediction: float64 (n, 2); a prediction may be NaN.
        quality: float64 (n,), in (0, 1].
        embeddings: float32 (n, d).
    """

    clip: int
    times_s: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    quality: np.ndarray
    embeddings: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)

    def places(self, process: Process, dimension: int) -> Places:
        """What the process is told of the frames."""
        model = process[dimension]
        mean, variance = course(model.course, self.times_s, self.prediction[:, dimension], self.quality)
        known = np.isfinite(mean)
        return Places(
            self.times_s,
            np.zeros(len(self), np.int64),
            np.where(known, mean, model.mean),
            np.where(known, variance, model.predicted_sd**2),
            np.arange(len(self)),
            self.embeddings,
            process.typical or 1.0,
        )


def stretches_of(clips: Sequence[Clip], embeddings: Embeddings, heads: Heads) -> list[Stretch]:
    """Clips of two frames or more, cut into stretches as equal as can be, and what a model predicts of them."""
    parts = [
        (number, part)
        for number, clip in enumerate(clips)
        if len(clip) > 1
        for part in np.array_split(np.arange(len(clip)), -(-len(clip) // LONGEST))
    ]
    chosen = np.unique(np.linspace(0, len(parts) - 1, min(len(parts), MOST)).round().astype(int))
    found = []
    for number, part in (parts[k] for k in chosen):
        clip = clips[number]
        faces, quality = embeddings[clip.rows[part]], embeddings.quality_of(clip.rows[part])
        quality = np.ones(len(part)) if quality is None else quality
        _, valence, arousal = heads.single(faces)
        head = np.stack([valence, arousal], axis=1)
        prediction = predict(faces, head, quality, np.zeros(len(part), np.int64), heads.compare)
        found.append(Stretch(number, clip.times_s[part], clip.truth[part], prediction.astype(float), quality, faces))
    return found


def typical_distance(stretches: Sequence[Stretch]) -> float:
    """Median over clips of the median distance of two of its embeddings."""
    medians = []
    for stretch in stretches:
        faces = stretch.embeddings[:: -(-len(stretch) // SCORED)].astype(np.float64)
        apart = np.linalg.norm(faces[:, None] - faces, axis=2)[np.triu_indices(len(faces), 1)]
        medians.append(float(np.median(apart)) if len(apart) else 0.0)
    return max(float(np.median(medians)), 1e-3)


@dataclass(frozen=True, eq=False)
class Foretold:
    """How well each of j candidates foretells some clips' frames that are no anchors.

    Attributes:
        evidence: float64 (r, j), log density of the anchors' labels in each of r placements, the largest of one 0.
        run: int (m,), the placement of each of m frames.
        density: float64 (m, j), log density of its label.
    """

    evidence: np.ndarray
    run: np.ndarray
    density: np.ndarray

    def score(self, weight: np.ndarray) -> float:
        """Mean over placements of the mean over frames of the log density, the candidates weighed so before (j,)."""
        joint = np.log(np.exp(self.evidence[self.run] + self.density) @ weight)
        each = np.bincount(self.run, joint) / np.bincount(self.run)
        return float(np.mean(each - np.log(np.exp(self.evidence) @ weight)))


def fit(stretches: Sequence[Stretch], seed: int, grid: Grid = CANDIDATES) -> Process:
    """Fits both dimensions; nothing of the process comes from elsewhere than the stretches.

    Args:
        stretches: At least one.
        seed: Of all draws: placements of anchors, and whose predictions are mixed.
        grid: The candidates.
    """
    learned = mixed(stretches, np.random.default_rng([seed, 1]))
    models = []
    for d, _ in enumerate(DIMENSIONS):
        predicted = np.concatenate([stretch.prediction[:, d] for stretch in stretches])
        spread = float(np.nanstd(predicted)) if np.isfinite(predicted).any() else 0.0
        mean = float(np.mean([stretch.truth[:, d].mean() for stretch in stretches]))
        models.append(Model(mean, spread, NOISE, COURSE, grid.scaled(slope(stretches, d))))
    process = Process(typical_distance(stretches), models[0], models[1])
    courses = [fit_course(stretches, process, d, seed) for d in range(len(DIMENSIONS))]
    models = [replace(model, course=found) for model, found in zip(models, courses, strict=True)]
    process = replace(process, valence=models[0], arousal=models[1])
    fitted = []
    for d, model in enumerate((process.valence, process.arousal)):
        some = weigh(foretell(learned, process, d, seed))
        none = weigh(foretell(stretches, process, d, seed, budgets=(0,)))
        fitted.append(replace(model, grid=model.grid.weighted(some, none)))
    return replace(process, valence=fitted[0], arousal=fitted[1])


def slope(stretches: Sequence[Stretch], dimension: int) -> float:
    """By how much labels rise with predictions (least squares, every clip counting the same), within `SLOPES`."""
    weight = np.concatenate([np.full(len(stretch), 1 / len(stretch)) for stretch in stretches])
    predicted = np.concatenate([stretch.prediction[:, dimension] for stretch in stretches])
    truth = np.concatenate([stretch.truth[:, dimension] for stretch in stretches])
    known = np.isfinite(predicted)
    if known.sum() < 2 or not np.ptp(predicted[known]) > 0:
        return 1.0
    centred = predicted[known] - np.average(predicted[known], weights=weight[known])
    rise = (weight[known] * centred) @ truth[known] / ((weight[known] * centred) @ centred)
    return float(np.clip(rise, *SLOPES))


def mixed(stretches: Sequence[Stretch], rng: np.random.Generator) -> list[Stretch]:
    """The stretches, the predictions of `FOREIGN_SHARE` of them mixed with those of another person's clip."""
    found = list(stretches)
    for k in np.flatnonzero(rng.uniform(size=len(stretches)) < FOREIGN_SHARE).tolist():
        others = [stretch for stretch in stretches if stretch.clip != stretches[k].clip]
        if others:
            found[k] = with_foreign(stretches[k], others[int(rng.integers(len(others)))], rng.uniform(LEAST_FOREIGN, 1))
    return found


def with_foreign(stretch: Stretch, other: Stretch, share: float) -> Stretch:
    """A stretch whose predictions are another's by some share, frame by frame, or spread where the other is shorter."""
    n = len(stretch)
    rows = np.arange(n) if len(other) >= n else np.linspace(0, len(other) - 1, n).round().astype(int)
    return replace(stretch, prediction=(1 - share) * stretch.prediction + share * other.prediction[rows])


def fit_course(stretches: Sequence[Stretch], process: Process, dimension: int, seed: int) -> Course:
    """How predictions err within a track: the noise and the haze with which some of the grid foretells best.

    The spread is that of predictions within a clip. One parameter after the other is moved up and down `NOISES` and
    `HAZES` for as long as that helps.
    """
    model = process[dimension]
    every = -(-len(stretches) // SEARCHED)
    known = [stretch for stretch in stretches[::every] if np.isfinite(stretch.prediction[:, dimension]).any()]
    if not known:
        return model.course
    spread = max(1e-3, float(np.sqrt(np.mean([np.nanvar(stretch.prediction[:, dimension]) for stretch in known]))))
    some = np.arange(0, len(model.grid), 5)
    tried: dict[tuple[int, int], float] = {}

    def course_at(place: tuple[int, int]) -> Course:
        return replace(model.course, spread=spread, noise=spread * NOISES[place[0]], haze=HAZES[place[1]])

    def score(place: tuple[int, int]) -> float:
        if not (0 <= place[0] < len(NOISES) and 0 <= place[1] < len(HAZES)):
            return -np.inf
        if place not in tried:
            now = replace(model, course=course_at(place), grid=model.grid[some])
            told = foretell(known, Process(process.typical, now, now), dimension, seed)
            tried[place] = told.score(np.full(len(some), 1 / len(some)))
        return tried[place]

    best = (NOISES.index(0.2), HAZES.index(1.0))
    while True:
        beside = [(best[0] + a, best[1] + b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        better = max(beside, key=score)
        if not score(better) > score(best):
            return course_at(best)
        best = better


def foretell(
    stretches: Sequence[Stretch], process: Process, dimension: int, seed: int, *, budgets: Sequence[int] = BUDGETS
) -> Foretold:
    """Asks every candidate about every stretch, from each number of anchors for which it is long enough."""
    model, rng = process[dimension], np.random.default_rng([seed, 2])
    points = np.arange(len(model.grid))
    evidence: list[np.ndarray] = []
    run, density = [], []
    for stretch in stretches:
        places, truth = stretch.places(process, dimension), stretch.truth[:, dimension]
        for k in budgets:
            if len(stretch) <= k:
                continue
            order = rng.permutation(len(stretch))
            anchors, rest = np.sort(order[:k]), np.sort(order[k : k + SCORED])
            found = Posterior(model, places[anchors], truth[anchors], np.full(k, model.noise**2))
            told = []
            for mean, variance, _ in found.by_point(places[rest], points, np.float64):
                variance = variance + model.noise**2
                told.append(-0.5 * (truth[rest] - mean) ** 2 / variance - 0.5 * np.log(variance))
            logs = found.logs - np.log(model.grid.weight if k else model.grid.alone)
            run.append(np.full(len(rest), len(evidence)))
            evidence.append(logs - logs.max())
            density.append(np.stack(told, axis=1))
    return Foretold(np.stack(evidence), np.concatenate(run), np.concatenate(density))


def weigh(told: Foretold) -> np.ndarray:
    """Prior weights (j,) that foretell best.

    With E the density of a placement's anchors and N that of a frame's label, by candidate, the mean over placements of
    the mean over frames of log(sum w E N / sum w E) is maximised, and `PRIOR` times the sum of log w, by mirror ascent:
    weights are multiplied by the exponential of the slope, over and over.
    """
    count = np.bincount(told.run, minlength=len(told.evidence))
    share = 1 / (count[told.run] * len(told.evidence))
    prior = np.exp(told.evidence)
    shifted = told.evidence[told.run] + told.density
    joint = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    weight = np.full(prior.shape[1], 1 / prior.shape[1])
    for step in np.geomspace(5.0, 0.5, ROUNDS):
        slope = joint.T @ (share / (joint @ weight)) - prior.T @ (1 / (prior @ weight)) / len(told.evidence)
        slope += PRIOR / weight
        weight = weight * np.exp(np.clip(step * (slope - slope @ weight), -1, 1))
        weight /= weight.sum()
    return weight
