"""The parts of a long protocol, each in a folder of its own, kept as long as nothing it was made from changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtclar import __version__
from mtclar.data.whole import unwritable, whole_file
from mtclar.errors import MtclarError
from mtclar.progress import Progress

STAMPS = "stamps"


@dataclass(frozen=True)
class Part:
    """Something that other parts are made from.

    Attributes:
        path: File or folder.
        digest: Changes with whatever it was made from.
    """

    path: Path
    digest: str


class Parts:
    """Makes parts under one folder, or finds them made."""

    def __init__(self, out: Path, progress: Progress) -> None:
        """`progress` is told what each part tells, with the part's name before it.

        Raises:
            MtclarError: `out` cannot be written, or holds something else.
        """
        self.out, self._progress = out, progress
        try:
            if out.is_dir() and any(out.iterdir()) and not (out / STAMPS).is_dir():
                raise MtclarError(f"{out}: is not empty and no earlier reproduction; choose another --out.")
            (out / STAMPS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(out, error) from error

    def make(
        self,
        name: str,
        work: Callable[[Path, Progress], Any],
        *,
        settings: Any = None,
        of: Mapping[str, Part] | None = None,
    ) -> Part:
        """Makes a part, unless it stands there made from the same settings and parts by the same version of mtclar.

        Args:
            name: Path of the part under the folder, such as `affectnet/crop`.
            work: Given the part's path and a progress; leaves the part there, whole.
            settings: What it is made with, as JSON can hold it.
            of: The parts it is made from.
        """
        path, stamp = self.out / name, self.out / STAMPS / f"{name.replace('/', '-')}.json"
        about = {
            "version": __version__,
            "name": name,
            "settings": settings,
            "of": {key: part.digest for key, part in (of or {}).items()},
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()
        if not (path.exists() and _read(stamp) == digest):
            self._progress(0, 1, name)
            work(path, lambda done, total, what="", /: self._progress(done, total, f"{name}: {what}"))
            with whole_file(stamp) as partial:
                partial.write_text(json.dumps({"digest": digest}) + "\n", encoding="utf-8")
        return Part(path, digest)


def given(path: Path) -> Part:
    """A folder or file that was there before, known by the names, sizes and times of the files in it.

    Raises:
        MtclarError: There is no such file or folder, or it cannot be listed.
    """
    digest = hashlib.sha256()
    try:
        files = [path] if not path.is_dir() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            about = file.stat()
            digest.update(f"{file.relative_to(path)} {about.st_size} {about.st_mtime_ns}\n".encode())
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror or error}).") from error
    return Part(path, digest.hexdigest())


def _read(stamp: Path) -> str | None:
    try:
        return str(json.loads(stamp.read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
