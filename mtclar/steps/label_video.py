"""One video from its features to its files: the anchors are fused, and every frame gets its row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mtclar import storage
from mtclar.data.anchors import Anchors, Clock, VideoAnchors
from mtclar.data.out_folder import OutFolder
from mtclar.data.tables import LABELS, read_notes, read_table, write_columns
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.cache import is_known
from mtclar.features.extract import Predictor, identity
from mtclar.features.file import SUFFIX
from mtclar.features.subjects import NOBODY, choice_notes, place_anchors
from mtclar.labelling import Calibration, Labels
from mtclar.labelling.annotate import labelled
from mtclar.labelling.calibration import EARLIER
from mtclar.labelling.fitted import fit
from mtclar.labelling.suspects import suspects
from mtclar.progress import Progress
from mtclar.report.label_data import suspects_of
from mtclar.report.label_page import write_label_page
from mtclar.report.overlay import write_overlay
from mtclar.settings import ExtractSettings, LabelSettings
from mtclar.steps.extract import Opened
from mtclar.steps.label_files import side_facts, write_csv, write_json
from mtclar.steps.videos import Source
from mtclar.video import OVERLAY_SUFFIX

log = logging.getLogger(__name__)

ZERO_SHOT = (
    "Labelled without anchors: what this person's own neutral face and scale are is not known, so the labels are less "
    "certain than with them; label a few frames by hand and give them with --anchors."
)
PARTS = (".va.csv", ".va.parquet", ".va.json", ".html")
"""Endings of the files of a labelled video; the overlay is made only where it is asked for."""


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
    overlay: bool = False

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
        read = 0

        def reading(done: int, total: int, what: str = "", /) -> None:
            nonlocal read
            read = done
            progress(done, total * (2 if self.overlay else 1), what)

        def drawing(done: int, total: int, what: str = "", /) -> None:
            progress(read + done, read + total, what)

        with Opened(source, self.predictor, self.extract, manifest) as opened:
            if self.overlay:
                self._refuse_foreign(source)
            inputs = self._inputs(opened, marks)
            row = None if self.force else self.folder.finished(source.name, inputs)
            if row is not None:
                result = VideoResult(**{**row, "files": tuple(row["files"]), "notes": tuple(row["notes"])})
            else:
                features, _ = opened.features(
                    beside=self._beside(source),
                    force=self.force,
                    progress=reading,
                    before=lambda: self._check(opened, marks),
                )
                result = self._write(source, features, marks, inputs)
            if self.overlay and f"{source.name}{OVERLAY_SUFFIX}" not in result.files:
                result = self._add_overlay(opened, result, inputs, drawing)
        return result

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
        placed = VideoAnchors.none()
        if marks is not None:
            placed = place_anchors(features, marks, name, s.subject, self.clock)
        calibration, doubt = calibration_of(predictor)
        fitted = fit(features, placed, s, calibration)
        labels = labelled(fitted, s)
        contradicting = suspects_of(fitted, suspects(fitted, predictor.compare))
        columns = labels.columns(name)
        notes = (*_notes(features, labels, marks, placed, s), *doubt, *predictor.facts.get("notes", ()))
        facts = side_facts(s, source.file, name, features, columns, marks, placed, predictor, notes)
        place, certain = PurePosixPath(name), labels.confidence[np.isfinite(labels.confidence)]
        shown = np.isin(labels.status, ("ok", "low_quality"))
        result = VideoResult(
            video_id=name,
            video=source.file,
            frames=len(features),
            faces=len(np.unique(labels.frame[shown])),
            anchors=len(placed.frames),
            mean_confidence=round(float(certain.mean()), 4) if len(certain) else None,
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
                suspects=contradicting,
            )
            stage.inputs, stage.row, stage.source = inputs, asdict(result), source.facts
        return result

    def _refuse_foreign(self, source: Source) -> None:
        """Refuses to write over a video that is no overlay of this verb's.

        Raises:
            MtclarError: Such a file is there.
        """
        file, manifest = f"{source.name}{OVERLAY_SUFFIX}", self.folder.manifest(source.name)
        if file not in (manifest or {"files": ()})["files"] and self.folder.fetch(file) is not None:
            raise MtclarError(
                f"{source.file}: the overlay would take the place of {file} in {self.folder.place}, which 'mtclar "
                "label' did not write; move it away or choose another --out."
            )

    def _add_overlay(
        self, opened: Opened, result: VideoResult, inputs: dict[str, Any], progress: Progress
    ) -> VideoResult:
        """Writes the overlay beside the labels that are there."""
        source, place = opened.source, PurePosixPath(opened.source.name)
        table = self.folder.fetch(f"{source.name}.va.parquet")
        if table is None:
            raise MtclarError(f"{source.file}: its labels are no longer in {self.folder.place}; call again.")
        rows, facts = read_table(table, LABELS), json.loads(read_notes(table)["mtclar"])
        file = f"{place.name}{OVERLAY_SUFFIX}"
        with self.folder.stage(source.name, adds=True) as stage:
            said = write_overlay(
                stage.path / file,
                opened.video,
                {name: rows[name].to_numpy() for name in LABELS.names},
                coverage=facts["band"].get("coverage"),
                progress=progress,
                what=source.file,
            )
            notes = (*result.notes, *(f"{file}: {note}" for note in said))
            result = replace(result, files=(*result.files, f"{source.name}{OVERLAY_SUFFIX}"), notes=notes)
            stage.inputs, stage.row, stage.source = inputs, asdict(result), source.facts
        return result


def _notes(
    features: Features,
    labels: Labels,
    marks: Anchors | None,
    placed: VideoAnchors,
    s: LabelSettings,
) -> tuple[str, ...]:
    """What the reader of the labels should know, one sentence each."""
    told = placed.notes if marks is None else (*marks.notes, *placed.notes)
    notes = [*features.notes, *choice_notes(features, s.subject)]
    notes += [f"{note[0].upper()}{note[1:]}." for note in told]
    if len(features) == 1:
        notes.append("The video has one frame only; is it the one that was meant?")
    if not len(placed.frames):
        notes.append(ZERO_SHOT)
    seen = set(zip(features.faces.frame.tolist(), features.faces.track.tolist(), strict=True))
    mute = [
        str(frame)
        for frame, track in zip(placed.frames.tolist(), placed.track.tolist(), strict=True)
        if (frame, track) not in seen
    ]
    if mute:
        notes.append(
            f"No face was found on the anchor frame(s) {', '.join(mute)}: they keep their label, but no other frame "
            "can be compared with them; at most, frames near in time learn from them."
        )
    rows = set(zip(labels.frame.tolist(), labels.track.tolist(), strict=True))
    strange = [
        str(frame)
        for frame, track in zip(placed.frames.tolist(), placed.track.tolist(), strict=True)
        if (frame, track) not in rows and track != NOBODY
    ]
    if strange:
        notes.append(
            f"The anchors of frame(s) {', '.join(strange)} are of somebody else than is labelled: from them the labels "
            "are less certain than from the person's own."
        )
    return tuple(notes)


def calibration_of(predictor: Predictor) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """What a model's evaluation measured, None where that cannot be used; and what is to be said of it.

    Raises:
        MtclarError: The calibration is not what it should be.
    """
    known = predictor.calibration
    if known is not None and "process" not in known and any(name in known for name in EARLIER):
        return None, (
            "The model was calibrated by an earlier version of mtclar, so the labels have no band and no confidence; "
            "calibrate it again.",
        )
    if Calibration.read(known).banded:
        return known, ()
    return known, ("The model carries no calibration, so the labels have no band and no confidence.",)
