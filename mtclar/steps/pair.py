"""`mtclar pair`: the faces store and its verdict in, pairs to learn and to judge from out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, SPLITS, write_table
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
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
from mtclar.revision import STAMP, same_data, stamped
from mtclar.settings import PairSettings


@dataclass(frozen=True)
class PairResult:
    """Number of pairs by split, and where they are."""

    pairs: dict[str, int]
    path: Path

    def __str__(self) -> str:
        return ", ".join(f"{n} {split}" for split, n in self.pairs.items()) + f" pairs in {self.path}"


def run(s: PairSettings, *, faces: Path, verdict: Path, out: Path) -> PairResult:
    """Draws the pairs of each split and writes them to `out`/pairs.parquet (`tables.PAIRS`), with the data revision of
    the faces in the file's metadata.

    The train split is drawn as `s.sampling` says: by expression, half of the pairs of one and half of two, or by
    valence and arousal (`affect`). A share of `s.person_share` pairs faces of one person instead, whatever they
    express. Validation and test are drawn by expression and uniformly (`release`) whatever the mode, so that what is
    measured on them can be compared and guessing is right half of the time; by `affect` where they have no
    expressions. An expression that a split lacks is left out of its pairs: whether one may be lacking is for `mtclar
    validate` to say. Everywhere `similar` is null where an expression is not known.

    Args:
        s: The section `pair` of params.yaml.
        faces: A faces store.
        verdict: What `mtclar validate` wrote about it.
        out: Folder to write.

    Raises:
        MtclarError: The verdict is missing or against the faces, the settings or the labels are impossible, or a split
            has too few faces to draw from.
    """
    store = FacesStore(faces)
    revision = stamped(store.facts, faces / "store.json")
    _check(verdict, revision)
    apart = distances(s)
    weights = None if s.sampling == "affect" else partners(s.sampling, apart, s.wheel_exponent)
    table = store.table
    _check_labels(table)
    parts: list[pd.DataFrame] = []
    counts: dict[str, int] = {}
    for number, split in enumerate(SPLITS):
        chosen = table[table["split"] == split]
        rng = np.random.default_rng([s.seed, number])
        draws = _train(s, chosen, weights, rng) if split == "train" else _held_out(s, chosen, split, rng)
        parts += [pairs_table(chosen, draw, split, apart) for draw in draws]
        counts[split] = sum(len(draw.block) for draw in draws)
    with whole_folder(out, known_by="pairs.parquet") as partial:
        write_table(pd.concat(parts, ignore_index=True), partial / "pairs.parquet", PAIRS, {STAMP: revision})
    return PairResult(counts, out / "pairs.parquet")


def _check(verdict: Path, revision: str) -> None:
    """Raises unless the verdict says that the faces passed, and that of faces with this data revision."""
    path = verdict / "verdict.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        success = said["success"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MtclarError(f"{path}: expected a verdict written by 'mtclar validate' ({error}).") from error
    if success is not True:
        raise MtclarError(f"{path}: the faces did not pass validation; mend what it lists and run 'mtclar crop' again.")
    same_data(
        stamped(said, path), revision, f"{path}: speaks of faces of other data; run 'mtclar validate' on these faces."
    )


def _check_labels(faces: pd.DataFrame) -> None:
    """Raises if a label lies outside its range: its differences would lie outside of what a network can say."""
    for name in ("valence", "arousal"):
        if len(beyond := faces[faces[name].abs() > 1]):
            first = beyond.iloc[0]
            raise MtclarError(
                f"face {first['face_id']} has {name} {first[name]:g}, but labels lie in [-1, 1]; "
                "mend its source and run 'mtclar crop' again."
            )


def _train(s: PairSettings, faces: pd.DataFrame, weights: np.ndarray | None, rng: np.random.Generator) -> list[Draw]:
    """The pairs of the train split; blocks of people come after the others."""
    of_people = round(s.pairs * s.person_share)
    draws: list[Draw] = []
    if s.pairs > of_people:
        draws.append(_draw(s, faces, s.pairs - of_people, "train", weights, rng))
    if of_people:
        labelled = (faces["valence"].notna() & faces["arousal"].notna()).to_numpy()
        people = np.where(labelled, pd.factorize(faces["subject_id"])[0], -1)
        draw = person_pairs(people, of_people, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
        draws.append(draw._replace(block=draw.block + sum(d.block.max(initial=-1) + 1 for d in draws)))
    return draws


def _held_out(s: PairSettings, faces: pd.DataFrame, split: str, rng: np.random.Generator) -> list[Draw]:
    """The pairs of validation or test: by expression where there are any, by affect where not, none where neither."""
    if faces["expression"].notna().any():
        return [_draw(s, faces, s.pairs_held_out, split, partners("release", distances(s), 0.0), rng)]
    if len(faces[["valence", "arousal"]].dropna().drop_duplicates()) > 1:
        return [_draw(s, faces, s.pairs_held_out, split, None, rng)]
    return []


def _draw(
    s: PairSettings, faces: pd.DataFrame, pairs: int, split: str, weights: np.ndarray | None, rng: np.random.Generator
) -> Draw:
    """Pairs by expression, the second drawn by `weights` (8, 8); by affect without them."""
    try:
        if weights is None:
            labels = faces[["valence", "arousal"]].to_numpy(float)
            return affect_pairs(labels, pairs, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
        codes = expression_codes(faces)
        return class_pairs(codes, weights, pairs, block_faces=s.block_faces, block_pairs=s.block_pairs, rng=rng)
    except MtclarError as error:
        raise MtclarError(f"the {split} split: {error}") from None
