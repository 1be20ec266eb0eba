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
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.features.file import SUFFIX
from mtclar.progress import Progress, silent
from mtclar.report.label_page import write_index, write_label_page
from mtclar.settings import ExtractSettings, LabelSettings, RegisterSettings
from mtclar.steps.extract import features_of, printable
from mtclar.steps.label_files import SCHEMA_VERSION, OutFolder, model_facts, side_facts, write_csv, write_json
from mtclar.steps.label_video import Track, labels_table, track_of
from mtclar.steps.models import open_predictor
from mtclar.video import find_videos, video_ids

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
        alone = all(ZERO_SHOT in v.notes for v in self.videos)  # then it is said once for all
        lines += [f"{v.video}: note: {note}" for v in self.videos for note in v.notes if not alone or note != ZERO_SHOT]
        return "\n".join(lines + [f"note: {ZERO_SHOT}"] * alone)


def run(
    s: LabelSettings,
    extract: ExtractSettings,
    *,
    videos: Sequence[Path],
    anchors: Path | None,
    model: Predictor | Path | str,
    out: Path,
    registry: RegisterSettings | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> LabelResult:
    """Labels every frame of every video. A video that was read before is not read again.

    Args:
        s: The section `label` of params.yaml.
        extract: The section `extract`.
        videos: Files and folders; a folder means all videos in it.
        anchors: CSV of labelled frames, see `mtclar.data.anchors`; a video that it does not name is labelled without
            any (zero-shot), as all are with None.
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        out: Folder for NAME.va.csv, NAME.va.parquet, NAME.va.json and NAME.html of each video, index.html and
            summary.json. The files of a video appear together; others in the folder are left alone.
        registry: The section `register`, to look `models:/` up.
        force: Read videos again that were read before.
        progress: Called once a frame while a video is read.

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
            try:
                beside = Path(out) / f"{printable(Path(names[path]))}{SUFFIX}"
                features, _ = features_of(
                    path, predictor, extract, beside=beside, force=force, progress=progress, what=what
                )
                done.append(_label(s, path, names[path], features, marks, predictor, folder))
            except MtclarError as error:
                failed[Path(printable(path))] = str(error)
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


def _label(
    s: LabelSettings,
    path: Path,
    name: str,
    features: Features,
    marks: Anchors | None,
    predictor: Predictor,
    folder: OutFolder,
) -> VideoResult:
    """Labels one video and writes its files."""
    if marks is not None and not marks.of(name):
        marks = None
    track = track_of(features)
    placed = VideoAnchors.none() if marks is None else marks.on_frames(name, track.times_s)
    table = labels_table(name, track, placed, predictor, s)
    notes = _notes(features, track, marks, placed, predictor)
    facts = side_facts(s, path, name, features, table, marks, placed, predictor, notes)
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
            features.face_pictures,
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
    features: Features, track: Track, marks: Anchors | None, placed: VideoAnchors, predictor: Predictor
) -> tuple[str, ...]:
    """What the reader of the labels should know, one sentence each."""
    told = placed.notes if marks is None else (*marks.notes, *placed.notes)
    notes = [*features.notes, *(f"{note[0].upper()}{note[1:]}." for note in told)]
    if not len(placed.frames):
        notes.append(ZERO_SHOT)
    mute = [str(frame) for frame in placed.frames[placed.own] if not track.has_face[frame]]
    if mute:
        notes.append(
            f"No face was found on the anchor frame(s) {', '.join(mute)}: they keep their label, but no other frame "
            "can be compared with them; at most, frames near in time learn from them."
        )
    strange = np.flatnonzero(~placed.own)
    if len(strange):
        listed = ", ".join(str(placed.frames[k]) for k in strange)
        notes.append(f"The anchors of frame(s) {listed} are of another face than the one labelled, and were not used.")
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
