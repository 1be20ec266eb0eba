"""`mtclar label`: videos in, and a few labelled frames if there are some; labels of every frame and a report out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mtclar import __version__, storage
from mtclar.data.anchors import Clock, read_anchors
from mtclar.data.out_folder import Contents
from mtclar.data.out_s3 import open_out
from mtclar.features.extract import Predictor
from mtclar.progress import Progress, silent
from mtclar.report.folder_page import write_index
from mtclar.settings import ExtractSettings, LabelSettings, RegisterSettings
from mtclar.steps.label_files import SCHEMA_VERSION, model_facts, write_json
from mtclar.steps.label_video import ZERO_SHOT, Labelling, VideoResult
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source, do_videos, find_sources, passed, threads_each
from mtclar.video import OVERLAY_SUFFIX

__all__ = ["ZERO_SHOT", "LabelResult", "VideoResult", "run"]


@dataclass(frozen=True)
class LabelResult:
    """What a call of `run` wrote under `out`, and what it passed over in the folders given."""

    out: Path | str
    videos: tuple[VideoResult, ...]
    passed: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"{v.video}: {v.frames} frames, a face in {v.faces}, {v.anchors or 'without'} anchors -> "
            f"{storage.join(str(self.out), v.video_id)}.html{_overlay(v)}"
            for v in self.videos
        ]
        alone = all(ZERO_SHOT in v.notes for v in self.videos)  # then it is said once for all
        lines += [f"{v.video}: note: {note}" for v in self.videos for note in v.notes if not alone or note != ZERO_SHOT]
        lines += [f"note: {sentence}" for sentence in self.passed]
        return "\n".join(lines + [f"note: {ZERO_SHOT}"] * alone)


def _overlay(video: VideoResult) -> str:
    name = PurePosixPath(f"{video.video_id}{OVERLAY_SUFFIX}").name
    return f" and {name}" if any(PurePosixPath(file).name == name for file in video.files) else ""


def run(
    s: LabelSettings,
    extract: ExtractSettings,
    *,
    videos: Sequence[Path | str] | Sequence[Source],
    anchors: Path | str | None,
    model: Predictor | Path | str,
    out: Path | str,
    registry: RegisterSettings | None = None,
    force: bool = False,
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    overlay: bool = False,
    among: Sequence[Source] = (),
    isolated: bool = False,
    progress: Progress = silent,
) -> LabelResult:
    """Labels every frame of every video. A video that was read before is not read again.

    Args:
        s: The section `label` of params.yaml.
        extract: The section `extract`.
        videos: Files and folders, a folder meaning all videos in it, or addresses on S3; or videos that were found
            before.
        anchors: CSV of labelled frames, see `mtclar.data.anchors`, or its address on S3; a video that it does not name
            is labelled without any (zero-shot), as all are with None.
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        out: Folder or address for NAME.va.csv, NAME.va.parquet, NAME.va.json and NAME.html of each video, index.html
            and summary.json. The files of a video appear together; others there are left alone.
        registry: The section `register`, to look `models:/` up.
        force: Read videos again that were read before, and label again what is labelled already.
        va_range: The values in `anchors` that mean -1 and 1; None for these themselves.
        anchor_clock: From where times in `anchors` count: the first displayed frame, or the start of the file.
        overlay: Also write NAME.overlay.mp4, see `mtclar.report.overlay`. It is kept while the labels are the same,
            and removed when they are made anew without it.
        among: All videos that the anchors may speak of, where these are some of them.
        isolated: Work in other processes though there is one job: a video that kills one fails alone.
        progress: Called once a frame while a video is read.

    Raises:
        MtclarError: Anchors, model or `out` cannot be used, or not one video could be labelled.
        PartialFailureError: Some videos could not be labelled; the others are written.
    """
    sources = find_sources(videos)
    predictor = open_predictor(model, registry)
    jobs = min(extract.jobs, len(sources))
    extract = extract.model_copy(update={"workers": threads_each(extract.workers, jobs)})

    def index(folder: Path, contents: Contents) -> None:
        write_index_of(folder, contents, predictor)

    with ExitStack() as at_hand:
        marks = None
        if anchors is not None:
            file = at_hand.enter_context(storage.local(anchors))
            named = {Path(source.place): source.name for source in among or sources}
            marks = read_anchors(file, va_range=va_range).match(named)
        folder = at_hand.enter_context(open_out(out, "label"))
        work = Labelling(s, extract, predictor, marks, folder, force, anchor_clock, overlay)
        return do_videos(
            sources,
            work,
            folder,
            out=out,
            jobs=extract.jobs,
            progress=progress,
            refused=work.misplaced(sources) if len(sources) > 1 else {},
            isolated=isolated,
            index=index,
            done="labelled",
            result=lambda done: LabelResult(out, done, passed([v for v in videos if not isinstance(v, Source)])),
        )


def write_index_of(folder: Path, contents: Contents, predictor: Predictor) -> None:
    """Writes summary.json and index.html of all that lies in a folder of labels."""
    failed = list(contents.failed.items())
    write_json(
        {
            "schema_version": SCHEMA_VERSION,
            "tool_version": __version__,
            "model": model_facts(predictor),
            "labelled": list(contents.rows.values()),
            "failed": [{"video": name, "error": sentence} for name, sentence in failed],
        },
        folder / "summary.json",
    )
    rows = [_row(row) for row in contents.rows.values()]
    write_index(folder / "index.html", rows, [sentence for _, sentence in failed], __version__, predictor.card)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """A video in the index."""
    confidence = np.nan if row["mean_confidence"] is None else row["mean_confidence"]
    return {
        "video": row["video_id"],
        "page": f"{row['video_id']}.html",
        **{name: row[name] for name in ("frames", "faces", "anchors")},
        "confidence": confidence,
        "notes": len(row["notes"]),
    }
