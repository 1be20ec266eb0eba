"""Pairs by valence and arousal alone, their differences spread over the range: for data without expressions.

Two faces drawn at random mostly differ little. Here the faces of a block are drawn from all over the plane of valence
and arousal, and of the pairs that they can form those are kept more often whose difference is rare.
"""

from __future__ import annotations

import numpy as np

from mtclar.errors import MtclarError
from mtclar.learning.pairs.deal import CHUNK, Draw, row

CELL = 0.2
"""Side of the squares in which labels, and differences of labels, are counted: two steps of AFEW-VA's grid."""

CANDIDATES = 8
"""Pairs looked at for each that is kept."""

PILOT = 1 << 20
"""Candidates by which the density of differences is estimated."""

REPEATED = 2.0
"""Times that a pair may come in a block, about; where the rarest differences would need more, they stay rare."""

_SIDE = round(4 / CELL) + 1


def affect_pairs(
    labels: np.ndarray, pairs: int, *, block_faces: int, block_pairs: int, rng: np.random.Generator
) -> Draw:
    """Draws pairs of two different faces whose differences are spread evenly over the squares of their plane.

    Args:
        labels: (n, 2), valence and arousal in [-1, 1]; faces with a NaN are left out.
        pairs: How many.
        block_faces: Unique faces in a block, at most.
        block_pairs: Pairs in a block, but for the last.
        rng: The only source of chance.

    Raises:
        MtclarError: There are fewer than two labelled faces, or all have the same labels.
    """
    known = np.flatnonzero(np.isfinite(labels).all(axis=1))
    if len(known) < 2 or (labels[known] == labels[known[0]]).all():
        what = "the same valence and arousal in all of them" if len(known) > 1 else f"{len(known)} of them"
        raise MtclarError(f"pairs by affect need labelled faces that differ, got {what}; crop more faces.")
    blocks = -(-pairs // block_pairs)
    faces = known[_faces(labels[known], block_faces, blocks, rng)].astype(np.int32)
    values = (labels / CELL).astype(np.float32)
    one, two = _candidates(faces.shape[1], CANDIDATES * block_pairs, rng)
    step = max(1, 2 * CHUNK // len(one))
    pilot = faces[: max(1, PILOT // len(one))]
    seen = np.bincount(
        np.concatenate([_cells(values, pilot[i : i + step], one, two).ravel() for i in range(0, len(pilot), step)]),
        minlength=_SIDE**2,
    )
    rare = seen.sum() * block_pairs / (REPEATED * (seen > 0).sum() * len(one))
    weights = (1 / np.maximum(seen, max(rare, 1))).astype(np.float32)
    left, right = np.empty((2, blocks, block_pairs), np.int32)
    for start in range(0, blocks, step):
        here = faces[start : start + step]
        weight = weights[_cells(values, here, one, two)]
        weight[here.take(one, 1) == here.take(two, 1)] = 0  # a face dealt twice is no pair
        chosen = _systematic(weight, block_pairs, rng)
        rows = np.arange(len(here))[:, None]
        left[start : start + step] = here[rows, one[chosen]]
        right[start : start + step] = here[rows, two[chosen]]
    block = np.repeat(np.arange(blocks, dtype=np.int32), block_pairs)
    return Draw(block[:pairs], left.ravel()[:pairs], right.ravel()[:pairs])


def _faces(labels: np.ndarray, hand: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of the faces of each block, (blocks, hand): squares of the plane alike, and alike the faces of one.

    Squares are dealt like cards, and so are the faces within a square. Where there are no more faces than a hand
    holds, each block has them all.
    """
    if len(labels) <= hand:
        return rng.permuted(np.broadcast_to(np.arange(len(labels)), (blocks, len(labels))), axis=1)
    squares = np.floor((labels + 1) / CELL + 1e-4).astype(np.int64)
    _, square, counts = np.unique(squares @ [_SIDE, 1], return_inverse=True, return_counts=True)
    members = np.split(np.argsort(square, kind="stable"), np.cumsum(counts)[:-1])
    dealt = row(np.arange(len(counts)), blocks * hand, rng)
    out = np.empty(blocks * hand, np.int64)
    places = np.split(np.argsort(dealt, kind="stable"), np.cumsum(np.bincount(dealt, minlength=len(counts)))[:-1])
    for faces, at in zip(members, places, strict=True):
        out[at] = row(faces, len(at), rng)
    return out.reshape(blocks, hand)


def _candidates(hand: int, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two different places of a hand for each candidate, the same in every block; as many as `number`, or all."""
    every = rng.permutation(hand * (hand - 1))[: max(number, 512)]
    one, two = np.divmod(every, hand - 1)
    return one, two + (two >= one)


def _cells(values: np.ndarray, faces: np.ndarray, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """The square in which each candidate's difference lies, int32 (blocks, candidates); `values` are in squares."""
    middle = np.float32(2 / CELL + 1e-3)
    across, up = (
        (labels.take(one, 1) - labels.take(two, 1) + middle).astype(np.int32)
        for labels in (values[faces, i] for i in (0, 1))
    )
    return across * np.int32(_SIDE) + up


def _systematic(weights: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn by their weights, `number` in each row, with equal steps along the sum (systematic sampling)."""
    reached = np.cumsum(weights, axis=1, dtype=np.float64)
    reached *= number / reached[:, -1:]
    reached += rng.uniform(1e-6, 1 - 1e-6, (len(weights), 1))  # rounding of the sum must not decide
    stops = reached.astype(np.int32)
    times = np.diff(stops, axis=1, prepend=0)
    return np.repeat(np.arange(times.size) % weights.shape[1], times.ravel()).reshape(len(weights), number)
