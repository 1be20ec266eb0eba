"""The hyper-parameters of `mtclar.labelling.kriging`, from clips of people whose truth is known at every frame.

`kriging_loss.loss`, averaged over clips and placements of anchors, is minimised by L-BFGS over the logarithms of the
hyper-parameters, with a weak normal prior around `START`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import Clip
from mtclar.evaluation.kriging_loss import FITTED, Batch, loss
from mtclar.labelling import Kriging, Terms, compare_all
from mtclar.labelling.kriging import DIMENSIONS, LEAST_QUALITY
from mtclar.labelling.readings import LEVEL_SHARE

START = Terms(
    mean=0.0,
    level=0.2,
    move=0.3,
    move_s=0.5,
    gain=0.8,
    offset=0.1,
    scale=0.3,
    drift=0.1,
    drift_s=0.5,
    look=0.08,
    look_scale=1.0,
    noise=0.03,
    haze=1.0,
    rater=0.02,
)
"""Where the search begins; `look_scale` in median distances of two faces of a clip."""
PRIOR_SPREAD, PRIOR_CLIPS = 1.0, 2.0
"""Standard deviation of the prior of a logarithm, and the clips that all of it weighs as much as."""
REACH = 3.0
"""How far a logarithm may go from where it began."""
PLACEMENTS = ((0, False), (1, False), (2, True), (4, False))
"""Anchors a stretch is given, and whether they are drawn at random or evenly spread from the first frame on. From
none the gain is learned, for which a person's slope would make up otherwise."""
LONGEST, MOST = 64, 200
"""Frames of a stretch of a clip, and stretches that are used, evenly spread over all there are."""


@dataclass(frozen=True)
class Stretch:
    """n frames of one clip, n <= `LONGEST`.

    Attributes:
        clip: Which clip; several stretches may be of one.
        times_s: float64 (n,).
        truth: float64 (n, 2).
        deltas: float64 (n, n, 2), predicted label(row) - label(column).
        levels: float64 (n, 2), the supervised head's labels; NaN where there is no such head.
        distances: float64 (n, n), squared distances of embeddings.
        quality: float64 (n,), in (0, 1].
    """

    clip: int
    times_s: np.ndarray
    truth: np.ndarray
    deltas: np.ndarray
    levels: np.ndarray
    distances: np.ndarray
    quality: np.ndarray


def stretches_of(clips: Sequence[Clip], embeddings: Embeddings, heads: Heads) -> list[Stretch]:
    """Clips of two frames or more, cut into stretches as equal as can be, and what a model sees in them."""
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
        _, valence, arousal = heads.single(faces)
        found.append(
            Stretch(
                clip=number,
                times_s=clip.times_s[part],
                truth=clip.truth[part],
                deltas=compare_all(faces, faces, heads.compare)[1],
                levels=np.stack([valence, arousal], axis=1).astype(np.float64),
                distances=((faces[:, None].astype(np.float64) - faces) ** 2).sum(axis=2),
                quality=np.ones(len(part)) if quality is None else np.clip(quality, LEAST_QUALITY, 1.0),
            )
        )
    return found


def fit(stretches: Sequence[Stretch], rng: np.random.Generator, *, steps: int, start: Kriging | None = None) -> Kriging:
    """Fits both dimensions.

    Args:
        stretches: At least one.
        rng: Where placements of anchors come from.
        steps: At most so many of L-BFGS.
        start: Where to begin; None for `START`, which is the centre of the prior in any case.
    """
    from scipy.optimize import minimize

    pairs = [np.sqrt(s.distances[np.triu_indices(len(s.times_s), 1)]) for s in stretches]
    scale = max(float(np.median(np.concatenate(pairs))), 1e-3)
    pull = PRIOR_CLIPS / (PRIOR_SPREAD**2 * len(FITTED) * len({stretch.clip for stretch in stretches}))
    found = []
    for d, name in enumerate(DIMENSIONS):
        mean = float(np.mean([stretch.truth[:, d].mean() for stretch in stretches]))
        origin = replace(START, mean=mean, look_scale=START.look_scale * scale)
        centre = _logarithms(origin)
        parts = batches(stretches, d, rng)

        def target(
            x: np.ndarray, origin: Terms = origin, centre: np.ndarray = centre, parts: Sequence[Batch] = parts
        ) -> tuple[float, np.ndarray]:
            found = [loss(_terms(origin, x), part) for part in parts]
            slopes = np.mean([[slope[key] for key in FITTED] for _, slope in found], axis=0)
            value = float(np.mean([value for value, _ in found])) + 0.5 * pull * float(np.sum((x - centre) ** 2))
            return value, slopes + pull * (x - centre)

        begin = centre if start is None else _logarithms(getattr(start, name))
        result = minimize(
            target,
            np.clip(begin, centre - REACH, centre + REACH),
            jac=True,
            method="L-BFGS-B",
            bounds=[(x - REACH, x + REACH) for x in centre],
            options={"maxiter": steps},
        )
        found.append(_terms(origin, result.x))
    return Kriging(*found)


def batches(stretches: Sequence[Stretch], dimension: int, rng: np.random.Generator) -> list[Batch]:
    """The stretches with each of `PLACEMENTS`; one too short for so many anchors and a frame more is left out of it."""
    found = []
    for k, drawn in PLACEMENTS:
        usable = [stretch for stretch in stretches if len(stretch.times_s) > k]
        orders = []
        for stretch in usable:
            n = len(stretch.times_s)
            anchors = np.sort(rng.permutation(n)[:k]) if drawn else np.arange(k) * n // k
            orders.append(np.concatenate([anchors, np.setdiff1d(np.arange(n), anchors)]))
        if usable:
            found.append(_batch(usable, orders, k, dimension))
    return found


def _batch(stretches: Sequence[Stretch], orders: Sequence[np.ndarray], k: int, dimension: int) -> Batch:
    """Stretches in some order of their frames, the k anchors first."""
    c, n = len(stretches), max(map(len, orders))
    gaps, distances = np.zeros((c, n, n)), np.zeros((c, n, n))
    log_quality, readings, truth, real = (np.zeros((c, n)) for _ in range(4))
    levelled = all(np.isfinite(stretch.levels).all() for stretch in stretches)
    for i, (stretch, order) in enumerate(zip(stretches, orders, strict=True)):
        m, square = len(order), np.ix_(order, order)
        gaps[i, :m, :m] = np.abs(stretch.times_s[order][:, None] - stretch.times_s[order])
        distances[i, :m, :m] = stretch.distances[square]
        log_quality[i, :m] = np.log(stretch.quality[order])
        # As `mtclar.labelling.windows` makes readings of what a network says.
        levels = stretch.levels[order, dimension]
        readings[i, :m] = levels
        if k:
            trusted = stretch.quality[order[:k]] / stretch.quality[order[:k]].sum()
            readings[i, :m] = stretch.deltas[order][:, order[:k], dimension] @ trusted
            if levelled:
                readings[i, :m] = LEVEL_SHARE * levels + (1 - LEVEL_SHARE) * (readings[i, :m] + levels[:k] @ trusted)
        truth[i, :m] = stretch.truth[order, dimension]
        real[i, :m] = 1.0
    return Batch(gaps, distances, log_quality, readings, truth, real > 0, k, levelled)


def _logarithms(terms: Terms) -> np.ndarray:
    return np.log([getattr(terms, name) for name in FITTED])


def _terms(origin: Terms, logarithms: np.ndarray) -> Terms:
    return replace(origin, **dict(zip(FITTED, np.exp(logarithms).tolist(), strict=True)))
