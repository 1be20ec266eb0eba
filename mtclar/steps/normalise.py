"""`mtclar normalise`: videos -> copies of constant rate that any browser plays, frame for frame, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mtclar import storage
from mtclar.data.frame_map import SUFFIX, FrameMap, map_back
from mtclar.data.out_folder import OutFolder
from mtclar.data.out_s3 import open_out
from mtclar.errors import MtclarError
from mtclar.features.cache import known_sha256
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings, NormaliseSettings
from mtclar.steps.videos import Source, do_videos, find_sources, passed
from mtclar.video import open_video
from mtclar.video.writing import VideoWriter, constant_rate

AUDIO_DRIFT_S = 0.04
"""A copy whose frames are nowhere further than this from their time in the source keeps the source's audio."""


@dataclass(frozen=True)
class Copied:
    """What was made of one video: the copy, its frames, its rate as a fraction, and what to know of it."""

    video: str
    file: str
    frames: int
    rate: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class NormaliseResult:
    """What a call of `run` wrote under `out`, and what it passed over in the folders given."""

    out: Path | str
    videos: tuple[Copied, ...]
    passed: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{v.video}: {v.frames} frames at {v.rate} a second -> {storage.join(str(self.out), v.file)}"
            for v in self.videos
        ]
        lines += [f"{v.video}: note: {note}" for v in self.videos for note in v.notes]
        return "\n".join(lines + [f"note: {sentence}" for sentence in self.passed])


def run(
    s: NormaliseSettings,
    extract: ExtractSettings,
    *,
    videos: Sequence[Path | str],
    out: Path | str,
    force: bool = False,
    progress: Progress = silent,
) -> NormaliseResult:
    """Copies every video as H.264 in MP4: constant rate, upright, square pixels, the same frames in the same order.

    Args:
        s: The section `normalise` of params.yaml.
        extract: The section `extract`, for the number of jobs and the rate of folders of pictures.
        videos: Files and folders, a folder meaning all videos in it, or addresses on S3.
        out: Folder or address for NAME.mp4 and NAME.frames.csv of each video; see `mtclar.data.frame_map`.
        force: Make copies again that are there.
        progress: Called once a frame.

    Raises:
        MtclarError: `out` cannot be used, or not one video could be copied.
        PartialFailureError: Some videos could not be copied; the others are.
    """
    sources = find_sources(videos)
    with open_out(out, "normalise") as folder:
        return do_videos(
            sources,
            Normalising(s, extract, folder, force),
            folder,
            out=out,
            jobs=extract.jobs,
            progress=progress,
            done="copied",
            result=lambda done: NormaliseResult(out, done, passed(videos)),
        )


def back(file: Path | str, *, copies: Path | str, out: Path | str) -> str:
    """Carries labels or anchors of copies back to their sources; see `mtclar.data.frame_map.map_back`.

    Args:
        file: CSV or Parquet.
        copies: The folder or address that `run` wrote.
        out: The file to write.

    Raises:
        MtclarError: As `map_back`.
    """
    with ExitStack() as at_hand:
        rows = map_back(at_hand.enter_context(storage.local(file)), copies, Path(out))
    return f"{rows} rows with the frames and times of the sources -> {out}"


@dataclass
class Normalising:
    """Copies one video; may be sent to another process."""

    s: NormaliseSettings
    extract: ExtractSettings
    folder: OutFolder
    force: bool

    def __call__(self, source: Source, progress: Progress) -> Copied:
        with storage.local(source.place) as path, open_video(path, fps=self.extract.fps) as video:
            inputs = {"sha256": known_sha256(video), "normalise": self.s.model_dump(mode="json")}
            row = None if self.force else self.folder.finished(source.name, inputs)
            if row is not None:
                return Copied(**{**row, "notes": tuple(row["notes"])})
            self._refuse_foreign(source, path)
            name = PurePosixPath(source.name).name
            times_s = video.timeline()
            rate = constant_rate(times_s, video.facts.nominal_fps)
            drift_s = float(np.abs(np.arange(len(times_s)) / float(rate) - times_s).max()) if len(times_s) else 0.0
            heard = drift_s <= AUDIO_DRIFT_S
            pts: list[int] = []
            source_times_s: list[float] = []
            with self.folder.stage(source.name) as stage:
                size = video.facts.width, video.facts.height
                with VideoWriter(
                    stage.path / f"{name}.mp4",
                    size,
                    rate=rate,
                    crf=self.s.crf,
                    audio_of=path if heard else None,
                    audio_shift_s=-video.facts.media_offset_s,
                ) as writer:
                    for frame in video:
                        writer.write(frame.image)
                        pts.append(frame.pts)
                        source_times_s.append(frame.time_s)
                        progress(frame.index + 1, max(video.expected_frames or 0, frame.index + 1), source.file)
                n = len(pts)
                frames = FrameMap(
                    np.arange(n) / float(rate), np.arange(n), np.array(pts, np.int64), np.array(source_times_s)
                )
                frames.write(stage.path / f"{name}{SUFFIX}")
                done = Copied(source.file, f"{source.name}.mp4", n, str(rate), self._notes(video, drift_s, writer))
                stage.inputs, stage.row, stage.source = inputs, asdict(done), source.facts
        return done

    def _notes(self, video: Any, drift_s: float, writer: VideoWriter) -> tuple[str, ...]:
        notes = [*video.warnings, *writer.notes]
        if drift_s > AUDIO_DRIFT_S:
            notes.append(
                f"{video.path.name}: the rate varies, so times of the copy are up to {drift_s:.3f} s away from those "
                "of the source, and the copy has no audio; carry labels back with 'mtclar normalise --back'."
            )
        if writer.size != (video.facts.width, video.facts.height):
            notes.append(
                f"{video.path.name}: the copy is {writer.size[0]}x{writer.size[1]}, the last column or row repeated, "
                "because H.264 asks for even sizes."
            )
        return tuple(notes)

    def _refuse_foreign(self, source: Source, path: Path) -> None:
        """Refuses to write over a file that is no copy of this verb's, the source itself above all.

        Raises:
            MtclarError: Such a file is there.
        """
        there = self.folder.fetch(f"{source.name}.mp4")
        if there is not None and self.folder.manifest(source.name) is None:
            what = "the video itself" if there.samefile(path) else "a file that is no copy of 'mtclar normalise'"
            raise MtclarError(
                f"{source.file}: the copy would take the place of {what} ({there}); choose another --out."
            )
