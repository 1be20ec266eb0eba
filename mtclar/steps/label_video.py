"""One video from its features to its files: the anchors are fused, and every frame gets its row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from mtclar import storage
from mtclar.data.anchors import Anchors, Clock, VideoAnchors
from mtclar.data.out_folder import OutFolder
from mtclar.data.tables import LABELS, write_columns
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.cache import is_known
from mtclar.features.extract import Predictor, identity
from mtclar.features.file import SUFFIX
from mtclar.labelling import Estimate, bound_krige, confidence, half_bands, label_track
from mtclar.progress import Progress
from mtclar.report.label_page import write_label_page
from mtclar.settings import ExtractSettings, LabelSettings
from mtclar.steps.extract import Opened
from mtclar.steps.label_files import side_facts, write_csv, write_json
from mtclar.steps.videos import Source

log = logging.getLogger(__name__)

ZERO_SHOT = (
    "Labelled without anchors: what this person's own neutral face and scale are is not known, so the labels are less "
    "certain than with them; label a few frames by hand and give them with --anchors."
)
PARTS = (".va.csv", ".va.parquet", ".va.json", ".html")


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


@dataclass
class Labelling:
    """Labels one video and writes its files; may be sent to another process."""

    s: LabelSettings
    extract: ExtractSettings
    predictor: Predictor
    marks: Anchors | None
    folder: OutFolder
    force: bool
    clock: Clock = "video"

    def misplaced(self, sources: Iterable[Source]) -> dict[str, str]:
        """What is wrong with the anchors of videos here that are still to be read, so that nobody waits to be told.

        The time stamps of a video are known long before its pictures are.
        """
        found = {}
        for source in sources:
            if self.marks is None or not self.marks.of(source.name) or storage.is_remote(source.place):
                continue
            asked = identity(self.predictor, self.extract)
            if not self.force and is_known(Path(source.place), asked, beside=self._beside(source)):
                continue
            try:
                with Opened(source, self.predictor, self.extract) as opened:
                    self._check(opened, self.marks)
            except MtclarError as error:
                found[source.name] = str(error)
            except Exception as error:
                log.info("%s: told when its turn comes: %r", source.file, error)  # a fault of a library
        return found

    def __call__(self, source: Source, progress: Progress) -> VideoResult:
        marks = self.marks if self.marks is not None and self.marks.of(source.name) else None
        manifest = None if self.force else self.folder.manifest(source.name)
        with Opened(source, self.predictor, self.extract, manifest) as opened:
            inputs = self._inputs(opened, marks)
            row = None if self.force else self.folder.finished(source.name, inputs)
            if row is not None:
                return VideoResult(**{**row, "files": tuple(row["files"]), "notes": tuple(row["notes"])})
            features, _ = opened.features(
                beside=self._beside(source),
                force=self.force,
                progress=progress,
                before=lambda: self._check(opened, marks),
            )
        return self._write(source, features, marks, inputs)

    def _beside(self, source: Source) -> Path | None:
        """A features file that may be of a video."""
        return self.folder.fetch(f"{source.name}{SUFFIX}")

    def _check(self, opened: Opened, marks: Anchors | None) -> None:
        """Lays the anchors on the frames as the time stamps of the video say, for what may be wrong with them."""
        if marks is not None:
            video = opened.video
            marks.on_frames(opened.source.name, video.timeline(), video.facts.media_offset_s, self.clock)

    def _inputs(self, opened: Opened, marks: Anchors | None) -> dict[str, Any]:
        """All that the files of a video follow from."""
        rows = () if marks is None else marks.of(opened.source.name)
        return {
            **opened.origin,
            "file": opened.source.file,
            "model": self.predictor.identity,
            "label": self.s.model_dump(mode="json"),
            "anchors_file": None if marks is None else marks.path.name,
            "anchors": [asdict(row) for row in rows],
            "clock": self.clock,
            "said": None if marks is None else list(marks.notes),
        }

    def _write(self, source: Source, features: Features, marks: Anchors | None, inputs: dict[str, Any]) -> VideoResult:
        """Labels the frames and writes the files."""
        s, name, predictor = self.s, source.name, self.predictor
        track = track_of(features)
        placed = VideoAnchors.none()
        if marks is not None:
            placed = marks.on_frames(name, track.times_s, features.video.get("media_offset_s", 0.0), self.clock)
        table = labels_table(name, track, placed, predictor, s)
        columns = {column: table[column].to_numpy() for column in LABELS.names}
        notes = _notes(features, track, marks, placed, predictor)
        facts = side_facts(s, source.file, name, features, columns, marks, placed, predictor, notes)
        place = PurePosixPath(name)
        certain = table["confidence"].mean()
        result = VideoResult(
            video_id=name,
            video=source.file,
            frames=len(table),
            faces=int(track.has_face.sum()),
            anchors=len(placed.frames),
            mean_confidence=None if np.isnan(certain) else round(float(certain), 4),
            files=tuple(f"{name}{part}" for part in PARTS),
            notes=notes,
        )
        with self.folder.stage(name) as stage:
            csv, parquet, side, page = (stage.path / f"{place.name}{part}" for part in PARTS)
            write_csv(columns, csv)
            write_columns(columns, parquet, LABELS, {"mtclar": json.dumps(facts)})
            write_json(facts, side)
            write_label_page(
                page,
                columns,
                facts,
                features.face_pictures,
                thumbnails=s.thumbnails,
                shots=features.shot_pictures,
                notes=notes,
                card=predictor.card,
            )
            stage.inputs, stage.row, stage.source = inputs, asdict(result), source.facts
        return result


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


@dataclass(frozen=True)
class Track:
    """One face through a video of n frames.

    Attributes:
        pts: int64 (n,), as the container gives them.
        times_s: float64 (n,), seconds from the first displayed frame.
        boxes: float64 (n, 4): x, y, w, h in pixels of the upright frame; NaN where there is no face.
        scores: float64 (n,), the detector's; NaN where there is no face.
        embeddings: float32 (n, d); NaN where there is no face.
        quality: float64 (n,), see `mtclar.faces.quality`; NaN where there is no face.
        head: float64 (n, 2), valence and arousal of the supervised head; NaN where there is no face.
    """

    pts: np.ndarray
    times_s: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray
    head: np.ndarray

    @property
    def has_face(self) -> np.ndarray:
        """bool (n,)."""
        return ~np.isnan(self.scores)


def track_of(features: Features) -> Track:
    """The largest face of each shot of a video, frame by frame."""
    faces, n = features.faces, len(features)
    area, shot = faces.box[:, 2] * faces.box[:, 3], features.shot[faces.frame]
    sums = {track: (area[faces.track == track].sum(), shot[faces.track == track][0]) for track in features.tracks}
    best = {shot: max((area, track) for track, (area, other) in sums.items() if other == shot) for shot in set(shot)}
    faces = faces[np.isin(faces.track, [track for _, track in best.values()])]

    def by_frame(values: np.ndarray, kind: type = np.float64) -> np.ndarray:
        out = np.full((n, *values.shape[1:]), np.nan, kind)
        out[faces.frame] = values
        return out

    return Track(
        pts=features.pts,
        times_s=features.time_s,
        boxes=by_frame(faces.box),
        scores=by_frame(faces.score),
        embeddings=by_frame(faces.embedding, np.float32),
        quality=by_frame(faces.quality),
        head=by_frame(faces.head),
    )


def labels_table(
    video_id: str, track: Track, anchors: VideoAnchors, predictor: Predictor, s: LabelSettings
) -> pd.DataFrame:
    """The labels of every frame, with the columns of `tables.LABELS`.

    The band of a frame is its label ± what `mtclar.labelling.half_bands` says, clipped to [-1, 1]; an anchor has none
    of its own. For `confidence` see `mtclar.labelling.confidence`; an anchor's is 1. Without any anchor the labels are
    zero-shot. A frame without a face has a label where it is close enough to frames that have one (`s.bridge_s`), and
    is `interpolated`.

    Raises:
        MtclarError: There are anchors but none is of the face followed.
    """
    own = anchors.own
    if len(own) and not own.any():
        raise MtclarError(f"no anchor of '{video_id}' is of the face followed; label at least one frame of track 0.")
    estimate = label_track(
        track.embeddings,
        track.times_s,
        anchors.frames[own],
        anchors.labels[own],
        predictor.compare,
        method=s.fusion,
        time_scale_s=s.time_scale_s,
        anchor_weights=anchors.weights[own],
        quality=track.quality,
        levels=track.head,
        krige=bound_krige(predictor.calibration),
        bridge_s=s.bridge_s,
    )
    half = half_bands(predictor.calibration, estimate.sd, zero_shot=estimate.zero_shot)
    # A standard deviation tells all there is to tell; only a fixed band takes notice of anchors that disagree.
    spread = np.where(np.isfinite(estimate.sd), 0.0, estimate.spread)
    at_anchor = estimate.is_anchor
    reach = np.where(at_anchor[:, None], 0.0, half)
    low, high = (np.clip(estimate.labels + sign * reach, -1, 1) for sign in (-1, 1))
    n, has_face = len(track.pts), track.has_face
    source = "zero-shot" if estimate.zero_shot else "model"
    columns = {
        "video_id": video_id,
        "track_id": 0,
        "person_id": pd.Series([None] * n, dtype=object),
        "frame": np.arange(n),
        "pts": track.pts,
        "time_s": track.times_s,
        "valence": estimate.valence,
        "arousal": estimate.arousal,
        "valence_lo": low[:, 0],
        "valence_hi": high[:, 0],
        "arousal_lo": low[:, 1],
        "arousal_hi": high[:, 1],
        "confidence": np.where(at_anchor, 1.0, confidence(half, spread)),
        "source": np.select(
            [at_anchor, has_face, ~np.isnan(estimate.valence)], ["anchor", source, "interpolated"], "none"
        ),
        "status": np.where(has_face, "ok", "no_face"),
        "anchor_ids": _anchor_ids(estimate, anchors.frames[own]),
        "face_x": track.boxes[:, 0],
        "face_y": track.boxes[:, 1],
        "face_w": track.boxes[:, 2],
        "face_h": track.boxes[:, 3],
        "face_score": track.scores,
        "quality": track.quality,
        "shot_id": 0,
    }
    return pd.DataFrame(columns, columns=LABELS.names)


def _anchor_ids(estimate: Estimate, frames: np.ndarray) -> list[str]:
    """The frames of the anchors each row used, separated by spaces."""
    names = [str(frame) for frame in frames]
    return [" ".join(names[k] for k in np.flatnonzero(used)) for used in estimate.used]
