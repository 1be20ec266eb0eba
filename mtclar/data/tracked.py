"""A folder that DVC tracks, taken from a DVC remote by whoever has no DVC.

DVC keeps a file under its md5, as `files/md5/ab/cdef...`, in its cache and in a remote alike. A folder is a JSON
listing of the md5 and the name of each of its files, kept under the listing's own md5 with `.dir` behind it; the `.dvc`
file beside the folder names that listing. The hook that builds a wheel uses this module too (hatch_build.py), so it
imports little.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from mtclar.errors import MtclarError

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def tracked_md5(pointer: Path) -> str:
    """What a .dvc file says its folder is: an md5 with `.dir` behind it.

    Raises:
        MtclarError: The file cannot be read, or is not that of a folder.
    """
    try:
        md5 = str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise MtclarError(f"{pointer}: expected the file that 'dvc add' writes of a folder ({reason}).") from error
    if not (_MD5.fullmatch(md5) and md5.endswith(".dir")):
        raise MtclarError(f"{pointer}: expected the md5 of a folder, ending on .dir, got '{md5}'.")
    return md5


def tracked_files(pointer: Path, remote: Path) -> dict[str, Path]:
    """Where a remote in a folder keeps each file of the folder that `pointer` tracks.

    Args:
        pointer: The .dvc file.
        remote: Folder of the remote, or DVC's cache.

    Returns:
        Paths in the remote by name; a file in a folder below has slashes in its name.

    Raises:
        MtclarError: The remote lacks a file, or its listing is not what `pointer` names.
    """
    md5 = tracked_md5(pointer)
    path = _kept(remote, md5)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MtclarError(f"{path}: the listing that {pointer} names cannot be read ({error.strerror}).") from error
    if _md5(data) != md5.removesuffix(".dir"):
        raise MtclarError(f"{path}: changed since it was pushed (its md5 differs); fetch the repository again.")
    try:
        files = {str(item["relpath"]): _kept(remote, str(item["md5"])) for item in json.loads(data)}
    except (ValueError, KeyError, TypeError) as error:
        raise MtclarError(f"{path}: not a listing of DVC ({error}).") from error
    for name, kept in files.items():
        place = PurePosixPath(name)
        if place.is_absolute() or not place.parts or ".." in place.parts:
            raise MtclarError(f"{path}: names a file outside its folder, '{name}'.")
        if not kept.is_file():
            raise MtclarError(f"{kept}: {name} of {pointer} is not in the remote; fetch the repository again.")
    return files


def copy_tracked(files: Mapping[str, Path], folder: Path) -> None:
    """Copies what `tracked_files` found into an existing folder, each file checked against its md5.

    Raises:
        MtclarError: A file changed since it was pushed.
        OSError: A file cannot be read or written.
    """
    for name, kept in files.items():
        data = kept.read_bytes()
        if _md5(data) != kept.parent.name + kept.name:
            raise MtclarError(f"{kept}: changed since it was pushed (its md5 differs); fetch the repository again.")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _kept(remote: Path, md5: str) -> Path:
    if not _MD5.fullmatch(md5):
        raise MtclarError(f"{remote}: '{md5}' is no md5 of DVC.")
    return remote / "files" / "md5" / md5[:2] / md5[2:]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
