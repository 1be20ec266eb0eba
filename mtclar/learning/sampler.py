"""Pairs of faces to learn from, drawn block by block.

As MT-CLAR's release draws them: the class uniform, then a face of it; half of the pairs with a second face of the same
class, half with one of another class, uniform over those. New here is the block: the pairs of a block share a few
unique faces, so an encoder sees each face once while the projectors see many pairs. A share of the blocks can instead
pair faces of one person with each other, whatever they express, since that is what few-shot labelling asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError

RING = ("happy", "surprise", "fear", "anger", "contempt", "disgust", "sad")
"""The expressions in the order of their angles on the affect circumplex; neutral stands at the centre."""

FACES_A_PERSON = 8
"""Faces of one person in a block that pairs people with themselves."""


class Draw(NamedTuple):
    """Drawn pairs, each array (n,): `left` and `right` are positions in the labels given, `block` counts from 0."""

    block: np.ndarray
    left: np.ndarray
    right: np.ndarray


def wheel_distances(names: Sequence[str] = EXPRESSIONS) -> np.ndarray:
    """Distances on the ring of expressions, int64 (n, n): 1 + steps between two of them.

    1 for the same expression, 2 to 4 along the ring, 2 between neutral and any other. The idea is that of Mikels' wheel
    (Zhao et al. 2016); the order of these eight on it is ours.
    """
    out = np.ones((len(names), len(names)), np.int64)
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            if a != b and a in RING and b in RING:
                steps = abs(RING.index(a) - RING.index(b))
                out[i, j] = 1 + min(steps, len(RING) - steps)
            elif a != b:
                out[i, j] = 2
    return out


def class_pairs(
    classes: np.ndarray, pairs: int, *, block_faces: int, block_pairs: int, rng: np.random.Generator
) -> Draw:
    """Draws pairs with classes uniform, alternately of the same class and of two.

    Over many blocks every face of a class comes equally often: blocks deal out shuffled classes like cards.

    Args:
        classes: int (n,), a class number for each face; negative faces are left out.
        pairs: How many; an odd number is rounded down.
        block_faces: Unique faces in a block, at most; every class gets the same number of them.
        block_pairs: Pairs in a block, but for the last.
        rng: The only source of chance.

    Raises:
        MtclarError: There are fewer than two classes, a class has only one face, or blocks are too small or odd.
    """
    names, counts = np.unique(classes[classes >= 0], return_counts=True)
    if len(names) < 2:
        raise MtclarError(f"pairs need faces of at least two expressions, got {len(names)}.")
    if counts.min() < 2:
        raise MtclarError("pairs need at least two faces of every expression, got one of some.")
    if block_faces < 2 * len(names) or block_pairs % 2:
        raise MtclarError(
            f"pair.block_faces={block_faces} and pair.block_pairs={block_pairs}: a block needs two faces of each of "
            f"{len(names)} expressions and an even number of pairs."
        )
    blocks = -(-pairs // block_pairs)
    hands = np.minimum(counts, block_faces // len(names))
    starts = np.cumsum(hands) - hands
    dealt = np.concatenate(
        [_deal(np.flatnonzero(classes == c), k, blocks, rng) for c, k in zip(names, hands, strict=True)], axis=1
    )
    shape = (blocks, block_pairs)
    positive = np.arange(block_pairs) % 2 == 0
    first = rng.integers(len(names), size=shape)
    other = (first + rng.integers(1, len(names), size=shape)) % len(names)
    second = np.where(positive, first, other)
    left = rng.integers(hands[first])
    same = (left + 1 + rng.integers(hands[first] - 1)) % hands[first]
    right = np.where(positive, same, rng.integers(hands[second]))
    rows = np.arange(blocks)[:, None]
    keep = pairs - pairs % 2
    return Draw(
        np.repeat(np.arange(blocks), block_pairs)[:keep],
        dealt[rows, starts[first] + left].ravel()[:keep],
        dealt[rows, starts[second] + right].ravel()[:keep],
    )


def _deal(members: np.ndarray, hand: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Deals `hand` different members to each block, (blocks, hand), shuffling anew when too few are left."""
    hands = len(members) // hand
    decks = -(-blocks // hands)
    shuffled = rng.permuted(np.broadcast_to(members, (decks, len(members))), axis=1)
    return shuffled[:, : hands * hand].reshape(-1, hand)[:blocks]


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
    seated = rng.integers(len(counts), size=(blocks, seats))
    turned = rng.integers(counts[seated])
    rows = np.arange(blocks)[:, None]
    seat = rng.integers(seats, size=(blocks, block_pairs))
    person, turn = seated[rows, seat], turned[rows, seat]
    hand = np.minimum(counts[person], FACES_A_PERSON)
    left = rng.integers(hand)
    right = (left + 1 + rng.integers(hand - 1)) % hand
    faces = [
        order[first[person] + (turn + slot * counts[person] // hand) % counts[person]].ravel()[:pairs]
        for slot in (left, right)
    ]
    return Draw(np.repeat(np.arange(blocks), block_pairs)[:pairs], *faces)


def pairs_table(faces: pd.DataFrame, draw: Draw, split: str) -> pd.DataFrame:
    """The columns of `tables.PAIRS` for pairs drawn from `faces`, whose index holds the rows of the faces store."""
    codes = expression_codes(faces)
    left, right = codes[draw.left], codes[draw.right]
    named = (left >= 0) & (right >= 0)
    rows = faces.index.to_numpy()
    valence, arousal = faces["valence"].to_numpy(float), faces["arousal"].to_numpy(float)
    return pd.DataFrame(
        {
            "split": split,
            "block": draw.block,
            "left": rows[draw.left],
            "right": rows[draw.right],
            "similar": pd.array(left == right, dtype="boolean"),
            "d_valence": valence[draw.left] - valence[draw.right],
            "d_arousal": arousal[draw.left] - arousal[draw.right],
            "wheel_distance": pd.array(wheel_distances()[left, right], dtype="Int64"),
        }
    ).assign(
        similar=lambda table: table["similar"].where(named), wheel_distance=lambda t: t["wheel_distance"].where(named)
    )


def check_belong(pairs: pd.DataFrame, faces: pd.DataFrame) -> None:
    """Holds the differences that pairs state against the labels of the faces that they name.

    Args:
        pairs: The columns of `tables.PAIRS`, naming rows that there are.
        faces: Table of the whole faces store.

    Raises:
        MtclarError: They differ: the pairs were drawn from another store.
    """
    for label in ("valence", "arousal"):
        known = faces[label].to_numpy(float)
        delta = known[pairs["left"].to_numpy()] - known[pairs["right"].to_numpy()]
        if not np.allclose(delta, pairs[f"d_{label}"].to_numpy(float), atol=1e-5, equal_nan=True):
            raise MtclarError(
                f"the pairs state other differences in {label} than the faces they name; "
                "run 'mtclar pair' on these faces."
            )


def expression_codes(faces: pd.DataFrame) -> np.ndarray:
    """Positions in EXPRESSIONS, int64 (n,), -1 where the expression is not known."""
    return pd.Categorical(faces["expression"], categories=list(EXPRESSIONS)).codes.astype(np.int64)
