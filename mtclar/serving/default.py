"""The model that ships: where its bundle lies, or from where it comes.

A wheel holds it. In a checkout it lies there after `dvc pull`; where nobody pulled, it is taken from the checkout's own
DVC remote into the user's cache, under its md5, so that a newer checkout finds its newer model and nothing of the
checkout changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mtclar.data.tracked import copy_tracked, tracked_files, tracked_md5
from mtclar.environment import CACHE, cache_root
from mtclar.errors import MtclarError
from mtclar.serving.manifest import check_files, read_facts

NAME = "default"
"""What `--model` calls it."""

_PACKAGE = Path(__file__).parents[1]
PLACE = _PACKAGE / "shipped" / NAME
STORES = (_PACKAGE.parent / "dvc-remote", _PACKAGE.parent / ".dvc" / "cache")
"""Where a checkout keeps what DVC tracks, both laid out alike."""


def default_bundle() -> Path:
    """The folder of the bundle that ships.

    Raises:
        MtclarError: It is nowhere, or what is there is damaged.
    """
    return find_bundle(PLACE, STORES, bundle_cache())


def find_bundle(place: Path, stores: Sequence[Path], cache: Path) -> Path:
    """The bundle at `place`, or a copy under `cache` of what `place`.dvc names, made once.

    Args:
        place: Where a wheel or `dvc pull` puts it.
        stores: Folders to look in, each a remote or a cache of DVC; the first that holds all files serves.
        cache: Folder for copies, each under its md5.

    Raises:
        MtclarError: There is no such bundle, it is damaged, or `cache` cannot be written.
    """
    pointer = place.with_name(place.name + ".dvc")
    try:
        return _whole(place)
    except MtclarError as error:
        if not pointer.is_file():
            said = str(error) if place.is_dir() else f"{place}: the model that ships with mtclar is not there"
            raise MtclarError(
                f"{said.rstrip('.')}; install mtclar again, or name another model with --model."
            ) from error
    kept = cache / tracked_md5(pointer).removesuffix(".dir")
    try:
        return _whole(kept)
    except MtclarError:
        pass  # not taken yet, or spoilt since
    return _take(_found(pointer, stores), kept)


def bundle_cache() -> Path:
    """Where bundles from elsewhere are kept: `bundles` in the user's cache."""
    return cache_root() / "bundles"


def _whole(folder: Path) -> Path:
    """`folder`, if it holds a bundle whose every file is as it was written."""
    facts, _ = read_facts(folder)
    check_files(folder, facts)
    return folder


def _found(pointer: Path, stores: Sequence[Path]) -> dict[str, Path]:
    reasons = []
    for store in stores:
        try:
            return tracked_files(pointer, store)
        except MtclarError as error:
            reasons.append(str(error))
    raise MtclarError(f"the model that ships cannot be had: {reasons[0].rstrip('.')}; run 'dvc pull'.")


def _take(files: dict[str, Path], kept: Path) -> Path:
    """Copies the files to `kept`, which appears whole; another process may do the same at the same time."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="default-", suffix=".part", dir=kept.parent) as scratch:
            made = Path(scratch) / kept.name
            made.mkdir()
            copy_tracked(files, made)
            _whole(made)
            try:
                os.rename(made, kept)
            except OSError:
                try:
                    return _whole(kept)  # the other process was quicker
                except MtclarError:
                    shutil.rmtree(kept, ignore_errors=True)
                    os.rename(made, kept)
    except OSError as error:
        raise MtclarError(
            f"{kept.parent}: the model that ships cannot be copied there ({error.strerror or error}); set "
            f"{CACHE} to a folder that can be written, or run 'dvc pull'."
        ) from error
    return kept
