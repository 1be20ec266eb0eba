"""ELAN: NAME.eaf with tiers of anchors and segments, NAME.va.csv with the curve, and NAME_tsconf.xml that shows it.

ELAN has no tier of numbers. A person's anchors are annotations one frame long, `v=0.35;a=-0.10`; valence and arousal
are segments of even value, at least a fifth of a second long; the curve is a time series beside.
"""

from __future__ import annotations

import datetime
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.formats.annotations import HUMAN, Annotations, track_of
from mtclar.formats.scale import Options, inward, number, outward, parse_xml, text_of

STEP = 0.25
"""Steps of value in which segments are told, as a share of the scale's half."""
SHORTEST_S = 0.2
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_ANCHOR = re.compile(r"v\s*=\s*([-+\N{MINUS SIGN}\d.]+)\s*[;,]\s*a\s*=\s*([-+\N{MINUS SIGN}\d.]+)", re.IGNORECASE)


class _Document:
    """An EAF as it is put together: time slots and annotations get their ids here."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.annotations = 0
        self.tiers: list[ElementTree.Element] = []

    def tier(self, name: str, person: str, spans: list[tuple[int, int, str]]) -> None:
        """A tier of annotations (start, end in milliseconds, value), none of which overlap."""
        tier = ElementTree.Element(
            "TIER", TIER_ID=name, PARTICIPANT=person, ANNOTATOR="mtclar", LINGUISTIC_TYPE_REF="affect"
        )
        for start, end, value in spans:
            self.annotations += 1
            refs = {}
            for i, at in enumerate((start, end), 1):
                self.slots.append(at)
                refs[f"TIME_SLOT_REF{i}"] = f"ts{len(self.slots)}"
            holder = ElementTree.SubElement(tier, "ANNOTATION")
            one = ElementTree.SubElement(
                holder, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{self.annotations}", **refs}
            )
            ElementTree.SubElement(one, "ANNOTATION_VALUE").text = value
        self.tiers.append(tier)

    def root(self, media: str, linked: list[tuple[str, str]]) -> ElementTree.Element:
        """The whole document."""
        root = ElementTree.Element(
            "ANNOTATION_DOCUMENT",
            {
                "AUTHOR": "mtclar",
                "DATE": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "FORMAT": "3.0",
                "VERSION": "3.0",
                "xmlns:xsi": _INSTANCE,
                "xsi:noNamespaceSchemaLocation": _SCHEMA,
            },
        )
        header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
        if media:
            ElementTree.SubElement(
                header,
                "MEDIA_DESCRIPTOR",
                MEDIA_URL=f"./{media}",
                MIME_TYPE="video/mp4" if media.lower().endswith(".mp4") else "video/*",
                RELATIVE_MEDIA_URL=f"./{media}",
            )
        for name, mime in linked:
            ElementTree.SubElement(
                header, "LINKED_FILE_DESCRIPTOR", LINK_URL=f"./{name}", MIME_TYPE=mime, RELATIVE_LINK_URL=f"./{name}"
            )
        last = ElementTree.SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId")
        last.text = str(self.annotations)
        order = ElementTree.SubElement(root, "TIME_ORDER")
        for i, at in enumerate(self.slots, 1):
            ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{i}", TIME_VALUE=str(at))
        root.extend(self.tiers)
        kind = {"LINGUISTIC_TYPE_ID": "affect", "TIME_ALIGNABLE": "true", "GRAPHIC_REFERENCES": "false"}
        ElementTree.SubElement(root, "LINGUISTIC_TYPE", kind)
        return root


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes NAME.eaf, NAME.va.csv (seconds; valence and arousal of each person) and NAME_tsconf.xml."""
    document = _Document()
    curves: dict[str, pd.Series] = {}
    for track, person in given.people:
        rows = given.table[given.table["track_id"] == track].sort_values("time_s")
        times = rows["time_s"].to_numpy()
        step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
        starts = np.round(1000 * times).astype(int)
        ends = np.append(starts[1:], starts[-1:] + max(1, round(1000 * step)))
        ends = np.minimum(np.maximum(ends, starts + 1), starts + max(1, round(1500 * step)))
        values = {dimension: outward(rows[dimension], options) for dimension in ("valence", "arousal")}
        human = (rows["source"] == HUMAN).to_numpy() & rows[["valence", "arousal"]].notna().all(axis=1).to_numpy()
        anchors = [
            (int(starts[i]), int(ends[i]), f"v={values['valence'][i]:.4f};a={values['arousal'][i]:.4f}")
            for i in np.flatnonzero(human)
        ]
        document.tier(f"anchor@{person}", person, anchors)
        for dimension, found in values.items():
            document.tier(f"{dimension}@{person}", person, _segments(starts, ends, found, options))
            curves[f"{dimension}@{person}"] = pd.Series(found, index=rows["time_s"].round(6))
    series, shown = path.with_name(f"{path.stem}.va.csv"), path.with_name(f"{path.stem}_tsconf.xml")
    wide = pd.DataFrame({key: curve[~curve.index.duplicated()] for key, curve in curves.items()}).sort_index()
    linked = [(series.name, "text/plain"), (shown.name, "text/xml")]
    texts = {
        series: wide.to_csv(index_label="time_s", float_format="%.6f", lineterminator="\n"),
        shown: text_of(_time_series(series.name, list(curves), options)),
        path: text_of(document.root(given.media, linked)),
    }
    for file, text in texts.items():
        with whole_file(file) as partial:
            partial.write_text(text, encoding="utf-8")
    return list(texts)


def _segments(starts: np.ndarray, ends: np.ndarray, values: np.ndarray, options: Options) -> list[tuple[int, int, str]]:
    """Stretches in which a value stays within a step, short ones joined to what was before."""
    low, high = options.get("va_range") or (-1.0, 1.0)
    size = STEP * (high - low) / 2
    spans: list[list[float]] = []
    for start, end, value in zip(starts, ends, values, strict=True):
        if not np.isfinite(value):
            continue
        told = low + size * round((value - low) / size)
        if spans and start <= spans[-1][1] + 1:
            kept = spans[-1][2]
            # the value has to leave the step by a quarter before another begins
            if told == kept or abs(value - kept) <= 0.75 * size or spans[-1][1] - spans[-1][0] < 1000 * SHORTEST_S:
                spans[-1][1] = end
                continue
            start = spans[-1][1]
        spans.append([start, end, told])
    return [(int(start), int(end), f"{told:.4g}") for start, end, told in spans if end > start]


def _time_series(source: str, curves: list[str], options: Options) -> ElementTree.Element:
    low, high = options.get("va_range") or (-1.0, 1.0)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    root = ElementTree.Element("timeseries", date=now, version="1.0")
    track_source = ElementTree.SubElement(
        root,
        "tracksource",
        {"sample-type": "Discontinuous Rate", "source-url": f"./{source}", "time-column": "0"},
    )
    provider = "mpi.eudico.client.annotator.timeseries.csv.CSVServiceProvider"
    ElementTree.SubElement(track_source, "property", key="provider", value=provider)
    colours = ("0,90,180", "200,80,0")
    for i, curve in enumerate(curves, 1):
        track = ElementTree.SubElement(track_source, "track", derivative="0", name=curve)
        ElementTree.SubElement(track, "property", key="detect-range", value="false")
        position = ElementTree.SubElement(track, "sample-position")
        ElementTree.SubElement(position, "pos", col=str(i), row="0")
        ElementTree.SubElement(track, "description")
        ElementTree.SubElement(track, "units").text = "1"
        ElementTree.SubElement(track, "range", max=f"{high:g}", min=f"{low:g}")
        ElementTree.SubElement(track, "color").text = colours[(i - 1) % 2]
    return root


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads anchors (`v=..;a=..`) and tiers named valence... and arousal...; an annotation stands for its middle."""
    root = parse_xml(path, "an ELAN file (.eaf)")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise MtclarError(f"{path}: expected an ELAN file with <ANNOTATION_DOCUMENT>, found <{root.tag}>.")
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    unaligned = 0
    people: dict[str, int] = {}
    numbers: dict[tuple[int, float], dict[str, object]] = {}
    for tier in root.iter("TIER"):
        tier_id = tier.get("TIER_ID", "")
        person = tier.get("PARTICIPANT") or (tier_id.split("@", 1)[1] if "@" in tier_id else "")
        dimension = next((d for d in ("valence", "arousal") if tier_id.lower().startswith(d)), None)
        track = track_of(person, people)
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            at = [slots.get(one.get(f"TIME_SLOT_REF{i}")) for i in (1, 2)]
            if at[0] is None or at[1] is None:
                unaligned += 1
                continue
            middle = (float(at[0]) + float(at[1])) / 2000
            value = (one.findtext("ANNOTATION_VALUE") or "").strip()
            where = f"{path}, tier {tier_id} at {middle:.3f} s"
            anchor = _ANCHOR.search(value)
            base: dict[str, object] = {"track_id": track, "person_id": person or None, "time_s": middle}
            if anchor is not None:
                pair = inward([number(part, where) for part in anchor.groups()], options)
                rows.append(base | {"valence": pair[0], "arousal": pair[1], "source": HUMAN})
            elif dimension is not None and value:
                row = numbers.setdefault((track, middle), base | {"source": "model"})
                row[dimension] = float(inward([number(value, where)], options)[0])
                ours = tier.get("ANNOTATOR") == "mtclar"
                row["source"] = row["source"] if ours else HUMAN
    rows += numbers.values()
    if unaligned:
        notes.append(f"{unaligned} annotations have no time and were left out.")
    if not rows:
        raise MtclarError(
            f"{path}: no annotation is an anchor (v=0.35;a=-0.10) or of a tier whose name begins with valence or "
            "arousal."
        )
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    file = (media.get("MEDIA_URL", "") if media is not None else "").rsplit("/", 1)[-1]
    video = options.get("video_id") or (Path(file).stem if file else path.stem)
    return Annotations(video, pd.DataFrame(rows), media=file, shown=True, notes=tuple(notes))
