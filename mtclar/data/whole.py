"""Outputs that appear whole or not at all: written beside, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtclar.errors import MtclarError


@contextmanager
def whole_folder(out: Path, *, known_by: str) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends; after an error `out` is as it was.

    Args:
        out: The folder to write; a link to one stays a link.
        known_by: A file that every such output holds. A folder that is not empty and has no such file is somebody
            else's and is left alone.

    Raises:
        MtclarError: `out` cannot be written, or holds something else.
    """
    refuse_foreign(out, known_by=known_by)
    given, out = out, out.resolve()
    partial = out.with_name(out.name + ".part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if out.is_dir():
            shutil.rmtree(out)
        os.replace(partial, out)
    except OSError as error:
        raise unwritable(given, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_foreign(out: Path, *, known_by: str) -> None:
    """Refuses what `whole_folder` would refuse, for work that takes hours before it comes to that.

    Raises:
        MtclarError: `out` is the working folder or one above it, is not empty and has no file `known_by`, or cannot be
            looked into.
    """
    given, out = out, out.resolve()
    if Path.cwd().is_relative_to(out):
        raise MtclarError(f"{given}: the output would take the place of the working folder; choose another --out.")
    try:
        if out.is_dir() and not (out / known_by).is_file() and any(out.iterdir()):
            raise MtclarError(
                f"{given}: is not empty and holds no {known_by}, so it is not an earlier output; choose another --out."
            )
    except OSError as error:
        raise unwritable(given, error) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to it when the block ends; after an error `path` is as it was.

    Raises:
        MtclarError: `path` cannot be written.
    """
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def unwritable(path: Path, error: OSError) -> MtclarError:
    """The sentence for an output that cannot be written."""
    return MtclarError(f"{path}: cannot be written ({error.strerror or error}); choose another --out.")
