"""The page of the test on real faces: how far the labels are from what people said, beside straight lines in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.real_table import (
    AGREEMENT_COLUMNS,
    RMSE_COLUMNS,
    agreement_rows,
    cell,
    interval_words,
    rmse_rows,
)
from mtclar.report import charts
from mtclar.report.page import Markup, Section, figure, listed, table, text, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = {"mtclar": charts.COLOURS["mtclar"], "copy": charts.COLOURS["copy"]}
_COLOURS |= {"linear": charts.COLOURS["interpolate"], "pchip": charts.COLOURS["pchip"]}
_NAMES = {"mtclar": "mtclar", "copy": "copy anchor", "linear": "straight lines", "pchip": "smooth curve"}


@dataclass(frozen=True)
class Curve:
    """A clip labelled from some of its ratings, or from none.

    Attributes:
        name: Of the clip.
        times_s: float64 (n,), of its frames in seconds.
        labels, low, high: float64 (n, 2), mtclar's labels and their band; NaN where there is none.
        straight: float64 (n, 2), straight lines between the anchors; None without any.
        rated_s: float64 (m,), times of the rated frames.
        truth: float64 (m, 2), what the person said.
        anchors: int (k,), which of those ratings were given.
    """

    name: str
    times_s: np.ndarray
    labels: np.ndarray
    low: np.ndarray
    high: np.ndarray
    straight: np.ndarray | None
    rated_s: np.ndarray
    truth: np.ndarray
    anchors: np.ndarray


def write_real(
    path: Path,
    found: Mapping[str, Any],
    curves: Sequence[Curve],
    facts: Mapping[str, str],
    notes: Sequence[str],
    card: str | None = None,
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: The HTML file.
        found: Content of real.json.
        curves: Clips to draw, each after another.
        facts: What the footer states.
        notes: What the reader should know, one sentence each.
        card: Of the model, as Markdown; None if it has none.
    """
    sections = []
    if found["anchors"]:
        sections.append(Section("All clips together", _all(found)))
        sections += [
            Section(f"Clip {clip['video_id']}", _clip(found, clip, [c for c in curves if c.name == clip["video_id"]]))
            for clip in found["clips"]
        ]
    if "portraits" in found:
        sections.append(Section("Portraits, without any anchor", _portraits(found["portraits"])))
    sections.append(Section("What was judged", _judged(found)))
    if notes:
        sections.append(Section("Worth knowing", listed(notes)))
    ratings = sum(clip["rated"] for clip in found["clips"])
    lead = f"{len(found['clips'])} clips with {ratings} frames that a person rated"
    if "portraits" in found:
        lead += f", and {found['portraits']['n_pictures']} rated portraits"
    footer = " · ".join(f"{name}: {value}" for name, value in facts.items())
    write_page(path, "How well mtclar labels real faces", sections, lead=f"{lead}.", footer=footer, card=card)


def _all(found: Mapping[str, Any]) -> Markup:
    body = text(
        f"Of each clip some ratings are given as anchors, every way to choose them or {found['limit']} at random, and "
        "the labels are compared with the other ratings. RMSE is the mean over placements and then over clips; CCC and "
        "PCC are those of all placements together. “mtclar − linear” is paired: below 0, mtclar is nearer to what the "
        "person said than straight lines between the same anchors. “In band” is the share of ratings inside the band, "
        "meant to "
        f"hold {_target(found)}."
    )
    body += text(_verdict(found))
    kinds = dict.fromkeys(found["intervals"].values())
    body += Markup("").join(text(interval_words(kind)) for kind in kinds)
    body += figure(_errors(found["anchors"]), "RMSE by number of anchors")
    return body + _tables(found["anchors"], found["placements"])


def _verdict(found: Mapping[str, Any]) -> str:
    """At how many anchors mtclar's mean error is below that of straight lines, in one sentence."""
    parts = []
    for dimension in DIMENSIONS:
        gains = {k: block[dimension]["mtclar"].get("to_linear") for k, block in found["anchors"].items() if k != "0"}
        better = [k for k, gain in gains.items() if gain is not None and gain < 0]
        worse = [k for k in gains if k not in better]
        words = f"below it at {', '.join(better)} anchors" if better else "at no number of anchors below it"
        parts.append(f"in {dimension} {words}" + (f" and not at {', '.join(worse)}" if better and worse else ""))
    return f"Beside the error of straight lines, mtclar's is {'; '.join(parts)}."


def _target(found: Mapping[str, Any]) -> str:
    return f"{found['coverage']:.0%}" if found["coverage"] is not None else "an unknown share"


def _tables(blocks: Mapping[str, Any], placements: Mapping[str, int]) -> Markup:
    errors = pd.DataFrame(rmse_rows(blocks, placements), columns=RMSE_COLUMNS)
    agreement = pd.DataFrame(agreement_rows(blocks), columns=AGREEMENT_COLUMNS)
    return text("RMSE:") + table(errors) + text("Agreement:") + table(agreement)


def _clip(found: Mapping[str, Any], clip: Mapping[str, Any], curves: Sequence[Curve]) -> Markup:
    """One clip: its curves, and its own numbers where there are other clips too."""
    body = text(
        f"{clip['frames']} frames, a face in {clip['faces']}; {clip['rated']} ratings of frames that show the face"
        + (f", {clip['faceless']} more where it was not found." if clip["faceless"] else ".")
    )
    for curve in curves:
        given = len(curve.anchors)
        words = f"labelled from {given} of the ratings" if given else "labelled without any anchor"
        words += ", the placement whose error is the median of all" if given else ""
        body += text(f"The clip {words}:") + figure(_curve(curve), f"{curve.name}, {given} anchors")
    if len(found["clips"]) == 1:
        return body
    blocks = found["by_clip"][clip["video_id"]]
    return body + text(interval_words("placements")) + _tables(blocks, clip["placements"])


def _portraits(found: Mapping[str, Any]) -> Markup:
    drawn = f"of the {found['n_people']} people" if found["cluster"] == "person" else "of pictures"
    rows = [[name, *(cell(found[name], key) for key in ("rmse", "ccc", "pcc", "coverage"))] for name in DIMENSIONS]
    body = text(f"{found['n_pictures']} pictures; brackets are 95 % intervals of a bootstrap {drawn}.")
    body += table(pd.DataFrame(rows, columns=["", "RMSE", "CCC", "PCC", "share in band"]))
    if found["left_out"]:
        body += text("Not labelled:") + listed([item["error"] for item in found["left_out"]])
    return body


def _judged(found: Mapping[str, Any]) -> Markup:
    frame = pd.DataFrame(
        [[clip[key] for key in ("video_id", "rated", "frames", "faces")] for clip in found["clips"]],
        columns=["clip", "ratings", "frames", "with a face"],
    )
    body = table(frame) if len(frame) else Markup("")
    for words, items in (
        ("Could not be judged:", [item["error"] for item in found["failed"]]),
        ("Videos without a rating, left alone:", found["unrated"]),
    ):
        if items:
            body += text(words) + listed(items)
    return body


def _errors(blocks: Mapping[str, Any]) -> Figure:
    """RMSE by number of anchors with intervals, valence and arousal side by side."""
    fig, axes = charts.axes_of(9.4, 3.6, 1, 2, sharey=True)
    counts = list(blocks)
    for ax, dimension in zip(axes[0], DIMENSIONS, strict=True):
        for i, (method, colour) in enumerate(_COLOURS.items()):
            known = [
                (k, blocks[count][dimension][method])
                for k, count in enumerate(counts)
                if method in blocks[count][dimension]
            ]
            at = np.array([k for k, _ in known]) + 0.06 * (i - 1.5)
            bounds = np.array([block["rmse_interval"] for _, block in known], dtype=np.float64)
            ax.vlines(at, bounds[:, 0], bounds[:, 1], color=colour, lw=2.5, alpha=0.35)
            style = "o-" if method == "mtclar" else "o--"
            ax.plot(at, [block["rmse"] for _, block in known], style, color=colour, ms=4, lw=1.5, label=_NAMES[method])
        ax.set_title(f"{dimension} RMSE", fontsize=9.5, loc="left")
        ax.set_xticks(range(len(counts)), ["none" if count == "0" else count for count in counts])
        ax.set_xlabel("anchors", fontsize=8.5)
        ax.set_ylim(bottom=0)
    fig.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9, frameon=False)
    return fig


def _curve(curve: Curve) -> Figure:
    """Valence and arousal over time: band, label, straight lines, ratings, and which of them were given."""
    fig, axes = charts.axes_of(10, 2.6, 1, 2, sharey=True)
    given = np.zeros(len(curve.truth), bool)
    given[curve.anchors] = True
    for d, (ax, dimension) in enumerate(zip(axes[0], DIMENSIONS, strict=True)):
        ours = charts.COLOURS["mtclar"]
        ax.fill_between(curve.times_s, curve.low[:, d], curve.high[:, d], color=ours, alpha=0.12, lw=0)
        if curve.straight is not None:
            ax.plot(curve.times_s, curve.straight[:, d], "--", color=_COLOURS["linear"], lw=1.2, label=_NAMES["linear"])
        ax.plot(curve.times_s, curve.labels[:, d], color=ours, lw=1.8, label="mtclar")
        ax.plot(curve.rated_s[~given], curve.truth[~given, d], "o", mfc="white", mec="#1c2733", ms=5, label="rating")
        ax.plot(curve.rated_s[given], curve.truth[given, d], "o", color="#1c2733", ms=6, label="anchor")
        ax.set_ylim(-1.05, 1.05)
        ax.set_yticks([-1, 0, 1])
        ax.set_title(dimension, fontsize=9, loc="left", color="#4a5a6a")
        ax.set_xlabel("time (s)", fontsize=8.5)
    fig.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=9, frameon=False)
    return fig
