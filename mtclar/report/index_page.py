"""The page that leads to the reports of a folder: a table to be sorted and searched, and what could not be labelled."""

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
    sections = [page.Section("Labelled", _searched(rows))]
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
        styles=("index.css",),
        scripts=("index.js",),
    )


def _searched(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """The table, its heads as buttons that sort, below a field that searches; both work once the script runs."""
    head = Markup("").join(
        Markup('<th scope="col"><button type="button">{}</button></th>').format(name) for name in ("video", *_COLUMNS)
    )
    body = Markup("")
    for row in rows:
        cells = Markup('<td data-value="{0}"><a href="{1}">{0}</a></td>').format(row["video"], quote(row["page"]))
        for name in _COLUMNS:
            value = row[name]
            unknown = isinstance(value, float) and np.isnan(value)
            shown = "–" if unknown else f"{value:.3f}" if isinstance(value, float) else value
            cells += Markup('<td data-value="{}">{}</td>').format("" if unknown else value, shown)
        body += Markup("<tr>{}</tr>").format(cells)
    return Markup(
        '<p class="search" hidden><label>Search <input type="search" id="search"></label> '
        '<span id="found" role="status"></span></p>'
        '<div class="scroll" tabindex="0"><table id="videos"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, body)
