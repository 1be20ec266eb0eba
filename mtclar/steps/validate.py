"""validate: the gate between the faces store and what is learned from it.

One Great Expectations suite over faces and labels, and three plain checks that do not fit one: no subject stands in two
splits, crops can be decoded, valence and arousal are both known or both not.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.store import FacesStore
from mtclar.data.tables import EXPRESSIONS
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError, nearest
from mtclar.progress import Progress, silent
from mtclar.revision import STAMP, data_revision
from mtclar.settings import ValidateSettings
from mtclar.steps.validate_suite import EXAMPLES, Finding, judge

VERDICT, DOCS = "verdict.json", "data_docs"


@dataclass(frozen=True)
class ValidateResult:
    """What `run` found: where it stands, how many faces were judged, and what came of each expectation."""

    out: Path
    faces: int
    findings: tuple[Finding, ...]

    @property
    def success(self) -> bool:
        """Whether every expectation was met."""
        return all(finding.success for finding in self.findings)

    def __str__(self) -> str:
        met = sum(finding.success for finding in self.findings)
        return f"{met} of {len(self.findings)} expectations met by {self.faces} faces: {self.out / DOCS / 'index.html'}"


def run(s: ValidateSettings, *, faces: Path, out: Path, progress: Progress = silent) -> ValidateResult:
    """Judges a faces store.

    Args:
        s: The section `validate` of params.yaml.
        faces: Faces store that `crop` wrote.
        out: Folder for verdict.json and data_docs/; appears whole or not at all, and also when the verdict is no.
        progress: Called as crops are decoded.

    Returns:
        The findings, all of them met.

    Raises:
        MtclarError: `faces` is no faces store, `out` cannot be written, or an expectation is broken; then there is one
            sentence for each, and `out` is written all the same.
    """
    for name in s.absent_expressions:
        if name not in EXPRESSIONS:
            raise MtclarError(f"validate.absent_expressions: no expression is '{name}'{nearest(name, EXPRESSIONS)}.")
    out = Path(out)
    store = FacesStore(Path(faces))
    with whole_folder(out, known_by=VERDICT) as fresh:
        findings = judge(store.table, s, fresh / DOCS)
        findings += [check_subjects(store.table), check_pairs(store.table), check_crops(store, s.check_crops, progress)]
        result = ValidateResult(out, len(store), tuple(findings))
        (fresh / VERDICT).write_text(
            json.dumps(_verdict(result, data_revision(faces)), indent=2) + "\n", encoding="utf-8"
        )
    broken = [finding.sentence for finding in findings if not finding.success]
    if broken:
        raise MtclarError(f"{faces}: {len(broken)} of {len(findings)} expectations broken. " + " ".join(broken))
    return result


def _verdict(result: ValidateResult, revision: str) -> dict[str, Any]:
    """What verdict.json holds."""
    return {
        "schema_version": 1,
        STAMP: revision,
        "success": result.success,
        "faces": result.faces,
        "expectations": [asdict(finding) for finding in result.findings],
    }


def check_subjects(table: pd.DataFrame) -> Finding:
    """No subject stands in two splits."""
    splits = table.groupby("subject_id")["split"].unique()
    shared = splits[splits.map(len) > 1]
    rows = [{"subject_id": str(subject), "splits": sorted(map(str, names))} for subject, names in shared.items()]
    examples = "; ".join(f"{row['subject_id']} in {' and '.join(row['splits'])}" for row in rows[:EXAMPLES])
    observed = f"{len(rows)} of {len(splits)} subjects stand in several"
    return _finding("splits apart", not rows, "every subject stands in one split", observed, examples, rows)


def check_pairs(table: pd.DataFrame) -> Finding:
    """Valence and arousal are both known or both not."""
    half = table[table["valence"].isna() != table["arousal"].isna()]
    columns = ["face_id", "valence", "arousal"]
    rows: list[dict[str, Any]] = [
        {str(name): None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
        for row in half[columns].head(EXAMPLES).to_dict("records")
    ]
    observed = f"{len(half)} of {len(table)} faces are not so"
    examples = ", ".join(str(row["face_id"]) for row in rows)
    says = "valence and arousal are both known or both not"
    return _finding("both or neither", half.empty, says, observed, examples, rows)


def check_crops(store: FacesStore, limit: int, progress: Progress = silent) -> Finding:
    """Crops can be decoded and have the store's size; `limit` of them, spread over the store, or all if it is 0."""
    count = min(limit or len(store), len(store))
    chosen = np.unique(np.linspace(0, len(store) - 1, count).round().astype(int)) if count else np.empty(0, int)
    rows = []
    for done, row in enumerate(chosen.tolist(), 1):
        try:
            shape = store.crop(row).shape
            reason = None if shape == (store.size, store.size, 3) else f"it is {shape[1]} x {shape[0]} pixels"
        except MtclarError as error:
            reason = str(error)
        if reason is not None:
            rows.append({"face_id": str(store.table["face_id"].iloc[row]), "reason": reason})
        progress(done, len(chosen), "crops")
    observed = f"{len(rows)} of the {len(chosen)} that were tried are not so"
    examples = "; ".join(f"{row['face_id']}: {row['reason'].rstrip('.')}" for row in rows[:EXAMPLES])
    says = f"crops are pictures of {store.size} x {store.size} pixels"
    return _finding("crops decode", not rows, says, observed, examples, rows)


def _finding(name: str, success: bool, says: str, observed: str, examples: str, rows: list[dict[str, Any]]) -> Finding:
    sentence = f"Expected: {says}; {observed}" + (f" (for example {examples})" if examples else "") + "."
    return Finding(name, success, observed, sentence, rows[:EXAMPLES])
