"""Pages about a folder of videos, each a table to be sorted and searched: their reports, and what a check found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from mtclar.report import page

_COLUMNS = ("frames", "faces", "anchors", "confidence", "notes")


def write_index(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    failed: Collection[str],
    tool_version: str,
    card: str | None = None,
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Where to, in the folder of the reports.
        rows: Per video: its name, where its report lies below that folder, frames, faces, anchors, confidence (NaN
            where not known) and the number of notes.
        failed: One sentence for every video that could not be labelled.
        tool_version: Of mtclar.
        card: Of the model, as Markdown; None if it has none.
    """
    table = []
    for row in rows:
        link = Markup('<a href="{}">{}</a>').format(quote(row["page"]), row["video"])
        table.append([(link, row["video"]), *(_cell(row[name]) for name in _COLUMNS)])
    sections = [page.Section("Labelled", _searched(("video", *_COLUMNS), table))]
    if failed:
        sections.append(page.Section("Not labelled", page.listed(failed)))
    lead = f"{len(rows)} of {len(rows) + len(failed)} videos labelled."
    if without := sum(not row["anchors"] for row in rows):
        lead += f" Without anchors: {'all' if without == len(rows) else without}."
    page.write_page(
        path,
        "Labelled videos",
        sections,
        lead=lead,
        footer=f"mtclar {tool_version}",
        card=card,
        styles=("folder.css",),
        scripts=("folder.js",),
    )


def _cell(value: float) -> tuple[object, object]:
    """A number as it is shown and sorted by."""
    if isinstance(value, float):
        return ("–", None) if np.isnan(value) else (f"{value:.3f}", value)
    return value, value


def write_check_page(
    path: Path,
    header: Sequence[str],
    cells: Sequence[Sequence[str]],
    values: Sequence[Mapping[str, Any]],
    sentences: Sequence[str],
    tool_version: str,
) -> None:
    """Writes what `mtclar check` found, whole or not at all.

    Args:
        path: Where to.
        header: Names of the columns, the video's first.
        cells: Per video, as people read it.
        values: Per video, all that is known of it; columns sort by these.
        sentences: What is odd, and the sum.
        tool_version: Of mtclar.
    """
    order = ["video", "codec", "width", "rotation", "fps", "duration_s", "face_share", "faces_per_minute", "face_px"]
    order += ["shots", "extract_s", "label_s"]
    rows = [
        [(cell, value[name]) for cell, name in zip(line, order, strict=True)]
        for line, value in zip(cells, values, strict=True)
    ]
    sections = [page.Section("Videos", _searched(header, rows)), page.Section("Worth knowing", page.listed(sentences))]
    page.write_page(
        path,
        "Check of videos",
        sections,
        lead="Times are for this machine, one video at a time; faces are counted in a few frames of each video.",
        footer=f"mtclar {tool_version}",
        styles=("folder.css",),
        scripts=("folder.js",),
    )


def _searched(header: Sequence[str], rows: Sequence[Sequence[tuple[object, object]]]) -> Markup:
    """The table, its heads as buttons that sort, below a field that searches; both work once the script runs.

    Args:
        header: Names of the columns, the video's first.
        rows: Per cell what is shown and what it is sorted by, None where that is not known.
    """
    head = Markup("").join(
        Markup('<th scope="col"><button type="button">{}</button></th>').format(name) for name in header
    )
    body = Markup("")
    for row in rows:
        cells = (
            Markup('<td data-value="{}">{}</td>').format("" if value is None else value, shown) for shown, value in row
        )
        body += Markup("<tr>{}</tr>").format(Markup("").join(cells))
    return Markup(
        '<p class="search" hidden><label>Search <input type="search" id="search"></label> '
        '<span id="found" role="status"></span></p>'
        '<div class="scroll" tabindex="0"><table id="videos"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)
