"""Making a sample: plan it, draw it in parallel, lay it out, and put it in place all at once."""

from __future__ import annotations

import csv
import io
import json
import logging
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from mtclar.errors import MtclarError
from mtclar.synthesis.artists import ARTISTS
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.card import write_card
from mtclar.synthesis.draw import CLIP_SIZE, PICTURE_SIZE, Drawn, draw_job
from mtclar.synthesis.layouts import pack_folder
from mtclar.synthesis.plan import Job, Plan, make_plan, person_id

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
LABEL_COLUMNS = ("video_id", "frame", "time_s", "person_id", "track_id", "valence", "arousal", "x", "y", "w", "h")
ANCHOR_COLUMNS = ("video_id", "frame", "valence", "arousal", "face_x", "face_y")


def make_sample(
    *,
    out: Path,
    people: int,
    clips: int,
    frames: int,
    seed: int,
    artist: str,
    face_model: Path | None = None,
    workers: int = 0,
    archive: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Make a sample of people who do not exist.

    Args:
        out: folder to write; it must be new, empty or an earlier sample, which is replaced.
        people: how many people, at least 3; each has eight pictures.
        clips: how many clips; the first people are in them. Without clips there are no videos either.
        frames: frames of a clip, on average.
        seed: the same seed gives the same sample, whatever the number of workers; only x264's choices may differ, so
            the MP4s are the same pictures but not always the same bytes.
        artist: `rendered` or `drawn`.
        face_model: for `rendered`; None takes the one MTCLAR_FACE_MODEL names.
        workers: processes; 0 takes one for each core.
        archive: pack the folders of pictures and clips into zips.
        progress: called with jobs done and jobs in all.

    Returns:
        What sample.json says.

    Raises:
        MtclarError: a setting is out of range, the face model is missing, or `out` is something else.
    """
    if artist not in ARTISTS:
        raise MtclarError(f"there is no artist {artist!r}: choose one of {', '.join(ARTISTS)}")
    plan = make_plan(people=people, clips=clips, frames=frames, seed=seed)
    model = find_face_model(face_model) if artist == "rendered" else None
    _check_out(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise MtclarError(f"cannot write the sample to {out}: {error.strerror}") from error
    try:
        draw = partial(draw_job, seed=seed, artist=artist, face_model=model)
        drawn = _write_all(staging, plan, _draw_all(draw, plan.jobs, workers), progress)
        index = _write_tables(staging, plan, drawn, artist, frames, archive)
        if archive:
            _pack(staging)
        staging.chmod(0o755)
        if out.exists():
            shutil.rmtree(out)
        staging.rename(out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    log.info("sample of %d people, %d clips in %s", people, clips, out)
    return index


def _check_out(out: Path) -> None:
    if Path.cwd().is_relative_to(out.resolve()):
        raise MtclarError(f"{out}: the sample would take the place of the working folder: name a new folder")
    if out.is_dir() and any(out.iterdir()) and not (out / "sample.json").is_file():
        raise MtclarError(f"{out} is not empty and holds no sample: name a new folder")
    if out.exists() and not out.is_dir():
        raise MtclarError(f"{out} is a file: name a folder for the sample")


def _draw_all(draw: Callable[[Job], Drawn], jobs: tuple[Job, ...], workers: int) -> Iterator[Drawn]:
    """Draw jobs in order, in this process or in several."""
    count = min(workers or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        yield from map(draw, jobs)
        return
    # Spawned, not forked: a rendering library that was opened before a fork does not survive it.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(draw, jobs, chunksize=2)


def _write_all(
    folder: Path, plan: Plan, results: Iterable[Drawn], progress: Callable[[int, int], None] | None
) -> list[Drawn]:
    """Write each job's files as it comes; keep the rest of what it said."""
    kept = []
    for done, result in enumerate(results, 1):
        for path, data in result.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        kept.append(Drawn({}, result.index, result.labels, result.anchors, result.faces, result.found))
        if progress is not None:
            progress(done, len(plan.jobs))
    return kept


def _write_tables(
    folder: Path, plan: Plan, drawn: list[Drawn], artist: str, frames: int, archive: bool
) -> dict[str, Any]:
    """Write sample.json, the label and anchor tables of the videos, and the data card."""
    faces, found = sum(d.faces for d in drawn), sum(d.found for d in drawn)
    index: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "artist": artist, "seed": plan.seed}
    index["detection"] = {"faces": faces, "found": found}
    index["people"] = {person_id(i): {"split": split} for i, split in enumerate(plan.splits)}
    for part in ("pictures", "clips", "videos"):
        index[part] = {key: value for d in drawn for key, value in d.index.get(part, {}).items()}
    (folder / "sample.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if index["videos"]:
        labels = [row for d in drawn for row in d.labels]
        (folder / "videos" / "labels.csv").write_text(_csv(LABEL_COLUMNS, labels), encoding="utf-8")
        anchors = [row for d in drawn for row in d.anchors]
        (folder / "anchors.csv").write_text(_csv(ANCHOR_COLUMNS, anchors), encoding="utf-8")
    card = write_card(_numbers(plan, index, frames), artist, archive)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return index


def _numbers(plan: Plan, index: dict[str, Any], frames: int) -> dict[str, Any]:
    """Counts for the data card."""
    counts: Counter[str] = Counter()
    for job in plan.jobs:
        if job.kind == "pictures":
            counts[f"people_{job.split}"] += 1
            counts[f"pictures_{job.split}"] += job.frames
        elif job.kind == "clip":
            counts[f"clips_{job.split}"] += 1
            counts[f"frames_{job.split}"] += job.frames
    splits = ("train", "validation", "test")
    numbers = {
        f"{what}_{s}": counts[f"{what}_{s}"] for what in ("people", "pictures", "clips", "frames") for s in splits
    }
    found, faces = index["detection"]["found"], index["detection"]["faces"]
    return numbers | {
        "people": len(plan.splits),
        "pictures": len(index["pictures"]),
        "clips": len(index["clips"]),
        "videos": len(index["videos"]),
        "clip_frames": sum(numbers[f"frames_{s}"] for s in splits),
        "frames": frames,
        "seed": plan.seed,
        "found": found,
        "faces": faces,
        "rate": 100 * found / faces,
        "picture_size": "{}×{}".format(*PICTURE_SIZE),
        "clip_size": "{}×{}".format(*CLIP_SIZE),
    }


def _csv(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _pack(folder: Path) -> None:
    """Replace the many-file folders by zips beside them."""
    for part in [*folder.glob("affectnet/*"), *folder.glob("afew-va/*")]:
        pack_folder(part, part.with_name(part.name + ".zip"))
        shutil.rmtree(part)
