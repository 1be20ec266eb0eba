"""The page of a faces store made in bulk: what is in it, in charts and a sheet of faces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtclar.data.tables import SPLITS
from mtclar.report import page
from mtclar.report.charts import COLOURS, axes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "skin": "skin, 0 dark to 1 light",
    "age": "shape, 0 child-like to 1 old",
    "yaw": "yaw (degrees)",
    "pitch": "pitch (degrees)",
    "roll": "roll (degrees)",
    "brightness": "brightness of the face, 0..1",
    "face_px": "width of the face (pixels taken)",
    "blur_px": "blur (pixels)",
    "noise": "noise (grey values)",
    "quality": "quality of the compression",
    "covered": "share of the face hidden",
}
SHEET_WIDTH = 900


def write_synthesis_page(path: Path, counted: Mapping[str, Any], sheet: np.ndarray, *, footer: str) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: The HTML file.
        counted: Content of statistics.json.
        sheet: The contact sheet, uint8 RGB (h, w, 3).
        footer: What made it.
    """
    faces, people = sum(counted["faces"].values()), sum(counted["people"].values())
    caption = "Valence from left to right, arousal from below to above."
    sections = [
        page.Section("Some of the faces", page.picture(sheet, caption, SHEET_WIDTH)),
        page.Section("How many", page.table(_counts(counted))),
        page.Section("Labels", page.figure(_labels(counted["labels"]), "valence and arousal of all faces")),
        page.Section("How they were made", page.figure(_histograms(counted["measured"]), "histograms of the traits")),
        page.Section("Kinds", page.table(_kinds(counted["counted"], faces))),
        page.Section(
            "What the detector of faces finds in the whole pictures", page.table(_detection(counted["detection"]))
        ),
    ]
    lead = f"{faces:,} faces of {people:,} people who do not exist."
    page.write_page(path, "Synthetic faces", sections, lead=lead, footer=footer)


def _counts(counted: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name in ("people", "faces", "clips"):
        each = [counted[name][split] for split in SPLITS]
        rows.append([name, *(f"{count:,}" for count in [*each, sum(each)])])
    return pd.DataFrame(rows, columns=["", *SPLITS, "all"])


def _labels(found: Mapping[str, Any]) -> Figure:
    """The 2-D histogram, valence to the right and arousal upwards."""
    fig, axes = axes_of(5.2, 4.4)
    ax = axes[0][0]
    ax.grid(False)
    counts = np.array(found["counts"], float)
    counts[counts == 0] = np.nan
    low, high = found["edges"][0], found["edges"][-1]
    drawn = ax.imshow(counts.T, origin="lower", extent=(low, high, low, high), cmap="viridis", vmin=0)
    ax.set_xlabel("valence", fontsize=9)
    ax.set_ylabel("arousal", fontsize=9)
    fig.colorbar(drawn, ax=ax, label="faces")
    return fig


def _histograms(measured: Mapping[str, Any]) -> Figure:
    columns = 4
    rows = -(-len(measured) // columns)
    fig, axes = axes_of(11, 1.9 * rows, rows, columns)
    for ax, (name, found) in zip(axes.flat, measured.items(), strict=False):
        edges = np.array(found["edges"])
        ax.bar(edges[:-1], found["counts"], np.diff(edges), align="edge", color=COLOURS["interpolate"], ec="white")
        ax.set_title(TITLES[name], fontsize=8.5, loc="left")
    for ax in axes.flat[len(measured) :]:
        ax.set_visible(False)
    return fig


def _kinds(counted: Mapping[str, Mapping[str, int]], faces: int) -> pd.DataFrame:
    rows = [
        [f"{what}: {value}", f"{count:,}", f"{count / faces:.1%}"]
        for what, values in counted.items()
        for value, count in values.items()
    ]
    return pd.DataFrame(rows, columns=["", "faces", "share"])


def _detection(found: Mapping[str, Any]) -> pd.DataFrame:
    units = {
        "yaw": "turned by {} degrees",
        "face_px": "face {} pixels wide",
        "covered": "share hidden {}",
        "brightness": "brightness {}",
        "blur_px": "blurred by {} pixels",
    }
    bands = {"all": {key: found[key] for key in ("tried", "found")}}
    for name, of_band in found["bands"].items():
        bands |= {units[name].format(band): counts for band, counts in of_band.items()}
    rows = [
        [name, counts["tried"], counts["found"], counts["found"] / counts["tried"] if counts["tried"] else np.nan]
        for name, counts in bands.items()
    ]
    return pd.DataFrame(rows, columns=["", "tried", "found", "rate"])
