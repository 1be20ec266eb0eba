"""synthesize: faces of people who do not exist, by the hundred thousand, straight into a faces store.

No video and no detector stands between: the crops are cut where the faces are known to be. Each job (a person's
pictures, or a clip) is a part in a hidden folder beside `out`, so that a run that was stopped goes on where it was;
when all are there they are put together in the order of the plan. The store depends neither on the number of processes
nor on where a run was stopped.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar import __version__
from mtclar.data.store import MADE, FacesStore, FacesWriter, encode
from mtclar.data.tables import FACES, SYNTHESIS, write_table
from mtclar.data.whole import refuse_foreign, whole_file, whole_folder
from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.report.synthesis_page import write_synthesis_page
from mtclar.revision import STAMP
from mtclar.settings import SynthesizeSettings
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.bulk.card import bulk_card
from mtclar.synthesis.bulk.parts import DATASET, draw_part, made_of, open_parts, read_part, revision_of
from mtclar.synthesis.bulk.pool import each_done
from mtclar.synthesis.bulk.sheet import sheet
from mtclar.synthesis.bulk.statistics import statistics
from mtclar.synthesis.bulk_plan import Job, bulk_jobs, pictures_tried
from mtclar.synthesis.plan import generator

STATISTICS = "statistics.json"
SHEET_PLACE = 100
"""Place in the seed's tree by which the sheet draws its faces."""


@dataclass(frozen=True)
class Synthesized:
    """What `run` made.

    Attributes:
        out: The faces store.
        faces: Faces of each split.
        people: People of each split.
        clips: Clips of each split.
        tried: Whole pictures on which the detector was tried.
        found: In how many of these it found the face.
        kept: Faces that an earlier, stopped run had drawn already.
    """

    out: Path
    faces: dict[str, int]
    people: dict[str, int]
    clips: dict[str, int]
    tried: int
    found: int
    kept: int

    def __str__(self) -> str:
        faces = ", ".join(f"{count} {split}" for split, count in self.faces.items())
        kept = f" ({self.kept} of them drawn before)" if self.kept else ""
        found = f"; the detector finds {self.found} of {self.tried}" if self.tried else ""
        total, people = sum(self.faces.values()), sum(self.people.values())
        return f"{total} faces{kept} of {people} people ({faces}) in {self.out}{found}"


def run(
    s: SynthesizeSettings, *, out: Path, face_model: Path | None = None, progress: Progress = silent
) -> Synthesized:
    """Makes a faces store of people who do not exist.

    Args:
        s: The section `synthesize` of params.yaml.
        out: Folder of the store; appears whole or not at all. Beside the store it holds synthesis.parquet, how each
            face was made; statistics.json and statistics.html; sheet.jpg; README.md, its data card. A store that is
            there already and was made with the same settings is kept.
        face_model: For the rendered artist; None takes the one MTCLAR_FACE_MODEL names.
        progress: Called after each part, with faces done and faces in all.

    Returns:
        Counts.

    Raises:
        MtclarError: A setting asks for what cannot be, the face model is missing, the parts of a run with other
            settings are there, or `out` holds something else or cannot be written.
    """
    out = Path(out)
    jobs = bulk_jobs(s)
    model = find_face_model(face_model) if s.artist == "rendered" else None
    made = made_of(s, model)
    refuse_foreign(out, known_by=MADE)
    parts = _parts_folder(out)
    if _is_made(out, made):
        shutil.rmtree(parts, ignore_errors=True)
        _stamp(out, revision_of(made))
        counted = json.loads((out / STATISTICS).read_text(encoding="utf-8"))
        return _result(out, counted, kept=sum(counted["faces"].values()))
    open_parts(parts, made)
    kept = _draw(jobs, parts, s, model, progress)
    with whole_folder(out, known_by=MADE) as fresh:
        counted = _put_together(jobs, parts, s, made, fresh, progress)
    shutil.rmtree(parts)
    return _result(out, counted, kept)


def _parts_folder(out: Path) -> Path:
    resolved = out.resolve()
    return resolved.with_name(f".{resolved.name}.parts")


def _is_made(out: Path, made: dict[str, Any]) -> bool:
    """Whether `out` holds the whole of what is asked for."""
    try:
        return FacesStore(out).facts.get("made_of") == made and (out / STATISTICS).is_file()
    except MtclarError:
        return False


def _stamp(out: Path, revision: str) -> None:
    """Writes the data revision into a store that was made before stores had one."""
    facts = FacesStore(out).facts
    if STAMP not in facts:
        with whole_file(out / "store.json") as partial:
            partial.write_text(json.dumps(facts | {STAMP: revision}, indent=2) + "\n", encoding="utf-8")


def _draw(jobs: Sequence[Job], parts: Path, s: SynthesizeSettings, model: Path | None, progress: Progress) -> int:
    """Draws the parts that are missing or damaged; returns how many faces the others hold."""
    tasks = []
    for job, pictures in zip(jobs, pictures_tried(list(jobs), s.detect), strict=True):
        try:
            read_part(parts, job)
        except MtclarError:
            tasks.append((parts, job, pictures, s, model))
    total = sum(job.count for job in jobs)
    kept = done = total - sum(task[1].count for task in tasks)
    start = time.monotonic()
    progress(done, total, "faces")
    for count in each_done(draw_part, tasks, s.workers):
        done += count
        progress(done, total, f"faces, {(done - kept) / (time.monotonic() - start):.0f} a second")
    return kept


def _put_together(
    jobs: Sequence[Job], parts: Path, s: SynthesizeSettings, made: dict[str, Any], folder: Path, progress: Progress
) -> dict[str, Any]:
    """Writes the store from its parts, and what tells of it; one part at a time is in memory."""
    facts: dict[str, Any] = {"source": DATASET, "detector": "landmarks", "scale": s.scale, "quality": s.quality}
    if s.align != "box":
        facts["align"] = s.align
    facts |= {"made_of": made, STAMP: revision_of(made)}
    traits: list[pd.DataFrame] = []
    found: list[bool | None] = []
    with FacesWriter(folder, size=s.size, quality=s.quality, facts=facts) as writer:
        for done, job in enumerate(jobs, 1):
            part = read_part(parts, job)
            for row, image in zip(part.select(FACES.names).to_pylist(), part["image"].to_pylist(), strict=True):
                writer.add(row, image)
            traits.append(part.select(SYNTHESIS.names).to_pandas())
            found += part["found"].to_pylist()
            progress(done, len(jobs), "parts put together")
    table = pd.concat(traits, ignore_index=True)
    write_table(table, folder / MADE, SYNTHESIS)
    store = FacesStore(folder)
    counted = statistics(store.table, table, np.array(found, object))
    (folder / STATISTICS).write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")
    picture = sheet(store, generator(s.seed, SHEET_PLACE))
    (folder / "sheet.jpg").write_bytes(encode(picture, s.quality))
    footer = f"mtclar {__version__}, synthesize, seed {s.seed}"
    write_synthesis_page(folder / "statistics.html", counted, picture, footer=footer)
    (folder / "README.md").write_text(bulk_card(s, counted), encoding="utf-8")
    return counted


def _result(out: Path, counted: dict[str, Any], kept: int) -> Synthesized:
    tried, found = counted["detection"]["tried"], counted["detection"]["found"]
    return Synthesized(out, counted["faces"], counted["people"], counted["clips"], tried, found, kept)
