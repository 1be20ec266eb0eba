"""Local paths and `s3://bucket/key`: what is there, bringing files here, putting whole files there.

S3 is any server with its interface. Who and where comes from the environment as every S3 tool reads it:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, and AWS_ENDPOINT_URL_S3 or
AWS_ENDPOINT_URL for a server that is not Amazon's. boto3 is imported when the first such address is used.

`mtclar.remote` does the same for whole folders.

An object of S3 is replaced at once or not at all. Each is put with its SHA-256, which the server checks and which is
kept beside it, so that what is read can be checked as well.
"""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mtclar.data.whole import scratch, whole_file
from mtclar.errors import MtclarError, brief

log = logging.getLogger(__name__)

SCHEME = "s3://"
TRIES = 5
"""A request that fails for a reason that may pass (no connection, a time-out, 5xx, a body cut short) is made so often,
after waits that double and vary (botocore's mode "standard"). That there are such reasons is said once."""
PART_TRIES = 3
"""So often a part of a large file is begun anew, because its body was cut short."""
CONNECT_S, READ_S = 10, 30
"""How long a connection, and the next bytes of an answer, are waited for."""
SMALL = 8 << 20
"""Bytes up to which a file is fetched by one request."""
_CUT = frozenset({"IncompleteReadError", "ResponseStreamingError", "ReadTimeoutError", "ConnectionResetError"})
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

    @property
    def quoted(self) -> str:
        """The etag as conditions of requests have it."""
        return f'"{self.etag}"'


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


def below(name: str, uri: str) -> str:
    """The name of a file as a path below a folder: a key may be any text, and must never lead elsewhere.

    Raises:
        MtclarError: It would lead elsewhere, or is no name that a file can have.
    """
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise MtclarError(f"{uri}: the file '{name}' has a name that is no path below a folder; rename it.")
    return name


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
        MtclarError: It is not there, cannot be read, did not arrive as it was put, or its name is none for a file.
    """
    file = find(uri)
    if file is None:
        raise MtclarError(f"{uri}: {_REASONS['404']}.")
    path = folder / below(PurePosixPath(split(uri)[1]).name, uri)
    with whole_file(path) as partial:
        fetch(file, partial)
    return path


def fetch(file: RemoteFile, path: Path) -> None:
    """Writes a file to `path`, in the version that was found or not at all; after an error `path` may hold a part.

    A small file is asked for once. A large one is fetched in parts, several at a time, and where the connection was cut
    only those parts that are missing are fetched again.

    Raises:
        MtclarError: It is not there any more or has changed, cannot be read, or did not arrive as it was put.
    """
    with _said(file.uri):
        for again in (True, False):
            try:
                sha256 = _in_parts(file, path) if file.size > SMALL else _at_once(file, path)
                if path.stat().st_size == file.size and sha256 in (None, file_sha256(path)):
                    return
            except Exception as error:
                if type(error).__name__ != "FlexibleChecksumError":
                    raise
            if again:
                _pause(1)
    raise MtclarError(f"{file.uri}: did not arrive as it was put, or changed meanwhile; try again.")


def _at_once(file: RemoteFile, path: Path) -> str | None:
    """Fetches a file by one request; returns the sha256 that was put beside it."""
    data, metadata = _get(file.uri, IfMatch=file.quoted)
    path.write_bytes(data)
    return metadata.get("sha256")


def _in_parts(file: RemoteFile, path: Path) -> str | None:
    """Fetches a file in parts, all of the version that was found; returns the sha256 that was put beside it."""
    from s3transfer.manager import TransferConfig, TransferManager
    from s3transfer.subscribers import BaseSubscriber

    class Known(BaseSubscriber):  # type: ignore[misc]
        def on_queued(self, future: Any, **_: Any) -> None:
            future.meta.provide_transfer_size(file.size)
            future.meta.provide_object_etag(file.quoted)

    bucket, key = split(file.uri)
    head = _client().head_object(Bucket=bucket, Key=key, IfMatch=file.quoted)
    with TransferManager(_client(), TransferConfig(num_download_attempts=PART_TRIES)) as manager:
        manager.download(bucket, key, str(path), subscribers=[Known()]).result()
    return head["Metadata"].get("sha256")


def _get(uri: str, **conditions: str) -> tuple[bytes, dict[str, str]]:
    """Content and metadata of a file or a part of one; a body that is cut short is asked for again."""
    bucket, key = split(uri)
    for turn in range(TRIES):
        answer = _client().get_object(Bucket=bucket, Key=key, **conditions)  # which botocore tries again
        try:
            return answer["Body"].read(), answer["Metadata"]
        except Exception as error:
            if turn == TRIES - 1 or type(error).__name__ not in _CUT:
                raise
        _say_once()
        _pause(turn)
    raise AssertionError


def _pause(turn: int) -> None:
    """Waits before the next try, longer each time and not in step with others."""
    time.sleep(random.uniform(0, 0.1 * 2**turn))  # noqa: S311 - no secret


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
    with _said(uri):
        try:
            return _get(uri)[0]
        except _client().exceptions.ClientError as error:  # a server may say no more than 404
            if error.response["Error"]["Code"] in _NOT_FOUND:
                return None
            raise


def remove(uri: str) -> None:
    """Removes a file, if it is there.

    Raises:
        MtclarError: That is not allowed.
    """
    bucket, key = split(uri)
    with _said(uri):
        _client().delete_object(Bucket=bucket, Key=key)


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
        with _said(self.uri):
            data, _ = _get(self.uri, Range=f"bytes={self._at}-{self._at + wanted - 1}", IfMatch=self._etag)
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
    client = boto3.session.Session().client("s3", config=config)
    client.meta.events.register("before-send.s3", _notice)
    _said_before.clear()
    return client


_said_before: list[bool] = []


def _notice(request: Any, **_: Any) -> None:
    """Says once that a request is not the first of its kind, from the header that botocore gives it."""
    attempt = request.headers.get("amz-sdk-request", b"")
    attempt = attempt.decode("latin-1") if isinstance(attempt, bytes) else attempt
    if attempt and not attempt.startswith("attempt=1"):
        _say_once()


def _say_once() -> None:
    if not _said_before:
        _said_before.append(True)
        log.warning("S3 cannot be reached or does not answer as it should; trying again")


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
    except Exception as error:  # some of botocore's errors are an OSError too
        if type(error).__module__.split(".")[0] not in {"botocore", "boto3", "s3transfer"}:
            raise
        cause = error.__context__ if type(error).__name__ == "S3UploadFailedError" and error.__context__ else error
        response = getattr(cause, "response", None) or {}
        code = response.get("Error", {}).get("Code") or type(cause).__name__
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _REASONS:
            reason = _REASONS[code]
        elif status >= 500:
            reason = f"S3 answered {code} each time it was asked; try later"
        else:
            reason = f"S3 answered {code} ({_without_keys(brief(cause))})"
        raise MtclarError(f"{uri}: {reason}.") from error


def _without_keys(text: str) -> str:
    """The text without the keys of the environment, whatever a server repeats of them."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        if value := os.environ.get(name):
            text = text.replace(value, "...")
    return text
