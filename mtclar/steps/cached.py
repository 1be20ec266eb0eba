"""`mtclar cache`: what the user's cache holds, and removing it; all of it is made or fetched again when needed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mtclar.environment import cache_root
from mtclar.errors import MtclarError, counted, nearest

KINDS = ("features", "bundles", "s3")
"""Folders of the cache: of each, what lies directly in it is one thing that is kept or removed."""


@dataclass(frozen=True)
class Kind:
    """What the cache holds of a kind: how many files, and how large they are."""

    name: str
    folder: Path
    files: int
    megabytes: float


def show() -> list[Kind]:
    """What the cache holds, kind by kind."""
    found = []
    for name in KINDS:
        sizes = [size for path in _things(name) for size in _sizes(path)]
        found.append(Kind(name, cache_root() / name, len(sizes), sum(sizes) / 1e6))
    return found


def clear(kind: str = "", *, older_than_days: float = 0.0) -> str:
    """Removes what the cache holds.

    What another process is writing at the moment is left; what one is reading stays readable to it.

    Args:
        kind: One of `KINDS`; "" for all.
        older_than_days: Only what was not used for so long.

    Returns:
        A sentence on what was removed.

    Raises:
        MtclarError: There is no such kind, or something cannot be removed.
    """
    if kind and kind not in KINDS:
        raise MtclarError(f"unknown kind '{kind}'{nearest(kind, KINDS)}.")
    removed, freed, before = 0, 0, time.time() - older_than_days * 86400
    for path in [path for name in ((kind,) if kind else KINDS) for path in _things(name)]:
        with suppress(FileNotFoundError):  # another process removed it
            if older_than_days and path.stat().st_mtime > before:
                continue
            sizes = list(_sizes(path))
            _remove(path)
            removed, freed = removed + 1, freed + sum(sizes)
    return f"removed {counted(removed, 'entry').replace('entrys', 'entries')}, {freed / 1e6:.1f} MB"


def _things(name: str) -> Iterator[Path]:
    """What is kept, whole: no part that a process is writing, and no lock."""
    with suppress(FileNotFoundError):
        for path in sorted((cache_root() / name).iterdir()):
            if path.suffix not in (".part", ".fetching") and path.name not in ("locks", "sha256"):
                yield path


def _sizes(path: Path) -> Iterator[int]:
    for file in [path] if path.is_file() else path.rglob("*"):
        with suppress(OSError):
            if file.is_file():
                yield file.stat().st_size


def _remove(path: Path) -> None:
    """Renamed first, so that nobody finds half of a folder."""
    gone = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        os.replace(path, gone)
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MtclarError(f"{path}: cannot be removed ({error.strerror}).") from error
