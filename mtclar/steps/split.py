"""split: a faces store divided anew, by subject: grouped folds, leave one subject out, or train on one data set and
test on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mtclar.data.folds import fold_count, splits_of
from mtclar.data.regroup import joined, write_regrouped
from mtclar.data.store import FacesStore
from mtclar.data.tables import SPLITS
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.revision import STAMP, joint_revision, stamped
from mtclar.settings import SplitSettings


@dataclass(frozen=True)
class SplitResult:
    """What `run` wrote.

    Attributes:
        out: The faces store.
        faces: Faces of each split.
        subjects: Subjects of each split.
        left_out: Faces that the protocol does not use.
        folds: How many folds the protocol has on these faces.
        fold: Which of them this store tests.
    """

    out: Path
    faces: dict[str, int]
    subjects: dict[str, int]
    left_out: int
    folds: int
    fold: int

    def __str__(self) -> str:
        parts = ", ".join(f"{self.faces[name]} {name} of {self.subjects[name]} subjects" for name in SPLITS)
        left = f"; {self.left_out} left out" if self.left_out else ""
        which = f"fold {self.fold} of 0..{self.folds - 1}: " if self.folds > 1 else ""
        return f"{which}{parts}{left} in {self.out}"


def run(s: SplitSettings, *, faces: Sequence[Path], out: Path) -> SplitResult:
    """Writes a faces store with other splits; its crops are those of the given stores, byte for byte.

    Args:
        s: The section `split` of params.yaml.
        faces: Faces stores that `mtclar crop` wrote; several are joined.
        out: Folder of the new store; appears whole or not at all.

    Raises:
        MtclarError: An input is no faces store, the stores do not fit together, the protocol does not fit the faces
            (see `folds.splits_of`), or `out` is one of the inputs or cannot be written.
    """
    stores = [FacesStore(Path(folder)) for folder in faces]
    if Path(out).resolve() in {store.folder.resolve() for store in stores}:
        raise MtclarError(f"{out}: the new store would take the place of the one it is made of; choose another --out.")
    table = joined(stores)
    table["split"] = splits_of(table, s)
    kept = table[table["split"].notna()]
    with whole_folder(Path(out), known_by="store.json") as folder:
        write_regrouped(stores, kept, folder, _facts(stores, s))
    return SplitResult(
        out=Path(out),
        faces=_each(kept.groupby("split").size()),
        subjects=_each(kept.groupby("split")["subject_id"].nunique()),
        left_out=len(table) - len(kept),
        folds=fold_count(table, s),
        fold=s.fold,
    )


def _each(counts: pd.Series) -> dict[str, int]:
    return {name: int(counts.get(name, 0)) for name in SPLITS}


def _facts(stores: Sequence[FacesStore], s: SplitSettings) -> dict[str, object]:
    """What store.json says beside its size: how the crops were made, and how they were divided."""
    made = {
        key: list(dict.fromkeys(store.facts.get(key) for store in stores))
        for key in ("source", "detector", "scale", "quality")
    }
    alone = {key: values[0] if len(values) == 1 else values for key, values in made.items()}
    revision = joint_revision([stamped(store.facts, store.folder / "store.json") for store in stores])
    return {**alone, STAMP: revision, "split": s.model_dump(), "made_of": [str(store.folder) for store in stores]}
