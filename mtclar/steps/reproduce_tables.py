"""The tables of `mtclar reproduce`: what was found here beside its baselines and beside what is published.

Of MT-CLAR's own tables nothing is known but two numbers: a support set of 5.96 % of the frames, and about one percent
of similarity accuracy gained by multi-task learning. Every other cell of its column stays empty, for whoever has the
paper. EmoNet's numbers are those of its public README: 8 classes, cleaned AffectNet, valence and arousal averaged over
a picture and its mirror image; its cleaning also used a manual flag that was never released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.steps.reproduce_afew import CONFIGURATIONS, SUPERVISED

SUPPORT_SHARE, SIMILARITY_GAIN = "5.96 %", "+1 %"
SHORT = {"valence": "V", "arousal": "A"}
EMONET = {
    "accuracy": 0.75,
    ("valence", "ccc"): 0.82,
    ("valence", "pcc"): 0.82,
    ("valence", "rmse"): 0.29,
    ("valence", "sagr"): 0.84,
    ("arousal", "ccc"): 0.75,
    ("arousal", "pcc"): 0.75,
    ("arousal", "rmse"): 0.27,
    ("arousal", "sagr"): 0.80,
}
WORDS = {
    "stride": "every {stride} frames, latest",
    "first": "first of the clip",
    "random": "random of the clip",
    "first-of-person": "first of the actor",
    "random-of-person": "random of the actor",
    "cross-identity": "another actor's",
    "other-clip": "another clip's",
    "any": "any frame",
    "bank": "100 training frames",
}
TABLED = {"ccc": ("pcc", "sagr"), "rmse": ()}
"""Metrics with a table each, and those that stand beside them."""
UNKNOWN = ""
"""Of MT-CLAR's numbers all but two; of ours, what the data do not give."""


@dataclass(frozen=True)
class Table:
    """A table to read.

    Attributes:
        name: Of its files.
        title: What it shows.
        note: What a reader must know, or nothing.
        frame: Text cells.
    """

    name: str
    title: str
    note: str
    frame: pd.DataFrame


def number(value: Any, digits: int = 3) -> str:
    """A number, or nothing where it is unknown."""
    return UNKNOWN if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def with_interval(block: Mapping[str, Any], metric: str) -> str:
    """`0.712 [0.650, 0.770]` from a block of metrics.json."""
    return interval(block.get(metric), block["ci_low"].get(metric), block["ci_high"].get(metric))


def interval(value: Any, low: Any, high: Any) -> str:
    """`0.712 [0.650, 0.770]`, without brackets where there is no interval."""
    return number(value) + (f" [{low:.3f}, {high:.3f}]" if number(low) and number(high) else "")


def similarity_table(found: Mapping[str, Any]) -> Table:
    """From what `reproduce_affectnet.compare_similarity` wrote."""
    rows = [
        ("CLAR, single task", interval(*found["single_task"]), UNKNOWN),
        ("MT-CLAR, multi-task", interval(*found["multi_task"]), UNKNOWN),
        ("difference", interval(*found["difference"]), SIMILARITY_GAIN),
        ("always the more frequent answer", number(found["majority"]), UNKNOWN),
        ("chance", "0.500", UNKNOWN),
    ]
    note = (
        f"Accuracy over {found['n_pairs']} pairs of AffectNet's validation pictures, drawn by seed; 95 % by picture, "
        "of one training each: how trainings vary is not in it."
    )
    return Table("similarity", "Similarity of two faces", note, _frame(rows, "accuracy", "published"))


def expressions_table(metrics: Mapping[int, Mapping[str, Any]]) -> Table:
    """From metrics.json of the evaluations with 8 and with 7 expressions."""
    rows = []
    for name, block, clean in _sets(metrics):
        judged = block.get("expression")
        if judged is not None:
            emonet = number(EMONET["accuracy"], 2) if clean == "cleaned" and name.startswith("AffectNet-8") else UNKNOWN
            accuracy, f1 = (with_interval(judged, metric) for metric in ("accuracy", "macro_f1"))
            often, chance = (number(judged[base]["accuracy"]) for base in ("majority", "chance"))
            rows.append((name, str(judged["n_pictures"]), accuracy, f1, often, chance, UNKNOWN, emonet))
    header = ("pictures", "accuracy", "macro-F1", "commonest", "chance", "published", "EmoNet")
    note = "MT-CLAR + SL on AffectNet's validation pictures; 95 % by picture."
    return Table("affectnet-expressions", "Expressions on AffectNet", note, _frame(rows, *header))


def affect_tables(metrics: Mapping[int, Mapping[str, Any]]) -> list[Table]:
    """From the same files, one table for CCC and one for RMSE."""
    note = "MT-CLAR + SL on AffectNet's validation pictures; 95 % by picture; of the class: told the true expression."
    bases = ("train_mean", "class_mean")
    tables = []
    for metric, beside in TABLED.items():
        rows = []
        for name, block, clean in _sets(metrics):
            for dimension in DIMENSIONS:
                if dimension in block:
                    cells = [with_interval(block[dimension], metric)]
                    cells += [number(block[dimension][other]) for other in beside]
                    cells += [number(block[base][dimension][metric]) for base in bases]
                    known = clean == "cleaned" and name.startswith("AffectNet-8")
                    emonet = number(EMONET[dimension, metric], 2) if known else UNKNOWN
                    rows.append((name, SHORT[dimension], *cells, UNKNOWN, emonet))
        header = (metric.upper(), *map(str.upper, beside), "mean label", "of the class", "published", "EmoNet")
        title = f"Valence and arousal on AffectNet, {metric.upper()}"
        tables.append(Table(f"affectnet-{metric}", title, note, _frame(rows, "", *header)))
    return tables


def few_shot_tables(rows: pd.DataFrame, stride: int, cluster: str) -> list[Table]:
    """From `reproduce_afew.few_shot_rows`, one table for CCC and one for RMSE."""
    note = (
        "Few-shot labels of AFEW-VA by a model that never saw it: frames that are not anchors, all folds together, "
        f"95 % by {cluster}; mean and deviation over folds; copied: the anchor's label; joined: lines between anchors."
    )
    values = rows.set_index(["row", "method", "dimension", "metric"])
    shares = values["value"].to_dict()
    tables = []
    for metric in TABLED:
        lines = []
        for name in CONFIGURATIONS:
            if (name, "mtclar", "valence", metric) not in shares:
                continue
            share = shares[name, "mtclar", "", "share"]
            recurring = name == "stride"
            anchored = f"{100 * share:.2f} %" if share > 0 else UNKNOWN
            for dimension in DIMENSIONS:
                cells = [_value(values, name, "mtclar", dimension, metric), _folds(values, name, dimension, metric)]
                cells += [number(shares.get((name, base, dimension, metric))) for base in ("copy", "interpolate")]
                published = SUPPORT_SHARE if recurring and stride == 20 else UNKNOWN
                lines.append(
                    (WORDS[name].format(stride=stride), anchored, published, SHORT[dimension], *cells, UNKNOWN)
                )
        header = ("anchors", "publ.", "", metric.upper(), "over folds", "copied", "joined", "published")
        frame = _frame(lines, *header)
        tables.append(
            Table(f"afew-va-few-shot-{metric}", f"Few-shot labelling of AFEW-VA, {metric.upper()}", note, frame)
        )
    return tables


def release_table(rows: pd.DataFrame) -> Table:
    """From `reproduce_afew.release_rows`."""
    lines = []
    for name in dict.fromkeys(rows["row"]):
        part = rows[rows["row"] == name].set_index(["dimension", "metric"])
        cells = []
        for dimension in DIMENSIONS:
            cells.append(interval(*part.loc[(dimension, "ccc"), ["value", "low", "high"]]))
            cells.append(number(part["value"].to_dict()[dimension, "rmse"]))
        lines.append((name, *cells, UNKNOWN, UNKNOWN))
    header = ("V CCC", "V RMSE", "A CCC", "A RMSE", "published V", "published A")
    note = (
        "The recurring anchors again, by the release's protocol: its switches off (sane), each alone, and all on "
        "(released). latest: a frame uses the latest anchor before it; all: every anchor of its clip. Empty: too few "
        "rows for a whole batch."
    )
    return Table("afew-va-release", "What the released evaluation adds", note, _frame(lines, *header))


def supervised_tables(rows: pd.DataFrame, cluster: str) -> list[Table]:
    """From `reproduce_afew.supervised_rows`, one table for CCC and one for RMSE."""
    words = {
        "mtclar": "heads trained on AFEW-VA",
        "zero_shot": "heads trained on AffectNet",
        "train_mean": "mean of the training labels",
    }
    note = (
        "MT-CLAR + SL: heads on the frozen embedding. Actors of a fold are in no other; all folds together, 95 % by "
        f"{cluster}; mean and deviation over folds."
    )
    values = rows.set_index(["row", "method", "dimension", "metric"])
    plain = values["value"].to_dict()
    tables = []
    for metric, beside in TABLED.items():
        lines = []
        for method, name in words.items():
            for dimension in DIMENSIONS:
                cells = [_value(values, SUPERVISED, method, dimension, metric)]
                cells += [number(plain[SUPERVISED, method, dimension, other]) for other in beside]
                cells.append(_folds(values, SUPERVISED, dimension, metric, method))
                lines.append((name, SHORT[dimension], *cells, UNKNOWN))
        frame = _frame(lines, "", metric.upper(), *map(str.upper, beside), "over folds", "published")
        title = f"Supervised heads on AFEW-VA, {metric.upper()}"
        tables.append(Table(f"afew-va-supervised-{metric}", title, note, frame))
    return tables


def _sets(metrics: Mapping[int, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any], str]]:
    """Name, block and kind of each set of AffectNet's validation pictures that was judged."""
    found = []
    for expressions, judged in metrics.items():
        for key, kind in (("single_raw", "raw"), ("single_clean", "cleaned")):
            if key in judged and "n_pictures" in judged[key]:
                found.append((f"AffectNet-{expressions}, {kind}", judged[key], kind))
    return found


def _value(values: pd.DataFrame, name: str, method: str, dimension: str, metric: str) -> str:
    key = (name, method, dimension, metric)
    return interval(*values.loc[key, ["value", "low", "high"]]) if key in values.index else UNKNOWN


def _folds(values: pd.DataFrame, name: str, dimension: str, metric: str, method: str = "mtclar") -> str:
    mean, spread = values.loc[(name, method, dimension, metric), ["fold_mean", "fold_sd"]]
    return f"{mean:.3f} ± {spread:.3f}" if number(mean) else UNKNOWN


def _frame(rows: Sequence[tuple[str, ...]], *header: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["", *header])
