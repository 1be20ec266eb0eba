"""`kriging` over a track of any length: windows of frames, each with the anchors around it, so that the cost is linear.

A window's frames are kriged together with those of a margin on both sides, all anchors among them, the nearest anchors
before and after with the frames beside those, and some anchors that are not on the timeline; only the frames between
the margins are kept. There need not be an anchor.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from mtclar.labelling.blind import mixed
from mtclar.labelling.kriging import Kriging, posterior
from mtclar.labelling.personal import Anchored
from mtclar.labelling.readings import points_of
from mtclar.labelling.refine import Refined, refine
from mtclar.labelling.support import Votes

WINDOW, MARGIN = 128, 64
"""Frames that are kept of a window, and frames on either side of them."""
NEAREST = 12
"""Anchors taken before and after a window, and of those that are off the timeline."""
BESIDE = 96
"""Frames beside those anchors, shared among them."""


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
    refined = refine(votes, kriging, timed)

    mean, sd = np.empty((len(order), 2)), np.empty((len(order), 2))
    for start in range(0, len(order), window):
        kept = np.arange(start, min(start + window, len(order)))
        within = np.arange(max(0, start - margin), min(start + window + margin, len(order)))
        first = np.searchsorted(support.times_s[timed], times_s[within[0]], side="left")
        last = np.searchsorted(support.times_s[timed], times_s[within[-1]], side="right")
        before, after = timed[max(0, first - nearest) : first], timed[last : last + nearest]
        beside = _beside(times_s, support.times_s[np.concatenate([before, after])])
        frames = np.unique(np.concatenate([within, beside]))
        near = np.concatenate([before, timed[first:last], after])
        anchors = np.concatenate([near, elsewhere])
        points, places = points_of(votes, anchors, order[frames])
        rows = places[np.searchsorted(frames, kept)]
        for d in range(2):
            found = posterior(refined[d].terms, points[d], support.labels[anchors, d], support.weights[anchors])
            readings, quality = points[d].readings, points[d].quality
            given = Anchored(
                support.times_s[near], readings[: len(near)], support.labels[near, d], support.weights[near]
            )
            mean[order[kept], d], sd[order[kept], d] = _averaged(
                refined[d], times_s[kept], readings[rows], quality[rows], given, found.mean[rows], found.sd[rows]
            )
    return mean, sd


def _averaged(
    refined: Refined,
    times_s: np.ndarray,
    readings: np.ndarray,
    quality: np.ndarray,
    given: Anchored,
    mean: np.ndarray,
    sd: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (n,) of frames, by all accounts together.

    Args:
        refined: How far each account is believed.
        times_s, readings, quality: Of the frames (n,).
        given: The anchors nearby; a reading may be NaN.
        mean, sd: Of the frames as they were kriged.
    """
    if not len(given.labels):
        return mean, sd
    means, variances = (np.stack([values] * 3) for values in (mean, sd**2))
    shares = np.repeat(refined.shares[:, None], len(mean), axis=1)
    heard, anchored = np.isfinite(readings), np.isfinite(given.readings)
    shares[1] *= np.where(heard, quality, 0.0)  # a face that can hardly be seen is not taken at its word
    if anchored.any() and heard.any():
        of = Anchored(*(getattr(given, field.name)[anchored] for field in fields(given)))
        told = refined.personal.label(times_s[heard], readings[heard], quality[heard], of)
        means[1, heard], variances[1, heard] = told
    if refined.blind is not None:
        means[2], variances[2] = refined.blind.label(times_s, given.times_s, given.labels, given.weights)
    mean, variance = mixed(shares / shares.sum(axis=0), means, variances)
    return mean, np.sqrt(variance)


def _beside(times_s: np.ndarray, anchor_times_s: np.ndarray) -> np.ndarray:
    """Positions of the frames beside anchors: through them the noise of an anchor's own reading averages out."""
    if not len(anchor_times_s):
        return np.empty(0, int)
    reach = max(1, BESIDE // (2 * len(anchor_times_s)))
    near = np.searchsorted(times_s, anchor_times_s)[:, None] + np.arange(-reach, reach + 1)
    return np.unique(np.clip(near, 0, len(times_s) - 1))
