"""A made-up track, its anchors, and a network whose reading of every face is known."""

from __future__ import annotations

import numpy as np

from mtclar.labelling.kriging import Kriging, Terms
from mtclar.labelling.support import Queries, Support, Votes

TERMS = Terms(
    mean=0.1,
    level=0.4,
    move=0.3,
    move_s=0.5,
    gain=0.9,
    offset=0.3,
    scale=0.2,
    drift=0.06,
    drift_s=0.3,
    look=0.04,
    look_scale=2.0,
    noise=0.05,
    haze=1.0,
    rater=0.02,
)
KRIGING = Kriging(TERMS, TERMS)
TIMES_S = np.arange(100) / 25


def path(times_s: np.ndarray) -> np.ndarray:
    """A smooth valence and arousal (n, 2)."""
    return np.stack([0.6 * np.sin(1.3 * times_s), 0.4 * np.cos(2.1 * times_s) - 0.2], axis=1)


def votes_of(
    times_s: np.ndarray,
    truth: np.ndarray,
    readings: np.ndarray,
    anchors: np.ndarray,
    *,
    quality: np.ndarray | None = None,
    embeddings: np.ndarray | None = None,
    foreign: bool = False,
    labels: np.ndarray | None = None,
    levels: np.ndarray | None = None,
) -> Votes:
    """What anchors at rows (k,) say of a track; `foreign`: they are taken for faces of other people's clips."""
    n, k = len(times_s), len(anchors)
    faces = np.zeros((n, 2), np.float32) if embeddings is None else embeddings.astype(np.float32)
    labels = truth[anchors] if labels is None else labels
    own = np.full(k, not foreign)
    support = Support(
        faces[anchors],
        labels,
        np.where(own, times_s[anchors], np.nan),
        own,
        own,
        np.ones(k),
        None if quality is None else quality[anchors],
        None if levels is None else levels[anchors],
    )
    told = labels + readings[:, None] - readings[None, anchors]
    return Votes(Queries(faces, times_s, quality, levels), support, np.ones((n, k)), told, told[anchors])
