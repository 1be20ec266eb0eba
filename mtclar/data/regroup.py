"""A faces store made of others: the same crops, byte for byte, under another table.

Where every face is kept the files of crops are hard links, so that five folds of a large store take no more room than
one; where some are left out the encoded pictures are copied. Nothing is ever encoded again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import FACES, write_table
from mtclar.errors import MtclarError


def joined(stores: Sequence[FacesStore]) -> pd.DataFrame:
    """The tables of several stores, one below the other, with subjects of different data apart.

    Stores that have a data set in common speak of the same subjects. Where some do not, "12" of one is not "12" of the
    other, and subject_id gets the name of its data in front.

    Returns:
        Columns of `tables.FACES`, indexed 0..n-1.

    Raises:
        MtclarError: Crops differ in size or scale, or a face is there twice.
    """
    first = stores[0]
    for store in stores[1:]:
        for key in ("size", "scale"):
            ours, theirs = (one.facts.get(key) for one in (first, store))
            if ours != theirs:
                raise MtclarError(
                    f"{first.folder} and {store.folder}: {key} {ours} and {theirs}; crop both with the same crop.{key}."
                )
    names = _names([set(store.table["dataset"]) for store in stores])
    tables = []
    for store, name in zip(stores, names, strict=True):
        table = store.table.copy()
        if len(set(names)) > 1:
            table["subject_id"] = f"{name}/" + table["subject_id"].astype(str)
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True)
    twice = whole["face_id"][whole["face_id"].duplicated()]
    if len(twice):
        raise MtclarError(
            f"{' and '.join(str(store.folder) for store in stores)}: the face '{twice.iloc[0]}' is there twice; "
            "give each data set once."
        )
    return whole


def _names(datasets: Sequence[set[str]]) -> list[str]:
    """One name a store; stores that have a data set in common, even by way of a third, have the same."""
    groups = [set(names) for names in datasets]
    for _ in groups:
        for k, names in enumerate(groups):
            groups[k] = set().union(*(other for other in groups if other & names)) | names
    return ["+".join(sorted(names)) for names in groups]


def write_regrouped(stores: Sequence[FacesStore], faces: pd.DataFrame, folder: Path, facts: dict[str, Any]) -> None:
    """Writes a store into an existing, empty folder.

    Args:
        stores: Where the crops are.
        faces: Rows of `joined`, some or all, in their order, with their index.
        folder: Where to write.
        facts: Of store.json, beside size and number of rows.
    """
    if len(faces) == sum(map(len, stores)):
        shards = (shard for store in stores for shard in sorted(store.folder.glob("crops-*.arrow")))
        for number, shard in enumerate(shards):
            _link(shard, folder / f"crops-{number:05d}.arrow")
        write_table(faces, folder / "faces.parquet", FACES)
        about = {"schema_version": 1, "rows": len(faces), "size": stores[0].size, **facts}
        (folder / "store.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return
    ends = np.cumsum([len(store) for store in stores])
    records = faces[FACES.names].to_dict("records")
    with FacesWriter(folder, size=stores[0].size, quality=0, facts=facts) as writer:
        for row, record in zip(faces.index, records, strict=True):
            part = int(np.searchsorted(ends, row, side="right"))
            start = int(ends[part - 1]) if part else 0
            writer.add({str(name): value for name, value in record.items()}, stores[part].encoded(int(row) - start))


def _link(source: Path, target: Path) -> None:
    """The same file under another name; a copy where the file system has no such thing."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
