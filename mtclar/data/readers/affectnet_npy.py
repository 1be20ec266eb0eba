"""AffectNet's npy release: `train_set/` and `val_set/`, each with `images/<n>.jpg` and `annotations/<n>_*.npy`.

`train_set` is the train split, less the share `crop.validation`, drawn by seed; `val_set` is the test split, because
the official test set is withheld. Who is seen is not known: each picture counts as a subject of its own. Numbers have
gaps, and the same number in both folders means two pictures.

Scalars come as 0-d arrays, as arrays of one, or as text. Pictures with neither an expression (0..7) nor an affect
(-2 where not known) are left out; arrays are never unpickled.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mtclar.data.readers.records import NAN, Group, Notes, Record, divide, number, pair, together
from mtclar.data.readers.tree import Entry, Tree
from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.settings import CropSettings

DATASET = "affectnet"
NO_AFFECT = -2.0
TRAIN, TEST = "train_set", "val_set"
_PICTURE = re.compile(
    rf"(?P<root>(?:.*/)?)(?P<set>{TRAIN}|{TEST})/images/(?P<number>[0-9]+)\.(?:jpe?g|png)", re.IGNORECASE
)
_NOTE = re.compile(
    rf"(?P<root>(?:.*/)?)(?P<set>{TRAIN}|{TEST})/annotations/(?P<number>[0-9]+)_(?P<what>exp|val|aro|lnd)\.npy"
)


@dataclass(frozen=True)
class Labelled:
    """A picture and the files of its labels; `str()` names it."""

    dataset: str
    key: str  # train_set/12
    picture: Entry
    labels: dict[str, Entry]
    subject_id: str
    split: str

    def __str__(self) -> str:
        return self.picture.name


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the release; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There is no train_set or val_set in the folder.
    """
    found = find(Tree(data), notes)
    if not found:
        raise MtclarError(f"{data}: expected {TRAIN}/images and {TRAIN}/annotations or those of {TEST}, found neither.")
    has_test = any(key.startswith(TEST) for key in found)
    train = (key for key in found if key.startswith(TRAIN))
    test_share = 0 if has_test else settings.test
    splits = divide(train, validation=settings.validation, test=test_share, seed=settings.seed)
    items = (
        Labelled(DATASET, key, picture, labels, f"{DATASET}/{key}", splits.get(key, "test"))
        for key, (picture, labels) in found.items()
    )
    yield from together(items, make_records)


def find(tree: Tree, notes: Notes, under: str = "") -> Mapping[str, tuple[Entry, dict[str, Entry]]]:
    """Pictures and their labels by key (`train_set/12`), in the order of folder and number."""
    pictures: dict[tuple[str, int], Entry] = {}
    labels: dict[tuple[str, int], dict[str, Entry]] = {}
    for name in tree.names():
        if not name.startswith(under):
            continue
        if match := _PICTURE.fullmatch(name):
            pictures.setdefault((match["set"].lower(), int(match["number"])), tree.entry(name))
        elif match := _NOTE.fullmatch(name):
            labels.setdefault((match["set"], int(match["number"])), {})[match["what"]] = tree.entry(name)
    for key in sorted(labels.keys() - pictures.keys()):
        notes.fault(f"{key[0]}/images/{key[1]}.jpg", "the picture is missing")
    unlabelled = pictures.keys() - labels.keys()
    if unlabelled:
        notes.skip("no labels", len(unlabelled))
    return {f"{key[0]}/{key[1]}": (pictures[key], labels[key]) for key in sorted(pictures.keys() & labels.keys())}


def make_records(items: tuple[Labelled, ...], notes: Notes) -> Iterator[Record]:
    """Reads the labels of pictures and gives those that carry any."""
    for item in items:
        try:
            code, valence, arousal = (_scalar(item.labels.get(what)) for what in ("exp", "val", "aro"))
            landmarks = _landmarks(item.labels.get("lnd"))
        except MtclarError as error:
            notes.fault(item.picture.name, str(error))
            continue
        valence, arousal = pair(valence, arousal, NO_AFFECT)
        expression = EXPRESSIONS[int(code)] if code in range(len(EXPRESSIONS)) else None
        if expression is None and np.isnan(valence):
            notes.skip("neither expression nor affect")
            continue
        yield Record(
            load=partial(Entry.picture, item.picture),
            name=item.picture.name,
            dataset=item.dataset,
            face_id=f"{item.dataset}/{item.key}",
            subject_id=item.subject_id,
            split=item.split,
            valence=valence,
            arousal=arousal,
            expression=expression,
            landmarks=landmarks,
        )


def _array(entry: Entry) -> np.ndarray:
    """An array that is no pickle.

    Raises:
        MtclarError: The file is damaged, or holds pickled objects.
    """
    try:
        return np.load(io.BytesIO(entry.read()), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if isinstance(error, MtclarError):
            raise
        raise MtclarError(f"{entry.name}: not an array that can be read ({error}).") from error


def _scalar(entry: Entry | None) -> float:
    """The one number of a file, whatever its shape and type; NaN where there is no file or no number."""
    if entry is None:
        return NAN
    values = np.asarray(_array(entry)).ravel()
    value = values[0] if values.size == 1 else None
    return number(value.decode(errors="replace") if isinstance(value, bytes) else value)


def _landmarks(entry: Entry | None) -> np.ndarray | None:
    """(68, 2), or None where there is no file or it does not hold 68 points."""
    if entry is None:
        return None
    values = np.array([number(value) for value in np.asarray(_array(entry)).ravel()])
    return values.reshape(68, 2) if values.size == 136 and np.isfinite(values).all() else None
