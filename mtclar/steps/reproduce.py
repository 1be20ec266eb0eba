"""`mtclar reproduce`: the paper's protocol from end to end, on AffectNet and AFEW-VA as they were released.

AffectNet: crop, validate, pair, train MT-CLAR (with its supervised heads) and, for the claim that multi-task learning
helps, CLAR with the similarity head alone; judge both on the validation pictures, with 8 and 7 expressions, raw and
cleaned. AFEW-VA: crop, label every clip from every kind of anchor in subject-grouped folds, with and without the
switches of the released evaluation, and train supervised heads on the frozen embedding of each fold. Each part stands
in a folder of its own and is made again only when its settings, its inputs or the version of mtclar change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtclar import __version__
from mtclar.data.readers import Notes, read
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.settings import CropSettings, Settings
from mtclar.steps.reproduce_affectnet import compare_similarity, recognise
from mtclar.steps.reproduce_stages import Parts
from mtclar.steps.reproduce_tables import (
    Table,
    affect_tables,
    expressions_table,
    few_shot_tables,
    release_table,
    similarity_table,
    supervised_tables,
)
from mtclar.steps.reproduce_work import Work

NEEDED = ("similarity", "valence", "arousal")


@dataclass(frozen=True)
class Reproduced:
    """The tables, and the folder in which they stand as CSV, Markdown and one HTML page."""

    out: Path
    tables: tuple[Table, ...]


def run(s: Settings, *, affectnet: Path, afew_va: Path, out: Path, progress: Progress = silent) -> Reproduced:
    """Runs the protocol, or what of it does not stand in `out` yet.

    Args:
        s: All of a params file, such as recipes/paper.yaml; `crop.source` and `evaluate.expressions` are set here.
        affectnet: AffectNet, its CSV or its npy release, folder or zip.
        afew_va: AFEW-VA, folder or zip.
        out: Folder to write; may hold an earlier reproduction, which is continued.
        progress: Told each part and how far it is.

    Raises:
        MtclarError: A folder is not what it should be, a setting leaves nothing to compare, or a part fails; what was
            finished before stays.
    """
    source = _check(s, affectnet, afew_va)
    work = Work(s, Parts(out, progress))
    pictures = work.faces("affectnet", affectnet, source)
    pairs = work.pairs("affectnet", pictures)
    ours = work.training("affectnet/train", pictures, pairs, tasks=s.train.tasks)
    alone = work.training("affectnet/train-single-task", pictures, pairs, tasks=("similarity",))
    similarity = work.json(
        "affectnet/similarity.json",
        lambda tell: compare_similarity(
            s.evaluate,
            faces=pictures.path,
            pairs=pairs.path,
            single_task=alone.path,
            multi_task=ours.path,
            progress=tell,
        ),
        of={"faces": pictures, "pairs": pairs, "ours": ours, "alone": alone},
    )
    judged = {number: work.judged(number, pictures, pairs, ours) for number in (8, 7)}

    frames = work.faces("afew-va", afew_va, "afew-va")
    few, released, supervised = work.afew(frames, ours)
    tables = (
        similarity_table(similarity),
        expressions_table(judged),
        *affect_tables(judged),
        *few_shot_tables(few, s.evaluate.stride, s.evaluate.cluster),
        release_table(released),
        *supervised_tables(supervised, s.evaluate.cluster),
    )
    write(out, tables)
    return Reproduced(out, tables)


def write(out: Path, tables: tuple[Table, ...]) -> None:
    """Writes the tables as tables/NAME.csv and NAME.md, and all of them as report.html."""
    from mtclar.report.page import Section, text, write_page
    from mtclar.report.page import table as markup

    for table in tables:
        with whole_file(out / "tables" / f"{table.name}.csv") as partial:
            table.frame.to_csv(partial, index=False)
        with whole_file(out / "tables" / f"{table.name}.md") as partial:
            partial.write_text(_markdown(table), encoding="utf-8")
    sections = [Section(table.title, text(table.note) + markup(table.frame)) for table in tables]
    lead = "MT-CLAR's protocol on AffectNet and AFEW-VA; the columns 'published' are empty where no number is known."
    write_page(out / "report.html", "The paper's tables", sections, lead=lead, footer=f"mtclar {__version__}")


def _markdown(table: Table) -> str:
    lines = [f"# {table.title}", "", table.note, ""]
    lines.append("| " + " | ".join(table.frame.columns) + " |")
    lines.append("|" + "---|" * len(table.frame.columns))
    lines += ["| " + " | ".join(row) + " |" for row in table.frame.itertuples(index=False, name=None)]
    return "\n".join(lines) + "\n"


def _check(s: Settings, affectnet: Path, afew_va: Path) -> Any:
    """Says what is wrong before anything long begins; returns the source of AffectNet.

    Raises:
        MtclarError: As `run`.
    """
    for name, folder in (("--affectnet", affectnet), ("--afew-va", afew_va)):
        if not folder.exists():
            raise MtclarError(f"{folder}: no such folder or zip; check {name}.")
    if missing := [task for task in NEEDED if task not in s.train.tasks]:
        raise MtclarError(f"train.tasks lacks {', '.join(missing)}, but the paper's tables compare all three heads.")
    if s.evaluate.fusion == "process":
        raise MtclarError("evaluate.fusion is process, which is not the paper's; choose latest, mean or another one.")
    if s.train.pretrained and not Path(s.train.pretrained).is_file():
        raise MtclarError(f"{s.train.pretrained}: no such file; check --pretrained.")
    source = recognise(affectnet)
    for data, name in ((affectnet, source), (afew_va, "afew-va")):
        settings: CropSettings = s.crop.model_copy(update={"source": name})
        next(iter(read(data, settings, Notes())))
    return source
