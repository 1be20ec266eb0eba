"""Pairs of one person's faces, whatever they express, since that is what few-shot labelling asks."""

from __future__ import annotations

import numpy as np

from mtclar.errors import MtclarError
from mtclar.learning.pairs.deal import CHUNK, Draw, below

FACES_A_PERSON = 8
"""Faces of one person in a block."""


def person_pairs(
    people: np.ndarray, pairs: int, *, block_faces: int, block_pairs: int, rng: np.random.Generator
) -> Draw:
    """Draws pairs of two different faces of one person, people uniform.

    Args:
        people: int (n,), a person's number for each face; negative faces are left out. Faces of a person that lie far
            apart in the order given come into a block together, so that those of a clip are spread over it.
        pairs: How many.
        block_faces: Unique faces in a block, at most.
        block_pairs: Pairs in a block, but for the last.
        rng: The only source of chance.

    Raises:
        MtclarError: Nobody has two faces.
    """
    order = np.argsort(people, kind="stable")
    order = order[people[order] >= 0]
    _, first, counts = np.unique(people[order], return_index=True, return_counts=True)
    first, counts = first[counts >= 2], counts[counts >= 2]
    if not len(counts):
        raise MtclarError("pairs of one person need at least two faces of somebody; set pair.person_share to 0.")
    blocks = -(-pairs // block_pairs)
    seats = max(1, block_faces // FACES_A_PERSON)
    most = min(FACES_A_PERSON, block_faces)
    left, right = np.empty((2, blocks, block_pairs), np.int32)
    step = max(1, CHUNK // block_pairs)
    for start in range(0, blocks, step):
        rows = np.arange(min(step, blocks - start))[:, None]
        seated = rng.integers(len(counts), size=(len(rows), seats))
        turned = below(counts[seated], rng)
        hands = np.minimum(counts[seated], most)
        seat = rng.integers(seats, size=(len(rows), block_pairs))
        hand = hands[rows, seat]
        one = below(hand, rng)
        two = below(hand - 1, rng)
        two += two >= one
        person, turn = seated[rows, seat], turned[rows, seat]
        count, base = counts[person], first[person]
        left[start : start + step] = order[base + (turn + one * count // hand) % count]
        right[start : start + step] = order[base + (turn + two * count // hand) % count]
    block = np.repeat(np.arange(blocks, dtype=np.int32), block_pairs)
    return Draw(block[:pairs], left.ravel()[:pairs], right.ravel()[:pairs])
