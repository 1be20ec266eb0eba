"""Readers of data sets: from the files as they were released to records, with the pitfalls of each taken care of.

A reader is `read(data, settings, notes) -> Iterator[Group]`: it lists what there is, counts in `notes` what it leaves
out, and gives records in groups. `settings` is the section `crop` of params.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from mtclar.data.readers.records import Group, Notes, Record
from mtclar.data.readers.tree import Tree
from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.revision import listing_revision
from mtclar.settings import CropSettings

__all__ = ["Group", "Notes", "Record", "Tree", "content_revision", "read", "records"]


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the data set `settings.source` at `data`.

    Args:
        data: Folder or zip of the data set as it was released.
        settings: The section `crop` of params.yaml.
        notes: Takes what is left out.

    Returns:
        Groups of records in a stable order; at least one.

    Raises:
        MtclarError: Nothing is there, or it does not have the data set's layout.
    """
    data = Path(data)
    if not data.exists():
        raise MtclarError(f"{data}: no such data folder; check --data.")
    module = import_module(f"mtclar.data.readers.{settings.source.replace('-', '_')}")
    groups: Iterator[Group] = module.read(data, settings, notes)
    first = next(groups, None)
    if first is None:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in notes.skipped.items()) or "nothing was found"
        raise MtclarError(f"{data}: no face that can be used in it, read as '{settings.source}' ({reasons}).")
    yield first
    yield from groups


def content_revision(data: Path, settings: CropSettings, progress: Progress = silent) -> str:
    """The revision of what the reader of `settings.source` reads at `data`: names and contents, not dates or places.

    Args:
        data: Folder or zip of the data set as it was released; unpacked or packed within a folder, its revision is
            the same.
        settings: The section `crop` of params.yaml.
        progress: Called after each file.

    Returns:
        64 hexadecimal digits, see `mtclar.revision.listing_revision`.

    Raises:
        MtclarError: Nothing is there.
    """
    tree = Tree(Path(data))
    names = {name: name for name in tree.names()}
    if settings.source == "sample":  # the videos beside it are there to be labelled
        from mtclar.data.readers.sample import files

        names = files(tree)
    listing: dict[str, str] = {}
    for done, (name, digest) in enumerate(tree.digests(names), 1):
        listing[names[name]] = digest
        progress(done, len(names), "content of the data")
    return listing_revision(listing)


def records(data: Path, settings: CropSettings, notes: Notes | None = None) -> Iterator[Record]:
    """All records of a data set, one after the other; see `read`."""
    notes = Notes() if notes is None else notes
    for group in read(data, settings, notes):
        yield from group.records(notes)
