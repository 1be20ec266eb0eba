"""A figure of labels, fit to be printed: valence and arousal over time with their band and the anchors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"valence": "#0072b2", "arousal": "#d55e00"}
"""Two colours of Okabe and Ito's set, which people who see no red or no green can tell apart, also in grey."""
WIDTH_IN, HEIGHT_IN = 7.0, 3.6
"""Inches: as wide as the text of a page with one column."""


def figure_of(columns: Mapping[str, np.ndarray], *, width_in: float = WIDTH_IN, height_in: float = HEIGHT_IN) -> Figure:
    """Draws the labels of one person.

    Args:
        columns: Columns of a labels table, one row a frame in the order of time.
        width_in, height_in: Of the figure in inches.

    Returns:
        A matplotlib figure: `figure.savefig("labels.pdf")` writes it, a notebook shows it.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    time_s, anchor = columns["time_s"], columns["source"] == "anchor"
    for axes, (name, colour) in zip(panels, COLOURS.items(), strict=True):
        values = columns[name].astype(float)
        band = (columns[f"{name}_{end}"].astype(float) for end in ("lo", "hi"))
        axes.fill_between(time_s, *band, color=colour, alpha=0.2, linewidth=0)
        axes.plot(time_s, values, color=colour, linewidth=1.2)
        axes.plot(time_s[anchor], values[anchor], "o", color=colour, markeredgecolor="white", markersize=5, zorder=5)
        for cut in np.flatnonzero(np.diff(columns["shot_id"])):
            axes.axvline((time_s[cut] + time_s[cut + 1]) / 2, color="0.7", linewidth=0.6, linestyle=(0, (2, 2)))
        axes.axhline(0, color="0.6", linewidth=0.6)
        axes.set_ylim(-1.05, 1.05)
        axes.set_yticks([-1, 0, 1])
        axes.set_ylabel(name.capitalize())
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("Time (s)")
    if len(time_s):
        panels[-1].set_xlim(float(time_s[0]), max(float(time_s[-1]), float(time_s[0]) + 1e-3))
    return figure
