"""`mtclar extract`: videos -> one features file each, all that labelling needs and never has to ask a video again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mtclar import storage
from mtclar.data.out_folder import OutFolder
from mtclar.data.out_s3 import open_out
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.cache import find_features, keep_features, known_sha256
from mtclar.features.extract import Predictor, extract, identity
from mtclar.features.file import SUFFIX, write_features
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings, RegisterSettings
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source, do_videos, find_sources, passed, printable, threads_each
from mtclar.video import Video, open_video


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
    """What a call of `run` wrote under `out`, and what it passed over in the folders given."""

    out: Path | str
    videos: tuple[Extracted, ...]
    passed: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{v.video}: {v.frames} frames, {v.faces} faces in {v.tracks} track{'s' if v.tracks != 1 else ''}"
            f"{', read before' if v.known else ''} -> {storage.join(str(self.out), v.file)}"
            for v in self.videos
        ]
        lines += [f"{v.video}: note: {note}" for v in self.videos for note in v.notes]
        return "\n".join(lines + [f"note: {sentence}" for sentence in self.passed])


def run(
    s: ExtractSettings,
    *,
    videos: Sequence[Path | str],
    model: Predictor | Path | str,
    out: Path | str,
    registry: RegisterSettings | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> ExtractResult:
    """Reads every video and writes its features file. What was read before in the same way is not read again.

    Args:
        s: The section `extract` of params.yaml.
        videos: Files and folders, a folder meaning all videos in it, or addresses on S3.
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        out: Folder or address for NAME.features of each video; others there are left alone.
        registry: The section `register`, to look `models:/` up.
        force: Read videos again that were read before.
        progress: Called once a frame.

    Raises:
        MtclarError: Model or `out` cannot be used, or not one video could be read.
        PartialFailureError: Some videos could not be read; the others are written.
    """
    sources = find_sources(videos)
    predictor = open_predictor(model, registry)
    s = s.model_copy(update={"workers": threads_each(s.workers, min(s.jobs, len(sources)))})
    with open_out(out, "extract") as folder:
        work = Extracting(s, predictor, folder, force)
        return do_videos(
            sources,
            work,
            folder,
            out=out,
            jobs=s.jobs,
            progress=progress,
            done="extracted",
            result=lambda done: ExtractResult(out, done, passed(videos)),
        )


@dataclass
class Extracting:
    """Reads one video and writes its features file; may be sent to another process."""

    s: ExtractSettings
    predictor: Predictor
    folder: OutFolder
    force: bool

    def __call__(self, source: Source, progress: Progress) -> Extracted:
        file = f"{source.name}{SUFFIX}"
        manifest = None if self.force else self.folder.manifest(source.name)
        with Opened(source, self.predictor, self.s, manifest) as opened:
            if not self.force:
                row = self.folder.finished(source.name, opened.origin)
                if row is not None:
                    return Extracted(**{**row, "notes": tuple(row["notes"]), "known": True})
            features, known = opened.features(force=self.force, progress=progress)
            counts = len(features), len(features.faces), len(features.tracks)
            done = Extracted(source.file, file, *counts, known, features.notes)
            with self.folder.stage(source.name) as stage:
                write_features(features, stage.path / f"{PurePosixPath(source.name).name}{SUFFIX}")
                stage.inputs, stage.row, stage.source = opened.origin, asdict(done), source.facts
        return done


class Opened:
    """A video at hand, and its features as soon as they are asked for; a context manager.

    A video on S3 is brought here when it must be read: not where a manifest tells that it is the one read before.

    Args:
        source: The video.
        predictor: The model.
        s: The section `extract` of params.yaml.
        manifest: What an output folder says of the video of that name, if it says anything.

    Attributes:
        origin: sha256 of its content and identity of detector and model: all that its features follow from.

    Example:
        with Opened(source, predictor, s) as opened:
            features, known = opened.features()
    """

    def __init__(
        self, source: Source, predictor: Predictor, s: ExtractSettings, manifest: dict[str, Any] | None = None
    ) -> None:
        self.source, self._predictor, self._s, self._manifest = source, predictor, s, manifest
        self._open = ExitStack()
        self._video: Video | None = None

    def __enter__(self) -> Opened:
        """Raises:
        MtclarError: There is no such video, it is none, or its name cannot be written.
        """
        if self.source.place != (shown := printable(self.source.place)):
            raise MtclarError(f"{shown}: the file's name is not UTF-8, so no table can hold it; rename the file.")
        try:
            self.origin: dict[str, Any] = {"sha256": self._sha256(), "identity": identity(self._predictor, self._s)}
        except BaseException:
            self._open.close()
            raise
        return self

    def _sha256(self) -> str:
        """Of the content of the video, without reading it where that is known."""
        facts = self.source.facts
        if not facts:
            return known_sha256(self.video)
        if self._manifest is not None and self._manifest["source"] == facts:
            return str(self._manifest["inputs"]["sha256"])
        return self.video.sha256

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    @property
    def video(self) -> Video:
        """The video, opened when it is first asked for."""
        if self._video is None:
            path = self._open.enter_context(storage.local(self.source.place))
            self._video = self._open.enter_context(open_video(path, fps=self._s.fps))
        return self._video

    def features(
        self,
        *,
        beside: Path | None = None,
        force: bool = False,
        progress: Progress = silent,
        before: Callable[[], None] = lambda: None,
    ) -> tuple[Features, bool]:
        """The features of the video, read from a file where they were extracted before, and whether they were.

        Args:
            beside: A features file that may be of this video.
            force: Read the video whatever is there.
            progress: Called once a frame while the video is read.
            before: Called when the video has to be read, before it is.

        Raises:
            MtclarError: The video cannot be read, or shows no face.
        """
        if not force:
            found = find_features(**self.origin, beside=beside)
            if found is not None:
                return found, True
        before()
        features = extract(self.video, self._predictor, self._s, progress, self.source.file)
        keep_features(features, most_gb=self._s.cache_gb)
        return features, False
