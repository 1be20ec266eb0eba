"""A figure that more than one study draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtclar.evaluation.clips import DIMENSIONS

INCH_A_DOT = 0.11
"""Height of the figure for every dot of a row."""


def ccc_by_row(found: pd.DataFrame, rows: str, series: str) -> Figure:
    """CCC with its interval, a panel a dimension, a row for each value of a column and a colour for each of another.

    Args:
        found: Columns `rows`, `series`, and `valence_ccc`, `valence_ccc_low`, `valence_ccc_high` and the like.
        rows: Column whose values stand one below another, in the order in which they occur.
        series: Column whose values have a colour each.
    """
    places = list(dict.fromkeys(found[rows]))[::-1]
    names = list(dict.fromkeys(found[series]))
    fig = Figure(figsize=(9, 1.2 + max(INCH_A_DOT * len(names), 0.2) * len(places)), layout="constrained")
    axes = fig.subplots(1, 2, sharey=True)
    for axis, dimension in zip(axes, DIMENSIONS, strict=True):
        metric = f"{dimension}_ccc"
        for k, name in enumerate(names):
            part = found[found[series] == name]
            at = np.array([places.index(value) for value in part[rows]])
            at = at + 0.6 / len(names) * ((len(names) - 1) / 2 - k)
            error = np.stack([part[metric] - part[f"{metric}_low"], part[f"{metric}_high"] - part[metric]])
            axis.errorbar(part[metric], at, xerr=np.maximum(error, 0), fmt="o", markersize=3, label=name)
        axis.axvline(0, color="#1c2733", linewidth=0.6)
        axis.set_xlabel(f"CCC, {dimension}")
    axes[0].set_yticks(range(len(places)), places, fontsize=8)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return fig
