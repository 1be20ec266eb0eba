"""The parts of a store made in bulk: one file a job, whole or not there, kept until the store is put together.

A part is an Arrow file with a row a face: the columns of `tables.FACES` and `tables.SYNTHESIS`, `image`, the encoded
crop, and `found`, whether the detector found the face in its whole picture (null where it was not tried).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mtclar.data.store import encode
from mtclar.data.tables import FACES, SYNTHESIS
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.faces import Face, open_detector, overlap
from mtclar.revision import listing_revision
from mtclar.settings import SynthesizeSettings
from mtclar.synthesis.bulk_plan import Job
from mtclar.synthesis.plan import person_id
from mtclar.synthesis.shots import FPS, MIN_OVERLAP, shots

DATASET = "synthetic"
PART = pa.schema(
    [*FACES, *(field for field in SYNTHESIS if field.name != "face_id"), ("image", pa.binary()), ("found", pa.bool_())]
)
MADE_OF = "made_of.json"


def made_of(s: SynthesizeSettings, face_model: Path | None) -> dict[str, Any]:
    """What decides the bytes of a part: the settings, the code that draws and the face model.

    The number of processes does not, and of the code nothing in this room.
    """
    room = Path(__file__).parents[1]
    code = hashlib.sha256()
    for file in sorted(room.rglob("*.py")):
        if file.parent != Path(__file__).parent:
            code.update(f"{file.relative_to(room).as_posix()}\n".encode() + file.read_bytes())
    model = hashlib.sha256()
    if face_model is not None:
        files = sorted(face_model.rglob("*")) if face_model.is_dir() else [face_model]
        for file in files:
            if file.is_file():
                with file.open("rb") as content:
                    model.update(hashlib.file_digest(content, "sha256").digest())
    settings = s.model_dump(mode="json", exclude={"workers"})
    return {"settings": settings, "code": code.hexdigest(), "face_model": model.hexdigest() if face_model else ""}


def revision_of(made: dict[str, Any]) -> str:
    """The data revision of a store that is made of this: 64 hexadecimal digits."""
    settings = hashlib.sha256(json.dumps(made["settings"], sort_keys=True).encode()).hexdigest()
    return listing_revision({"settings": settings, "code": made["code"], "face_model": made["face_model"]})


def open_parts(folder: Path, made: dict[str, Any]) -> None:
    """Makes the folder of the parts, or checks that the one that is there belongs to the same store.

    Raises:
        MtclarError: Its parts were drawn from something else, or it cannot be written.
    """
    stamp = folder / MADE_OF
    if stamp.is_file():
        try:
            before = dict(json.loads(stamp.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise MtclarError(f"{stamp}: cannot be read ({error}); remove {folder} to start anew.") from error
        if before != made:
            raise MtclarError(
                f"{folder}: holds the parts of a synthesis that was stopped, made with {_difference(before, made)}; "
                "remove the folder to start anew, or choose another --out."
            )
        return
    shutil.rmtree(folder, ignore_errors=True)  # parts without a stamp are what a removal has left
    with whole_file(stamp) as partial:
        partial.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")


def part_file(folder: Path, job: Job) -> Path:
    """Where the part of a job lies."""
    return folder / f"{job.name}.arrow"


def draw_part(folder: Path, job: Job, pictures: int, s: SynthesizeSettings, face_model: Path | None) -> int:
    """Draws a job and writes its part.

    Args:
        folder: Of the parts.
        job: What to draw.
        pictures: On so many of its first pictures the detector is tried.
        s: The section `synthesize` of params.yaml.
        face_model: For the rendered artist.

    Returns:
        Number of faces.

    Raises:
        MtclarError: The part cannot be written.
    """
    rows = list(_rows(job, pictures, s, face_model))
    with whole_file(part_file(folder, job)) as partial, pa.ipc.new_file(str(partial), PART) as sink:
        sink.write_table(pa.Table.from_pylist(rows, schema=PART))
    return len(rows)


def read_part(folder: Path, job: Job) -> pa.Table:
    """The part of a job.

    Raises:
        MtclarError: It is not there, is damaged, or does not hold the job's faces.
    """
    path = part_file(folder, job)
    try:
        with pa.OSFile(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowException) as error:
        raise MtclarError(f"{path}: the part is damaged or missing ({error}); run the same command again.") from error
    if table.schema != PART or table.num_rows != job.count:
        raise MtclarError(f"{path}: expected {job.count} faces, found {table.num_rows}; run the same command again.")
    return table


def _rows(job: Job, pictures: int, s: SynthesizeSettings, face_model: Path | None) -> Iterator[dict[str, Any]]:
    detector = open_detector()
    for number, shot in enumerate(shots(job, s, face_model, pictures=pictures)):
        place: dict[str, Any] = {}
        if job.kind == "clip":
            place = {"clip_id": job.name, "frame": number, "pts": number, "time_s": number / FPS, "track_id": 0}
        yield {
            "face_id": f"{DATASET}/{job.name}/{number:04d}",
            "dataset": DATASET,
            "subject_id": person_id(job.person),
            "split": job.split,
            **place,
            "x": shot.box.x,
            "y": shot.box.y,
            "w": shot.box.w,
            "h": shot.box.h,
            "score": shot.box.score,
            "valence": shot.affect[0],
            "arousal": shot.affect[1],
            "expression": shot.expression,
            **shot.facts,
            "image": encode(shot.crop, s.quality),
            "found": None if shot.picture is None else _found(shot.box, detector.detect(shot.picture)),
        }


def _found(box: Face, detected: list[Face]) -> bool:
    return any(overlap(box, face) >= MIN_OVERLAP for face in detected)


def _difference(before: dict[str, Any], made: dict[str, Any]) -> str:
    """The first thing in which two stamps differ, in words."""
    ours, theirs = made["settings"], before.get("settings", {})
    for name, value in ours.items():
        if theirs.get(name) != value:
            return f"synthesize.{name} {theirs.get(name)}, not {value}"
    return "another face model" if before.get("face_model") != made["face_model"] else "another version of mtclar"
