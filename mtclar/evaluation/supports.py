"""Where the anchors of a clip come from: every support set of MT-CLAR's release, by name.

| name | anchors of a frame |
|---|---|
| `stride` | frames 0, k, 2k, ... of its clip, and of those only the latest at or before it (causal) |
| `every` | the same frames, all of them, before it and after; as a video is labelled |
| `first`, `random` | the first frame of its clip, one drawn at random |
| `first-of-person`, `random-of-person` | the first frame of its person's first clip, one drawn from all of theirs |
| `other-clip` | one of another clip, whoever it shows, drawn for each frame anew |
| `other-clip-of-person` | the same, of the same person |
| `cross-identity` | one that shows another person, drawn for each frame anew |
| `any` | any other face of the clips, drawn for each frame anew |
| `bank` | 100 training faces, ten from each of ten bins of valence, all of them for every frame |
| `none` | none at all: labels are zero-shot; it is judged whatever the settings name |

`first:3` takes three, and so do `random`, `first-of-person` and `random-of-person`; several anchors speak together.
`stride:10` and `every:10` recur every 10 frames whatever the settings say.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mtclar.errors import MtclarError, nearest
from mtclar.evaluation.clips import DIMENSIONS, Clip

if TYPE_CHECKING:
    import pandas as pd

BINS, EACH = 10, 10
"""Bins of valence in the bank, and faces from each."""


@dataclass(frozen=True)
class Pool:
    """The m faces anchors may be taken from: all frames of the clips, one clip after the other, then the bank's.

    Attributes:
        rows: int (m,), rows of the faces store.
        truth: float64 (m, 2).
        times_s: float64 (m,), on the timeline of the face's clip; NaN in the bank.
        clip: int (m,), which clip; -1 in the bank.
        position: int (m,), which frame of the clip; -1 in the bank.
        person: str (m,).
    """

    rows: np.ndarray
    truth: np.ndarray
    times_s: np.ndarray
    clip: np.ndarray
    position: np.ndarray
    person: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[Clip], faces: pd.DataFrame, bank: np.ndarray) -> Pool:
        """The pool of some clips and of a bank of store rows (b,)."""
        count = [len(clip) for clip in clips]
        labels = faces[list(DIMENSIONS)].to_numpy(np.float64)[bank]
        unknown = np.full(len(bank), np.nan)
        return cls(
            rows=np.concatenate([*(clip.rows for clip in clips), bank]).astype(np.int64),
            truth=np.concatenate([*(clip.truth for clip in clips), labels]),
            times_s=np.concatenate([*(clip.times_s for clip in clips), unknown]),
            clip=np.concatenate([np.repeat(np.arange(len(clips)), count), np.full(len(bank), -1)]),
            position=np.concatenate([*(np.arange(n) for n in count), np.full(len(bank), -1)]).astype(np.int64),
            person=np.array(
                [clip.person for clip in clips for _ in range(len(clip))]
                + [str(person) for person in faces["subject_id"].to_numpy()[bank]],
                dtype=str,
            ),
        )


@dataclass(frozen=True)
class Picks:
    """The anchors of one clip.

    Attributes:
        anchors: int (k,), members of the pool.
        rule: `together`: all of them speak of every frame; `latest`: each frame uses one, the latest before it;
            `each`: each frame uses one that was drawn for it, and the frames drawn are scored like any other.
        use: int (n,), which of the anchors each frame uses; all 0 for `together`.
    """

    anchors: np.ndarray
    rule: Literal["together", "latest", "each"]
    use: np.ndarray


def bank_rows(faces: pd.DataFrame, seed: int) -> np.ndarray:
    """Store rows (b,) of the bank, ascending: up to 10 training faces from each of ten equal bins of valence."""
    labels = faces[list(DIMENSIONS)].to_numpy(np.float64)
    known = np.flatnonzero((faces["split"] == "train").to_numpy() & np.isfinite(labels).all(axis=1))
    bins = np.clip(np.floor((labels[known, 0] + 1) / 2 * BINS).astype(int), 0, BINS - 1)
    rng = np.random.default_rng([seed, _code("bank")])
    drawn = [rng.permutation(known[bins == k])[:EACH] for k in range(BINS)]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def spread_positions(frames: int, share: float) -> np.ndarray:
    """Anchors for a budget: a share of the frames, at least one, evenly spread from the first frame on, int (k,)."""
    count = min(frames, max(1, round(share * frames)))
    return np.arange(count) * frames // count


def check_supports(names: Sequence[str]) -> None:
    """Refuses a support set that is not known.

    Raises:
        MtclarError: With the nearest known name.
    """
    for name in names:
        _parse(name)


def choose(name: str, pool: Pool, number: int, *, stride: int, seed: int) -> Picks | None:
    """Anchors of clip `number` of a pool; None where those asked for are not to be had.

    Args:
        name: One of the table above.
        pool: The faces.
        number: Which clip.
        stride: Frames between the anchors of `stride` and `every`.
        seed: Of all draws; the same seed, clips and name give the same anchors.

    Raises:
        MtclarError: The name is not known.
    """
    own = np.flatnonzero(pool.clip == number)
    if name == WITHOUT:
        return Picks(own[:0], "together", np.zeros(len(own), np.int64))
    kind, count = _parse(name)
    person = pool.person[own[0]]
    theirs = np.flatnonzero((pool.person == person) & (pool.clip >= 0))
    together = np.zeros(len(own), np.int64)
    if kind == "stride":
        anchors = own[:: count or stride]
        return Picks(anchors, "latest", np.arange(len(own)) // (count or stride))
    if kind == "every":
        return Picks(own[:: count or stride], "together", together)
    if kind in ("first", "random", "first-of-person", "random-of-person"):
        among = theirs if kind.endswith("person") else own
        if kind.startswith("random"):
            # One draw a person, whichever of their clips is labelled.
            rng = np.random.default_rng([seed, _code(name), _code(person if kind.endswith("person") else str(number))])
            among = np.sort(rng.permutation(among)[: count or 1])
        return Picks(among[: count or 1], "together", together)
    if kind == "bank":
        bank = np.flatnonzero(pool.clip < 0)
        return Picks(bank, "together", together) if len(bank) else None
    candidates = np.flatnonzero(_DRAWN[kind](pool, number, person))
    rng = np.random.default_rng([seed, _code(name), number])
    if kind == "any":
        if len(candidates) < 2:
            return None
        drawn = rng.integers(len(candidates) - 1, size=len(own))
        drawn += drawn >= np.searchsorted(candidates, own)  # never the frame itself
    elif not len(candidates):
        return None
    else:
        drawn = rng.integers(len(candidates), size=len(own))
    anchors, use = np.unique(candidates[drawn], return_inverse=True)
    return Picks(anchors, "each", use)


_DRAWN: dict[str, Callable[[Pool, int, str], np.ndarray]] = {
    "other-clip": lambda pool, number, _: (pool.clip != number) & (pool.clip >= 0),
    "other-clip-of-person": lambda pool, number, person: (
        (pool.clip != number) & (pool.clip >= 0) & (pool.person == person)
    ),
    "cross-identity": lambda pool, _, person: (pool.clip >= 0) & (pool.person != person),
    "any": lambda pool, *_: pool.clip >= 0,
}
COUNTED = ("first", "stride", "every", "random", "first-of-person", "random-of-person")
"""Support sets that may be followed by a number, as in `first:3`."""

WITHOUT = "none"
"""The support set that holds no anchor."""

NAMES = (*COUNTED, *_DRAWN, "bank")


def _parse(name: str) -> tuple[str, int | None]:
    """`first:3` -> ("first", 3)."""
    kind, colon, number = name.partition(":")
    if kind not in NAMES:
        raise MtclarError(f"evaluate.supports: unknown support set '{kind}'{nearest(kind, NAMES)}.")
    if colon and (kind not in COUNTED or not number.isdecimal() or int(number) < 1):
        raise MtclarError(
            f"evaluate.supports: '{name}' is not understood; only {', '.join(COUNTED)} take a number from 1, "
            "as in 'first:3'."
        )
    return kind, int(number) if colon else None


def _code(text: str) -> int:
    """A number for a name, the same on every machine."""
    return zlib.crc32(text.encode())
