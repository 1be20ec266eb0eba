"""What `extract` and `label` have in common: which videos there are, and doing them one by one or several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from mtclar import storage
from mtclar.batch import Item, run_batch
from mtclar.data.out_folder import Contents, OutFolder
from mtclar.errors import MtclarError, NothingDoneError, PartialFailureError
from mtclar.features.extract import cores
from mtclar.progress import Progress
from mtclar.video import VIDEO_SUFFIXES, find_videos, is_overlay, passed_over, video_ids

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """A video to work on.

    Attributes:
        place: A local path or an address `s3://bucket/key`.
        name: What it is called, unique among the videos of a call.
        version: Of a video on S3, what changes when its content does; None of a local one.
    """

    place: str
    name: str
    version: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What tells, without reading it, that a video on S3 is the one that was read before; empty of a local one."""
        return {} if self.version is None else {"place": self.place, "version": self.version}

    @property
    def file(self) -> str:
        """The name of its file, as text can hold it."""
        return printable(PurePosixPath(self.place).name)


def find_sources(places: Sequence[str | Path] | Sequence[Source]) -> list[Source]:
    """The videos that places mean: files and folders here, files and prefixes on S3; what was found before stays.

    Raises:
        MtclarError: There is none, or the first one named is not there.
    """
    if all(isinstance(place, Source) for place in places) and places:
        return [place for place in places if isinstance(place, Source)]
    places = [place for place in places if not isinstance(place, Source)]
    remote = [str(place) for place in places if storage.is_remote(str(place))]
    here = [Path(place) for place in places if not storage.is_remote(str(place))]
    found = find_videos(here) if here or not remote else []
    if here and not any(path.exists() for path in found):
        raise MtclarError(f"{found[0]}: no such video; check the path.")
    on_s3 = {Path(file.uri.removeprefix(storage.SCHEME)): file for place in remote for file in _below(place)}
    return [
        Source(on_s3[path].uri, name, f"{on_s3[path].size} {on_s3[path].etag}")
        if path in on_s3
        else Source(str(path), name)
        for path, name in video_ids([*found, *on_s3]).items()
    ]


def passed(places: Sequence[str | Path]) -> tuple[str, ...]:
    """What lies in the folders here and looks like a video but is not taken, a sentence each."""
    return tuple(passed_over([Path(place) for place in places if not storage.is_remote(str(place))]))


def _below(place: str) -> list[storage.RemoteFile]:
    """The videos below a prefix, or the one video it names."""
    files = storage.list_files(place)
    found = [file for file in files if file.uri == place]
    there = {file.uri for file in files}
    found = found or [
        file
        for file in files
        if PurePosixPath(file.uri).suffix.lower() in VIDEO_SUFFIXES and not is_overlay(file.uri, there)
    ]
    if not found:
        raise MtclarError(f"{place}: no video below this address (looked for {', '.join(sorted(VIDEO_SUFFIXES))}).")
    return found


def printable(name: str) -> str:
    """The name with bytes that are no UTF-8 spelled out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def do_videos(
    sources: Sequence[Source],
    work: Callable[[Source, Progress], R],
    folder: OutFolder,
    *,
    out: str | Path,
    jobs: int,
    progress: Progress,
    refused: Mapping[str, str] | None = None,
    isolated: bool = False,
    index: Callable[[Path, Contents], None] | None = None,
    done: str,
    result: Callable[[tuple[R, ...]], T],
) -> T:
    """Works on every video; one that fails fails alone.

    Args:
        sources: The videos.
        work: What to do with one; with several processes it is sent to each.
        folder: Where the results go, entered.
        out: What it is called.
        jobs: How many processes.
        progress: Told the frames of all videos together.
        refused: Why some are not even begun, one sentence each by name.
        isolated: Work in other processes though there is one job: a video that kills one fails alone.
        index: Writes the files that tell of all videos of the folder.
        done: What has been done with a video, such as "labelled".
        result: What the step returns, from what the work returned in the order of the videos.

    Returns:
        The result.

    Raises:
        NothingDoneError: Not one video could be done.
        PartialFailureError: Some could not be; the others are, and it holds their result.
    """
    refused = refused or {}
    sentences: dict[str, str] = {}

    def note(source: Source, sentence: str, trace: str | None = None) -> None:
        name = printable(source.name)
        if trace is not None:
            sentence = f"{sentence.rstrip('.')}; the traceback is in {folder.log(trace)}."
        sentences[name] = sentence
        folder.fail(name, sentence, printable(source.place))

    for source in sources:
        if source.name in refused:
            note(source, refused[source.name])
    items = [Item(source.file, source) for source in sources if source.name not in refused]
    try:
        batch = run_batch(
            items,
            work,
            jobs=jobs,
            isolated=isolated,
            progress=progress,
            on_failed=lambda failure: note(failure.item.value, failure.sentence, failure.trace),
        )
    finally:  # also where somebody stopped it: what is done is shown
        if index is not None and folder.contents().rows:
            folder.write_index(index)
    results = tuple(found for _, found in batch.done)
    failed = [sentences[name] for source in sources if (name := printable(source.name)) in sentences]
    if failed and len(sources) == 1:
        raise NothingDoneError(failed[0], sentences)
    listed = "".join(f"\n  {sentence}" for sentence in failed)
    if failed and not results:
        raise NothingDoneError(f"none of the {len(sources)} videos could be {done}:{listed}", sentences)
    if failed:
        raise PartialFailureError(
            f"{len(results)} of {len(sources)} videos are {done} in {out}; these could not be:{listed}",
            result(results),
            sentences,
        )
    return result(results)


def threads_each(workers: int, jobs: int) -> int:
    """Threads of one process: what the settings say, or its share of the cores."""
    return workers or max(1, cores() // jobs)
