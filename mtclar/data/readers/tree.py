"""The files of a data set, whether they lie in a folder or are still packed in zips.

A zip counts as unpacked where it lies, in a folder of its own name: the entry `train_set/images/0.jpg` (or, where the
archive has no such top folder, `images/0.jpg`) of `train_set.zip` is called `train_set/images/0.jpg`. Nothing is ever
unpacked to disk, and no name leads out of the folder: entries such as `../x` are left out, and links that point outside
unless into a cache of DVC.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mtclar.data.store import decode
from mtclar.errors import MtclarError

_FAULTS = (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a file, or a damaged, encrypted or oddly packed archive, raises."""

_DVC_OBJECT = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")

UNREADABLE = "unreadable"
"""Stands for the sha256 of what cannot be read."""


@dataclass(frozen=True)
class Entry:
    """One file: on disk, or inside an archive. May be sent to another process.

    Attributes:
        name: What messages call it.
        path: The file, or the archive that holds it.
        member: Name inside the archive; None for a plain file.
    """

    name: str
    path: str
    member: str | None = None

    def read(self) -> bytes:
        """The content.

        Raises:
            MtclarError: It cannot be read; the message begins with the name.
        """
        try:
            if self.member is None:
                return Path(self.path).read_bytes()
            return _archive(self.path, os.getpid()).read(self.member)
        except _FAULTS as error:
            raise MtclarError(f"{self.name}: cannot be read ({error}).") from error

    def picture(self) -> NDArray[np.uint8]:
        """The content as a picture: uint8 RGB (h, w, 3).

        Raises:
            MtclarError: It cannot be read, is empty or is no picture.
        """
        return decode(self.read(), self.name)


@lru_cache(maxsize=16)
def _archive(path: str, process: int) -> zipfile.ZipFile:
    """The open archive; one for each process, because a file position must not be shared across a fork."""
    return zipfile.ZipFile(path)


class Tree:
    """All files under a folder, or in one zip.

    Example:
        tree = Tree(Path("afew-va"))
        tree.read("01/001/001.json")
    """

    def __init__(self, root: Path) -> None:
        """Lists the files.

        Raises:
            MtclarError: Nothing is there, nothing is in it, or an archive is damaged.
        """
        self.root = Path(root)
        self._entries: dict[str, Entry] = {}
        if self.root.is_dir():
            self._real = self.root.resolve()
            self._add_folder(self.root, "")
        elif self.root.is_file() and zipfile.is_zipfile(self.root):
            self._add_archive(self.root, "")
        elif self.root.exists():
            raise MtclarError(f"{root}: expected a folder of data or a zip of one.")
        else:
            raise MtclarError(f"{root}: no such data folder; check --data.")
        if not self._entries:
            raise MtclarError(f"{root}: the data folder is empty.")

    def _add_folder(self, folder: Path, prefix: str) -> None:
        try:
            items = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError as error:
            raise MtclarError(f"{folder}: cannot be listed ({error.strerror}).") from error
        for item in items:
            name = prefix + item.name
            if item.name.startswith("."):
                continue
            if item.is_symlink() and not self._inside(Path(item.path)):
                continue
            if item.is_dir(follow_symlinks=False):
                self._add_folder(Path(item.path), name + "/")
            elif item.is_file():
                if item.name.lower().endswith(".zip"):
                    self._add_archive(Path(item.path), prefix)
                else:
                    self._entries[name] = Entry(name, item.path)

    def _inside(self, path: Path) -> bool:
        """Whether a link leads to a file of the folder; what DVC has linked from its cache is one."""
        target = path.resolve()
        return target.is_relative_to(self._real) or _DVC_OBJECT.search(target.as_posix()) is not None

    def _add_archive(self, path: Path, prefix: str) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info.filename for info in archive.infolist() if not info.is_dir()]
        except (OSError, zipfile.BadZipFile) as error:
            raise MtclarError(f"{path}: the archive is damaged ({error}).") from error
        members = [member for member in members if _harmless(member)]
        packed_whole = all(member.startswith(path.stem + "/") for member in members)
        for member in members:
            name = prefix + member if packed_whole else f"{prefix}{path.stem}/{member}"
            self._entries.setdefault(name, Entry(name, str(path), member))

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def names(self, suffix: str = "") -> Iterator[str]:
        """The names of all files in order, or of those that end in `suffix` in small or capital letters."""
        return (name for name in sorted(self._entries) if name.lower().endswith(suffix))

    def entry(self, name: str) -> Entry:
        """One file.

        Raises:
            MtclarError: There is no such file in the folder.
        """
        try:
            return self._entries[name]
        except KeyError:
            raise MtclarError(f"{self.root}: there is no file '{name}' in it.") from None

    def read(self, name: str) -> bytes:
        """The content of one file.

        Raises:
            MtclarError: There is no such file in the folder, or it cannot be read.
        """
        return self.entry(name).read()

    def lines(self, name: str) -> Iterator[str]:
        """The lines of one text file, UTF-8 with or without a byte order mark; the file is not held in memory.

        Raises:
            MtclarError: There is no such file, or it is not UTF-8 text.
        """
        entry = self.entry(name)
        try:
            with ExitStack() as stack:
                if entry.member is None:
                    raw: IO[bytes] = stack.enter_context(open(entry.path, "rb"))
                else:
                    raw = stack.enter_context(stack.enter_context(zipfile.ZipFile(entry.path)).open(entry.member))
                yield from io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
            raise MtclarError(f"{self.root}/{name}: cannot be read as UTF-8 text ({error}).") from error

    def text(self, name: str) -> str:
        """The content of one text file: UTF-8, with or without a byte order mark.

        Raises:
            MtclarError: There is no such file, or it is not UTF-8 text.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MtclarError(f"{self.root}/{name}: not UTF-8 text ({error.reason}).") from error

    def digests(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Each name with the sha256 of its content, 64 hexadecimal digits; `UNREADABLE` where it cannot be read.

        Raises:
            MtclarError: There is no such file in the folder.
        """
        for name in names:
            entry = self.entry(name)
            try:
                with ExitStack() as stack:
                    if entry.member is None:
                        raw: IO[bytes] = stack.enter_context(open(entry.path, "rb"))
                    else:
                        raw = stack.enter_context(_archive(entry.path, os.getpid()).open(entry.member))
                    digest = hashlib.sha256()
                    while chunk := raw.read(1 << 20):
                        digest.update(chunk)
                    yield name, digest.hexdigest()
            except _FAULTS:
                yield name, UNREADABLE

    def found(self, *names: str) -> str | None:
        """The first of `names` that is there."""
        return next((name for name in names if name in self._entries), None)


def _harmless(member: str) -> bool:
    """Whether an archive's entry stays where it is put and is not one of the notes macOS adds."""
    parts = PurePosixPath(member).parts
    return not (
        not parts
        or member.startswith("/")
        or "\\" in member
        or ".." in parts
        or ":" in parts[0]
        or parts[0] == "__MACOSX"
    )
