"""From what a network says of faces to the readings that are kriged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mtclar.labelling.kriging import LEAST_QUALITY, Points
from mtclar.labelling.support import Votes

LEVEL_SHARE = 0.75
"""Share of the supervised head in a reading, the rest being comparisons. Measured on validation people of the sample:
the log density of labels that are no anchors is highest from 0.25 to 0.75 in both dimensions. On real faces the heads,
which may learn from faces as they are usual, keep to the scale better than differences of faces of every kind."""


def points_of(votes: Votes, anchors: np.ndarray, frames: np.ndarray) -> tuple[tuple[Points, Points], np.ndarray]:
    """The points of some anchors (k,) and frames (m,) for valence and arousal, anchors first, and at which point each
    of the frames stands.

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
