"""Labelling in shards: the videos are listed and divided, each shard is labelled on its own, and all are put together.

For a cluster, where a shard is a pod. The list settles what a video is called, which anchors are its own and what model
labels, so that the labels do not depend on how the videos were divided. A video that fails is noted by its shard and
listed at the end; what the others came to is kept.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

import av
import numpy as np

from mtclar import storage
from mtclar.data.anchors import read_anchors
from mtclar.data.out_folder import OutFolder, write_json
from mtclar.data.out_s3 import open_out
from mtclar.errors import MtclarError, NothingDoneError, PartialFailureError
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings, LabelSettings, RegisterSettings
from mtclar.steps import label
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source, find_sources

LISTING = "listing.json"
SHARD = "shard.json"


@dataclass(frozen=True)
class Listing:
    """What a run labels.

    Attributes:
        model: The model of all shards; of the registry a version, never an alias.
        anchors: Path or address of the anchors; "" for none.
        sources: The videos.
        shards: Positions in `sources`, of each shard.
    """

    model: str
    anchors: str
    sources: tuple[Source, ...]
    shards: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        return f"{len(self.sources)} videos in {len(self.shards)} shards, labelled by {self.model}"


@dataclass(frozen=True)
class Shard:
    """What became of a shard: how many videos are labelled, and why the others are not, by their names."""

    labelled: int
    failed: dict[str, str]

    def __str__(self) -> str:
        return "\n".join([f"{self.labelled} videos are labelled", *self.failed.values()])


@dataclass(frozen=True)
class Merged:
    """What all shards came to, in `out`."""

    labelled: int
    failed: dict[str, str]
    out: str

    def __str__(self) -> str:
        if not self.failed:
            return f"{self.labelled} videos are labelled in {self.out}"
        listed = "".join(f"\n  {sentence}" for sentence in self.failed.values())
        whole = self.labelled + len(self.failed)
        return f"{self.labelled} of {whole} videos are labelled in {self.out}; these could not be:{listed}"


def list_videos(
    videos: str, *, anchors: str, model: str, shards: int, out: Path, registry: RegisterSettings | None = None
) -> Listing:
    """Lists the videos and divides them into shards of about the same length; writes listing.json into `out`.

    Args:
        videos: A folder or a prefix on S3.
        anchors: CSV of labelled frames or its address; "" for none. They are read, so that a mistake in them is told
            before anything long begins.
        model: As `mtclar.steps.models.open_model` takes it.
        shards: How many at most.
        out: Folder to write.
        registry: The section `register`, to look `models:/` up.

    Raises:
        MtclarError: There are no videos, or anchors or model cannot be used.
    """
    sources = find_sources([videos])
    if anchors:
        with storage.local(anchors) as file:
            read_anchors(file).match(_named(sources))
    listing = Listing(_settled(model, registry), anchors, tuple(sources), divide(_lengths(sources), shards))
    out.mkdir(parents=True, exist_ok=True)
    (out / LISTING).write_text(json.dumps(asdict(listing)), encoding="ascii")  # names that are no text are kept so
    return listing


def label_shard(
    s: LabelSettings,
    extract: ExtractSettings,
    *,
    listing: Path,
    shard: int,
    out: Path,
    registry: RegisterSettings | None = None,
    progress: Progress = silent,
) -> Shard:
    """Labels the videos of one shard, each in a process that it may take down with it.

    Args:
        s: The section `label` of params.yaml.
        extract: The section `extract`.
        listing: Folder with listing.json.
        shard: Its number.
        out: Folder of the labels and of shard.json, which says what failed.
        registry: The section `register`.
        progress: Called once a frame.

    Raises:
        MtclarError: Anchors or model cannot be used; a video that cannot be labelled raises nothing.
    """
    known = read_listing(listing)
    sources = [known.sources[position] for position in known.shards[shard]]
    failed: dict[str, str] = {}
    try:
        label.run(
            s,
            extract,
            videos=sources,
            among=known.sources,
            anchors=known.anchors or None,
            model=known.model,
            out=out,
            registry=registry,
            isolated=True,
            progress=progress,
        )
    except (PartialFailureError, NothingDoneError) as error:
        failed = error.failed
    out.mkdir(parents=True, exist_ok=True)  # a folder in which nothing was labelled is gone
    write_json(out / SHARD, {"failed": failed})
    return Shard(len(sources) - len(failed), failed)


def merge(
    folders: Sequence[Path],
    *,
    listing: Path,
    out: Path | str,
    registry: RegisterSettings | None = None,
) -> Merged:
    """Puts the labels of all shards into one folder, with an index of what is labelled and what is not.

    Args:
        folders: What `label_shard` wrote.
        listing: Folder with listing.json.
        out: Folder or address on S3.
        registry: The section `register`.

    Raises:
        MtclarError: Not one video was labelled, or `out` cannot be written.
    """
    known = read_listing(listing)
    places = {source.name: source.place for source in known.sources}
    failed: dict[str, str] = {}
    labelled = 0
    with open_out(out, "label") as whole:
        for folder in folders:
            part = OutFolder(folder, "label")
            for manifest in part.manifests():
                with whole.stage(manifest["name"]) as stage:
                    for file in manifest["files"]:
                        copyfile(folder / file, stage.path / Path(file).name)
                    stage.inputs, stage.row, stage.source = (manifest[key] for key in ("inputs", "row", "source"))
                labelled += 1
            failed |= json.loads((folder / SHARD).read_text(encoding="utf-8"))["failed"]
        for name, sentence in failed.items():
            whole.fail(name, sentence, places.get(name, ""))
        if labelled:
            predictor = open_predictor(known.model, registry)
            whole.write_index(lambda path, contents: label.write_index_of(path, contents, predictor))
    if not labelled:
        listed = "".join(f"\n  {sentence}" for sentence in failed.values())
        raise MtclarError(f"none of the {len(failed)} videos could be labelled:{listed}")
    return Merged(labelled, dict(sorted(failed.items())), str(out))


def divide(lengths: Sequence[float], shards: int) -> tuple[tuple[int, ...], ...]:
    """Positions of the items in at most `shards` groups of about the same total length, none of them empty.

    The longest item comes first and goes where least is so far: at most 4/3 of the best possible (Graham, 1969,
    doi:10.1137/0117039).
    """
    count = max(1, min(shards, len(lengths)))
    groups: list[list[int]] = [[] for _ in range(count)]
    totals = np.zeros(count)
    for position in sorted(range(len(lengths)), key=lambda item: (-lengths[item], item)):
        least = min(range(count), key=lambda group: (totals[group], len(groups[group]), group))
        groups[least].append(position)
        totals[least] += lengths[position]
    return tuple(tuple(sorted(group)) for group in groups)


def read_listing(folder: Path) -> Listing:
    """What `list_videos` wrote."""
    facts: dict[str, Any] = json.loads((folder / LISTING).read_text(encoding="ascii"))
    return Listing(
        facts["model"],
        facts["anchors"],
        tuple(Source(**source) for source in facts["sources"]),
        tuple(tuple(shard) for shard in facts["shards"]),
    )


def _named(sources: Sequence[Source]) -> dict[Path, str]:
    return {Path(source.place): source.name for source in sources}


def _settled(model: str, registry: RegisterSettings | None) -> str:
    """The model by a name that means the same later: an alias of the registry becomes its version."""
    if not model.startswith("models:/"):
        return model
    from mtclar.registry import tracking
    from mtclar.registry.fetch import find_version

    if registry is None:
        raise MtclarError(f"{model}: a model of the registry needs the section 'register' of params.yaml.")
    return find_version(tracking.require(registry).MlflowClient(), model).uri


def _lengths(sources: Sequence[Source]) -> list[float]:
    """How long each video is, in seconds as its container says; where it does not, in what its size comes to."""
    seconds = [_seconds(source.place) for source in sources]
    sizes = [_size(source) for source in sources]
    known = [size / length for size, length in zip(sizes, seconds, strict=True) if length and size]
    rate = float(np.median(known)) if known else 1.0
    return [length or size / rate for size, length in zip(sizes, seconds, strict=True)]


def _seconds(place: str) -> float:
    """What the container says; 0 where it says nothing or cannot be opened, which is told when its turn comes."""
    if not storage.is_remote(place) and not Path(place).is_file():
        return 0.0
    try:
        file = io.BufferedReader(storage.RemoteReader(place), 1 << 16) if storage.is_remote(place) else place
        with av.open(file, "r") as container:
            return float(container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError, ValueError):  # among them ours
        return 0.0


def _size(source: Source) -> int:
    """Bytes of a file, or of a folder of pictures."""
    if source.version is not None:
        return int(source.version.split()[0])
    path = Path(source.place)
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.exists())
