"""A folder that several calls may write into at once: the files of one video appear together, and an index of all.

Besides the files for people the folder holds `.mtclar/`:

    VERB/NAME.json      the manifest of a video: its files with their sha256, and what they follow from
    VERB-failed/NAME.json    why a video could not be done, until it is
    lock                held (flock) by whoever moves files into the folder
    NAME.*.part         what a process is making; removed when that process is dead
    NAME.*.ready        what was whole and is being moved; whoever takes the lock next ends the move

A set of files is made in a part of its own. It counts from the moment the part is renamed to `.ready`, under the lock:
what is killed before has changed nothing, what is killed after is moved by the next call. So of two calls that make
the same video the last whole set is there, never files of both.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from mtclar import __version__
from mtclar.data.whole import PART, locked, own_part, remove_dead_parts, unwritable
from mtclar.errors import MtclarError
from mtclar.storage import exists, file_sha256, is_remote

STATE = ".mtclar"
READY = ".ready"
LOG = "failures.log"
_MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


@dataclass
class Stage:
    """Where the files of one video are made, and what their manifest says; all of it plain JSON.

    Attributes:
        path: An empty folder of its own.
        inputs: What the files follow from (sha256 of the video, anchors, settings, model). A later call with the same
            inputs need not make them again.
        row: What an index says of the video.
        source: Where the video was read from, where that tells whether it has changed since.
    """

    path: Path
    inputs: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """All that stands in a folder, whoever wrote it.

    Attributes:
        rows: What the index says of each video that is done, by its name, in order of names.
        failed: Why others could not be done: one sentence each by name.
    """

    rows: dict[str, dict[str, Any]]
    failed: dict[str, str]


class OutFolder:
    """A folder to write into.

    Entered, it is tried at once, so that nobody waits for labels that cannot be written; and left, it is gone again if
    nothing came of it. It may be sent to other processes, which make their files in it without entering it again.

    Example:
        with OutFolder(Path("labels"), "label") as folder:
            if folder.finished("clip", inputs) is None:
                with folder.stage("clip") as stage:
                    (stage.path / "clip.va.csv").write_text(text)
                    stage.inputs, stage.row = inputs, {"frames": 250}
            folder.write_index(lambda path, contents: (path / "index.html").write_text(page(contents.rows)))
    """

    def __init__(self, path: Path, verb: str) -> None:
        """`verb`: what makes the files; the videos of each verb have their own manifests."""
        self.path, self.verb = path, verb
        self.state = path / STATE
        self._made = False

    @property
    def place(self) -> str:
        """The path or address of the folder, for people."""
        return str(self.path)

    @property
    def failed(self) -> str:
        """Where failures are kept."""
        return f"{self.verb}-failed"

    def __enter__(self) -> OutFolder:
        self._made = not self.path.exists()
        with self._said(), self._locked():
            remove_dead_parts(self.state)
            for name in self._gone():
                (self.state / self.failed / f"{safe(name)}.json").unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError), self._locked():
            remove_dead_parts(self.state)
            busy = any(path.name.endswith(PART) for path in self.state.iterdir())
            done = any("-failed" not in path.relative_to(self.state).parts[0] for path in self.state.rglob("*.json"))
            if not busy and not done:
                shutil.rmtree(self.state)
                if self._made:
                    self.path.rmdir()  # fails where it is not empty

    @contextmanager
    def stage(self, name: str, *, adds: bool = False) -> Iterator[Stage]:
        """A place for the files of the video `name`; left without an error, they take the place of earlier ones.

        Of a name with folders ("monday/clip") the files go into that folder. With `adds` earlier files of the video
        that are not made again stay and count as part of the set.

        Raises:
            MtclarError: They cannot be written; or another call has made the earlier files anew meanwhile.
        """
        place = safe(name)
        earlier = self.manifest(name) if adds else None
        with self._said(), own_part(self.state, place.name) as part:
            stage = Stage(part / "files")
            stage.path.mkdir()
            yield stage
            files = sorted(path for path in stage.path.rglob("*") if path.is_file())
            manifest = {
                "schema_version": SCHEMA_VERSION,
                "tool_version": __version__,
                "verb": self.verb,
                "name": name,
                "files": (earlier["files"] if earlier else {})
                | {
                    (place.parent / path.relative_to(stage.path).as_posix()).as_posix(): file_sha256(path)
                    for path in files
                },
                "inputs": stage.inputs,
                "row": stage.row,
                "source": stage.source,
            }
            manifest = _plain(manifest)
            write_json(part / _MANIFEST, manifest)
            self._publish(part, manifest, earlier)

    def finished(self, name: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """What `row` said of a video made earlier by this version from the same inputs, if its files are unchanged."""
        manifest = self.manifest(name)
        if manifest is None or manifest["tool_version"] != __version__ or manifest["inputs"] != _plain(inputs):
            return None
        return manifest["row"] if all(self._holds(*file) for file in manifest["files"].items()) else None

    def manifest(self, name: str) -> dict[str, Any] | None:
        """The manifest of a video that is done."""
        return _read(self.state / self.verb / f"{safe(name)}.json")

    def manifests(self) -> list[dict[str, Any]]:
        """The manifests of all videos that are done, in order of their names."""
        return [kept for kept in self._kept(self.verb) if self._shows(kept["files"])]

    def fetch(self, file: str) -> Path | None:
        """Where a file of this folder can be read, if it is there."""
        path = self.path / safe(file)
        return path if path.is_file() else None

    def fail(self, name: str, sentence: str, place: str = "") -> None:
        """Notes that a video could not be done, for the index: until it is done, or a call finds it gone from `place`.

        Earlier files of it stay.

        Raises:
            MtclarError: It cannot be written.
        """
        with self._said(), self._locked():
            self._write_state(f"{self.failed}/{safe(name)}.json", failure(name, sentence, place))

    def contents(self) -> Contents:
        """What stands in the folder now."""
        rows = {kept["name"]: kept["row"] for kept in self.manifests()}
        return Contents(rows, {kept["name"]: kept["sentence"] for kept in self._kept(self.failed)})

    def write_index(self, write: Callable[[Path, Contents], None]) -> None:
        """Makes the files that tell of all videos: `write` gets an empty folder for them and what to tell.

        A file of a video is never replaced by one of these.

        Raises:
            MtclarError: They cannot be written.
        """
        with self._said(), self._locked(), own_part(self.state, "index") as part:
            write(part, self.contents())
            taken = {file for kept in self._kept(self.verb) for file in kept["files"]}
            for file in sorted(part.iterdir()):
                if file.name not in taken:
                    os.replace(file, self.path / file.name)

    def _gone(self) -> list[str]:
        """Names of the videos that could not be done and are no longer there."""
        kept = [(kept["name"], kept["place"]) for kept in self._kept(self.failed)]
        return [name for name, place in kept if place and not exists(place)]

    def log(self, text: str) -> str:
        """Adds a traceback to the log of the folder; returns where that is."""
        path = self.path / LOG
        with self._said(), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text.rstrip("\n") + "\n\n")
        return str(path)

    def _publish(self, part: Path, manifest: dict[str, Any], earlier: dict[str, Any] | None = None) -> None:
        """Moves a whole set of files to its place, or adds them to the set that `earlier` tells of."""
        with self._locked():
            self._still(manifest["name"], earlier)
            ready = part.with_suffix(READY)
            os.replace(part, ready)
            self._move(ready, manifest)

    def _still(self, name: str, earlier: dict[str, Any] | None) -> None:
        """Refuses to add to a set that is no longer the one it was.

        Raises:
            MtclarError: Another call has made it anew.
        """
        if earlier is not None and self.manifest(name) != earlier:
            raise MtclarError(f"{name}: another call made its other files anew meanwhile; let it end and call again.")

    def _move(self, ready: Path, manifest: dict[str, Any]) -> None:
        """Moves a set, or what is left of it, to its place; the manifest last. Only under the lock."""
        place, verb = safe(manifest["name"]), manifest["verb"]
        kept = self.state / verb / f"{place}.json"
        for file in set((_read(kept) or manifest)["files"]) - set(manifest["files"]):
            (self.path / safe(file)).unlink(missing_ok=True)
        for file in manifest["files"]:
            made = ready / "files" / PurePosixPath(file).relative_to(place.parent)
            if made.is_file():
                (self.path / file).parent.mkdir(parents=True, exist_ok=True)
                os.replace(made, self.path / file)
        self._write_state(f"{verb}/{place}.json", manifest)
        (self.state / f"{verb}-failed" / f"{place}.json").unlink(missing_ok=True)
        shutil.rmtree(ready)

    def _shows(self, files: Iterable[str]) -> bool:
        """Whether all of these are there."""
        return all((self.path / safe(file)).is_file() for file in files)

    def _holds(self, file: str, digest: str) -> bool:
        path = self.path / safe(file)
        return path.is_file() and file_sha256(path) == digest

    def _write_state(self, file: str, content: dict[str, Any]) -> None:
        path = self.state / file
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        write_json(beside, content)
        os.replace(beside, path)

    def _kept(self, kind: str) -> list[dict[str, Any]]:
        """What is kept of all videos, in order of their names."""
        found = [_read(path) for path in (self.state / kind).rglob("*.json")]
        return sorted((kept for kept in found if kept is not None), key=lambda kept: kept["name"])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone in moving files; what a killed process was moving has been moved to the end."""
        with locked(self.state / "lock"):
            for ready in [path for path in self.state.iterdir() if path.name.endswith(READY)]:
                manifest = _read(ready / _MANIFEST)
                if manifest is not None:
                    self._move(ready, manifest)
                shutil.rmtree(ready, ignore_errors=True)
            yield

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self.path, error) from error


def safe(name: str) -> PurePosixPath:
    """A name as a path below a folder.

    Raises:
        MtclarError: It would lead out of the folder or into its state.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or path.parts[0] == STATE:
        raise MtclarError(f"expected the name of a video below the output folder, got '{name}'; rename the video.")
    return path


def failure(name: str, sentence: str, place: str) -> dict[str, str]:
    """What is kept of a failure."""
    here = place and not is_remote(place)
    return {"name": name, "sentence": sentence, "place": os.path.abspath(place) if here else place}


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """The content as it comes back from JSON."""
    return json.loads(json.dumps(content))


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON file of the state; None if it is not there or was cut short."""
    with suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return None
