"""Charts of an evaluation as matplotlib figures, drawn without pyplot's global state.

One colour a method, in every chart and table: see `COLOURS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.protocol import Labelled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "truth": "#1c2733",
    "mtclar": "#c8452c",
    "mtclar_fused": "#8f2d56",
    "copy": "#8796a5",
    "interpolate": "#2c7fb8",
    "pchip": "#6a51a3",
    "train_mean": "#b8a25a",
    "zero_shot": "#4d9a6a",
}
NAMES = {
    "truth": "truth",
    "mtclar": "mtclar",
    "mtclar_fused": "mtclar, all anchors",
    "copy": "copy anchor",
    "interpolate": "interpolate",
    "pchip": "smooth curve",
    "train_mean": "training mean",
    "zero_shot": "zero-shot head",
}
_GRID = {"color": "#e6ebf0", "linewidth": 0.8}


def axes_of(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Figure, np.ndarray]:
    """A figure of some inches and its axes (rows, columns), dressed as all charts are."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    axes = fig.subplots(rows, columns, squeeze=False, **kwargs)
    for ax in axes.flat:
        ax.grid(**_GRID)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    return fig, axes


def curves(labelled: Sequence[Labelled], methods: Sequence[str], halves: Sequence[np.ndarray] = ()) -> Figure:
    """Valence (left) and arousal (right) over time, one clip a row: truth, some methods, and the anchors as dots.

    With `halves`, half of the band of each frame (n, 2) of each clip, mtclar's curve gets its band; NaN draws none.
    """
    fig, axes = axes_of(10, 1.75 * len(labelled) + 0.6, len(labelled), 2, sharey=True)
    for i, (row, item) in enumerate(zip(axes, labelled, strict=True)):
        times = item.clip.times_s - item.clip.times_s[0]
        for k, (ax, dimension) in enumerate(zip(row, DIMENSIONS, strict=True)):
            for method in reversed(methods):
                style = "--" if method in ("copy", "interpolate") else "-"
                ax.plot(times, item.methods[method][:, k], style, color=COLOURS[method], label=NAMES[method], lw=1.5)
            if len(halves) and np.isfinite(halves[i][:, k]).any():
                edges = [np.clip(item.methods["mtclar"][:, k] + sign * halves[i][:, k], -1, 1) for sign in (-1, 1)]
                ax.fill_between(times, *edges, color=COLOURS["mtclar"], alpha=0.1, lw=0)
            ax.plot(times, item.clip.truth[:, k], color=COLOURS["truth"], label=NAMES["truth"], lw=1.8)
            at = item.anchors
            ax.plot(times[at], item.clip.truth[at, k], "o", color=COLOURS["truth"], ms=5, label="anchor", zorder=5)
            ax.set_ylim(-1.05, 1.05)
            ax.set_yticks([-1, 0, 1])
            ax.set_title(f"{item.clip.name}, {dimension}", fontsize=8.5, loc="left", color="#4a5a6a")
    for ax in axes[-1]:
        ax.set_xlabel("time in the clip (s)", fontsize=8.5)
    handles, names = axes[0][0].get_legend_handles_labels()
    order = [names.index(name) for name in ("truth", "anchor", *(NAMES[m] for m in methods))]
    fig.legend(
        [handles[i] for i in order],
        [names[i] for i in order],
        loc="outside upper center",
        ncols=len(order),
        fontsize=9,
        frameon=False,
    )
    return fig


def scatter(truth: np.ndarray, prediction: np.ndarray, *, limit: float, what: str) -> Figure:
    """Predicted against true values, valence and arousal side by side: both (n, 2), axes from -limit to limit.

    Labels lie on a grid, so points are drawn nearly transparent and a little apart; the line is perfect agreement.
    """
    fig, axes = axes_of(8.4, 4.1, 1, 2)
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, truth.shape)
    for k, (ax, dimension) in enumerate(zip(axes[0], DIMENSIONS, strict=True)):
        ax.plot([-limit, limit], [-limit, limit], color=COLOURS["copy"], lw=1)
        ax.plot(
            truth[:, k] + jitter[:, k],
            prediction[:, k],
            "o",
            ms=3,
            mew=0,
            alpha=min(0.6, 60 / max(len(truth), 1) + 0.12),
            color=COLOURS["mtclar"],
            rasterized=True,
        )
        ax.set_xlim(-limit - 0.05, limit + 0.05)
        ax.set_ylim(-limit - 0.05, limit + 0.05)
        ax.set_aspect("equal")
        ax.set_xlabel(f"true {what}{dimension}", fontsize=9)
        ax.set_ylabel(f"predicted {what}{dimension}", fontsize=9)
    return fig


def intervals(few_shot: Mapping[str, Any], methods: Sequence[str], metric: str = "ccc") -> Figure:
    """A metric of each method with its 95 % interval, valence and arousal side by side."""
    methods = [method for method in methods if method in few_shot]
    fig, axes = axes_of(9, 0.42 * len(methods) + 0.9, 1, 2, sharey=True)
    places = np.arange(len(methods))[::-1]
    for ax, dimension in zip(axes[0], DIMENSIONS, strict=True):
        for place, method in zip(places, methods, strict=True):
            found = few_shot[method][dimension]
            low, high = found["ci_low"][metric], found["ci_high"][metric]
            ax.plot([low, high], [place, place], color=COLOURS[method], lw=3, solid_capstyle="butt", alpha=0.55)
            ax.plot(found[metric], place, "o", color=COLOURS[method], ms=6)
        ax.set_title(f"{dimension} {metric.upper()}", fontsize=9.5, loc="left")
        ax.set_yticks(places, [NAMES[method] for method in methods])
        ax.set_ylim(-0.6, len(methods) - 0.4)
        low, high = ax.get_xlim()
        ax.set_xlim(min(low, 0.0) - 0.02, max(high, 1.0))
    return fig


def budgets(found: Mapping[str, Any], methods: Sequence[str]) -> Figure:
    """RMSE by the share of frames that are given, with 95 % intervals, valence and arousal side by side."""
    fig, axes = axes_of(9.4, 3.6, 1, 2, sharey=True)
    blocks = sorted(found.values(), key=lambda block: block["nominal"])
    for ax, dimension in zip(axes[0], DIMENSIONS, strict=True):
        at = np.arange(len(blocks))
        for k, method in enumerate(methods):
            scores = [block[method][dimension] for block in blocks]
            beside = at + 0.06 * (k - (len(methods) - 1) / 2)
            bounds = ([score[side]["rmse"] for score in scores] for side in ("ci_low", "ci_high"))
            ax.vlines(beside, *bounds, color=COLOURS[method], lw=2.5, alpha=0.35)
            style = "-" if method.startswith("mtclar") else "--"
            ax.plot(beside, [score["rmse"] for score in scores], f"o{style}", color=COLOURS[method], ms=4, lw=1.5)
        ax.set_title(f"{dimension} RMSE", fontsize=9.5, loc="left")
        ax.set_xticks(at, [f"{block['nominal']:.0%}\n({block['realised']:.1%})" for block in blocks])
        ax.set_xlabel("frames labelled by hand (the share that came out)", fontsize=8.5)
        ax.set_ylim(bottom=0)
    handles = list(axes[0][0].get_lines())
    fig.legend(
        handles, [NAMES[method] for method in methods], loc="outside upper center", ncols=4, fontsize=9, frameon=False
    )
    return fig


def confusion_matrix(counts: np.ndarray) -> Figure:
    """Counts (8, 8), rows the true expression; shaded by the share of each row."""
    fig, axes = axes_of(5.6, 4.8)
    ax = axes[0][0]
    ax.grid(False)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(*counts.shape):
        if counts[i, j]:
            colour = "white" if share[i, j] > 0.55 else "#1c2733"
            ax.text(j, i, str(counts[i, j]), ha="center", va="center", fontsize=8.5, color=colour)
    ticks = np.arange(len(EXPRESSIONS))
    ax.set_xticks(ticks, EXPRESSIONS, rotation=35, ha="right")
    ax.set_yticks(ticks, EXPRESSIONS)
    ax.set_xlabel("predicted expression", fontsize=9)
    ax.set_ylabel("true expression", fontsize=9)
    return fig
