"""crop: pictures and videos to the faces store.

Every face is cut out by `mtclar.faces.crop`. Which face of a picture is meant: the one that overlaps the box or the
landmarks of the data set most, if it gives any, else the one that was followed so far, else the largest. Where the
detector sees nothing, the data set's own box is taken, with score NaN; where there is none either, the picture counts
as unreadable. The store does not depend on the number of processes.
"""

from __future__ import annotations

import csv
import logging
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.data.readers import Group, Notes, Record, content_revision, read
from mtclar.data.store import FacesWriter, encode
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.faces import Aligner, CropSpec, Detector, Face, box_from_landmarks, open_detector, overlap, pick
from mtclar.progress import Progress, silent
from mtclar.revision import STAMP
from mtclar.settings import CropSettings

log = logging.getLogger(__name__)

UNREADABLE = "unreadable.csv"
MIN_OVERLAP = 0.2
"""Overlap from which a detected box is believed to be the face that the data set means."""
WORTH_A_PROCESS = 8
"""Groups from which another process earns the seconds that it takes to start, where the number is not given."""
AHEAD = 4
"""Groups a process that wait for it, so that neither it nor memory runs short."""


@dataclass(frozen=True)
class CropResult:
    """What `run` did.

    Attributes:
        out: The faces store.
        faces: Rows of the store.
        splits: Faces of each split.
        given: Faces for which the detector found nothing and the data set's own box was taken.
        skipped: What the data set marks as not to be used, counted by reason.
        unreadable: Name and reason of each picture that gave no face.
    """

    out: Path
    faces: int
    splits: dict[str, int]
    given: int
    skipped: dict[str, int]
    unreadable: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        splits = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        text = f"{self.faces} faces ({splits}) in {self.out}"
        if self.unreadable:
            text += f"; {len(self.unreadable)} without a face, listed in {self.out / UNREADABLE}"
        if self.skipped:
            text += "; skipped: " + ", ".join(f"{count} x {reason}" for reason, count in sorted(self.skipped.items()))
        return text


@dataclass(frozen=True)
class _Done:
    """One group's rows, their encoded crops, and what it leaves out."""

    rows: list[dict[str, Any]]
    crops: list[bytes]
    notes: Notes


def run(s: CropSettings, *, data: Path, out: Path, progress: Progress = silent) -> CropResult:
    """Cuts the faces out of a data set into a faces store.

    Args:
        s: The section `crop` of params.yaml.
        data: Folder or zip of the data set `s.source`, as it was released; the revision of its content is written into
            store.json.
        out: Folder of the store; appears whole or not at all. Beside the store it holds unreadable.csv (name, reason).
        progress: Called after each clip or handful of pictures.

    Returns:
        Counts, and the list of what gave no face.

    Raises:
        MtclarError: `data` is missing or not laid out as `s.source`, more than the share `s.max_unreadable` of its
            pictures gave no face, two faces have the same id, or `out` cannot be written.
    """
    data, out = Path(data), Path(out)
    notes = Notes()
    groups = list(read(data, s, notes))
    spec = CropSpec(size=s.size, scale=s.scale, centre=s.size, input_size=s.size, align=s.align)
    detector = None if s.detector == "given" else open_detector(s.detector, threshold=s.threshold or None)
    work = partial(_work, spec=spec, detector=detector, quality=s.quality)
    facts: dict[str, Any] = {"source": s.source, "detector": s.detector, "scale": s.scale, "quality": s.quality}
    if s.align != "box":
        facts["align"] = s.align
    facts[STAMP] = content_revision(data, s, progress)
    splits: Counter[str] = Counter()
    ids: set[str] = set()
    given = 0
    with whole_folder(out, known_by="store.json") as fresh:
        with FacesWriter(fresh, size=s.size, quality=s.quality, facts=facts) as writer:
            for done, (group, result) in enumerate(zip(groups, _map(work, groups, s.workers), strict=True), 1):
                for row, crop in zip(result.rows, result.crops, strict=True):
                    if row["face_id"] in ids:
                        raise MtclarError(f"{data}: two faces have the id '{row['face_id']}'; is the data in it twice?")
                    ids.add(row["face_id"])
                    splits[row["split"]] += 1
                    given += bool(np.isnan(row["score"]))
                    writer.add(row, crop)
                notes.merge(result.notes)
                progress(done, len(groups), group.name)
            _check_unreadable(notes.unreadable, len(writer), s.max_unreadable, data)
            writer.facts.update(unreadable=len(notes.unreadable), skipped=dict(sorted(notes.skipped.items())))
        _write_unreadable(fresh / UNREADABLE, notes.unreadable)
    summary = CropResult(out, len(ids), dict(splits), given, dict(notes.skipped), tuple(notes.unreadable))
    log.info("%s", summary)
    return summary


def _check_unreadable(unreadable: Sequence[tuple[str, str]], faces: int, limit: float, data: Path) -> None:
    examples = "; ".join(f"{name}: {reason}" for name, reason in unreadable[:3])
    if not faces:
        raise MtclarError(f"{data}: no face at all; {len(unreadable)} pictures gave none ({examples}).")
    share = len(unreadable) / (faces + len(unreadable))
    if share > limit:
        raise MtclarError(
            f"{data}: {len(unreadable)} of {faces + len(unreadable)} pictures ({share:.1%}) gave no face, more than "
            f"crop.max_unreadable {limit:.1%} allows, for example {examples}."
        )


def _write_unreadable(path: Path, unreadable: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("name", "reason"))
        table.writerows(unreadable)


def _map(work: partial[_Done], groups: Sequence[Group], workers: int) -> Iterator[_Done]:
    """`work` on each group, in order, in this process or in several."""
    cores = min(len(os.sched_getaffinity(0)), len(groups) // WORTH_A_PROCESS)
    count = min(workers or cores, len(groups))
    if count <= 1:
        yield from map(work, groups)
        return
    # Spawned, not forked: threads of the numeric libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        remaining = iter(groups)
        waiting: deque[Future[_Done]] = deque(pool.submit(work, g) for g in islice(remaining, AHEAD * count))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(work, g) for g in islice(remaining, 1))
        finally:
            for future in waiting:
                future.cancel()


def _work(group: Group, *, spec: CropSpec, detector: Detector | None, quality: int) -> _Done:
    """Cuts the faces of one group, following the same face from frame to frame of a clip."""
    align = Aligner(spec)
    done = _Done([], [], Notes())
    previous: Face | None = None
    for record in group.records(done.notes):
        try:
            picture = record.load()
            face = choose(picture, record, detector, previous if record.clip_id is not None else None)
        except MtclarError as error:
            done.notes.fault(record.name, str(error).removeprefix(record.name + ": ").rstrip("."))
            continue
        previous = face
        done.rows.append(_row(record, face))
        done.crops.append(encode(align(picture, face), quality))
    return done


def choose(picture: NDArray[np.uint8], record: Record, detector: Detector | None, previous: Face | None = None) -> Face:
    """The face of a picture that a record means.

    Args:
        picture: uint8 RGB (h, w, 3).
        record: May give the face's box or landmarks.
        detector: None, if only given boxes and landmarks are to be used.
        previous: The face of the frame before in a clip.

    Raises:
        MtclarError: There is none; says why.
    """
    known = _given(record, picture.shape[1], picture.shape[0])
    if detector is None:
        if known is None:
            raise MtclarError("neither a box nor landmarks of a face are given")
        return known
    faces = detector.detect(picture)
    if known is not None:
        best = max(faces, key=lambda face: overlap(face, known), default=known)
        return best if overlap(best, known) >= MIN_OVERLAP else known
    if record.side is not None:
        faces = _on_side(faces, record, picture.shape[1])
    face = pick(faces, previous)
    if face is None:
        raise MtclarError("no face found")
    return face


def _given(record: Record, width: int, height: int) -> Face | None:
    """The face that the data set gives, unless its centre lies outside the picture."""
    face = None
    if record.landmarks is not None:
        try:
            face = box_from_landmarks(record.landmarks)
        except MtclarError:
            face = None
    if face is None and record.box is not None:
        face = Face(*record.box)
    if face is None:
        return None
    inside = 0 <= face.x + face.w / 2 <= width and 0 <= face.y + face.h / 2 <= height
    return face if inside else None


def _on_side(faces: list[Face], record: Record, width: int) -> list[Face]:
    """Of two people the one on the left or the right; of one, that one if it stands on that side."""
    order = sorted(faces, key=lambda face: face.x + face.w / 2)
    if len(order) >= 2:
        return order[:1] if record.side == "left" else order[-1:]
    return [face for face in order if (face.x + face.w / 2 < width / 2) == (record.side == "left")]


def _row(record: Record, face: Face) -> dict[str, Any]:
    """One row of the table of faces."""
    said = {
        name: getattr(record, name)
        for name in ("face_id", "dataset", "clip_id", "subject_id", "frame", "pts", "time_s", "track_id", "split")
    }
    labels = {"valence": record.valence, "arousal": record.arousal, "expression": record.expression}
    return {**said, "x": face.x, "y": face.y, "w": face.w, "h": face.h, "score": face.score, **labels}
