"""`mtclar label`: videos in, and a few labelled frames if there are some; labels of every frame and a report out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mtclar import __version__
from mtclar.data.anchors import Anchors, VideoAnchors, read_anchors
from mtclar.data.tables import LABELS, write_table
from mtclar.errors import MtclarError, PartialFailureError
from mtclar.progress import Progress, silent
from mtclar.report.label_page import write_index, write_label_page
from mtclar.report.thumbnails import Thumbnails
from mtclar.settings import LabelSettings, RegisterSettings
from mtclar.steps.label_files import SCHEMA_VERSION, OutFolder, model_facts, side_facts, write_csv, write_json
from mtclar.steps.label_others import Others
from mtclar.steps.label_video import Predictor, Track, heard, labels_table, read_track
from mtclar.video import Video, find_videos, open_video, video_ids

ZERO_SHOT = (
    "Labelled without anchors: what this person's own neutral face and scale are is not known, so the labels are less "
    "certain than with them; label a few frames by hand and give them with --anchors."
)


@dataclass(frozen=True)
class VideoResult:
    """What was made of one video: the number of its frames, how many show a face, and its anchors."""

    video_id: str
    video: str
    frames: int
    faces: int
    anchors: int
    mean_confidence: float | None
    files: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LabelResult:
    """What a call of `run` wrote under `out`."""

    out: Path
    videos: tuple[VideoResult, ...]

    def __str__(self) -> str:
        lines = [
            f"{v.video}: {v.frames} frames, a face in {v.faces}, {v.anchors or 'without'} anchors -> "
            f"{self.out / v.video_id}.html"
            for v in self.videos
        ]
        lines += [f"{v.video}: note: {note}" for v in self.videos for note in v.notes if note != ZERO_SHOT]
        alone = [v.video for v in self.videos if ZERO_SHOT in v.notes]
        return "\n".join(lines + [f"note: {ZERO_SHOT}"] * bool(alone))


def run(
    s: LabelSettings,
    *,
    videos: Sequence[Path],
    anchors: Path | None,
    model: Predictor | Path | str,
    out: Path,
    registry: RegisterSettings | None = None,
    progress: Progress = silent,
) -> LabelResult:
    """Labels every frame of every video.

    Args:
        s: The section `label` of params.yaml.
        videos: Files and folders; a folder means all videos in it.
        anchors: CSV of labelled frames, see `mtclar.data.anchors`, at least one of every video; None to label all
            videos without any (zero-shot).
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        out: Folder for NAME.va.csv, NAME.va.parquet, NAME.va.json and NAME.html of each video, index.html and
            summary.json. The files of a video appear together; others in the folder are left alone.
        registry: The section `register`, to look `models:/` up.
        progress: Called once a frame.

    Raises:
        MtclarError: Anchors, model or `out` cannot be used, or not one video could be labelled.
        PartialFailureError: Some videos could not be labelled; the others are written.
    """
    found = find_videos(videos)
    if not any(path.exists() for path in found):
        raise MtclarError(f"{found[0]}: no such video; check the path.")
    names = video_ids(found)
    marks = None if anchors is None else read_anchors(anchors).match(names.values())
    predictor = open_predictor(model, registry)
    done: list[VideoResult] = []
    failed: dict[Path, str] = {}
    with OutFolder(Path(out)) as folder:
        for number, path in enumerate(found, start=1):
            what = f"{path.name} ({number}/{len(found)})" if len(found) > 1 else path.name
            if path.as_posix() != (shown := _printable(path.as_posix())):
                failed[Path(shown)] = (
                    f"{shown}: the file's name is not UTF-8, so no table can hold it; rename the file."
                )
                continue
            try:
                done.append(_label(s, path, names[path], marks, predictor, folder, progress, what))
            except MtclarError as error:
                failed[path] = str(error)
        if done:
            with folder.stage() as stage:
                write_json(_summary(done, failed, predictor), stage / "summary.json")
                if "index" not in names.values():
                    rows = [_row(video) for video in done]
                    write_index(stage / "index.html", rows, failed.values(), __version__, predictor.card)
    if failed and len(found) == 1:
        raise MtclarError(next(iter(failed.values())))
    if failed:
        listed = "".join(f"\n  {sentence}" for sentence in failed.values())
        if not done:
            raise MtclarError(f"none of the {len(found)} videos could be labelled:{listed}")
        raise PartialFailureError(
            f"{len(done)} of {len(found)} videos are labelled in {out}; these could not be:{listed}"
        )
    return LabelResult(out, tuple(done))


def _printable(name: str) -> str:
    """The name with bytes that are no UTF-8 spelled out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def open_predictor(model: Predictor | Path | str, registry: RegisterSettings | None) -> Predictor:
    """Opens the model that `model` names, unless it is open already."""
    if not isinstance(model, Path | str):
        return model
    from mtclar.steps.models import open_model

    return open_model(model, registry)


def _label(
    s: LabelSettings,
    path: Path,
    name: str,
    marks: Anchors | None,
    predictor: Predictor,
    folder: OutFolder,
    progress: Progress,
    what: str,
) -> VideoResult:
    """Labels one video and writes its files."""
    rows = () if marks is None else marks.of(name)
    if marks is not None and not rows:
        raise MtclarError(
            f"{path}: {marks.path} holds no anchor for '{name}'; add at least one line for it, or label it without "
            "--anchors."
        )
    if marks is not None and s.foreign_anchors == "refuse":
        marks.refuse_foreign(name)
    foreign = [row for row in rows if marks is not None and row.line in marks.foreign(name)]
    strangers = Others(
        [row.frame for row in foreign if row.frame is not None],
        [row.time_s for row in foreign if row.frame is None and row.time_s is not None],
    )
    thumbnails = Thumbnails(
        [row.frame for row in rows if row.frame is not None],
        [row.time_s for row in rows if row.frame is None and row.time_s is not None],
    )
    with open_video(path, fps=s.fps) as video:
        track = read_track(video, predictor, s, thumbnails, strangers, progress, what)
    placed = VideoAnchors.none() if marks is None else marks.on_frames(name, track.times_s)
    table = labels_table(name, track, placed, predictor, s)
    notes = _notes(video, track, marks, placed, predictor, flag=s.foreign_anchors != "allow")
    facts = side_facts(s, path, name, video.facts, table, marks, placed, predictor, notes)
    place = PurePosixPath(name)
    csv, parquet, side, page = (f"{place.name}{suffix}" for suffix in (".va.csv", ".va.parquet", ".va.json", ".html"))
    with folder.stage(place.parent) as stage:
        write_csv(table, stage / csv)
        write_table(table, stage / parquet, LABELS, {"mtclar": json.dumps(facts)})
        write_json(facts, stage / side)
        write_label_page(
            stage / page,
            table,
            facts,
            thumbnails.kept(),
            thumbnails=s.thumbnails,
            notes=notes,
            card=predictor.card,
        )
    certain = table["confidence"].mean()
    return VideoResult(
        video_id=name,
        video=path.name,
        frames=len(table),
        faces=int(track.has_face.sum()),
        anchors=len(placed.frames),
        mean_confidence=None if np.isnan(certain) else round(float(certain), 4),
        files=tuple(str(place.parent / file) for file in (csv, parquet, side, page)),
        notes=notes,
    )


def _notes(
    video: Video, track: Track, marks: Anchors | None, placed: VideoAnchors, predictor: Predictor, *, flag: bool
) -> tuple[str, ...]:
    """What the reader of the labels should know, one sentence each; with `flag` also which anchors look foreign."""
    told = placed.notes if marks is None else (*marks.notes, *placed.notes)
    notes = [*video.warnings, *(f"{note[0].upper()}{note[1:]}." for note in told)]
    if not len(placed.frames):
        notes.append(ZERO_SHOT)
    own = placed.frames[placed.own]
    mute = [str(frame) for frame in own if not track.has_face[frame]]
    if mute:
        notes.append(
            f"No face was found on the anchor frame(s) {', '.join(mute)}: they keep their label, but no other frame "
            "can be compared with them; at most, frames near in time learn from them."
        )
    doubtful = [str(frame) for frame in own if not track.has_face[frame] and track.others[frame]]
    if doubtful and flag:
        notes.append(
            f"On the anchor frame(s) {', '.join(doubtful)} the face followed is away but another one is there: are "
            "those labels of another person?"
        )
    strange, spoke = np.flatnonzero(~placed.own), heard(track, placed)
    if len(strange) and flag:
        listed = ", ".join(str(placed.frames[k]) for k in strange)
        notes.append(
            f"The anchors of frame(s) {listed} are of another face than the one followed: predictions from them are "
            "less certain than from its own."
        )
    silent = ", ".join(str(placed.frames[k]) for k in np.setdiff1d(strange, spoke))
    if silent:
        notes.append(
            f"The anchors of another face on frame(s) {silent} were not used: it is not clear which face they mean."
        )
    if not predictor.calibration:
        notes.append("The model carries no calibration, so the labels have no band and no confidence.")
    notes += predictor.facts.get("notes", [])  # what came with the model, such as that its bands are nominal
    return tuple(notes)


def _row(video: VideoResult) -> dict[str, Any]:
    """A video in the index."""
    confidence = np.nan if video.mean_confidence is None else video.mean_confidence
    return {
        "video": video.video_id,
        "page": f"{video.video_id}.html",
        "frames": video.frames,
        "faces": video.faces,
        "anchors": video.anchors,
        "confidence": confidence,
    }


def _summary(done: list[VideoResult], failed: dict[Path, str], predictor: Predictor) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "model": model_facts(predictor),
        "labelled": [asdict(video) for video in done],
        "failed": [{"video": path.name, "error": sentence} for path, sentence in failed.items()],
    }
