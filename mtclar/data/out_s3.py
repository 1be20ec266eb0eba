"""An output folder on S3: files are made in a temporary folder here and put whole, the index last.

There is no lock on S3, and needs none. Whoever puts the files of a video puts the manifest last, then looks whether all
are its own still, and if another call came between puts them all again: the one that puts last looks last, so its whole
set is there in the end. The index is made again if a video came while it was made, for the same reason.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from mtclar import storage
from mtclar.data.out_folder import LOG, STATE, Contents, OutFolder, failure, safe, write_json
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError

TRIES = 20
"""Two calls that put the same video again and again give up after this many times."""


def open_out(place: str | Path, verb: str) -> OutFolder:
    """The output folder at a local path or below an address `s3://bucket/prefix`; see `OutFolder`."""
    return S3OutFolder(str(place), verb) if storage.is_remote(place) else OutFolder(Path(place), verb)


class S3OutFolder(OutFolder):
    """As `OutFolder`, below an address on S3."""

    def __init__(self, uri: str, verb: str) -> None:
        self.uri = uri.rstrip("/")
        super().__init__(Path(), verb)

    def __enter__(self) -> S3OutFolder:
        self._put_json("tried", {})
        storage.remove(self._at(STATE, "tried"))
        for name in self._gone():
            storage.remove(self._at(STATE, self.failed, f"{safe(name)}.json"))
        self._here = scratch("out")
        self.path = self._here.__enter__()
        self.state = self.path / STATE
        return self

    @property
    def place(self) -> str:
        return self.uri

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_here"}  # stays with whoever entered

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._put_log()
            state = [file.uri for file in storage.list_files(self._at(STATE))]
            if all("-failed/" in uri.removeprefix(self._at(STATE)) for uri in state):
                for uri in state:
                    storage.remove(uri)
        finally:
            self._here.__exit__(kind, error, at)

    def manifest(self, name: str) -> dict[str, Any] | None:
        content = storage.read(self._at(STATE, self.verb, f"{safe(name)}.json"))
        return None if content is None else json.loads(content)

    def fetch(self, file: str) -> Path | None:
        uri = self._at(str(safe(file)))
        return storage.download(uri, (self.path / "fetched" / safe(file)).parent) if storage.exists(uri) else None

    def fail(self, name: str, sentence: str, place: str = "") -> None:
        self._put_json(f"{self.failed}/{safe(name)}.json", failure(name, sentence, place))

    def write_index(self, write: Callable[[Path, Contents], None]) -> None:
        for _ in range(TRIES):
            before = self._state_of_all()
            with scratch("index") as folder:
                write(folder, self.contents())
                taken = {file for kept in self._kept(self.verb) for file in kept["files"]}
                for file in sorted(folder.iterdir()):
                    if file.name not in taken:
                        storage.upload(file, self._at(file.name))
            if self._state_of_all() == before:
                return

    def log(self, text: str) -> str:
        super().log(text)
        return self._at(LOG)

    def _publish(self, part: Path, manifest: dict[str, Any], earlier: dict[str, Any] | None = None) -> None:
        place = safe(manifest["name"])
        kept = f"{self.verb}/{place}.json"
        made = {file: part / "files" / PurePosixPath(file).relative_to(place.parent) for file in manifest["files"]}
        for _ in range(TRIES):
            self._still(manifest["name"], earlier)
            if earlier is None:
                before = self.manifest(manifest["name"]) or manifest
                storage.remove(self._at(STATE, kept))
                for file in set(before["files"]) - set(manifest["files"]):
                    storage.remove(self._at(str(safe(file))))
            for file, path in made.items():
                if path.is_file():
                    storage.upload(path, self._at(file))
            self._put_json(kept, manifest)
            ours = all(self._holds(*file) for file in manifest["files"].items())
            if ours and self.manifest(manifest["name"]) == manifest:
                storage.remove(self._at(STATE, self.failed, f"{place}.json"))
                return
            time.sleep(random.uniform(0.1, 1))  # noqa: S311 (so that two calls do not go on in step)
        raise MtclarError(f"{self._at(str(place))}: another call writes the same video again and again; let it end.")

    def _holds(self, file: str, digest: str) -> bool:
        return storage.digest(self._at(file)) == digest

    def _shows(self, files: Iterable[str]) -> bool:
        return all(storage.exists(self._at(file)) for file in files)

    def _kept(self, kind: str) -> list[dict[str, Any]]:
        contents = [storage.read(file.uri) for file in storage.list_files(self._at(STATE, kind))]
        return sorted((json.loads(text) for text in contents if text is not None), key=lambda kept: kept["name"])

    def _state_of_all(self) -> set[storage.RemoteFile]:
        return {file for kind in (self.verb, self.failed) for file in storage.list_files(self._at(STATE, kind))}

    def _put_json(self, file: str, content: dict[str, Any]) -> None:
        with scratch("state") as folder:
            write_json(folder / "put.json", content)
            storage.upload(folder / "put.json", self._at(STATE, file))

    def _put_log(self) -> None:
        log = self.path / LOG
        if log.is_file():
            log.write_bytes((storage.read(self._at(LOG)) or b"") + log.read_bytes())
            storage.upload(log, self._at(LOG))

    def _at(self, *parts: str) -> str:
        return storage.join(self.uri, *parts)
