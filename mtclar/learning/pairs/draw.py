"""What is drawn for which split: a mixture for training, pairs that can be compared for validation and test."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from mtclar.errors import MtclarError
from mtclar.learning.pairs.affect import affect_pairs
from mtclar.learning.pairs.classes import class_pairs
from mtclar.learning.pairs.deal import Draw
from mtclar.learning.pairs.people import person_pairs
from mtclar.learning.pairs.table import expression_codes, pairs_table
from mtclar.learning.pairs.wheel import Sampling, distances, partners
from mtclar.settings import PairSettings


def training_pairs(s: PairSettings, faces: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The pairs of the train split, the columns of `tables.PAIRS`.

    A share of `s.person_share` is of one person's faces, one of `s.expression_share` is by expression as published, and
    the rest is drawn as `s.sampling` says. Blocks of the three follow one another.

    Args:
        s: The section `pair` of params.yaml.
        faces: The training faces, indexed by row of the faces store.
        rng: The only source of chance.

    Raises:
        MtclarError: There are too few faces to draw from, or the shares are more than all.
    """
    of_people, by_expression = round(s.pairs * s.person_share), round(s.pairs * s.expression_share)
    rest = s.pairs - of_people - by_expression
    if rest < 0:
        raise MtclarError(
            f"pair.person_share={s.person_share:g} and pair.expression_share={s.expression_share:g} are more than 1 "
            "together; lower one of them."
        )
    draws: list[Draw] = []
    if rest:
        draws.append(_draw(s, faces, rest, "train", s.sampling, rng))
    if by_expression:
        draws.append(_draw(s, faces, by_expression, "train", "release", rng))
    if of_people:
        labelled = (faces["valence"].notna() & faces["arousal"].notna()).to_numpy()
        people = np.where(labelled, pd.factorize(faces["subject_id"])[0], -1)
        draws.append(person_pairs(people, of_people, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng))
    return _table(s, faces, draws, "train")


def held_out_pairs(s: PairSettings, faces: pd.DataFrame, split: str, rng: np.random.Generator) -> pd.DataFrame:
    """The pairs of validation or test, the columns of `tables.PAIRS`: drawn by expression and uniformly whatever
    `s.sampling` says, so that what is measured on them can be compared and guessing is right half of the time; by
    affect where there are no expressions, and none where there is neither.

    Args:
        s: The section `pair` of params.yaml.
        faces: The faces of the split, indexed by row of the faces store.
        split: Its name.
        rng: The only source of chance.

    Raises:
        MtclarError: There are too few faces to draw from.
    """
    draws = []
    if faces["expression"].notna().any():
        draws = [_draw(s, faces, s.pairs_held_out, split, "release", rng)]
    elif len(faces[["valence", "arousal"]].dropna().drop_duplicates()) > 1:
        draws = [_draw(s, faces, s.pairs_held_out, split, "affect", rng)]
    return _table(s, faces, draws, split)


def _table(s: PairSettings, faces: pd.DataFrame, draws: list[Draw], split: str) -> pd.DataFrame:
    apart, parts, blocks = distances(s), [], 0
    for draw in draws:
        parts.append(pairs_table(faces, draw._replace(block=draw.block + np.int32(blocks)), split, apart))
        blocks += int(draw.block.max(initial=-1)) + 1
    if not parts:
        none = np.empty(0, np.int32)
        parts = [pairs_table(faces, Draw(none, none, none), split, apart)]
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]


def _draw(
    s: PairSettings,
    faces: pd.DataFrame,
    pairs: int,
    split: str,
    sampling: Sampling | Literal["affect"],
    rng: np.random.Generator,
) -> Draw:
    """Pairs by affect, or by expression, the second drawn as `sampling` weighs it."""
    try:
        if sampling == "affect":
            labels = faces[["valence", "arousal"]].to_numpy(float)
            return affect_pairs(labels, pairs, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
        exponent = 0.0 if sampling == "release" else s.wheel_exponent
        codes, weights = expression_codes(faces), partners(sampling, distances(s), exponent)
        return class_pairs(codes, weights, pairs, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
    except MtclarError as error:
        raise MtclarError(f"the {split} split: {error}") from None
