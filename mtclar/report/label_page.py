"""The report of one labelled video: its curves with their band, its anchors, its faces and where they come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from mtclar.labelling import interpolate
from mtclar.report import page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"valence": "#1f6fb4", "arousal": "#c8552b"}
_GREY, _GRID = "#8796a5", "#e6ebf0"
_MAX_POINTS = 4000


def write_label_page(
    path: Path,
    table: pd.DataFrame,
    facts: Mapping[str, Any],
    pictures: Mapping[tuple[int, int], bytes],
    *,
    thumbnails: int,
    notes: Sequence[str] = (),
    card: str | None = None,
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Where to.
        table: The labels of one video (`tables.LABELS`), one row a frame, in order.
        facts: The video's side facts, as NAME.va.json holds them.
        pictures: Small pictures of faces, JPEG bytes by frame and track.
        thumbnails: How many of them to show besides the anchors.
        notes: What the reader should know, one sentence each.
        card: Of the model, as Markdown; None if it has none.
    """
    faces = int((table["status"] == "ok").sum())
    anchors = table.index[table["source"] == "anchor"]
    start = "labelled without anchors"
    if not (table["source"] == "zero-shot").any():
        start = f"labelled from {len(anchors)} anchor{'s' if len(anchors) != 1 else ''}"
    lead = f"{len(table)} frames over {table['time_s'].iloc[-1]:.2f} s, a face in {faces} of them, {start}."
    sections = [
        page.Section(
            "Valence and arousal over time", page.figure(_curves(table)) + _legend(facts, anchors=len(anchors))
        ),
        page.Section("Faces along the way", _faces(table, pictures, thumbnails)),
        page.Section("In the plane", page.figure(_plane(table))),
        page.Section("Numbers", page.table(_numbers(table))),
    ]
    if notes:
        sections.append(page.Section("Worth knowing", _list(notes)))
    sections.append(page.Section("Where this comes from", page.table(_origin(facts))))
    footer = f"mtclar {facts['tool_version']}"
    page.write_page(path, f"Labels of {facts['video']}", sections, lead=lead, footer=footer, card=card)


def write_index(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    failed: Collection[str],
    tool_version: str,
    card: str | None = None,
) -> None:
    """Writes the page that leads to the reports of several videos.

    Args:
        path: Where to, in the folder of the reports.
        rows: Per video: its name, where its report lies below that folder, frames, faces, anchors and confidence.
        failed: One sentence for every video that could not be labelled.
        tool_version: Of mtclar.
        card: Of the model, as Markdown; None if it has none.
    """
    frame = pd.DataFrame(rows, columns=["video", "page", "frames", "faces", "anchors", "confidence"])
    links = [Markup('<a href="{}">{}</a>').format(quote(row["page"]), row["video"]) for row in rows]
    frame = frame.drop(columns="page").assign(video=pd.Series(links, dtype=object))
    sections = [page.Section("Labelled", page.table(frame))]
    if failed:
        sections.append(page.Section("Not labelled", _list(failed)))
    lead = f"{len(rows)} of {len(rows) + len(failed)} videos labelled."
    if without := sum(not row["anchors"] for row in rows):
        lead += f" Without anchors: {'all' if without == len(rows) else without}."
    page.write_page(path, "Labelled videos", sections, lead=lead, footer=f"mtclar {tool_version}", card=card)


def _list(items: Iterable[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(item) for item in items))


def _legend(facts: Mapping[str, Any], *, anchors: int) -> Markup:
    band = facts.get("band") or {}
    words = "Line: the label."
    if anchors:
        words += " Dots: anchors. Dotted: straight lines between the anchors, the baseline to beat."
    if band.get("coverage"):
        words += f" Band: as wide as held {band['coverage']:.0%} of the true labels of people the model had not seen."
    return page.text(words + " Grey: no face.")


def _curves(table: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    time_s = table["time_s"].to_numpy()
    is_anchor = (table["source"] == "anchor").to_numpy()
    some = np.arange(0, len(table), -(-len(table) // _MAX_POINTS))
    for axes, name in ((upper, "valence"), (lower, "arousal")):
        values, colour = table[name].to_numpy(), COLOURS[name]
        _shade(axes, time_s, (table["status"] == "no_face").to_numpy())
        band = [table[f"{name}_{side}"].to_numpy()[some] for side in ("lo", "hi")]
        axes.fill_between(time_s[some], *band, color=colour, alpha=0.16, linewidth=0)
        if is_anchor.any():
            straight = interpolate(time_s[some], time_s[is_anchor], values[is_anchor])
            axes.plot(time_s[some], straight, ":", color=_GREY, linewidth=1.4)
            at, given = time_s[is_anchor], values[is_anchor]
            axes.plot(at, given, "o", color=colour, mec="white", ms=7, clip_on=False, zorder=5)
        axes.plot(time_s[some], values[some], color=colour, linewidth=1.8)
        axes.set_ylabel(name.capitalize(), color=colour)
        _dress(axes)
    lower.set_xlabel("Time (s)")
    end_s = max(float(time_s[-1]), 1e-3)
    upper.set_xlim(-0.01 * end_s, 1.01 * end_s)
    return figure


def _dress(axes: Axes) -> None:
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.axhline(0, color=_GREY, linewidth=0.8)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, colors="#4a5a6a")


def _shade(axes: Axes, time_s: np.ndarray, faceless: np.ndarray) -> None:
    """Marks the spans without a face, each up to the middle of the gap to its neighbours."""
    edges = np.concatenate([time_s[:1], (time_s[1:] + time_s[:-1]) / 2, time_s[-1:]])
    turns = np.flatnonzero(np.diff(np.concatenate([[0], faceless.astype(int), [0]])))
    for start, end in turns.reshape(-1, 2):
        axes.axvspan(edges[start], edges[end], color="#dfe4e9", linewidth=0)


def _plane(table: pd.DataFrame) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    known = table[table["valence"].notna()]
    known = known.iloc[:: -(-max(1, len(known)) // _MAX_POINTS)]
    marks = axes.scatter(known["valence"], known["arousal"], c=known["time_s"], s=12, cmap="viridis", linewidth=0)
    anchors = table[table["source"] == "anchor"]
    axes.plot(anchors["valence"], anchors["arousal"], "o", mfc="none", color="#1c2733", markersize=9)
    _dress(axes)
    axes.set_xlim(-1.05, 1.05)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.axvline(0, color=_GREY, linewidth=0.8)
    axes.set_aspect("equal")
    axes.set_xlabel("Valence", color=COLOURS["valence"])
    axes.set_ylabel("Arousal", color=COLOURS["arousal"])
    bar = figure.colorbar(marks, ax=axes, shrink=0.8, label="Time (s)")
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _faces(table: pd.DataFrame, pictures: Mapping[tuple[int, int], bytes], count: int) -> Markup:
    by_frame = {frame: data for (frame, _), data in sorted(pictures.items())}
    anchors = [int(frame) for frame in table["frame"][table["source"] == "anchor"]]
    values = table[["valence", "arousal"]].to_numpy(float)
    shown = Markup("")
    for frame in choose(list(by_frame), anchors, values, count):
        row = table.iloc[frame]
        label = "no label" if np.isnan(row["valence"]) else f"V {row['valence']:+.2f}  A {row['arousal']:+.2f}"
        mark = {"anchor": "\nanchor", "none": "\nno face"}.get(str(row["source"]), "")
        shown += page.jpeg(by_frame[frame], f"{frame} · {row['time_s']:.2f} s\n{label}{mark}")
    return shown


def choose(kept: Sequence[int], must: Sequence[int], values: np.ndarray, count: int) -> list[int]:
    """Which of the frames with a picture to show: the nearest to those that must be, the extremes of each value, and
    evenly spaced ones.

    Args:
        kept: Frames that have a picture, ascending.
        must: Frames to show, or the nearest frame that has a picture in their place.
        values: One row a frame of the video (n, dimensions), NaN where not known.
        count: How many to show besides those for `must`.
    """
    if not kept:
        return []
    at = np.array(kept)
    asked = {int(at[np.argmin(np.abs(at - frame))]) for frame in must}
    others = [frame for frame in kept if frame not in asked]
    known = [frame for frame in others if not np.isnan(values[frame]).any()]
    chosen: dict[int, None] = {}
    for column in values.T if known else ():
        chosen[known[int(np.argmax(column[known]))]] = None
        chosen[known[int(np.argmin(column[known]))]] = None
    rest = [frame for frame in others if frame not in chosen]
    spaced = np.linspace(0, len(rest) - 1, num=max(0, min(count - len(chosen), len(rest))))
    chosen.update(dict.fromkeys(rest[round(i)] for i in spaced))
    return sorted({*list(chosen)[:count], *asked})


def _numbers(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name in ("valence", "arousal"):
        values = table[name].dropna()
        half = ((table[f"{name}_hi"] - table[f"{name}_lo"]) / 2)[table["source"].isin(("model", "zero-shot"))]
        rows.append([name, values.min(), values.mean(), values.max(), values.std(ddof=0), half.mean()])
    return pd.DataFrame(rows, columns=["", "lowest", "mean", "highest", "spread", "mean half band"])


def _origin(facts: Mapping[str, Any]) -> pd.DataFrame:
    model = facts["model"]
    rate = "no rate stated" if facts["nominal_fps"] is None else f"{facts['nominal_fps']:.3f} fps stated"
    pace = "variable" if facts["is_vfr"] else "constant"
    turned = f", turned by {facts['rotation']}°" if facts["rotation"] else ""
    rows = {
        "Video": facts["video"],
        "Picture": f"{facts['width']} × {facts['height']}{turned}, {facts['codec']}, {rate}, {pace} frame rate",
        "Video sha256": facts["sha256"],
        "Model": f"{model['name']} {model['version']}",
        "Model sha256": model["sha256"],
        **{f"Licence of the {what}": str(licence) for what, licence in model["licences"].items()},
        "Anchors": f"{facts['anchors_file']} ({len(facts['anchors'])} frames)" if facts["anchors_file"] else "none",
        "Fusion": f"{facts['fusion']['method']}, time scale {facts['fusion']['time_scale_s']:g} s",
        "Values": "valence and arousal in [-1, 1]; no value where there is no face",
    }
    return pd.DataFrame({"": list(rows), " ": list(rows.values())})
