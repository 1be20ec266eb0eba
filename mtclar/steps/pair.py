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
from mtclar.learning.pairs import DRAWN_BY, held_out_pairs, training_pairs
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

    Each split is drawn as `learning.pairs.draw` says, by chance of its own. An expression that a split lacks is left
    out of its pairs: whether one may be lacking is for `mtclar validate` to say. `similar` is null where an expression
    is not known. The settings stand in the file's metadata too: by them `train.redraw` draws anew each epoch.

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
    table = store.table
    _check_labels(table)
    parts: list[pd.DataFrame] = []
    counts: dict[str, int] = {}
    for number, split in enumerate(SPLITS):
        chosen = table[table["split"] == split]
        rng = np.random.default_rng([s.seed, number])
        parts.append(training_pairs(s, chosen, rng) if split == "train" else held_out_pairs(s, chosen, split, rng))
        counts[split] = len(parts[-1])
    notes = {STAMP: revision, DRAWN_BY: json.dumps(s.model_dump(mode="json"))}
    with whole_folder(out, known_by="pairs.parquet") as partial:
        write_table(pd.concat(parts, ignore_index=True), partial / "pairs.parquet", PAIRS, notes)
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
