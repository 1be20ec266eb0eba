"""Outputs that appear whole or not at all, though several processes write to one place: written beside, then renamed.

What is being written lies in a folder of its own process, `NAME.PID-RANDOM.part`, which is locked (flock) for as long
as that process lives. So nobody touches the work of another, and what a killed process left is known and removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtclar.errors import MtclarError

PART = ".part"
_NAME_LENGTH = 40
"""Of a name, this many characters stand in the name of its part, so that long names stay names."""


@contextmanager
def whole_folder(out: Path, *, known_by: str) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends; after an error `out` is as it was.

    Of two processes that write the same folder the one that ends last is seen.

    Args:
        out: The folder to write; a link to one stays a link.
        known_by: A file that every such output holds. A folder that is not empty and has no such file is somebody
            else's and is left alone.

    Raises:
        MtclarError: `out` cannot be written, or holds something else.
    """
    refuse_foreign(out, known_by=known_by)
    given, out = out, out.resolve()
    try:
        with own_part(out.parent, out.name) as partial:
            yield partial
            if out.is_dir():
                shutil.rmtree(out)
            os.replace(partial, out)
    except OSError as error:
        raise unwritable(given, error) from error


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
    try:
        with own_part(path.parent, path.name) as folder:
            yield folder / path.name
            os.replace(folder / path.name, path)
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def own_part(parent: Path, name: str, *, private: bool = False) -> Iterator[Path]:
    """A new folder `parent/NAME.PID-RANDOM.part` of this process, which is gone when the block ends unless renamed.

    Parts of the same name that dead processes left are removed first. Where the file system knows no locks, nothing
    of others is removed. A `private` one is for the eyes of its user only.

    Raises:
        OSError: `parent` cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    remove_dead_parts(parent, name)
    part, lock = _new_part(parent, name, 0o700 if private else 0o777)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(lock)


def remove_dead_parts(parent: Path, name: str = "") -> None:
    """Removes the parts of `name`, or all, in `parent` whose processes have ended."""
    for path in list(parent.iterdir()):
        if path.name.startswith(name[:_NAME_LENGTH]) and path.name.endswith(PART) and path.is_dir():
            with suppress(OSError):
                handle = os.open(path, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
                finally:
                    os.close(handle)


def _new_part(parent: Path, name: str, mode: int) -> tuple[Path, int]:
    """A new part and the open file that locks it."""
    while True:
        part = parent / f"{name[:_NAME_LENGTH]}.{os.getpid()}-{secrets.token_hex(4)}{PART}"
        part.mkdir(mode)
        with suppress(FileNotFoundError):  # taken for a dead one between the two lines
            handle = os.open(part, os.O_RDONLY)
            with suppress(OSError):  # no locks here
                fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_open(handle, part):
                return part, handle
            os.close(handle)


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A new empty folder for files of the moment; one that a killed process left is removed by the next that asks."""
    with own_part(Path(tempfile.gettempdir()), f"mtclar-{name}", private=True) as folder:
        yield folder


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Waits until no other process or thread is in such a block for the same `path`, an empty file made if need be.

    Raises:
        BlockingIOError: One is, and `wait` is False.
        OSError: The file cannot be made.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise
        except OSError:
            pass  # no locks here
        if _is_open(handle, path):
            break
        os.close(handle)  # removed while we waited
    try:
        yield
    finally:
        os.close(handle)


_held: dict[Path, int] = {}
"""Folders that this process uses, and the open files that say so."""


def hold(folder: Path) -> bool:
    """Keeps `remove_unheld` from a folder until this process ends; False if the folder is not there."""
    if folder in _held and _is_open(_held[folder], folder):
        return True
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with suppress(OSError):  # no locks here
        fcntl.flock(handle, fcntl.LOCK_SH)
    if not _is_open(handle, folder):  # removed while we waited
        os.close(handle)
        return False
    _held[folder] = handle
    return True


def remove_unheld(path: Path) -> bool:
    """Removes a file or folder unless a process holds it; it is renamed first, so that nobody finds half of it.

    Returns:
        Whether it was removed.

    Raises:
        FileNotFoundError: It is not there.
        OSError: It cannot be removed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # no locks here
        if not _is_open(handle, path):
            raise FileNotFoundError(path)
        if path.is_dir():
            gone = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{PART}")
            os.replace(path, gone)
            shutil.rmtree(gone)
        else:
            path.unlink()
        return True
    finally:
        os.close(handle)


def _is_open(handle: int, path: Path) -> bool:
    """Whether the open file is the one that stands at `path`."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def unwritable(path: Path, error: OSError) -> MtclarError:
    """The sentence for an output that cannot be written."""
    return MtclarError(f"{path}: cannot be written ({error.strerror or error}); choose another --out.")
