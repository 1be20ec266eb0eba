"""Features that were extracted before, found by what a video holds and not by what it is called.

A features file is named by the sha256 of the video's content and of all that was asked of it, so the copy or the new
name of a video is known, and another model or detector is not mistaken for the one at hand. What is kept is bounded:
beyond it the files that were not used for the longest time are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mtclar.data.whole import whole_file
from mtclar.environment import cache_root
from mtclar.errors import MtclarError
from mtclar.features.file import SUFFIX, read_features, read_origin, write_features
from mtclar.features.table import Features
from mtclar.video import Video

_STAMP = ("st_size", "st_mtime_ns", "st_ino", "st_dev")


def cache_folder() -> Path:
    """Where features are kept: `features` in the user's cache."""
    return cache_root() / "features"


def key_of(sha256: str, identity: Mapping[str, Any]) -> str:
    """The name under which features are kept, of a video's content and of all else that they follow from."""
    said = json.dumps(identity, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{sha256} {said}".encode()).hexdigest()


def find_features(
    sha256: str, identity: Mapping[str, Any], *, beside: Path | None = None, folder: Path | None = None
) -> Features | None:
    """Features that were made from the same content in the same way; None where there are none.

    Args:
        sha256: Of the video's content.
        identity: As `mtclar.features.extract.identity` has it.
        beside: A features file to look at first.
        folder: The cache; None for the user's.
    """
    for path in _candidates(sha256, identity, beside, folder):
        with suppress(MtclarError):  # damaged or of another version: it is made again
            features = read_features(path)
            with suppress(OSError):
                os.utime(path)  # used just now
            return features
    return None


def is_known(path: Path, identity: Mapping[str, Any], *, beside: Path | None = None) -> bool:
    """Whether features of a video file are there, as far as that can be told without reading the video."""
    sha256 = _remembered(path, cache_folder())
    return sha256 is not None and any(True for _ in _candidates(sha256, identity, beside, None))


def _candidates(sha256: str, identity: Mapping[str, Any], beside: Path | None, folder: Path | None) -> Iterator[Path]:
    """Features files that say that they were made from this content in this way."""
    kept = (folder or cache_folder()) / f"{key_of(sha256, identity)}{SUFFIX}"
    for path in (beside, kept):
        if path is None or not path.is_file():
            continue
        with suppress(MtclarError):
            if read_origin(path) == (sha256, dict(identity)):
                yield path


def keep_features(features: Features, *, most_gb: float, folder: Path | None = None) -> None:
    """Keeps features for later calls and removes what was used longest ago beyond `most_gb`; 0 keeps nothing.

    A cache that cannot be written is no reason to lose labels: then nothing is kept.
    """
    if most_gb <= 0:
        return
    folder = folder or cache_folder()
    key = key_of(features.video["sha256"], features.identity)
    with suppress(MtclarError, OSError):
        write_features(features, folder / f"{key}{SUFFIX}")
        _shrink(folder, most_gb * 1e9)


def known_sha256(video: Video, folder: Path | None = None) -> str:
    """sha256 of a video's content, remembered for a file that has not changed since, so that an hour is not read twice.

    A file counts as unchanged while its size, its time of change to the nanosecond, and its place on the disk are.
    """
    folder = folder or cache_folder()
    if not video.path.is_file():
        return video.sha256
    if (known := _remembered(video.path, folder)) is not None:
        return known
    stamp, sha256 = _stamp(video.path), video.sha256
    with suppress(MtclarError, OSError), whole_file(_note(video.path, folder)) as partial:
        partial.write_text(json.dumps({"stamp": stamp, "sha256": sha256}) + "\n", encoding="utf-8")
    return sha256


def _remembered(path: Path, folder: Path) -> str | None:
    """The sha256 that was noted of a file that has not changed since; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_note(path, folder).read_text(encoding="utf-8"))
        if kept["stamp"] == _stamp(path) and len(kept["sha256"]) == 64:
            return str(kept["sha256"])
    return None


def _note(path: Path, folder: Path) -> Path:
    """Where the sha256 of a file is noted."""
    return folder / "sha256" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()}.json"


def _stamp(path: Path) -> list[int]:
    """What changes when a file does."""
    found = path.resolve().stat()
    return [getattr(found, name) for name in _STAMP]


def _shrink(folder: Path, most: float) -> None:
    """Removes the files used longest ago until no more than so many bytes are left; the newest stays."""
    files = []
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(OSError):  # another process removed it
            found = path.stat()
            files.append((found.st_mtime_ns, found.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files)[:-1]:
        if total <= most:
            break
        with suppress(OSError):
            path.unlink()
            total -= size
