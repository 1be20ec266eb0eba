"""`mtclar evaluate`: checkpoint or bundle -> metrics, calibration, report, on people that training has not seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS, SYNTHESIS, read_notes, read_table
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.evaluation.across_folds import FOLD_COLUMNS, fold_rows, pool_folds
from mtclar.evaluation.clips import clips_of
from mtclar.evaluation.groups import judge_groups
from mtclar.evaluation.identity import evaluation_set
from mtclar.evaluation.judge import Judgement, judge, rows_needed
from mtclar.evaluation.plots import plot_tables, spread_of_clips
from mtclar.evaluation.scores import plain
from mtclar.evaluation.summary import SUMMARY_COLUMNS, headline, summary_rows
from mtclar.learning.pairs import check_belong
from mtclar.progress import Progress, silent
from mtclar.revision import EVALUATION_SET, STAMP, git_revision, same_data, stamped
from mtclar.serving import Bundle
from mtclar.settings import EvaluateSettings
from mtclar.steps.embed import embed_rows, embed_spoilt

if TYPE_CHECKING:
    from mtclar.model.predictor import TorchPredictor

_CURVES = 6


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that has been written.

    Attributes:
        out: Its folder.
        metrics: Content of metrics.json.
    """

    out: Path
    metrics: dict[str, Any]

    def __str__(self) -> str:
        m = self.metrics
        judged = f"{self.out}: judged on {m['n_people']} people, {m['n_clips']} clips and {m['n_pictures']} pictures"
        return "\n".join([judged, *(f"note: {note}" for note in m["notes"])])


def run(
    s: EvaluateSettings,
    *,
    faces: Path,
    pairs: Path,
    checkpoint: Path,
    out: Path,
    bundle: Path | None = None,
    progress: Progress = silent,
) -> Evaluated:
    """Judges a model and writes what was found.

    Under `out`: metrics.json, summary.json (the few numbers of it that `dvc metrics show` can show), calibration.json,
    plots/*.csv and report.html.

    Args:
        s: The section `evaluate` of params.yaml.
        faces: Faces store that `mtclar crop` or `mtclar synthesize` wrote; the second gives accuracy by group as well.
        pairs: Folder that `mtclar pair` wrote.
        checkpoint: Folder that `mtclar train` wrote.
        bundle: Folder of a bundle that is judged instead of the checkpoint.
        out: Folder to write; appears whole or not at all.
        progress: Called as faces are embedded.

    Raises:
        MtclarError: An input is not what it should be, the split has nothing to judge, or `out` cannot be written.
    """
    store, table, revision = _opened_data(faces, pairs)
    rows = rows_needed(store.table, table, s)
    check_belong(table[table["split"] == s.split], store.table)
    traits = _traits(store)
    model = checkpoint if bundle is None else bundle
    predictor, size = _opened(checkpoint, bundle)
    if size != store.size:
        raise MtclarError(f"{faces}: holds crops of {store.size} pixels, but {model} was trained on {size}.")
    embeddings = embed_rows(store, rows, predictor, progress=progress)
    spoilt = embed_spoilt(store, clips_of(store.table, "validation"), predictor, s.seed)
    found = judge(s, store.table, table, embeddings, predictor, spoilt)
    if traits is not None:
        found.metrics.update(judge_groups(s, store.table, traits, embeddings, predictor))
    facts = {
        "model": str(model),
        "data revision": revision,
        "git revision": git_revision(),
        "seed": str(s.seed),
    }
    found.calibration[STAMP] = revision
    name = evaluation_set(s, revision, store.table, table)
    found.metrics.update({STAMP: revision, "git_revision": facts["git revision"], EVALUATION_SET: name})
    with whole_folder(out, known_by="metrics.json") as folder:
        write(folder, found, facts)
    return Evaluated(out, plain(found.metrics))


def judged_on(s: EvaluateSettings, *, faces: Path, pairs: Path) -> str:
    """The evaluation set that an evaluation of any model on these data would have, without evaluating.

    Args:
        s: The section `evaluate` of params.yaml.
        faces: As for `run`.
        pairs: As for `run`.

    Raises:
        MtclarError: An input is not what it should be, or the split has nothing to judge.
    """
    store, table, revision = _opened_data(faces, pairs)
    return evaluation_set(s, revision, store.table, table)


def _opened_data(faces: Path, pairs: Path) -> tuple[FacesStore, pd.DataFrame, str]:
    """The store, its pairs, and the data revision of both.

    Raises:
        MtclarError: One is not what it should be, or the pairs are of another store.
    """
    store = FacesStore(faces)
    table = read_table(pairs / "pairs.parquet", PAIRS)
    revision = stamped(store.facts, faces / "store.json")
    drawn_from = stamped(read_notes(pairs / "pairs.parquet"), pairs / "pairs.parquet")
    same_data(drawn_from, revision, f"{pairs}: were drawn from other data than {faces}; run 'mtclar pair' on it.")
    return store, table, revision


def _opened(checkpoint: Path, bundle: Path | None) -> tuple[Bundle | TorchPredictor, int]:
    """The model, and the side of the crops it takes."""
    if bundle is not None:
        opened = Bundle.load(bundle)
        return opened, opened.crop_spec.size
    # torch takes seconds to import: what can be wrong without it has been said by now.
    from mtclar.model.predictor import TorchPredictor

    predictor = TorchPredictor.from_checkpoint(checkpoint)
    return predictor, predictor.crop.size


def _traits(store: FacesStore) -> pd.DataFrame | None:
    """How each face of a store was made; None where that is not known.

    Raises:
        MtclarError: The table is damaged or is of another store.
    """
    path = store.folder / "synthesis.parquet"
    if not path.is_file():
        return None
    traits = read_table(path, SYNTHESIS)
    if traits["face_id"].tolist() != store.table["face_id"].tolist():
        raise MtclarError(
            f"{path}: its {len(traits)} faces are not the {len(store)} of faces.parquet beside it; run 'mtclar "
            "synthesize' again."
        )
    return traits


def write(folder: Path, found: Judgement, facts: dict[str, str]) -> None:
    """Writes the files of an evaluation into an existing folder."""
    from mtclar.report.evaluation_page import write_evaluation

    known = {name: found.metrics[name] for name in (EVALUATION_SET,) if name in found.metrics}
    contents = {
        "metrics.json": found.metrics,
        "summary.json": headline(found.metrics) | known,
        "calibration.json": found.calibration,
    }
    for name, content in contents.items():
        text = json.dumps(plain(content), indent=2, allow_nan=False)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    shown = spread_of_clips(found.labelled.get("first", []), _CURVES)
    (folder / "plots").mkdir()
    for name, frame in plot_tables(found, shown).items():
        frame.to_csv(folder / "plots" / f"{name}.csv", index=False, float_format="%.5g")
    write_evaluation(folder / "report.html", found, shown, facts)


def summary(out: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the short table of an evaluation that has been written.

    Raises:
        MtclarError: The folder holds no metrics.json, or it is damaged.
    """
    return SUMMARY_COLUMNS, summary_rows(_read(out))


def folds(outs: Sequence[Path]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of several evaluations, one a fold: mean and spread over folds, and all together.

    Raises:
        MtclarError: A folder holds no metrics.json, a folder is named twice, or two were not made alike.
    """
    twice = [out for k, out in enumerate(outs) if out.resolve() in {other.resolve() for other in outs[:k]}]
    if twice:
        raise MtclarError(f"{twice[0]}: is named twice; every fold counts once.")
    evaluations = [_read(out) for out in outs]
    pooled = pool_folds(evaluations)
    return FOLD_COLUMNS, fold_rows(pooled, evaluations[0]["stride"])


def _read(out: Path) -> dict[str, Any]:
    path = out / "metrics.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MtclarError(f"{path}: expected the metrics that 'mtclar evaluate' writes ({error}).") from error
    return metrics
