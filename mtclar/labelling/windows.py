"""`kriging` over a track of any length: windows of frames, each with the anchors around it, so that the cost is linear.

A window's frames are kriged together with those of a margin on both sides, all anchors among them, the nearest anchors
before and after with the frames beside those, and some anchors that are not on the timeline; only the frames between
the margins are kept. There need not be an anchor.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtclar.labelling.kriging import LEAST_QUALITY, Kriging, Points, Terms, posterior
from mtclar.labelling.support import Votes

WINDOW, MARGIN = 128, 64
"""Frames that are kept of a window, and frames on either side of them."""
NEAREST = 12
"""Anchors taken before and after a window, and of those that are off the timeline."""
BESIDE = 96
"""Frames beside those anchors, shared among them."""
ERRORS, OFFSETS = np.exp2(np.arange(-1.0, 1.25, 0.5)), np.exp2(np.arange(0.0, 3.5, 0.5))
"""Candidates for a clip's errors (drift, look, noise) and for how unlike others its person is (offset and scale), over
what they were on validation people."""
ERROR_SPREAD, OFFSET_SPREAD = 0.35, 0.5
"""Standard deviation of the logarithms of those factors from clip to clip."""
LEVEL_SHARE = 0.5
"""Share of the supervised head in a reading, the rest being comparisons. Measured on validation people of the sample:
the log density of labels that are no anchors is highest from 0.25 to 0.75 in both dimensions."""
_LOO_ANCHORS = 64  # at a time


def krige(
    votes: Votes, kriging: Kriging, *, window: int = WINDOW, margin: int = MARGIN, nearest: int = NEAREST
) -> tuple[np.ndarray, np.ndarray]:
    """Labels the frames of one track.

    Args:
        votes: The frames, the anchors and what the network sees between them. A face whose quality is not known counts
            as clear.
        kriging: Hyper-parameters.
        window, margin, nearest: As `WINDOW`, `MARGIN` and `NEAREST`.

    Returns:
        Mean and standard deviation of valence and arousal: float64 (n, 2) each. At a frame that is an anchor it is
        the anchor's label up to the rater's noise.
    """
    support = votes.support
    order = np.argsort(votes.queries.times_s, kind="stable")
    times_s = votes.queries.times_s[order]
    placed = support.own_track & ~np.isnan(support.times_s)
    timed = np.flatnonzero(placed)[np.argsort(support.times_s[placed], kind="stable")]
    elsewhere = np.flatnonzero(~placed)[:nearest]
    terms = _refined(votes, kriging, timed)

    mean, sd = np.empty((len(order), 2)), np.empty((len(order), 2))
    for start in range(0, len(order), window):
        kept = np.arange(start, min(start + window, len(order)))
        within = np.arange(max(0, start - margin), min(start + window + margin, len(order)))
        first = np.searchsorted(support.times_s[timed], times_s[within[0]], side="left")
        last = np.searchsorted(support.times_s[timed], times_s[within[-1]], side="right")
        before, after = timed[max(0, first - nearest) : first], timed[last : last + nearest]
        beside = _beside(times_s, support.times_s[np.concatenate([before, after])])
        frames = np.unique(np.concatenate([within, beside]))
        anchors = np.concatenate([before, timed[first:last], after, elsewhere])
        points, places = _points(votes, anchors, order[frames])
        rows = places[np.searchsorted(frames, kept)]
        for d in range(2):
            found = posterior(terms[d], points[d], support.labels[anchors, d], support.weights[anchors])
            mean[order[kept], d], sd[order[kept], d] = found.mean[rows], found.sd[rows]
    return mean, sd


def _beside(times_s: np.ndarray, anchor_times_s: np.ndarray) -> np.ndarray:
    """Positions of the frames beside anchors: through them the noise of an anchor's own reading averages out."""
    if not len(anchor_times_s):
        return np.empty(0, int)
    reach = max(1, BESIDE // (2 * len(anchor_times_s)))
    near = np.searchsorted(times_s, anchor_times_s)[:, None] + np.arange(-reach, reach + 1)
    return np.unique(np.clip(near, 0, len(times_s) - 1))


def _points(votes: Votes, anchors: np.ndarray, frames: np.ndarray) -> tuple[tuple[Points, Points], np.ndarray]:
    """The points of a window for valence and arousal, anchors first, and at which point each of its frames stands.

    A frame that is an anchor is that anchor's point and no second one, else its reading would count twice.
    """
    queries, support = votes.queries, votes.support
    k = len(anchors)
    own_times = zip(support.times_s[anchors], support.own_track[anchors], strict=True)
    point_at = {time: point for point, (time, own) in enumerate(own_times) if own}
    places = np.array([point_at.get(time, -1) for time in queries.times_s[frames]], int)
    free = frames[places < 0]
    places[places < 0] = k + np.arange(len(free))

    blind = np.concatenate([_blind(support.quality, anchors), _blind(queries.quality, free)])
    quality = np.concatenate([_known(support.quality, anchors), _known(queries.quality, free)])
    levels = np.concatenate([_said(support.levels, anchors), _said(queries.levels, free)])
    levelled, readings = bool(np.isfinite(levels[~blind]).all()), levels
    if not blind[:k].all():
        # Votes hold the anchors' labels; what the network alone says is averaged over the anchors it was compared
        # with, each as far as it can be seen.
        trusted = np.where(blind[:k], 0.0, quality[:k])
        trusted /= trusted.sum()
        told = np.concatenate([votes.among[np.ix_(anchors, anchors)], votes.votes[np.ix_(free, anchors)]])
        readings = np.einsum("nkd,k->nd", told - support.labels[anchors], trusted)
        if levelled:
            said = trusted @ np.nan_to_num(levels[:k])
            readings = LEVEL_SHARE * levels + (1 - LEVEL_SHARE) * (readings + said)
    readings = np.where(blind[:, None], np.nan, readings)
    embeddings = np.concatenate([support.embeddings[anchors], queries.embeddings[free]]).astype(np.float64)
    squares = (embeddings**2).sum(axis=1)
    own = np.ones(len(free), bool)
    valence = Points(
        times_s=np.concatenate([support.times_s[anchors], queries.times_s[free]]),
        readings=readings[:, 0],
        distances=np.maximum(squares[:, None] + squares - 2 * embeddings @ embeddings.T, 0.0),
        quality=quality,
        own_track=np.concatenate([support.own_track[anchors], own]),
        own_person=np.concatenate([support.own_person[anchors], own]),
        levelled=levelled,
    )
    return (valence, replace(valence, readings=readings[:, 1])), places


def _known(quality: np.ndarray | None, some: np.ndarray) -> np.ndarray:
    """Quality of some faces, 1 where it is not known."""
    if quality is None:
        return np.ones(len(some))
    return np.clip(np.nan_to_num(quality[some], nan=1.0), LEAST_QUALITY, 1.0)


def _blind(quality: np.ndarray | None, some: np.ndarray) -> np.ndarray:
    """Whether there is no face to see."""
    return np.zeros(len(some), bool) if quality is None else quality[some] == 0


def _said(levels: np.ndarray | None, some: np.ndarray) -> np.ndarray:
    """Levels of some faces, NaN where there is no head that says them."""
    return np.full((len(some), 2), np.nan) if levels is None else levels[some]


def _refined(votes: Votes, kriging: Kriging, timed: np.ndarray) -> tuple[Terms, Terms]:
    """Hyper-parameters with errors, offset and scale as large as this track's own anchors say.

    Each anchor's label is foretold from the other anchors and the readings at all of them (leave-one-out). Every
    pair of factors is weighed by the density it gives the labels and by normal priors on their logarithms around 0, and
    the means of the logarithms are taken: one anchor says little, and only if it lies far from what was expected.
    """
    errors, offsets = np.log(ERRORS)[:, None], np.log(OFFSETS)[None, :]
    prior = -0.5 * ((errors / ERROR_SPREAD) ** 2 + (offsets / OFFSET_SPREAD) ** 2)
    parts = [part for part in np.array_split(timed, -(-len(timed) // _LOO_ANCHORS) or 1) if len(part)]
    points = [_points(votes, part, np.empty(0, int))[0] for part in parts]
    found = []
    for d, terms in enumerate((kriging.valence, kriging.arousal)):
        score = prior.copy()
        for part, both in zip(parts, points, strict=True):
            labels, weights = votes.support.labels[part, d], votes.support.weights[part]
            score += [
                [posterior(_scaled(terms, error, offset), both[d], labels, weights).foretold for offset in OFFSETS]
                for error in ERRORS
            ]
        share = np.exp(score - score.max())
        share /= share.sum()
        found.append(_scaled(terms, np.exp((share * errors).sum()), np.exp((share * offsets).sum())))
    return found[0], found[1]


def _scaled(terms: Terms, error: float, offset: float) -> Terms:
    return replace(
        terms,
        offset=terms.offset * offset,
        scale=terms.scale * offset,
        drift=terms.drift * error,
        look=terms.look * error,
        noise=terms.noise * error,
    )
