"""How many pairs a second are drawn in each mode, beside a plain loop over pairs in the same run.

    python bench/pairs.py --pairs 10000000

The faces are made up: as many as AffectNet's, their expressions as unequal, their labels mostly near the middle. The
plain loop draws each pair by itself, without blocks, as one would write it first. Both are timed by what they take of
their one core; `whole`, by the clock, is drawing, making the table and writing pairs.parquet.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.tables import EXPRESSIONS, PAIRS, write_table
from mtclar.learning.pairs import (
    Draw,
    affect_pairs,
    class_pairs,
    distances,
    expression_codes,
    pairs_table,
    partners,
    person_pairs,
)
from mtclar.learning.pairs.wheel import Sampling
from mtclar.settings import PairSettings, load_settings

FACES, PEOPLE = 290_000, 5_000
SHARES = (0.26, 0.46, 0.09, 0.05, 0.02, 0.01, 0.09, 0.02)
CLASS_MODES: tuple[Sampling, ...] = ("release", "wheel-far", "wheel-near", "polarity")


def made_up_faces(rng: np.random.Generator) -> pd.DataFrame:
    """The columns of a faces table that pairs are drawn by."""
    labels = np.clip(rng.normal([0.1, 0.2], [0.4, 0.3], (FACES, 2)), -1, 1).round(4)
    return pd.DataFrame(
        {
            "valence": labels[:, 0],
            "arousal": labels[:, 1],
            "expression": np.array(EXPRESSIONS)[rng.choice(len(EXPRESSIONS), FACES, p=SHARES)],
            "person": rng.integers(PEOPLE, size=FACES),
        }
    )


def plain_classes(codes: np.ndarray, weights: np.ndarray, pairs: int) -> list[tuple[int, int]]:
    """Pairs by expression, one after the other."""
    chance = random.Random(0)
    members = [np.flatnonzero(codes == c).tolist() for c in range(len(EXPRESSIONS))]
    classes, rows, drawn = range(len(EXPRESSIONS)), weights.tolist(), []
    for number in range(pairs):
        first = chance.choice(classes)
        second = first if number % 2 == 0 else chance.choices(classes, rows[first])[0]
        left = chance.choice(members[first])
        right = chance.choice(members[second])
        while right == left:
            right = chance.choice(members[second])
        drawn.append((left, right))
    return drawn


def plain_people(people: np.ndarray, pairs: int) -> list[tuple[int, int]]:
    """Pairs of one person's faces, one after the other."""
    chance = random.Random(0)
    order = np.argsort(people, kind="stable")
    members = [part.tolist() for part in np.split(order, np.cumsum(np.bincount(people, minlength=PEOPLE))[:-1])]
    return [tuple(chance.sample(chance.choice(members), 2)) for _ in range(pairs)]


def plain_affect(labels: np.ndarray, pairs: int) -> list[tuple[int, int]]:
    """One of eight random pairs each time, by how rare its square of differences has been so far."""
    chance = random.Random(0)
    values, seen, drawn = labels.tolist(), {}, []
    for _ in range(pairs):
        offers, weights = [], []
        for _ in range(8):
            left, right = chance.randrange(len(values)), chance.randrange(len(values))
            square = tuple(int((a - b) * 5 + 10) for a, b in zip(values[left], values[right], strict=True))
            seen[square] = seen.get(square, 0) + 1
            offers.append((left, right))
            weights.append(1 / seen[square])
        drawn.append(chance.choices(offers, weights)[0])
    return drawn


def seconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """How long a call takes."""
    start = clock()
    call()
    return clock() - start


def modes(
    s: PairSettings, faces: pd.DataFrame, pairs: int, plain: int
) -> dict[str, tuple[Callable[[], Draw], Callable[[], object]]]:
    """The draw and the plain loop of each mode."""
    codes, apart = expression_codes(faces), distances(s)
    labels, people = faces[["valence", "arousal"]].to_numpy(float), faces["person"].to_numpy()
    size = {"block_faces": s.block_faces, "block_pairs": s.block_pairs}
    found: dict[str, tuple[Callable[[], Draw], Callable[[], object]]] = {}
    for mode in CLASS_MODES:
        weights = partners(mode, apart, s.wheel_exponent)
        found[mode] = (
            lambda weights=weights: class_pairs(codes, weights, pairs, rng=np.random.default_rng(s.seed), **size),
            lambda weights=weights: plain_classes(codes, weights, plain),
        )
    found["affect"] = (
        lambda: affect_pairs(labels, pairs, rng=np.random.default_rng(s.seed), **size),
        lambda: plain_affect(labels, plain),
    )
    found["people"] = (
        lambda: person_pairs(people, pairs, rng=np.random.default_rng(s.seed), **size),
        lambda: plain_people(people, plain),
    )
    return found


def main() -> None:
    """Prints one line a mode."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=10_000_000)
    arguments.add_argument("--plain", type=int, default=100_000, help="pairs of the plain loop")
    given = arguments.parse_args()
    s = load_settings().pair
    faces = made_up_faces(np.random.default_rng(0))
    apart = distances(s)
    print(f"{given.pairs:,} pairs of {FACES:,} faces, blocks of {s.block_faces} faces and {s.block_pairs} pairs")
    print(
        f"{'mode':<12}{'draw s':>8}{'pairs/s':>14}{'plain pairs/s':>16}{'ratio':>8}{'whole s':>9}{'bytes a pair':>14}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.parquet"
        for mode, (draw, plain) in modes(s, faces, given.pairs, given.plain).items():
            drawing, plainly = seconds(draw, time.process_time), seconds(plain, time.process_time)
            whole = seconds(
                lambda draw=draw: write_table(pairs_table(faces, draw(), "train", apart), path, PAIRS),
                time.perf_counter,
            )
            fast, slow = given.pairs / drawing, given.plain / plainly
            size = path.stat().st_size / given.pairs
            print(f"{mode:<12}{drawing:>8.2f}{fast:>14,.0f}{slow:>16,.0f}{fast / slow:>8.0f}{whole:>9.2f}{size:>14.1f}")


if __name__ == "__main__":
    main()
