"""Which anchors contradict the others, so that somebody should look at them again.

Two things are asked of each anchor: by how many standard deviations its label is off what the process of labels says
from all others (leave-one-out in closed form, `Posterior.left_out`), and by how many its differences from the other
anchors are off what the pair head sees in both pictures. The first knows time and level, the second compares faces far
apart in time. An anchor that is wrong makes its neighbours look wrong, too. So the worst is taken out, the others are
asked again without it (`Posterior.without`), and so on; what was taken out is judged by those that stay at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtclar.labelling.fitted import Fitted
from mtclar.labelling.hyper import DIMENSIONS
from mtclar.labelling.process import Places, Posterior

Compare = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""`compare(left (m, d), right (m, d)) -> (similar (m,), d_valence (m,), d_arousal (m,))`, as a bundle has it."""
PAIR_SHARE = 0.1
"""What the squared disagreement of the pair head counts beside the squared surprise of the process, which knows more:
the prediction that it starts from has seen the pair head's comparisons already. Of 0, 0.1, 0.25, 0.5 and 1, on
validation people, 0 and 0.1 find wrong anchors equally well and the larger ones fewer (studies/suspects.py)."""
SUSPECT = 3.5
"""Score from which on an anchor is called suspect: were the process Gaussian, two of a thousand that are right."""
MOST_OUT, MOST_TURNS = 1 / 3, 30
"""Share, and number, of the anchors that are taken out at most."""
COMPARED = 48
"""Anchors that the pair head compares each with, at most; of more, some evenly spread."""
LEAST_ANCHORS = 3
"""With fewer, nobody can say which one is wrong."""
LEAST_PAIRED = 5
"""Anchors with a face, from which on their usual disagreement with the pair head can be told."""
SPREAD = 0.05
"""Least standard deviation of the pair head's differences about the anchors': they are rounded, and few."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """k anchors, the most suspect first.

    Attributes:
        order: int (k,), their positions among the anchors.
        score: float64 (k,), standard deviations by which an anchor contradicts the others, in both dimensions and by
            both ways together: a chi statistic.
        expected: float64 (k, 2), what the others say.
        z: float64 (k, 2), label less that, in standard deviations.
        pair: float64 (k, 2), the same from the pair head's differences; NaN where it was not asked or sees no face.
        suspect: bool (k,), whether it should be looked at again.
    """

    order: np.ndarray
    score: np.ndarray
    expected: np.ndarray
    z: np.ndarray
    pair: np.ndarray
    suspect: np.ndarray

    def __len__(self) -> int:
        return len(self.order)


def suspects(fitted: Fitted, compare: Compare | None = None) -> Suspects:
    """Ranks the anchors of a video by how much they contradict each other.

    Args:
        fitted: The video and its k anchors.
        compare: The model's comparison of pairs of embeddings; None to go by the process alone.
    """
    faces, given = fitted.features.faces, fitted.given.face
    gaps = None
    if compare is not None and len(given):
        gaps = differences(faces.embedding[np.maximum(given, 0)], compare)
        gaps[given < 0], gaps[:, given < 0] = np.nan, np.nan
    return ranked(fitted.posteriors, fitted.anchors.labels, gaps)


def ranked(posteriors: tuple[Posterior, Posterior], labels: np.ndarray, gaps: np.ndarray | None = None) -> Suspects:
    """Ranks k anchors.

    Args:
        posteriors: The process of each dimension, given the anchors.
        labels: float64 (k, 2).
        gaps: float64 (k, k, 2), label of the row's face less that of the column's as the pair head sees it.
    """
    k = len(labels)
    if k < LEAST_ANCHORS:
        nothing, both = np.zeros(k), np.full((k, 2), np.nan)
        return Suspects(np.arange(k), nothing, both, both, both, nothing.astype(bool))
    stay, left = np.arange(k), posteriors
    out: list[int] = []
    while True:
        told = _judged(left, labels, stay, stay, gaps)
        worst = int(np.argmax(told.score))
        if len(out) >= min(int(MOST_OUT * k), MOST_TURNS) or told.score[worst] < SUSPECT or len(stay) <= LEAST_ANCHORS:
            break
        out.append(int(stay[worst]))
        left = (left[0].without(worst), left[1].without(worst))
        stay = np.delete(stay, worst)
    parts = [told]
    if out:
        parts.append(_judged(left, labels, stay, np.array(out), gaps, _places(posteriors, out)))
    score, expected, z, pair = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("score", "expected", "z", "pair")
    )
    position = np.concatenate([stay, np.array(out, np.int64)])
    order = np.argsort(-score, kind="stable")
    return Suspects(position[order], score[order], expected[order], z[order], pair[order], score[order] >= SUSPECT)


def differences(embeddings: np.ndarray, compare: Compare) -> np.ndarray:
    """Predicted label of each face less that of each other one, float64 (k, k, 2); NaN where it was not asked."""
    k, values = len(embeddings), embeddings.astype(np.float32)
    some = np.unique(np.linspace(0, k - 1, min(k, COMPARED)).round().astype(int))
    _, valence, arousal = compare(np.repeat(values, len(some), axis=0), np.tile(values[some], (k, 1)))
    found = np.full((k, k, 2), np.nan)
    both = np.stack([np.asarray(valence, float), np.asarray(arousal, float)], axis=1)
    found[:, some] = both.reshape(k, len(some), 2)
    return found


@dataclass(frozen=True, eq=False)
class _Told:
    score: np.ndarray
    expected: np.ndarray
    z: np.ndarray
    pair: np.ndarray


def _judged(
    posteriors: tuple[Posterior, Posterior],
    labels: np.ndarray,
    stay: np.ndarray,
    asked: np.ndarray,
    gaps: np.ndarray | None,
    places: tuple[Places, Places] | None = None,
) -> _Told:
    """What the anchors that stay say of some, which are they themselves, each left out in turn, or the others."""
    expected, z = np.empty((len(asked), 2)), np.empty((len(asked), 2))
    for d, found in enumerate(posteriors):
        if places is None:
            mean, sd = found.left_out()
        else:
            mean, sd = found.at(places[d])
        expected[:, d], z[:, d] = mean, (labels[asked, d] - mean) / sd
    pair = _paired(labels, stay, asked, gaps)
    known = np.nan_to_num(pair) ** 2
    return _Told(np.sqrt((z**2).sum(axis=1) + PAIR_SHARE * known.sum(axis=1)), expected, z, pair)


def _paired(labels: np.ndarray, stay: np.ndarray, asked: np.ndarray, gaps: np.ndarray | None) -> np.ndarray:
    """By how many standard deviations some anchors' differences from those that stay are off the pair head's (n, 2).

    The middle one (median) of an anchor's differences is taken, and the standard deviation is that of the middle ones
    of all that stay, from their median size (1.4826 times it), so that a few that are wrong count little.
    """
    if gaps is None:
        return np.full((len(asked), len(DIMENSIONS)), np.nan)

    def middle(rows: np.ndarray) -> np.ndarray:
        off = labels[rows][:, None] - labels[stay] - gaps[np.ix_(rows, stay)]
        off[rows[:, None] == stay] = np.nan
        found = np.full((len(rows), off.shape[2]), np.nan)
        some = np.isfinite(off).any(axis=1).all(axis=1)
        found[some] = np.nanmedian(off[some], axis=1)
        return found

    usual = middle(stay)
    known = np.isfinite(usual).all(axis=1)
    if known.sum() < LEAST_PAIRED:
        return np.full((len(asked), len(DIMENSIONS)), np.nan)
    centre = np.median(usual[known], axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(usual[known] - centre), axis=0), SPREAD)
    found: np.ndarray = (middle(asked) - centre) / spread
    return found


def _places(posteriors: tuple[Posterior, Posterior], rows: list[int]) -> tuple[Places, Places]:
    at = np.array(rows)
    return posteriors[0].anchors[at], posteriors[1].anchors[at]
