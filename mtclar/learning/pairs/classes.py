"""Pairs by expression: half of them of one, half of two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.learning.pairs.deal import CHUNK, Draw, below, deal


def class_pairs(
    classes: np.ndarray,
    partners: np.ndarray,
    pairs: int,
    *,
    block_faces: int,
    block_pairs: int,
    rng: np.random.Generator,
    names: Sequence[str] = EXPRESSIONS,
) -> Draw:
    """Draws pairs, alternately of the same class and of two, in blocks of few faces.

    The first class is uniform over those that occur, as in MT-CLAR's release; the second of a dissimilar pair is drawn
    by its weight. Over many blocks every face of a class comes equally often: blocks deal out shuffled classes like
    cards.

    Args:
        classes: int (n,), a class number for each face; negative faces are left out.
        partners: (c, c), the weight of the second class of a dissimilar pair (column) given the first (row); the
            diagonal is not used.
        pairs: How many; an odd number is rounded down.
        block_faces: Unique faces in a block, at most; every class gets the same number of them.
        block_pairs: Pairs in a block, but for the last.
        rng: The only source of chance.
        names: Of the classes, for what is said of them.

    Raises:
        MtclarError: There are fewer than two classes, a class has only one face or no possible partner, or blocks are
            too small or odd.
    """
    present, counts = np.unique(classes[classes >= 0], return_counts=True)
    if len(present) < 2:
        which = names[present[0]] if len(present) else "no expression"
        raise MtclarError(
            f"pairs need at least two expressions, got faces of {which} alone; crop more faces, or set pair.sampling "
            "to affect."
        )
    if counts.min() < 2:
        alone = ", ".join(names[c] for c in present[counts < 2])
        raise MtclarError(f"pairs need two faces of every expression, got only one face of {alone}; crop more faces.")
    if block_pairs % 2:
        raise MtclarError(f"pair.block_pairs={block_pairs}: half of a block is similar, so it needs an even number.")
    if block_faces < 2 * len(present):
        raise MtclarError(
            f"pair.block_faces={block_faces}: a block needs two faces of each of {len(present)} expressions, so make "
            f"it {2 * len(present)} or more."
        )
    chances = _chances(partners[np.ix_(present, present)], [names[c] for c in present])
    blocks = -(-pairs // block_pairs)
    hands = np.minimum(counts, block_faces // len(present)).astype(np.int32)
    dealt = np.concatenate(
        [deal(np.flatnonzero(classes == c), int(k), blocks, rng) for c, k in zip(present, hands, strict=True)], axis=1
    )
    left, right = np.empty((2, blocks, block_pairs), np.int32)
    step = max(1, CHUNK // block_pairs)
    for start in range(0, blocks, step):
        here = slice(start, start + step)
        rows = np.arange(len(dealt[here]), dtype=np.int32)[:, None]
        slots = _slots(hands, chances, (len(rows), block_pairs // 2), rng)
        for kind in (0, 1):  # similar at even places, dissimilar at odd ones
            left[here, kind::2] = dealt[here][rows, slots[kind][0]]
            right[here, kind::2] = dealt[here][rows, slots[kind][1]]
    keep = pairs - pairs % 2
    return Draw(
        np.repeat(np.arange(blocks, dtype=np.int32), block_pairs)[:keep], left.ravel()[:keep], right.ravel()[:keep]
    )


def _chances(weights: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The chance of each first and second class of a dissimilar pair, (k, k), first classes uniform."""
    weights = np.where(np.eye(len(weights), dtype=bool), 0.0, weights)
    sums = weights.sum(axis=1, keepdims=True)
    if lonely := [name for name, total in zip(names, sums[:, 0], strict=True) if total == 0]:
        raise MtclarError(
            f"none of the expressions that occur ({', '.join(names)}) may be the dissimilar partner of "
            f"{', '.join(lonely)}; choose another pair.sampling or other pair.distances."
        )
    return weights / sums / len(weights)


def _slots(
    hands: np.ndarray, chances: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Places in a block's hand of left and right, for similar pairs and for dissimilar ones."""
    starts = (np.cumsum(hands) - hands).astype(np.int32)
    one = rng.integers(len(hands), size=shape, dtype=np.int32)
    size = hands[one]
    left = below(size, rng)
    right = below(size - 1, rng)
    right += right >= left
    first, second = np.divmod(rng.choice(chances.size, size=shape, p=chances.ravel()).astype(np.int32), len(hands))
    return (
        (starts[one] + left, starts[one] + right),
        (starts[first] + below(hands[first], rng), starts[second] + below(hands[second], rng)),
    )
