"""AffectNet's manual release: CSV lists beside folders of pictures.

`training.csv` (and `automatically_annotated.csv`) are the train split, less the share `crop.validation`, drawn by
seed; `validation.csv` is the test split, because the official test set is withheld and every paper is judged on it.
Who is seen is not known: each picture counts as a subject of its own.

Left out: No-Face (10), rows without a face box (negative sides), Uncertain (9) and any other row that carries neither
an expression nor an affect (-2). None (8) has an affect but no expression. Header names may be in any case, padded,
or missing altogether, as in some copies of validation.csv.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np

from mtclar.data.readers.records import Box, Group, Notes, Record, divide, number, pair, together
from mtclar.data.readers.tree import Entry, Tree
from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError, nearest
from mtclar.settings import CropSettings

DATASET = "affectnet"
COLUMNS = (
    "subdirectory_filepath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
TRAIN_LISTS = ("training", "automatically_annotated")
TEST_LIST = "validation"
NO_AFFECT = -2.0
NO_FACE = 10


@dataclass(frozen=True)
class _Row:
    """One usable row; `str()` names it."""

    entry: Entry
    list_name: str
    path: str
    split: str
    values: dict[str, str]

    def __str__(self) -> str:
        return self.entry.name


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the release; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There is no list in the folder, or one lacks a column.
    """
    tree = Tree(data)
    lists = [name for name in tree.names(".csv") if _list_name(name) in (*TRAIN_LISTS, TEST_LIST)]
    if not lists:
        raise MtclarError(f"{data}: expected AffectNet's training.csv and validation.csv, found neither.")
    has_test = any(_list_name(name) == TEST_LIST for name in lists)
    subjects = (
        f"{_list_name(name)}/{row['subdirectory_filepath']}"
        for name in lists
        if _list_name(name) != TEST_LIST
        for row in _rows(tree, name)
    )
    splits = divide(subjects, validation=settings.validation, test=0 if has_test else settings.test, seed=settings.seed)
    yield from together((row for name in lists for row in _usable(tree, name, splits, notes)), _records)


def _list_name(name: str) -> str:
    return PurePosixPath(name).stem.lower()


def _rows(tree: Tree, name: str) -> Iterator[dict[str, str]]:
    """The rows of one list, by lower-case column name."""
    header: list[str] | None = None
    for cells in csv.reader(tree.lines(name)):
        if header is None:
            header = _header(cells, f"{tree.root}/{name}")
            if header != list(COLUMNS) or cells[0].strip().lower() == COLUMNS[0]:
                continue
        if any(cell.strip() for cell in cells):
            cells = cells + [""] * (len(header) - len(cells))
            row = {column: cell.strip() for column, cell in zip(header, cells, strict=False)}
            row["subdirectory_filepath"] = row["subdirectory_filepath"].replace("\\", "/")
            yield row


def _header(cells: list[str], where: str) -> list[str]:
    """The column names of a list; of one that begins with its first row, those of the release.

    Raises:
        MtclarError: A column is missing.
    """
    header = [cell.strip().lower() for cell in cells]
    if COLUMNS[0] not in header and len(cells) == len(COLUMNS) and np.isfinite(number(cells[-1])):
        return list(COLUMNS)
    for column in COLUMNS:
        if column not in header and column != "facial_landmarks":
            raise MtclarError(f"{where}: there is no column '{column}'{nearest(column, header)}.")
    return header


def _usable(tree: Tree, name: str, splits: dict[str, str], notes: Notes) -> Iterator[_Row]:
    """The rows that show a face with a label and whose picture is there."""
    list_name = _list_name(name)
    root = _pictures_root(tree, name)
    seen: set[str] = set()
    for row in _rows(tree, name):
        path = row["subdirectory_filepath"]
        code = number(row["expression"])
        affect = pair(number(row["valence"]), number(row["arousal"]), NO_AFFECT)
        sides = number(row["face_width"]), number(row["face_height"])
        if code == NO_FACE:
            notes.skip("No-Face")
        elif not (sides[0] > 0 and sides[1] > 0):
            notes.skip("no face box")
        elif code not in range(len(EXPRESSIONS)) and np.isnan(affect[0]):
            notes.skip("neither expression nor affect")
        elif path in seen:
            notes.skip("listed twice")
        elif root + path not in tree:
            notes.fault(root + path, "the picture is missing")
        else:
            seen.add(path)
            split = "test" if list_name == TEST_LIST else splits[f"{list_name}/{path}"]
            yield _Row(tree.entry(root + path), list_name, path, split, row)


def _pictures_root(tree: Tree, name: str) -> str:
    """The folder against which the paths of a list are meant: where the first of its pictures is found."""
    names = list(tree.names())
    for row in islice(_rows(tree, name), 20):
        path = row["subdirectory_filepath"]
        for candidate in names:
            if path and (candidate == path or candidate.endswith("/" + path)):
                return candidate.removesuffix(path)
    return ""


def _records(rows: tuple[_Row, ...], notes: Notes) -> Iterator[Record]:
    for row in rows:
        values = {key: number(value) for key, value in row.values.items() if key != "facial_landmarks"}
        valence, arousal = pair(values["valence"], values["arousal"], NO_AFFECT)
        code = values["expression"]
        box: Box = (values["face_x"], values["face_y"], values["face_width"], values["face_height"])
        face_id = f"{DATASET}/{row.list_name}/{PurePosixPath(row.path).with_suffix('')}"
        yield Record(
            load=partial(Entry.picture, row.entry),
            name=row.entry.name,
            dataset=DATASET,
            face_id=face_id,
            subject_id=face_id,
            split=row.split,
            valence=valence,
            arousal=arousal,
            expression=EXPRESSIONS[int(code)] if code in range(len(EXPRESSIONS)) else None,
            box=box if np.isfinite(box).all() else None,
            landmarks=_landmarks(row.values.get("facial_landmarks", "")),
        )


def _landmarks(text: str) -> np.ndarray | None:
    """`x;y;x;y;...` as (68, 2); None where there are not 68 points."""
    values = np.array([number(value) for value in text.split(";")])
    return values.reshape(68, 2) if values.size == 136 and np.isfinite(values).all() else None
