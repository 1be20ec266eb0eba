"""The report of one labelled video: its curves with their band, its anchors, faces and shots, and its origin."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

from mtclar.labelling.baselines import interpolate
from mtclar.report import page
from mtclar.report.curves import COLOURS, SHADES, Course, clock, curves, plane

_SHOWN_PEOPLE, _SHOWN_SHOTS = 6, 24
_SAID = {"no_face": "no face", "out_of_shot": "out of the shot", "low_quality": "a face that can hardly be seen"}

Columns = Mapping[str, np.ndarray]
"""The columns of a labels table (`tables.LABELS`) as arrays, one row per frame and person labelled."""


def write_label_page(
    path: Path,
    columns: Columns,
    facts: Mapping[str, Any],
    pictures: Mapping[tuple[int, int], bytes],
    *,
    thumbnails: int,
    shots: Mapping[int, bytes] | None = None,
    notes: Sequence[str] = (),
    card: str | None = None,
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Where to.
        columns: The labels of one video, in the order of frames for each person.
        facts: The video's side facts, as NAME.va.json holds them.
        pictures: Small pictures of faces, JPEG bytes by frame and track.
        thumbnails: How many of them to show besides the anchors.
        shots: Small pictures of the first frame of each shot, JPEG bytes by frame.
        notes: What the reader should know, one sentence each.
        card: Of the model, as Markdown; None if it has none.
    """
    frames = np.unique(columns["frame"])
    people = list(_people(columns))
    faces = len(np.unique(columns["frame"][np.isin(columns["status"], ("ok", "low_quality"))]))
    count = int((columns["source"] == "anchor").sum())
    start = "labelled without anchors"
    if count or not (columns["source"] == "zero-shot").any():
        start = f"labelled from {count} anchor{'s' if count != 1 else ''}"
    lead = f"{len(frames)} frames over {columns['time_s'].max():.2f} s, a face in {faces} of them, {start}."
    sections = []
    for number, (who, rows) in enumerate(people[:_SHOWN_PEOPLE]):
        course, title = _course(columns, rows), f" of {who}" if len(people) > 1 else ""
        body = curves(course, f"Valence and arousal{title} over {clock(float(course.time_s[-1]))}")
        sections.append(page.Section(f"Valence and arousal over time{title}", body + _legend(facts, course, number)))
        body = _faces(columns, rows, pictures, thumbnails)
        sections.append(page.Section(f"Faces along the way{title}", body))
    if len(people) == 1:
        sections.append(page.Section("In the plane", plane(_course(columns, people[0][1]), "Valence against arousal")))
    elif len(people) > _SHOWN_PEOPLE:
        words = f"{len(people) - _SHOWN_PEOPLE} more are in the table of labels only."
        sections.append(page.Section("Other people", page.text(words)))
    if shots and len(shots) > 1:
        sections.append(page.Section("Shots", _shots(columns, shots)))
    header = ["", "lowest", "mean", "highest", "spread", "mean half band"]
    sections.append(page.Section("Numbers", page.rows_table(header, _numbers(columns, people))))
    if notes:
        sections.append(page.Section("Worth knowing", page.listed(notes)))
    sections.append(page.Section("Where this comes from", page.rows_table(["", " "], _origin(facts))))
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
    names = ["frames", "faces", "anchors", "confidence"]
    cells = [
        [*(row[name] for name in names), Markup('<a href="{}">{}</a>').format(quote(row["page"]), row["video"])]
        for row in rows
    ]
    table = page.rows_table(["video", *names], [[*cell[-1:], *cell[:-1]] for cell in cells])
    sections = [page.Section("Labelled", table)]
    if failed:
        sections.append(page.Section("Not labelled", page.listed(failed)))
    lead = f"{len(rows)} of {len(rows) + len(failed)} videos labelled."
    if without := sum(not row["anchors"] for row in rows):
        lead += f" Without anchors: {'all' if without == len(rows) else without}."
    page.write_page(path, "Labelled videos", sections, lead=lead, footer=f"mtclar {tool_version}", card=card)


def _people(columns: Columns) -> Iterator[tuple[str, np.ndarray]]:
    """Who is labelled, and the rows of each in the order of time: one person, unless frames have several rows."""
    rows = np.arange(len(columns["frame"]))
    if len(np.unique(columns["frame"])) == len(rows):
        yield "", rows[np.argsort(columns["frame"], kind="stable")]
        return
    names = [
        str(person) if isinstance(person, str) and person else f"track {track}"
        for person, track in zip(columns["person_id"], columns["track_id"], strict=True)
    ]
    for name in dict.fromkeys(names):
        own = np.array([k for k, other in enumerate(names) if other == name])
        yield name, own[np.argsort(columns["frame"][own], kind="stable")]


def _course(columns: Columns, rows: np.ndarray) -> Course:
    def pair(ending: str) -> np.ndarray:
        return np.stack([columns[f"{name}{ending}"][rows].astype(float) for name in COLOURS], axis=1)

    time_s, values, anchor = columns["time_s"][rows], pair(""), columns["source"][rows] == "anchor"
    straight = interpolate(time_s, time_s[anchor], values[anchor]) if anchor.any() else None
    status, shot = columns["status"][rows], columns["shot_id"][rows]
    return Course(time_s, values, pair("_lo"), pair("_hi"), anchor, status, shot, straight)


def _legend(facts: Mapping[str, Any], course: Course, number: int) -> Markup:
    """What the marks mean, below the first chart."""
    if number:
        return Markup("")
    band = facts.get("band") or {}
    words = "Line: the label."
    if course.straight is not None:
        words += " Dots: anchors. Dotted: straight lines between the anchors, the baseline to beat."
    if band.get("coverage"):
        words += f" Band: as wide as held {band['coverage']:.0%} of the true labels of people the model had not seen."
    shaded = [_SAID[name] for name in SHADES if (course.status == name).any()]
    if shaded:
        words += f" Shaded: {', '.join(shaded)}."
    if (np.diff(course.shot) != 0).any():
        words += " Dashed: cuts."
    return page.text(words)


def _faces(columns: Columns, rows: np.ndarray, pictures: Mapping[tuple[int, int], bytes], count: int) -> Markup:
    """Pictures of a person with what the labels say of them."""
    place = {int(frame): k for k, frame in enumerate(columns["frame"][rows])}
    tracks = columns["track_id"][rows]
    own = {
        frame: data
        for (frame, track), data in sorted(pictures.items())
        if frame in place and tracks[place[frame]] in (track, None)
    }
    values = np.stack([columns[name][rows].astype(float) for name in COLOURS], axis=1)
    source = columns["source"][rows]
    must = np.flatnonzero(source == "anchor").tolist()
    at = {place[frame]: frame for frame in own}
    shown = Markup("")
    for k in choose(sorted(at), must, values, count):
        label = "no label" if np.isnan(values[k]).any() else f"V {values[k, 0]:+.2f}  A {values[k, 1]:+.2f}"
        mark = {"anchor": "\nanchor", "none": "\nno face"}.get(str(source[k]), "")
        time_s = columns["time_s"][rows[k]]
        shown += page.jpeg(own[at[k]], f"{at[k]} · {time_s:.2f} s\n{label}{mark}")
    return shown


def choose(kept: Sequence[int], must: Sequence[int], values: np.ndarray, count: int) -> list[int]:
    """Which of the rows with a picture to show: the nearest to those that must be, the extremes of each value, and
    evenly spaced ones.

    Args:
        kept: Rows that have a picture, ascending.
        must: Rows to show, or the nearest row that has a picture in their place.
        values: (n, dimensions) of all rows, NaN where not known.
        count: How many to show besides those for `must`.
    """
    if not kept:
        return []
    at = np.array(kept)
    asked = {int(at[np.argmin(np.abs(at - row))]) for row in must}
    others = [row for row in kept if row not in asked]
    known = [row for row in others if not np.isnan(values[row]).any()]
    chosen: dict[int, None] = {}
    for column in values.T if known else ():
        chosen[known[int(np.argmax(column[known]))]] = None
        chosen[known[int(np.argmin(column[known]))]] = None
    rest = [row for row in others if row not in chosen]
    spaced = np.linspace(0, len(rest) - 1, num=max(0, min(count - len(chosen), len(rest))))
    chosen.update(dict.fromkeys(rest[round(i)] for i in spaced))
    return sorted({*list(chosen)[:count], *asked})


def _shots(columns: Columns, shots: Mapping[int, bytes]) -> Markup:
    """The first frame of each shot; of many, some spread evenly."""
    time_of = dict(zip(columns["frame"].tolist(), columns["time_s"].tolist(), strict=True))
    tracks: dict[int, set[int]] = {}
    for frame, track in zip(columns["shot_id"].tolist(), columns["track_id"].tolist(), strict=True):
        tracks.setdefault(frame, set()).add(track)
    firsts = sorted(shots)
    some = np.unique(np.linspace(0, len(firsts) - 1, num=min(len(firsts), _SHOWN_SHOTS)).round().astype(int))
    shown = page.text(f"{len(firsts)} shots" + (f", {len(some)} of them shown." if len(some) < len(firsts) else "."))
    for number in some.tolist():
        frame = firsts[number]
        when = f" · {time_of[frame]:.2f} s" if frame in time_of else ""
        labelled = ", ".join(str(track) for track in sorted(tracks.get(number, ()), key=str) if track is not None)
        shown += page.jpeg(shots[frame], f"shot {number}{when}" + (f"\ntrack {labelled}" if labelled else ""), 160)
    return shown


def _numbers(columns: Columns, people: Sequence[tuple[str, np.ndarray]]) -> list[list[Any]]:
    """Range, mean and mean half of the band of what was labelled."""
    found = []
    for who, rows in people[:_SHOWN_PEOPLE]:
        for name in COLOURS:
            values = columns[name][rows].astype(float)
            half = (columns[f"{name}_hi"][rows].astype(float) - columns[f"{name}_lo"][rows].astype(float)) / 2
            half = half[np.isin(columns["source"][rows], ("model", "zero-shot")) & np.isfinite(half)]
            values = values[np.isfinite(values)]
            known = [values.min(), values.mean(), values.max(), values.std()] if len(values) else [np.nan] * 4
            mean_half = half.mean() if len(half) else np.nan
            found.append([f"{name} of {who}" if len(people) > 1 else name, *map(float, known), float(mean_half)])
    return found


def _origin(facts: Mapping[str, Any]) -> list[list[Any]]:
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
        "Values": "valence and arousal in [-1, 1]; no value where there is no face",
    }
    return [[name, value] for name, value in rows.items()]
