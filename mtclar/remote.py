"""Whole folders on S3: what lies below an address fetched once into the user's cache, and an output put there whole.

A copy in the cache is known by what the listing says, so that what has changed there is fetched again, and appears
whole or not at all. An output is written into a folder of the cache and put when it is whole; while it is put, an
object `.mtclar-put` lies beside it, and the file that it is known by is missing until the end, so that nobody takes a
half or a mixture of two outputs for one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TypeVar

from mtclar.data.whole import hold, locked, scratch
from mtclar.environment import CACHE, cache_root
from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.storage import (
    SCHEME,
    SMALL,
    RemoteFile,
    below,
    digest,
    fetch,
    file_sha256,
    is_remote,
    join,
    list_files,
    read,
    remove,
    upload,
)

T = TypeVar("T")

AT_ONCE = 8
"""Files that are on their way at the same time; large ones go alone, in parts."""
FETCHING = ".fetching"
"""Ending of the folder in the cache that is not whole yet."""
PUTTING = ".mtclar-put"
"""Object that lies beside an output while it is put."""
LOOK_S = 1.0
"""So often it is looked whether another call has begun to put an output at the same address."""

_places: dict[str, str] = {}
"""Local folders of this process and the addresses they stand for."""


def shown(text: str) -> str:
    """A message in which the folders of the cache are called by the addresses they stand for."""
    for folder, uri in _places.items():
        text = text.replace(folder, uri)
    return text


def local_folder(place: str | Path, *, progress: Progress = silent) -> Path:
    """A folder as a local path: itself, or a copy of what lies below an address, fetched once and kept in the cache.

    Files that were fetched before a call was killed or failed are not fetched again. Processes that want the same
    folder at the same time wait for the one that fetches it. The copy stays while this process lives.

    Args:
        place: A local path, which is given back as it is, or an address; of one file, the copy is that file.
        progress: Called after each file.

    Raises:
        MtclarError: Nothing is there, it is an output that is not whole, a name would lead out of the folder, a file
            cannot be fetched or changes meanwhile, or the cache cannot be written.
    """
    if not is_remote(place):
        return Path(place)
    uri = str(place).rstrip("/")
    files = list_files(uri)
    if not files:
        raise MtclarError(f"{uri}: there is no file below this address; check the bucket and the prefix.")
    if any(file.uri == join(uri, PUTTING) for file in files):
        raise MtclarError(
            f"{uri}: an output is being put there, or that was cut short; wait, or run the step that writes it again."
        )
    files = [file for file in files if file.uri == uri] or files
    wanted = _paths(uri, files)
    said = "".join(f"{file.uri} {file.size} {file.etag}\n" for file in files)
    kept = cache_root() / "s3" / hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
    try:
        while not hold(kept):
            with locked(kept.parent / "locks" / kept.name):
                if not kept.is_dir():
                    _fetch_all(files, wanted, kept, progress)
        os.utime(kept)  # used just now
    except OSError as error:
        raise _no_cache(kept, error) from error
    only = kept / wanted[uri] if uri in wanted else kept
    _places[str(only)] = uri
    return only


def _paths(uri: str, files: Iterable[RemoteFile]) -> dict[str, str]:
    """Where each file goes below a folder, by its address.

    Raises:
        MtclarError: A name leads elsewhere, or is that of a file and of a folder.
    """
    start = 0 if uri == SCHEME else len(uri) + 1
    found = {file.uri: below(file.uri[start:] or PurePosixPath(uri).name, uri) for file in files}
    folders = {parent.as_posix() for name in found.values() for parent in PurePosixPath(name).parents}
    for name in found.values():
        if name in folders:
            raise MtclarError(f"{uri}: '{name}' is a file and a folder there, which cannot be here; rename one.")
    return found


def _fetch_all(files: list[RemoteFile], wanted: dict[str, str], kept: Path, progress: Progress) -> None:
    """Fetches what is missing; `kept` appears when all is there. Only under its lock."""
    fetching = kept.with_name(f"{kept.name}{FETCHING}")
    whole, opened = fetching / "files", fetching / "open"
    shutil.rmtree(opened, ignore_errors=True)  # what a killed process was writing
    opened.mkdir(parents=True)
    whole.mkdir(exist_ok=True)
    missing = [file for file in files if not _has(whole / wanted[file.uri], file.size)]
    before = len(files) - len(missing)

    def bring(numbered: tuple[int, RemoteFile]) -> None:
        number, file = numbered
        fetch(file, opened / str(number))
        path = whole / wanted[file.uri]
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(opened / str(number), path)

    _each(bring, list(enumerate(missing)), lambda one: one[1].size > SMALL,
          lambda done: progress(before + done, len(files), "files fetched"))  # fmt: skip
    os.replace(whole, kept)
    shutil.rmtree(fetching, ignore_errors=True)


@contextmanager
def written_folder(place: str | Path, *, known_by: str, put: bool = True) -> Iterator[Path]:
    """A local folder to write into, which is put at an address when the block ends; of a local path itself.

    What lay there and is not written again is removed. After an error nothing is changed there, unless the block has
    written an output all the same (a verdict that is no). The folder lies in the cache until all is put: a run that was
    killed goes on in it, and what could not be put is not lost.

    Args:
        place: A local path or an address.
        known_by: A file that every such output has.
        put: False for a process that only helps the one that writes.

    Raises:
        MtclarError: What lies there is somebody else's, another call writes there, or it cannot be written.
    """
    if not is_remote(place):
        yield Path(place)
        return
    uri = str(place).rstrip("/")
    home = cache_root() / "out" / hashlib.sha256(uri.encode("utf-8", "surrogateescape")).hexdigest()
    folder = home / "out"
    _places[str(folder)] = uri
    if not put:
        yield folder
        return
    ours = (join(uri, known_by), join(uri, PUTTING))
    if (there := list_files(uri)) and not any(file.uri in ours for file in there):
        raise MtclarError(
            f"{uri}: there are files and no {known_by}, so it is not an earlier output; choose another --out."
        )
    with _alone(uri, home):
        earlier = _stamp(folder / known_by)
        try:
            yield folder
        except MtclarError:
            if _stamp(folder / known_by) not in (None, earlier):
                _put(folder, uri, known_by)
                shutil.rmtree(folder)
            raise
        _put(folder, uri, known_by)
        shutil.rmtree(folder)


@contextmanager
def _alone(uri: str, home: Path) -> Iterator[None]:
    """The one process of this machine that writes an output for an address."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = locked(home / "lock", wait=False)
        lock.__enter__()
    except BlockingIOError:
        raise MtclarError(f"{uri}: another process of this machine writes there; wait until it has ended.") from None
    except OSError as error:
        raise _no_cache(home, error) from error
    try:
        yield
    finally:
        if not (home / "out").exists():
            shutil.rmtree(home, ignore_errors=True)
        lock.__exit__(None, None, None)


def _put(folder: Path, uri: str, known_by: str) -> None:
    """Puts all files of a folder, the one it is known by last."""
    if not (folder / known_by).is_file():
        raise MtclarError(f"{uri}: nothing was put there, for {known_by} was not written.")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    try:
        _put_files(files, uri, known_by)
    except MtclarError as error:
        raise MtclarError(f"{error} What was to be put is kept in {_unnamed(folder)}.") from error


def _put_files(files: dict[str, Path], uri: str, known_by: str) -> None:
    token, looked, lock = secrets.token_hex(16).encode(), time.monotonic(), Lock()

    def still_ours(*, now: bool = False) -> None:
        nonlocal looked
        with lock:
            if not now and time.monotonic() - looked < LOOK_S:
                return
            looked = time.monotonic()
        if read(join(uri, PUTTING)) != token:
            raise MtclarError(f"{uri}: another call puts an output at this address; choose another --out for one.")

    def send(name: str) -> None:
        still_ours()
        upload(files[name], join(uri, name))

    def check(name: str) -> None:
        if digest(join(uri, name)) != file_sha256(files[name]):
            raise MtclarError(f"{join(uri, name)}: is not what was put there; another call puts an output there too.")

    with scratch("put") as own:
        (own / "note").write_bytes(token)
        upload(own / "note", join(uri, PUTTING))
    remove(join(uri, known_by))
    others = [name for name in sorted(files) if name != known_by]
    _each(send, others, lambda name: files[name].stat().st_size > SMALL)
    expected = {join(uri, name) for name in (*files, PUTTING)}
    _each(lambda file: remove(file.uri), [file for file in list_files(uri) if file.uri not in expected])
    _each(check, others)
    still_ours(now=True)
    upload(files[known_by], join(uri, known_by))
    remove(join(uri, PUTTING))


def _each(
    call: Callable[[T], None],
    items: list[T],
    alone: Callable[[T], bool] = lambda item: False,
    told: Callable[[int], None] = lambda done: None,
) -> None:
    """Calls for each item, several at a time and then those that go alone; an error is raised when what has begun ends.

    `told` is called, in this thread, with how many are done.
    """
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        try:
            for done in as_completed([threads.submit(call, item) for item in items if not alone(item)]):
                done.result()
                told(count := count + 1)
        except BaseException:
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    for item in items:
        if alone(item):
            call(item)
            told(count := count + 1)


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino


def _unnamed(folder: Path) -> str:
    """The path of a folder, for a message that must not call it by its address."""
    _places.pop(str(folder), None)
    return str(folder)


def _no_cache(path: Path, error: OSError) -> MtclarError:
    return MtclarError(f"{path}: cannot be written ({error.strerror or error}); set {CACHE} to another folder.")
