"""`mtclar extract`: videos -> one features file each, all that labelling needs and never has to ask a video again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mtclar.errors import MtclarError, PartialFailureError
from mtclar.features import Features
from mtclar.features.cache import find_features, keep_features, known_sha256
from mtclar.features.extract import Predictor, extract, identity
from mtclar.features.file import SUFFIX, write_features
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings, RegisterSettings
from mtclar.steps.label_files import OutFolder
from mtclar.steps.models import open_predictor
from mtclar.video import find_videos, open_video, video_ids


@dataclass(frozen=True)
class Extracted:
    """What was made of one video: frames, faces, tracks, and whether it had been read before."""

    video: str
    file: str
    frames: int
    faces: int
    tracks: int
    known: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExtractResult:
    """What a call of `run` wrote under `out`."""

    out: Path
    videos: tuple[Extracted, ...]

    def __str__(self) -> str:
        lines = [
            f"{v.video}: {v.frames} frames, {v.faces} faces in {v.tracks} track{'s' if v.tracks != 1 else ''}"
            f"{', read before' if v.known else ''} -> {self.out / v.file}"
            for v in self.videos
        ]
        return "\n".join(lines + [f"{v.video}: note: {note}" for v in self.videos for note in v.notes])


def run(
    s: ExtractSettings,
    *,
    videos: Sequence[Path],
    model: Predictor | Path | str,
    out: Path,
    registry: RegisterSettings | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> ExtractResult:
    """Reads every video and writes its features file.

    Args:
        s: The section `extract` of params.yaml.
        videos: Files and folders; a folder means all videos in it.
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        out: Folder for NAME.features of each video; others in the folder are left alone.
        registry: The section `register`, to look `models:/` up.
        force: Read videos again that were read before.
        progress: Called once a frame.

    Raises:
        MtclarError: Model or `out` cannot be used, or not one video could be read.
        PartialFailureError: Some videos could not be read; the others are written.
    """
    names = video_ids(find_videos(videos))
    predictor = open_predictor(model, registry)
    done: list[Extracted] = []
    failed: list[str] = []
    with OutFolder(Path(out)) as folder:
        for number, (path, name) in enumerate(names.items(), start=1):
            what = f"{path.name} ({number}/{len(names)})" if len(names) > 1 else path.name
            place = PurePosixPath(name)
            file = f"{name}{SUFFIX}"
            try:
                features, known = features_of(
                    path, predictor, s, beside=Path(out) / file, force=force, progress=progress, what=what
                )
                with folder.stage(place.parent) as stage:
                    write_features(features, stage / f"{place.name}{SUFFIX}")
            except MtclarError as error:
                failed.append(str(error))
                continue
            counts = len(features), len(features.faces), len(features.tracks)
            done.append(Extracted(path.name, file, *counts, known, features.notes))
    if failed and len(names) == 1:
        raise MtclarError(failed[0])
    if failed:
        listed = "".join(f"\n  {sentence}" for sentence in failed)
        if not done:
            raise MtclarError(f"none of the {len(names)} videos could be read:{listed}")
        raise PartialFailureError(
            f"{len(done)} of {len(names)} videos are extracted in {out}; these could not be:{listed}"
        )
    return ExtractResult(Path(out), tuple(done))


def features_of(
    path: Path,
    predictor: Predictor,
    s: ExtractSettings,
    *,
    beside: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
    what: str = "",
) -> tuple[Features, bool]:
    """The features of a video, read from a file where they were extracted before.

    Args:
        path: The video.
        predictor: The model.
        s: The section `extract` of params.yaml.
        beside: A features file that may be of this video.
        force: Read the video whatever is there.
        progress: Called once a frame while the video is read.
        what: What `progress` shall call it.

    Returns:
        The features, and whether they were there already.

    Raises:
        MtclarError: The video cannot be read, or shows no face.
    """
    if path.as_posix() != (shown := printable(path)):
        raise MtclarError(f"{shown}: the file's name is not UTF-8, so no table can hold it; rename the file.")
    with open_video(path, fps=s.fps) as video:
        if not force:
            found = find_features(known_sha256(video), identity(predictor, s), beside=beside)
            if found is not None:
                return found, True
        features = extract(video, predictor, s, progress, what)
    keep_features(features, most_gb=s.cache_gb)
    return features, False


def printable(path: Path) -> str:
    """The path with bytes that are no UTF-8 spelled out."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
