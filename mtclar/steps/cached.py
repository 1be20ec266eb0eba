"""`mtclar cache`: what the user's cache holds, and removing it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mtclar.data.whole import PART, locked, remove_dead_parts, remove_unheld
from mtclar.environment import cache_root
from mtclar.errors import MtclarError, counted, nearest
from mtclar.remote import FETCHING

KINDS = {
    "features": "of videos that were read",
    "bundles": "models from a registry, and a copy of the one that ships",
    "s3": "folders that were fetched",
    "out": "outputs that could not be put on S3, and runs for S3 that were cut short",
}
"""Folders of the cache and what is in them; what lies directly in one is one thing that is kept or removed."""
MADE_AGAIN = ("features", "bundles", "s3")
"""Of these, what can be made or fetched again."""


@dataclass(frozen=True)
class Kind:
    """What the cache holds of a kind: what that is, how many files, and how large they are."""

    name: str
    what: str
    folder: Path
    files: int
    megabytes: float


def show() -> list[Kind]:
    """What the cache holds, kind by kind."""
    found = []
    for name, what in KINDS.items():
        sizes = [size for path in _things(name) for size in _sizes(path)]
        found.append(Kind(name, what, cache_root() / name, len(sizes), sum(sizes) / 1e6))
    return found


def clear(kind: str = "", *, older_than_days: float = 0.0) -> str:
    """Removes what the cache holds.

    What another process writes or uses at the moment is left. What dead processes left half done goes.

    Args:
        kind: One of `KINDS`; "" for all but outputs that were not put, which nobody else has.
        older_than_days: Only what was not used for so long.

    Returns:
        A sentence on what was removed.

    Raises:
        MtclarError: There is no such kind, or something cannot be removed.
    """
    if kind and kind not in KINDS:
        raise MtclarError(f"unknown kind '{kind}'{nearest(kind, KINDS)}.")
    removed, held, freed, before = 0, 0, 0, time.time() - older_than_days * 86400
    for path in [path for name in ((kind,) if kind else MADE_AGAIN) for path in _things(name)]:
        with suppress(FileNotFoundError):  # another process removed it
            if older_than_days and path.stat().st_mtime > before:
                continue
            size = sum(_sizes(path))
            if _remove(path):
                removed, freed = removed + 1, freed + size
            else:
                held += 1
    left = f"; {counted(held, 'thing')} in use left" if held else ""
    return f"removed {counted(removed, 'thing')}, {freed / 1e6:.1f} MB{left}"


def _things(name: str) -> Iterator[Path]:
    """What is kept: no part that a process is writing, no lock, and no note of a video's sha256."""
    folder = cache_root() / name
    with suppress(FileNotFoundError):
        remove_dead_parts(folder)
        for path in sorted(folder.iterdir()):
            if path.suffix != PART and path.name not in ("locks", "sha256"):
                yield path


def _sizes(path: Path) -> Iterator[int]:
    for file in [path] if path.is_file() else path.rglob("*"):
        with suppress(OSError):
            if file.is_file():
                yield file.stat().st_size


def _remove(path: Path) -> bool:
    """Removes one thing unless a process writes or uses it; returns whether it did."""
    try:
        if path.suffix == FETCHING:
            lock = path.parent / "locks" / path.stem
        elif path.parent.name == "out":
            lock = path / "lock"
        else:
            return remove_unheld(path)
        with locked(lock, wait=False):
            return remove_unheld(path)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MtclarError(f"{path}: cannot be removed ({error.strerror}).") from error
