"""The parts of an evaluation's page on the finer metrics and on single pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.report import charts
from mtclar.report.page import Markup, figure, table, text

_NEAR = {
    "ta_05": "within 0.05",
    "ta_10": "0.1",
    "ta_20": "0.2",
    "ta_30": "0.3",
    "ta_area": "area",
    "grid": "right tenth",
    "grid_near": "one off",
    "median_ae": "median error",
    "p90_ae": "90th pct.",
    "p95_ae": "95th pct.",
}
_ORDER = {"kendall": "tau-b", "spearman": "rho"}
_COURSE = {"sda_1": "change, 1", "sda_5": "5", "sda_20": "20 frames", "direction_5": "moves followed, 5"}
_WITHIN = {"kendall": "tau-b, clips", "icc": "ICC, clips", "dtw": "warped error", "delay": "frames late"}
_PROTOCOLS = {"single_raw": "raw", "single_clean": "cleaned"}


def fine_part(found: Mapping[str, Any], methods: Sequence[str]) -> Markup:
    """Two compact tables of one few-shot protocol: how near, and how the curves move.

    Args:
        found: The protocol's part of metrics.json.
        methods: Which methods, in the order of the rows.
    """
    blocks = {
        f"{charts.NAMES[name]}, {dimension}": (found[name][dimension]["fine"], found[name][dimension]["icc"])
        for dimension in DIMENSIONS
        for name in methods
    }
    moving = []
    for name, (fine, icc) in blocks.items():
        skill = [fine["skill"].get(other) for other in ("copy", "interpolate")]
        cells = [fine[key] for key in (*_ORDER, *_COURSE)], [fine["per_clip"][key] for key in _WITHIN]
        moving.append([name, *skill, *cells[0], icc, *cells[1], fine["per_clip"]["undefined"]["kendall"]])
    head = ["method", "skill over copy", "over interpolate", *_ORDER.values(), *_COURSE.values(), "ICC"]
    head += [*_WITHIN.values(), "clips without order"]
    words = text(
        "Finer: the share of frames within an error, the area under that share up to 0.5, the share on the right tenth "
        "(and at most one off), and quantiles of the error. A dash: not defined, as the tenths of labels that are none."
    )
    more = text(
        "Skill is 1 − MSE/MSE of the baseline. “Change” compares the direction of change over 1, 5 and 20 frames (1: "
        "always right, −1: never; up to 0.05 counts as none); “moves followed” is the share of true moves that go the "
        "same way. The last columns are means over clips: Kendall's tau-b, ICC(3,1), the error that is left when "
        "frames may shift by five, and by how many frames the label comes late."
    )
    return (
        words
        + _near({name: fine for name, (fine, _) in blocks.items()})
        + more
        + table(pd.DataFrame(moving, columns=head))
    )


def _near(blocks: Mapping[str, Mapping[str, Any]]) -> Markup:
    rows = [[name, *(fine[key] for key in _NEAR)] for name, fine in blocks.items()]
    return table(pd.DataFrame(rows, columns=["method", *_NEAR.values()]))


def pictures_part(metrics: Mapping[str, Any], confusion: np.ndarray) -> Markup:
    """Single pictures: expression and affect by each protocol, how near, and the confusion matrix.

    Args:
        metrics: Content of metrics.json, with at least one picture judged.
        confusion: int (8, 8), true by predicted expression.
    """
    single = metrics["single"]
    shown = {f"{words}, {metrics['expressions']} expressions": metrics.get(name) for name, words in _PROTOCOLS.items()}
    blocks = {name: block for name, block in shown.items() if block and block["n_pictures"]} or {"all": single}
    rows = []
    for name, block in blocks.items():
        told = block.get("expression", {})
        affect = [block[dimension][metric] for dimension in DIMENSIONS for metric in ("ccc", "pcc", "rmse", "sagr")]
        rows.append([name, block["n_pictures"], told.get("accuracy"), told.get("macro_f1"), *affect])
    columns = [f"{metric}, {dimension}" for dimension in DIMENSIONS for metric in ("CCC", "PCC", "RMSE", "SAGR")]
    body = table(pd.DataFrame(rows, columns=["protocol", "pictures", "accuracy", "macro-F1", *columns]))
    if "expression" in single:
        asked, kept = single["expression"], single["kept"]
        body += text(
            f"“Cleaned” keeps the pictures whose valence and arousal agree with their expression by EmoNet's automatic "
            f"rule. Judged here, {'cleaned' if metrics['clean'] else 'raw'}: "
            + ", ".join(f"{count} {name}" for name, count in kept.items())
            + f". Chance is {asked['chance']['accuracy']:.3f}, and always naming the most frequent training expression "
            f"gives {asked['majority']['accuracy']:.3f}."
        )
    body += _near({dimension: single[dimension]["fine"] for dimension in DIMENSIONS})
    if not confusion.sum():
        return body
    body += text("True by predicted expression; shades are shares of each row.")
    return body + figure(charts.confusion_matrix(confusion), "confusion matrix of expressions")
