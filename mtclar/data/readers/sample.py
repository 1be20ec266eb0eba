"""The shipped sample: people who do not exist, in the layouts of AffectNet (npy) and AFEW-VA.

`sample.json` says who is seen in which picture and clip and which split each person belongs to. The sample's videos
are there to be labelled, not to be learned from, and are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtclar.data.readers import afew_va, affectnet_npy
from mtclar.data.readers.records import Group, Notes, number, together
from mtclar.data.readers.tree import Tree
from mtclar.data.tables import SPLITS
from mtclar.errors import MtclarError
from mtclar.settings import CropSettings

DATASET = "sample"
INDEX = "sample.json"


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the sample at `data` or in `data/sample`; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There is no sample.json, or it does not know a picture, a clip or a person's split.
    """
    tree = Tree(data)
    root = _root(tree)
    people = _People(tree, root + INDEX)
    pictures = affectnet_npy.find(tree, notes, root + "affectnet/")
    clips = afew_va.find(tree, notes, root + "afew-va/")
    items = [
        affectnet_npy.Labelled(DATASET, key, picture, labels, *people.of("pictures", key))
        for key, (picture, labels) in pictures.items()
    ]
    yield from together(items, affectnet_npy.make_records)
    for clip, (_, annotation, frames) in clips.items():
        fps = people.fps(clip) or settings.fps
        yield Group(annotation.name, afew_va.Clip(DATASET, clip, annotation, frames, *people.of("clips", clip), fps))


def files(tree: Tree) -> dict[str, str]:
    """The files that `read` reads, each with its name within the sample.

    Raises:
        MtclarError: There is no sample.json.
    """
    root = _root(tree)
    wanted = tuple(root + part for part in (INDEX, "affectnet/", "afew-va/"))
    return {name: name.removeprefix(root) for name in tree.names() if name.startswith(wanted)}


def _root(tree: Tree) -> str:
    """What the names of the sample's files begin with."""
    name = tree.found(INDEX, f"sample/{INDEX}", f"{tree.root.stem}/{INDEX}")
    if name is None:
        raise MtclarError(
            f"{tree.root}: expected a sample's {INDEX}; 'dvc pull data.dvc' fetches it, 'mtclar sample' makes one."
        )
    return name.removesuffix(INDEX)


class _People:
    """What sample.json says."""

    def __init__(self, tree: Tree, name: str) -> None:
        self.where = f"{tree.root}/{name}"
        try:
            index: dict[str, Any] = json.loads(tree.read(name))
            self._splits = {person: facts["split"] for person, facts in index["people"].items()}
            self._index = {kind: dict(index.get(kind, {})) for kind in ("pictures", "clips")}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MtclarError(f"{self.where}: not the index of a sample ({error}).") from error
        for person, split in self._splits.items():
            if split not in SPLITS:
                raise MtclarError(
                    f"{self.where}: person '{person}' has the split '{split}', not one of {', '.join(SPLITS)}."
                )

    def of(self, kind: str, key: str) -> tuple[str, str]:
        """Who is seen there, and in which split that person is."""
        item = self._index[kind].get(key)
        person = item.get("person_id") if isinstance(item, dict) else item
        if person not in self._splits:
            raise MtclarError(f"{self.where}: it does not say who is seen in {kind} '{key}'.")
        return str(person), self._splits[person]

    def fps(self, clip: str) -> float | None:
        """The clip's frame rate, if it is stated."""
        item = self._index["clips"].get(clip)
        rate = number(item.get("fps")) if isinstance(item, dict) else 0.0
        return rate if rate > 0 else None
