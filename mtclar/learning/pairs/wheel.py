"""How far two expressions lie apart, and which of them may be a dissimilar pair.

The idea is that of Mikels' wheel of emotions (Mikels et al. 2005; as a distance Zhao et al. 2016); the order of
AffectNet's eight on it is ours, by their angles on the affect circumplex.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError, nearest
from mtclar.settings import PairSettings

POLARITY = {"happy": 1, "surprise": 1, "neutral": 0}
"""The others are negative. Surprise goes with happy: of Mikels' eight it is nearest to awe, which is positive, and its
mean valence in AffectNet is 0.18. Neutral has no polarity, so it is of another than any expression."""

Sampling = Literal["release", "wheel-near", "wheel-far", "polarity"]

N = len(EXPRESSIONS)


def distances(s: PairSettings) -> np.ndarray:
    """Distances of the expressions in AffectNet's order, float64 (8, 8): `pair.distances`, or those on `pair.ring`.

    Raises:
        MtclarError: The ring or the matrix cannot be what it should.
    """
    return _matrix(s.distances) if s.distances else ring_distances(s.ring)


def ring_distances(ring: Sequence[str]) -> np.ndarray:
    """Distances on a ring of expressions: 1 for the same, and 1 + the steps of the shorter way between two.

    Expressions that are not on the ring stand at its centre, 2 from any other.

    Raises:
        MtclarError: The ring names something else than expressions, or one twice.
    """
    for name in ring:
        if name not in EXPRESSIONS:
            raise MtclarError(f"pair.ring: '{name}' is not an expression{nearest(name, EXPRESSIONS)}.")
        if list(ring).count(name) > 1:
            raise MtclarError(f"pair.ring names {name} twice; each expression has one place on it.")
    out = np.where(np.eye(N, dtype=bool), 1.0, 2.0)
    at = [EXPRESSIONS.index(name) for name in ring]
    steps = np.abs(np.subtract.outer(np.arange(len(ring)), np.arange(len(ring))))
    out[np.ix_(at, at)] = 1 + np.minimum(steps, len(ring) - steps)
    return out


def _matrix(given: Sequence[Sequence[float]]) -> np.ndarray:
    """`pair.distances` as an array, if it is one of distances."""
    sizes = [len(line) for line in given]
    if sizes != [N] * N:
        raise MtclarError(
            f"pair.distances: expected {N} rows of {N} numbers ({', '.join(EXPRESSIONS)}), got {len(sizes)} rows of "
            f"{', '.join(str(size) for size in sorted(set(sizes)))}."
        )
    out = np.array(given, float)
    if len(wrong := np.argwhere(~(np.isfinite(out) & (out >= 0)))):
        i, j = wrong[0]
        raise MtclarError(
            f"pair.distances: {EXPRESSIONS[i]} to {EXPRESSIONS[j]} is {out[i, j]:g}, but a distance is 0 or more."
        )
    if len(wrong := np.argwhere(out != out.T)):
        i, j = wrong[0]
        raise MtclarError(
            f"pair.distances: {EXPRESSIONS[i]} to {EXPRESSIONS[j]} is {out[i, j]:g}, but {EXPRESSIONS[j]} to "
            f"{EXPRESSIONS[i]} is {out[j, i]:g}, and both ways must be the same."
        )
    return out


def partners(sampling: Sampling, apart: np.ndarray, exponent: float) -> np.ndarray:
    """The weight of the second expression of a dissimilar pair given the first, float64 (8, 8), each row up to 1.

    `release`: all the same. `wheel-far`: distance^exponent. `wheel-near`: 1 / distance^exponent. `polarity`: 1 for an
    expression of another polarity, else 0. The diagonal is 0.

    Args:
        sampling: The mode.
        apart: Distances (8, 8).
        exponent: Of the distance; 0 draws them all alike.

    Raises:
        MtclarError: `wheel-near` and two expressions at distance 0.
    """
    others = ~np.eye(N, dtype=bool)
    if sampling == "polarity":
        sign = np.array([POLARITY.get(name, -1) for name in EXPRESSIONS])
        return (sign[:, None] != sign).astype(float)
    if sampling == "wheel-far":
        furthest = np.where(others, apart, 0).max(axis=1, keepdims=True)
        return (apart / np.where(furthest > 0, furthest, 1)) ** exponent * (others & (apart > 0))
    if sampling == "wheel-near":
        if len(zero := np.argwhere(others & (apart == 0))):
            a, b = (EXPRESSIONS[i] for i in zero[0])
            raise MtclarError(
                f"pair.distances: {a} and {b} are at distance 0, but pair.sampling=wheel-near draws by 1 / distance; "
                "make it positive."
            )
        near = np.where(others, apart, np.inf)
        return (near.min(axis=1, keepdims=True) / near) ** exponent * others
    return others.astype(float)
