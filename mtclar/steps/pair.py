"""`mtclar pair`: the faces store and its verdict in, pairs to learn and to judge from out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import EXPRESSIONS, PAIRS, SPLITS, write_table
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.learning.sampler import class_pairs, expression_codes, pairs_table, person_pairs
from mtclar.settings import PairSettings


@dataclass(frozen=True)
class PairResult:
    """Number of pairs by split, and where they are."""

    pairs: dict[str, int]
    path: Path

    def __str__(self) -> str:
        return ", ".join(f"{n} {split}" for split, n in self.pairs.items()) + f" pairs in {self.path}"


def run(s: PairSettings, *, faces: Path, verdict: Path, out: Path) -> PairResult:
    """Draws the pairs of each split and writes them to `out`/pairs.parquet (`tables.PAIRS`).

    Half of the pairs are of one expression and half of two, expressions uniform. In the train split a share of
    `s.person_share` pairs faces of one person instead; `similar` is null there where an expression is not known.
    Validation and test are drawn by expression alone, and have no pairs where they have no expressions. An expression
    that a split lacks is left out of its pairs: whether one may be lacking is for `mtclar validate` to say.

    Args:
        s: The section `pair` of params.yaml.
        faces: A faces store.
        verdict: What `mtclar validate` wrote about it.
        out: Folder to write.

    Raises:
        MtclarError: The verdict is missing or against the faces, or a split has too few faces to draw from.
    """
    _check(verdict)
    table = FacesStore(faces).table
    parts: list[pd.DataFrame] = []
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([s.seed, number])
        share = s.person_share if split == "train" else 0.0
        parts.append(_draw(s, table[table["split"] == split], split, share, rng))
    with whole_folder(out, known_by="pairs.parquet") as partial:
        write_table(pd.concat(parts, ignore_index=True), partial / "pairs.parquet", PAIRS)
    return PairResult({split: len(part) for split, part in zip(SPLITS, parts, strict=True)}, out / "pairs.parquet")


def _check(verdict: Path) -> None:
    """Raises unless the verdict says that the faces passed."""
    path = verdict / "verdict.json"
    try:
        success = json.loads(path.read_text(encoding="utf-8"))["success"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MtclarError(f"{path}: expected a verdict written by 'mtclar validate' ({error}).") from error
    if success is not True:
        raise MtclarError(f"{path}: the faces did not pass validation; mend what it lists and run 'mtclar crop' again.")


def _draw(
    s: PairSettings, faces: pd.DataFrame, split: str, person_share: float, rng: np.random.Generator
) -> pd.DataFrame:
    """The pairs of one split; blocks of people come after those of classes."""
    total = s.pairs if split == "train" else s.pairs_held_out
    of_people = round(total * person_share)
    codes = expression_codes(faces)
    tables: list[pd.DataFrame] = []
    if split == "train" or (codes >= 0).any():
        if total > of_people:
            _check_classes(codes, split)
            draw = class_pairs(codes, total - of_people, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
            tables.append(pairs_table(faces, draw, split))
        if of_people:
            labelled = (faces["valence"].notna() & faces["arousal"].notna()).to_numpy()
            people = np.where(labelled, pd.factorize(faces["subject_id"])[0], -1)
            draw = person_pairs(people, of_people, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
            start = int(tables[0]["block"].max()) + 1 if tables else 0
            tables.append(pairs_table(faces, draw._replace(block=draw.block + start), split))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=PAIRS.names)


def _check_classes(codes: np.ndarray, split: str) -> None:
    """Raises if an expression that occurs, or had to, has too few faces to pair; which may be absent, validate says."""
    counts = dict(zip(EXPRESSIONS, np.bincount(codes[codes >= 0], minlength=len(EXPRESSIONS)), strict=True))
    if alone := [name for name, n in counts.items() if n == 1]:
        raise MtclarError(
            f"the {split} split has only one face of {', '.join(alone)}, and a pair needs two; crop more faces."
        )
    if sum(n > 0 for n in counts.values()) < 2:
        raise MtclarError(
            f"the {split} split has faces of {', '.join(name for name, n in counts.items() if n) or 'no expression'} "
            "alone, and pairs need at least two expressions; crop more faces, or set pair.person_share to 1."
        )
