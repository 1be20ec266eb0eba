"""From the name of a model in the registry to a bundle on this machine."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from mtclar.data.whole import locked
from mtclar.environment import CACHE
from mtclar.errors import MtclarError, brief
from mtclar.registry import tracking
from mtclar.registry.versions import Version, asked, of_alias, of_number, quoted
from mtclar.serving import Bundle
from mtclar.serving.default import bundle_cache
from mtclar.settings import RegisterSettings

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[\w-]+)|/(?P<number>\d+))")


def fetch_bundle(uri: str, settings: RegisterSettings, *, anew: bool = False) -> Path:
    """Brings a bundle from the registry onto this machine and checks it.

    Bundles are kept under `bundles` in the user's cache, each under its sha256, and are
    fetched once.

    Args:
        uri: `models:/NAME@ALIAS`, for example models:/mtclar@champion, or `models:/NAME/VERSION`.
        settings: The section `register` of params.yaml, for the address of the registry.
        anew: Fetch it even if it is kept here: what is judged then is what the registry holds now.

    Returns:
        Folder of the bundle.

    Raises:
        MtclarError: mlflow is not installed, the registry does not know the model, alias or version, or what it holds
            is not the bundle that was registered.
    """
    _parts(uri)
    mlflow = tracking.require(settings)
    version = find_version(mlflow.MlflowClient(), uri)
    if not version.bundle_sha:
        raise MtclarError(f"{uri}: {version} was not registered by 'mtclar register', so it has no bundle.")
    kept = bundle_cache() / version.bundle_sha
    return kept if not anew and _is_whole(kept, version) else _download(mlflow, uri, version, kept)


def find_version(client: Any, uri: str) -> Version:
    """The version that an address of the registry names.

    Raises:
        MtclarError: It is no such address, or the registry knows no such model, alias or version.
    """
    name, alias, number = _parts(uri)
    version = of_alias(client, name, alias) if alias else of_number(client, name, int(number or 0))
    if version is not None:
        return version
    with asked(f"read the model '{name}'"):
        known = client.search_registered_models(f"name = {quoted(name)}")
    if not known:
        raise MtclarError(f"{uri}: the registry knows no model '{name}'; run 'mtclar register' first.")
    if alias is None:
        raise MtclarError(f"{uri}: '{name}' has no version {number}.")
    aliases = ", ".join(f"{key} (version {value})" for key, value in sorted(known[0].aliases.items())) or "none"
    raise MtclarError(f"{uri}: '{name}' has no alias '{alias}'; its aliases: {aliases}.")


def is_address(text: str) -> bool:
    """Whether a text is meant as an address of the registry: it begins with `models:/`, or is one but for that."""
    return text.startswith("models:/") or _URI.fullmatch(f"models:/{text}") is not None


def _parts(uri: str) -> tuple[str, str | None, str | None]:
    """Name, alias and number in an address; one of the last two is None."""
    parts = _URI.fullmatch(uri)
    if parts is None:
        raise MtclarError(
            f"{uri}: expected models:/NAME@ALIAS or models:/NAME/VERSION, such as models:/mtclar@champion."
        )
    return parts["name"], parts["alias"], parts["number"]


def _is_whole(folder: Path, version: Version) -> bool:
    """Whether a folder holds the bundle of a version, every file as it was written."""
    try:
        return Bundle.load(folder).identity == version.bundle_sha
    except MtclarError:
        return False  # not fetched yet, or spoilt since


def _download(mlflow: Any, uri: str, version: Version, kept: Path) -> Path:
    """Fetches the files of a version; `kept` appears whole or not at all."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="fetch-", suffix=".part", dir=kept.parent))
    except OSError as error:
        raise MtclarError(f"{kept.parent}: cannot be written ({error.strerror}); set {CACHE}.") from error
    try:
        try:
            whole = Path(mlflow.artifacts.download_artifacts(version.uri, dst_path=str(scratch)))
        except Exception as error:  # besides mlflow's own, those of whatever client fetches the files
            raise MtclarError(f"{uri}: the files of {version} cannot be fetched ({brief(error)}).") from error
        found = sorted((whole / "artifacts").glob("*/bundle.json"))
        if not found:
            raise MtclarError(f"{uri}: {version} holds no bundle.json.")
        if Bundle.load(found[0].parent).identity != version.bundle_sha:
            raise MtclarError(f"{uri}: the bundle of {version} is not the one that was registered.")
        # Another process may bring it at the same time: what is whole stays, for somebody may be reading it.
        with locked(kept.parent / "locks" / kept.name):
            if not _is_whole(kept, version):
                shutil.rmtree(kept, ignore_errors=True)
                os.replace(found[0].parent, kept)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return kept
