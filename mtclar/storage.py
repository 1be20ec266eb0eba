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
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mtclar.data.whole import scratch, whole_file
from mtclar.errors import MtclarError, brief

SCHEME = "s3://"
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
    "ParamValidationError": "this is no valid bucket or key",
}
_REASONS |= dict.fromkeys(("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"), _REASONS["403"])
_REASONS |= dict.fromkeys(("NoSuchKey", "NotFound"), _REASONS["404"])
_REASONS |= dict.fromkeys(("ConnectTimeoutError", "ReadTimeoutError"), _REASONS["EndpointConnectionError"])


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
    return boto3.session.Session().client("s3", config=Config(connect_timeout=10))


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
