"""A few of a clip's ratings given as anchors, in every way or in many, and the clip labelled from each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mtclar.labelling import copy_latest, interpolate, pchip

METHODS = {"copy": copy_latest, "linear": interpolate, "pchip": pchip}
"""What anchors give without a model: the latest one copied, straight lines and a smooth curve between them in time."""


@dataclass(frozen=True)
class Rated:
    """The rated frames of one clip that show a face.

    Attributes:
        name: Of the clip.
        times_s: float64 (m,), ascending, in seconds.
        truth: float64 (m, 2), what a person said: valence and arousal in [-1, 1].
    """

    name: str
    times_s: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)


Label = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Labels a clip from its rated frames at positions (k,), ascending: the label of all m rated frames and the lower and
upper edge of its band, float64 (m, 2) each; the edges are NaN where there is no band."""


@dataclass(frozen=True)
class Trials:
    """A clip labelled from p placements of k anchors.

    Attributes:
        clip: Its m rated frames.
        anchors: int (p, k), positions of the anchors among them.
        labels: float64 (p, m, 2) a method, `mtclar` first.
        low, high: float64 (p, m, 2), mtclar's band.
    """

    clip: Rated
    anchors: np.ndarray
    labels: dict[str, np.ndarray]
    low: np.ndarray
    high: np.ndarray

    @property
    def scored(self) -> np.ndarray:
        """bool (p, m): the rated frames that are no anchors."""
        mask = np.ones((len(self.anchors), len(self.clip)), bool)
        np.put_along_axis(mask, self.anchors, False, axis=1)
        return mask


def placements(rated: int, anchors: int, limit: int, rng: np.random.Generator) -> np.ndarray:
    """Which rated frames are anchors: all ways to choose them, or `limit` different ones at random if there are more.

    Args:
        rated: How many rated frames there are, m.
        anchors: How many of them to choose, 0 <= k <= m.
        limit: The most placements, >= 1.
        rng: Where the draws come from.

    Returns:
        int (p, k), each row ascending, rows in order and all different.
    """
    if math.comb(rated, anchors) <= limit:
        return np.array(list(combinations(range(rated), anchors)), np.int64).reshape(math.comb(rated, anchors), anchors)
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < limit:
        drawn.add(tuple(sorted(rng.choice(rated, anchors, replace=False).tolist())))
    return np.array(sorted(drawn), np.int64)


def try_placements(clip: Rated, chosen: np.ndarray, label: Label, tick: Callable[[], None]) -> Trials:
    """Labels a clip from each of the placements (p, k); `tick` is called after each."""
    found = []
    for positions in chosen:
        found.append(label(positions))
        tick()
    ours, low, high = (np.stack(part) for part in zip(*found, strict=True))
    labels = {"mtclar": ours}
    if chosen.shape[1]:
        given = [(clip.times_s[row], clip.truth[row]) for row in chosen]
        labels |= {name: np.stack([way(clip.times_s, *each) for each in given]) for name, way in METHODS.items()}
    return Trials(clip, chosen, labels, low, high)


def median_placement(trials: Trials) -> np.ndarray:
    """The placement (k,) whose error, over both dimensions, is the median of all."""
    squares = np.where(trials.scored[..., None], (trials.labels["mtclar"] - trials.clip.truth) ** 2, 0.0)
    order = np.argsort(squares.sum(axis=(1, 2)), kind="stable")
    return trials.anchors[order[(len(order) - 1) // 2]]
