"""Local paths and `s3://bucket/key`: what is there, bringing files here, putting whole files there.

S3 is any server with its interface. Who and where comes from the environment as every S3 tool reads it:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, and AWS_ENDPOINT_URL_S3 or
AWS_ENDPOINT_URL for a server that is not Amazon's. boto3 is imported when the first such address is used.

An object of S3 is replaced at once or not at all. Each is put with its SHA-256, which the server checks and which is
kept beside it, so that what is read can be checked as well.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import random
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mtclar.data.whole import locked, scratch, unwritable, whole_file
from mtclar.environment import cache_root
from mtclar.errors import MtclarError, brief

SCHEME = "s3://"
TRIES = 5
"""A request that fails for a reason that may pass (no connection, a time-out, 5xx, a body cut short) is made so often,
after waits that double and vary (botocore's mode "standard"); so is each part of a large file."""
CONNECT_S, READ_S = 10, 60
"""How long a connection, and the next bytes of an answer, are waited for."""
SMALL = 8 << 20
"""Bytes up to which a file is fetched by one request."""
_CUT = frozenset({"IncompleteReadError", "ResponseStreamingError", "ReadTimeoutError", "ConnectionResetError"})
AT_ONCE = 8
"""Files of a folder that are on their way at the same time."""
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
_REASONS = {
    "403": "access was refused; check the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and what they may do",
    "404": "it is not there; check the bucket and the key",
    "NoSuchBucket": "there is no such bucket; check its name and AWS_ENDPOINT_URL",
    "NoCredentialsError": "no keys were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PartialCredentialsError": "one of the two keys is missing; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "AWS_PROFILE names a profile that does not exist",
    "EndpointConnectionError": "the server cannot be reached; check AWS_ENDPOINT_URL and the network",
    "ExpiredToken": "the session token has expired; get a new one",
    "PreconditionFailed": "it was changed while it was read; try again",
    "S3DownloadFailedError": "it was changed while it was read; try again",
    "412": "it was changed while it was read; try again",
    "BadDigest": "it did not arrive as it was sent; try again",
    "RetriesExceededError": "it could not be read to its end, though it was tried again; try later",
    "IncompleteReadError": "it could not be read to its end, though it was tried again; try later",
    "ResponseStreamingError": "it could not be read to its end, though it was tried again; try later",
    "ParamValidationError": "this is no valid bucket or key",
}
_REASONS |= dict.fromkeys(("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"), _REASONS["403"])
_REASONS |= dict.fromkeys(("NoSuchKey", "NotFound"), _REASONS["404"])
_LOST = ("ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "HTTPClientError")
_REASONS |= dict.fromkeys(_LOST, _REASONS["EndpointConnectionError"])


@dataclass(frozen=True)
class RemoteFile:
    """A file on S3.

    Attributes:
        uri: Its address.
        size: Bytes.
        etag: Changes whenever the content does; not a checksum of it.
    """

    uri: str
    size: int
    etag: str


def is_remote(place: str | os.PathLike[str]) -> bool:
    """Whether this is an address on S3 and not a local path."""
    return str(place).startswith(SCHEME)


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an address.

    Raises:
        MtclarError: It names no bucket.
    """
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not is_remote(uri) or not bucket:
        raise MtclarError(f"{uri}: expected an address such as s3://bucket/folder/clip.mp4.")
    return bucket, key


def join(uri: str, *parts: str) -> str:
    """The address `parts` below `uri`."""
    return "/".join([uri.rstrip("/"), *parts])


def list_files(prefix: str) -> list[RemoteFile]:
    """The files below an address, as below a folder, in order of their addresses; or the one file it names.

    Raises:
        MtclarError: The bucket is not there, cannot be reached or may not be read.
    """
    bucket, key = split(prefix)
    folder = f"{key.rstrip('/')}/" if key else ""
    with _said(prefix):
        pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key.rstrip("/"))
        found = [item for page in pages for item in page.get("Contents", ())]
    return [
        RemoteFile(f"{SCHEME}{bucket}/{item['Key']}", item["Size"], item["ETag"].strip('"'))
        for item in found
        if (item["Key"] == key or item["Key"].startswith(folder)) and not item["Key"].endswith("/")
    ]


def find(uri: str) -> RemoteFile | None:
    """The file at an address, or None.

    Raises:
        MtclarError: The server cannot be reached or may not be asked.
    """
    head = _head(uri)
    return None if head is None else RemoteFile(uri, head["ContentLength"], head["ETag"].strip('"'))


def exists(place: str | Path) -> bool:
    """Whether there is something at a local path, or a file at an address."""
    return find(str(place)) is not None if is_remote(place) else Path(place).exists()


def digest(uri: str) -> str | None:
    """The sha256 that was put beside a file, in hexadecimal; None without the file or where another tool put it."""
    head = _head(uri)
    return None if head is None else head["Metadata"].get("sha256")


def download(uri: str, folder: Path) -> Path:
    """Brings a file into `folder` under its own name, whole or not at all; returns where it is.

    Raises:
        MtclarError: It is not there, cannot be read, or did not arrive as it was put.
    """
    bucket, key = split(uri)
    path = folder / PurePosixPath(key).name
    with whole_file(path) as partial, _said(uri):
        client = _client()
        head = client.head_object(Bucket=bucket, Key=key)
        client.download_file(bucket, key, str(partial))
        kept = head["Metadata"].get("sha256")
        if partial.stat().st_size != head["ContentLength"] or (kept and kept != file_sha256(partial)):
            raise MtclarError(f"{uri}: did not arrive as it was put, or changed meanwhile; try again.")
    return path


def upload(path: Path, uri: str) -> None:
    """Puts a whole file at an address; the server compares its SHA-256 with what arrives.

    Raises:
        MtclarError: It cannot be written.
    """
    bucket, key = split(uri)
    extra = {"ChecksumAlgorithm": "SHA256", "Metadata": {"sha256": file_sha256(path)}}
    with _said(uri):
        _client().upload_file(str(path), bucket, key, ExtraArgs=extra)


def read(uri: str) -> bytes | None:
    """The content of a small file, or None if it is not there.

    Raises:
        MtclarError: It cannot be read.
    """
    bucket, key = split(uri)
    with _said(uri):
        client = _client()
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except client.exceptions.NoSuchKey:
            return None


def remove(uri: str) -> None:
    """Removes a file, if it is there.

    Raises:
        MtclarError: That is not allowed.
    """
    bucket, key = split(uri)
    with _said(uri):
        _client().delete_object(Bucket=bucket, Key=key)


def local_folder(place: str | Path) -> Path:
    """A folder as a local path: itself, or a copy of what lies below an address, fetched once and kept in the cache.

    The copy is known by what the listing says (names, sizes, versions), so what has changed there is fetched again. It
    appears whole or not at all; files that were fetched before a call was killed are not fetched again. Processes that
    want the same folder at the same time wait for the one that fetches it.

    Args:
        place: A local path, which is given back as it is, or an address.

    Raises:
        MtclarError: Nothing is there, a name would lead out of the folder, or a file cannot be fetched.
    """
    if not is_remote(place):
        return Path(place)
    uri = str(place).rstrip("/")
    files = list_files(uri)
    if not files:
        raise MtclarError(f"{uri}: there is no file below this address; check the bucket and the prefix.")
    wanted = {
        file.uri: _below(file.uri.removeprefix(uri).lstrip("/") or PurePosixPath(uri).name, uri) for file in files
    }
    said = "".join(f"{file.uri} {file.size} {file.etag}\n" for file in files)
    kept = cache_root() / "s3" / hashlib.sha256(said.encode()).hexdigest()
    fetching = kept.with_name(f"{kept.name}.fetching")
    try:
        with locked(kept.parent / "locks" / kept.name):
            if not kept.is_dir():
                missing = [file for file in files if not _has(fetching / wanted[file.uri], file.size)]
                _each(lambda file: _fetch(file, fetching / wanted[file.uri]), missing)
                ours = {fetching / name for name in wanted.values()}
                for path in [path for path in fetching.rglob("*") if path.is_file() and path not in ours]:
                    path.unlink()  # what a killed process was writing
                os.replace(fetching, kept)
        os.utime(kept)  # used just now
    except OSError as error:
        raise unwritable(kept, error) from error
    return kept


@contextmanager
def written_folder(place: str | Path, *, known_by: str, put: bool = True) -> Iterator[Path]:
    """A local folder to write into, which is put at an address when the block ends; of a local path itself.

    The file `known_by` is taken away there before anything else changes and put last, so nobody takes a mixture of two
    outputs for one. What else lay there and is not written again is removed. After an error nothing is changed there.

    Args:
        place: A local path or an address.
        known_by: A file that every such output has.
        put: False for a process that only helps the one that writes.

    Raises:
        MtclarError: What lies there is somebody else's, or it cannot be written.
    """
    if not is_remote(place):
        yield Path(place)
        return
    uri = str(place).rstrip("/")
    before = list_files(uri)
    if before and not any(file.uri == join(uri, known_by) for file in before):
        raise MtclarError(
            f"{uri}: there are files and no {known_by}, so it is not an earlier output; choose another --out."
        )
    with scratch("out") as folder:
        yield folder / "out"
        if put:
            _put(folder / "out", uri, known_by, before)


def _put(folder: Path, uri: str, known_by: str, before: Iterable[RemoteFile]) -> None:
    """Puts all files of a folder, the one it is known by last."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not (folder / known_by).is_file():
        raise MtclarError(f"{uri}: nothing was put there, for {known_by} was not written.")
    remove(join(uri, known_by))
    last = [path for path in files if path == folder / known_by]
    for group in ([path for path in files if path not in last], last):
        _each(lambda path: upload(path, join(uri, path.relative_to(folder).as_posix())), group)
    ours = {join(uri, path.relative_to(folder).as_posix()) for path in files}
    _each(lambda file: remove(file.uri), [file for file in before if file.uri not in ours])


def _each(call: Any, items: Iterable[Any]) -> None:
    """Calls for each item, several at a time; the first error is raised when those that have begun are done."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        done = [threads.submit(call, item) for item in items]
        try:
            for each in done:
                each.result()
        except BaseException:
            for each in done:
                each.cancel()
            raise


def _fetch(file: RemoteFile, path: Path) -> None:
    """One file of a folder, to its place: a large one in parts, a small one by one request."""
    if file.size > SMALL:
        os.replace(download(file.uri, path.parent), path)
        return
    bucket, key = split(file.uri)
    with _said(file.uri):
        for turn in range(TRIES):
            try:
                answer = _client().get_object(Bucket=bucket, Key=key)
                data = answer["Body"].read()
                break
            except Exception as error:  # a body cut short, which botocore does not ask for again
                if turn == TRIES - 1 or type(error).__name__ not in _CUT:
                    raise
                time.sleep(random.uniform(0, 0.1 * 2**turn))  # noqa: S311 - no secret
    sha256 = answer["Metadata"].get("sha256")
    if len(data) != file.size or (sha256 and sha256 != hashlib.sha256(data).hexdigest()):
        raise MtclarError(f"{file.uri}: did not arrive as it was put, or changed meanwhile; try again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    os.replace(beside, path)


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _below(name: str, uri: str) -> str:
    """A name as a path below a folder.

    Raises:
        MtclarError: It would lead elsewhere.
    """
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise MtclarError(f"{uri}: the file '{name}' has a name that is no path below a folder; rename it.")
    return name


class RemoteReader(io.RawIOBase):
    """A file on S3 to read from anywhere in it, for what needs a few bytes of a large one.

    Raises:
        MtclarError: It is not there or cannot be read.
    """

    def __init__(self, uri: str) -> None:
        head = _head(uri)
        if head is None:
            raise MtclarError(f"{uri}: {_REASONS['404']}.")
        self.uri, self.size, self._etag, self._at = uri, int(head["ContentLength"]), head["ETag"], 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self.size - self._at)
        if wanted <= 0:
            return 0
        bucket, key = split(self.uri)
        with _said(self.uri):
            part = f"bytes={self._at}-{self._at + wanted - 1}"
            data = _client().get_object(Bucket=bucket, Key=key, Range=part, IfMatch=self._etag)["Body"].read()
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


@contextmanager
def local(place: str | Path) -> Iterator[Path]:
    """A file as a local path: itself, or a copy in a temporary folder that is gone when the block ends.

    Raises:
        MtclarError: A remote file is not there or cannot be read.
    """
    if not is_remote(place):
        yield Path(place)
        return
    with scratch("in") as folder:
        yield download(str(place), folder)


def file_sha256(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _client() -> Any:
    """The client of this process."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise MtclarError("addresses with s3:// need the package boto3: pip install 'mtclar[s3]'.") from error
    retries: dict[str, Any] = {"mode": "standard"}
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        retries["total_max_attempts"] = TRIES
    config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=retries, max_pool_connections=32)
    return boto3.session.Session().client("s3", config=config)


def _head(uri: str) -> dict[str, Any] | None:
    """What the server says of a file; None if it is not there."""
    bucket, key = split(uri)
    if not key:
        return None
    with _said(uri):
        client = _client()
        try:
            return client.head_object(Bucket=bucket, Key=key)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return None
            raise


@contextmanager
def _said(uri: str) -> Iterator[None]:
    """Turns what boto3 raises into a sentence; keys and signatures are in none of them."""
    try:
        yield
    except (MtclarError, OSError):
        raise
    except Exception as error:
        cause = error.__context__ if type(error).__name__ == "S3UploadFailedError" and error.__context__ else error
        response = getattr(cause, "response", None) or {}
        code = response.get("Error", {}).get("Code") or type(cause).__name__
        if type(error).__module__.split(".")[0] not in {"botocore", "boto3", "s3transfer"}:
            raise
        raise MtclarError(f"{uri}: {_REASONS.get(code) or f'S3 answered {code} ({brief(cause)})'}.") from error
