"""The page of one labelled video: its curves with their prediction interval, anchors, faces, shots, and its origin.

On a screen a script draws them (`assets/labels_*.js`), so that one can zoom, point and choose; on paper, and where
scripts are off, the same curves stand as drawings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from mtclar.labelling.baselines import interpolate
from mtclar.report import page
from mtclar.report.curves import COLOURS, SHADES, Course, clock, curves, plane
from mtclar.report.label_data import Columns, Person, Suspect, payload, people_of

_SHOWN_PEOPLE, _SHOWN_SHOTS = 6, 24
_SAID = {"no_face": "no face", "out_of_shot": "out of the shot", "low_quality": "a face that can hardly be seen"}
_KEYS = {"no_face": "no-face", "out_of_shot": "away", "low_quality": "low"}
_SCRIPTS = ("uPlot.iife.min.js", "labels_data.js", "labels_charts.js", "labels_page.js")
_SCREEN = Markup("""<div class="screen" id="view">
<div class="tools" role="group" aria-label="What is shown">
<label>Face <select id="who"></select></label>
<button type="button" id="zoom-in">Zoom in</button><button type="button" id="zoom-out">Zoom out</button>
<button type="button" id="earlier">Earlier</button><button type="button" id="later">Later</button>
<button type="button" id="whole">Whole video</button>
<button type="button" id="before-anchor">Previous anchor</button>
<button type="button" id="after-anchor">Next anchor</button>
<label><input type="checkbox" id="straight" checked> Straight lines between the anchors</label>
</div>
<p class="note" id="shown" role="status"></p>
<div id="charts" tabindex="0" role="group" aria-label="Curves of valence and arousal" aria-describedby="keys">
<div class="chart"><b style="color: var(--valence)">Valence</b></div>
<div class="chart"><b style="color: var(--arousal)">Arousal</b></div>
</div>
<div id="tip" class="tip" hidden aria-hidden="true"></div>
<div class="seek"><label for="seek">Row</label><input type="range" id="seek" min="0" value="0"></div>
{legend}
<p class="note" id="keys">Point at a curve for time and values, click for the face and the row, drag or turn the wheel
to zoom, double-click for the whole video. Keys on the curves: ← → a row, Page Up and Page Down a second, Home and End
the first and last row, n and p the next and previous anchor, + and − zoom, 0 the whole video.</p>
<div class="side"><div id="detail" role="region" aria-label="The row chosen" aria-live="polite"></div>
<figure><canvas id="plane" role="img"></canvas><figcaption id="plane-words"></figcaption></figure></div>
<div id="suspects" hidden><h3>Suspect anchors</h3><ul id="suspect-list"></ul></div>
<h3 id="strip-title">Faces</h3><ol id="strip" aria-labelledby="strip-title"></ol><p class="note" id="strip-words"></p>
<details id="table"><summary>All rows as a table</summary>
<div class="tools"><button type="button" id="rows-before">Earlier rows</button>
<button type="button" id="rows-after">Later rows</button><span id="rows-shown" role="status"></span></div>
<div class="scroll" tabindex="0" role="region" aria-label="Rows"><table><thead><tr>{head}</tr></thead>
<tbody id="rows"></tbody></table></div></details>
</div>
<noscript><p>Scripts are off, so the curves below can be looked at only.</p></noscript>
""")


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
    suspects: Sequence[Suspect] = (),
) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Where to.
        columns: The labels of one video, in the order of frames for each person.
        facts: The video's side facts, as NAME.va.json holds them.
        pictures: Small pictures of faces, JPEG bytes by frame and track.
        thumbnails: How many of them to show on paper besides the anchors.
        shots: Small pictures of the first frame of each shot, JPEG bytes by frame.
        notes: What the reader should know, one sentence each.
        card: Of the model, as Markdown; None if it has none.
        suspects: Anchors to be looked at again, marked on the curves and listed.
    """
    frames = np.unique(columns["frame"])
    people = list(people_of(columns))
    faces = len(np.unique(columns["frame"][np.isin(columns["status"], ("ok", "low_quality"))]))
    count = int((columns["source"] == "anchor").sum())
    start = "labelled without anchors"
    if count or not (columns["source"] == "zero-shot").any():
        start = f"labelled from {count} anchor{'s' if count != 1 else ''}"
    lead = f"{len(frames)} frames over {columns['time_s'].max():.2f} s, a face in {faces} of them, {start}."
    sections = [page.Section("Valence and arousal over time", _curves(columns, people, facts, pictures, thumbnails))]
    if notes:
        sections.append(page.Section("Worth knowing", page.listed(notes)))
    if shots and len(shots) > 1:
        sections.append(page.Section("Shots", _shots(columns, shots)))
    header = ["", "lowest", "mean", "highest", "standard deviation", f"mean half of the {_interval(facts)}"]
    sections.append(page.Section("Numbers", page.rows_table(header, _numbers(columns, people))))
    sections.append(page.Section("Where this comes from", page.facts_list(_origin(facts))))
    given = payload(columns, people, pictures, coverage=_coverage(facts), suspects=suspects)
    sections[0] = page.Section(sections[0].title, sections[0].body + page.data_block("labels", given))
    page.write_page(
        path,
        f"Labels of {facts['video']}",
        sections,
        lead=lead,
        footer=f"mtclar {facts['tool_version']}",
        card=card,
        styles=("uPlot.min.css", "labels.css"),
        scripts=_SCRIPTS,
        licences={"Charts: uPlot 1.6.32, MIT licence": "uPlot.LICENSE"},
    )


def _coverage(facts: Mapping[str, Any]) -> float | None:
    return (facts.get("band") or {}).get("coverage")


def _interval(facts: Mapping[str, Any]) -> str:
    """What the interval is called, with its coverage."""
    coverage = _coverage(facts)
    return "prediction interval" if coverage is None else f"{100 * coverage:.0f} % prediction interval"


def _curves(
    columns: Columns,
    people: Sequence[Person],
    facts: Mapping[str, Any],
    pictures: Mapping[tuple[int, int], bytes],
    thumbnails: int,
) -> Markup:
    """What the script fills on a screen, and the drawings for paper."""
    interval = _interval(facts)
    head = ["frame", "time (s)", "valence", interval, "arousal", interval, "confidence"]
    head += ["label from", "picture", "track", "shot"]
    cells = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in head)
    courses = [course_of(columns, person.rows) for person in people[:_SHOWN_PEOPLE]]
    screen = _SCREEN.format(head=cells, legend=_legend(facts, courses, screen=True))
    paper = _legend(facts, courses, screen=False)
    for person, course in zip(people, courses, strict=False):
        title = f" of {person.name}" if person.name else ""
        paper += Markup("<h3>{}</h3>").format(f"Valence and arousal over time{title}")
        paper += curves(course, f"Valence and arousal{title} over {clock(float(course.time_s[-1]))}")
        paper += _faces(columns, person.rows, pictures, thumbnails)
    if len(people) == 1:
        paper += Markup("<h3>Circumplex</h3>") + plane(courses[0], "Valence against arousal")
    elif len(people) > _SHOWN_PEOPLE:
        paper += page.text(f"{len(people) - _SHOWN_PEOPLE} more people are in the table of labels only.")
    return screen + Markup('<div class="paper">{}</div>').format(paper)


def course_of(columns: Columns, rows: np.ndarray) -> Course:
    def pair(ending: str) -> np.ndarray:
        return np.stack([columns[f"{name}{ending}"][rows].astype(float) for name in COLOURS], axis=1)

    time_s, values, anchor = columns["time_s"][rows], pair(""), columns["source"][rows] == "anchor"
    straight = interpolate(time_s, time_s[anchor], values[anchor]) if anchor.any() else None
    status, shot = columns["status"][rows], columns["shot_id"][rows]
    return Course(time_s, values, pair("_lo"), pair("_hi"), anchor, status, shot, straight)


def _legend(facts: Mapping[str, Any], courses: Sequence[Course], *, screen: bool) -> Markup:
    """What the marks mean."""
    words = "Line: the label."
    if any(course.straight is not None for course in courses):
        words += " Dots: anchors. Dotted: straight lines between the anchors, the baseline to beat."
    if coverage := _coverage(facts):
        share = f"{100 * coverage:.0f} %"
        words += f" Band: the {_interval(facts)}, as wide as held {share} of the true labels of people not seen before."
    legend = Markup('<p class="note">{}').format(words)
    shaded = [name for name in SHADES if any((course.status == name).any() for course in courses)]
    if shaded and screen:
        keys = (
            Markup('<span class="key" style="background: var(--{})"></span> {}').format(_KEYS[k], _SAID[k])
            for k in shaded
        )
        legend += Markup(" Shaded: {}.").format(Markup(", ").join(keys))
    elif shaded:
        legend += f" Shaded: {', '.join(_SAID[name] for name in shaded)}."
    if any((np.diff(course.shot) != 0).any() for course in courses):
        legend += " Dashed upright lines: cuts from shot to shot."
    return legend + Markup("</p>")


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


def _numbers(columns: Columns, people: Sequence[Person]) -> list[list[Any]]:
    """Range, mean and mean half of the prediction interval of what was labelled."""
    found = []
    for person in people[:_SHOWN_PEOPLE]:
        rows = person.rows
        for name in COLOURS:
            values = columns[name][rows].astype(float)
            half = (columns[f"{name}_hi"][rows].astype(float) - columns[f"{name}_lo"][rows].astype(float)) / 2
            half = half[np.isin(columns["source"][rows], ("model", "zero-shot")) & np.isfinite(half)]
            values = values[np.isfinite(values)]
            known = [values.min(), values.mean(), values.max(), values.std()] if len(values) else [np.nan] * 4
            mean_half = half.mean() if len(half) else np.nan
            found.append([f"{name} of {person.name}" if person.name else name, *map(float, known), float(mean_half)])
    return found


def _origin(facts: Mapping[str, Any]) -> dict[str, Any]:
    model = facts["model"]
    rate = "no rate stated" if facts["nominal_fps"] is None else f"{facts['nominal_fps']:.3f} fps stated"
    pace = "variable" if facts["is_vfr"] else "constant"
    turned = f", turned by {facts['rotation']}°" if facts["rotation"] else ""
    return {
        "Video": facts["video"],
        "Picture": f"{facts['width']} × {facts['height']}{turned}, {facts['codec']}, {rate}, {pace} frame rate",
        "Video sha256": facts["sha256"],
        "Model": f"{model['name']} {model['version']}",
        "Model sha256": model["sha256"],
        **{f"Licence of the {what}": str(licence) for what, licence in model["licences"].items()},
        "Anchors": f"{facts['anchors_file']} ({len(facts['anchors'])} frames)" if facts["anchors_file"] else "none",
        "Values": "valence and arousal in [-1, 1]; no value where there is no face",
    }
