"""Blocks of faces, dealt like cards, and the pairs drawn within them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CHUNK = 1 << 19
"""Numbers worked on at a time: what stays in the cache is drawn three times as fast as ten million at once."""


class Draw(NamedTuple):
    """Drawn pairs, each array int32 (n,): `left` and `right` are positions among the faces, `block` counts from 0."""

    block: np.ndarray
    left: np.ndarray
    right: np.ndarray


def below(limits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A whole number for each of `limits`, uniform in [0, limit)."""
    return (rng.random(limits.shape) * limits).astype(limits.dtype)


def deal(members: np.ndarray, hand: int, blocks: int, rng: np.random.Generator) -> np.ndarray:
    """Deals `hand` different members to each block, (blocks, hand), shuffling anew when too few are left."""
    hands = len(members) // hand
    decks = -(-blocks // hands)
    shuffled = rng.permuted(np.broadcast_to(members, (decks, len(members))), axis=1)
    return shuffled[:, : hands * hand].reshape(-1, hand)[:blocks]


def row(members: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    """A row of `length` members, one shuffled deck after the other, so that all come equally often."""
    decks = -(-length // len(members))
    return rng.permuted(np.broadcast_to(members, (decks, len(members))), axis=1).ravel()[:length]
