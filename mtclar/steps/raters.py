"""`mtclar raters`: how raters of the same videos differ, how well they agree, and their merged ratings."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtclar import __version__
from mtclar.data.anchors import Anchor, anchors_in
from mtclar.data.label_lines import read_table
from mtclar.errors import MtclarError, counted
from mtclar.evaluation.raters import DENSE, Agreement, Course, Link, agreement, link, merged, together, undone
from mtclar.steps.suggest import check_out, json_text, write_text

FORMATS = (".csv", ".json")
STATES = ("as given", "lag taken out", "lag and scale taken out")
_NAMES = ("valence", "arousal")


@dataclass(frozen=True, eq=False)
class RatersResult:
    """What was found of some raters.

    Attributes:
        names: Of the raters, the one that the others are compared with first.
        unit: Of times and lags: s or frames.
        links: What turns the first rater's ratings into those of each of the others.
        agreements: Of valence and arousal in each of `STATES`.
        merged: By video times (n,), mean (n, 2), standard error (n, 2) and raters (n,).
        notes: What should be known.
    """

    names: tuple[str, ...]
    unit: str
    links: dict[str, Link]
    agreements: dict[str, tuple[Agreement, Agreement]]
    merged: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    notes: tuple[str, ...]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Agreement: head and rows for people."""
        header = ["agreement", "", "ICC(2,1)", "Krippendorff's alpha", "CCC", "moments"]
        rows = []
        for state, both in self.agreements.items():
            for name, found in zip(_NAMES, both, strict=True):
                values = [_said(value) for value in (found.icc, found.alpha, found.ccc)]
                rows.append([state, name, *values, str(found.n)])
        return header, rows

    def sentences(self) -> list[str]:
        """Lag, offset and scale of each rater beside the first, and notes."""
        said = []
        for name, found in self.links.items():
            lag = "no lag could be told (too few ratings close in time)"
            if found.lag is not None:
                lag = f"{abs(found.lag):.3f} {self.unit} {'later' if found.lag >= 0 else 'earlier'}"
            scales = "; ".join(
                f"{dimension} = {offset:+.3f} + {scale:.3f} x {self.names[0]}'s (r {_said(r)})"
                if np.isfinite(scale)
                else f"{dimension} has nothing in common (r {_said(r)})"
                for dimension, offset, scale, r in zip(
                    _NAMES, found.offset, found.scale, found.correlation, strict=True
                )
            )
            said.append(f"{name} beside {self.names[0]}: {lag}; {scales}; {counted(found.pairs, 'pair')}.")
        return said + [f"note: {note}" for note in self.notes]

    def as_dict(self) -> dict[str, Any]:
        """All but the merged ratings, for JSON."""
        return {
            "schema_version": 1,
            "tool_version": __version__,
            "raters": list(self.names),
            "unit": self.unit,
            "links": {name: _plain(asdict(found)) for name, found in self.links.items()},
            "agreement": {
                state: {name: _plain(asdict(found)) for name, found in zip(_NAMES, both, strict=True)}
                for state, both in self.agreements.items()
            },
            "notes": list(self.notes),
        }

    def merged_csv(self) -> str:
        """The merged ratings as an anchors file, with the standard error of each and the number of raters as weight."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        when = "time_s" if self.unit == "s" else "frame"
        writer.writerow(["video_id", when, "valence", "arousal", "weight", "valence_sd", "arousal_sd"])
        for name, (times, mean, error, count) in self.merged.items():
            for at, label, noise, raters in zip(times, mean, error, count, strict=True):
                moment = f"{at:.6f}" if self.unit == "s" else str(round(at))
                numbers = [f"{value:.6g}" for value in label] + [str(int(raters))] + [f"{sd:.6g}" for sd in noise]
                writer.writerow([name, moment, *numbers])
        return text.getvalue()


def run(
    files: Sequence[Path],
    *,
    fps: float | None = None,
    most_lag_s: float = 5.0,
    va_range: tuple[float, float] | None = None,
    out: Sequence[Path] = (),
) -> RatersResult:
    """Compares raters of the same videos.

    Args:
        files: Ratings in the form of an anchors file, one file a rater; or with a column `annotator`.
        fps: Frames a second, where files give frames and no times; without it times are frames.
        most_lag_s: The lags that are tried, in seconds (25 frames each where the rate is not known).
        va_range: The values in the files that mean -1 and 1.
        out: Files to write: the merged ratings as CSV, or what was found as JSON.

    Raises:
        MtclarError: A file cannot be read, there is one rater only, or they have no video in common.
    """
    check_out(out, FORMATS)
    rows, notes = _read(files, va_range)
    timed = [row.time_s is not None for own in rows.values() for row in own]
    if fps is None and any(timed) and not all(timed):
        raise MtclarError("some ratings give times and others only frames; give the frame rate with --fps.")
    in_seconds = fps is not None or all(timed)
    raters = {name: _courses(own, fps, in_seconds) for name, own in rows.items()}
    first, *others = raters
    most = most_lag_s if in_seconds else 25 * most_lag_s
    links = {}
    for name in others:
        if not set(raters[first]) & set(raters[name]):
            mine, theirs = next(iter(raters[first])), next(iter(raters[name]))
            raise MtclarError(
                f"'{first}' and '{name}' rated no video in common ('{mine}', '{theirs}'); call them alike in video_id."
            )
        links[name] = link(raters[first], raters[name], most)
        if links[name].lag is not None and abs(links[name].lag or 0) > 0.98 * most:
            notes.append(f"The lag of '{name}' is at the end of what was tried; give more with --most-lag.")
    if any(found.lag is None for found in links.values()):
        notes.append(f"A lag is told from {DENSE} ratings of one video by both raters.")
    states = []
    for lag, scale in ((False, False), (True, False), (True, True)):
        states.append(
            [raters[first]] + [undone(raters[n], links[n], scale=scale) if lag else raters[n] for n in others]
        )
    agreements, last = {}, together(states[-1])
    for state, ratings in zip(STATES, states, strict=True):
        values = np.concatenate([found for _, found in together(ratings).values()])
        agreements[state] = (agreement(values[:, :, 0]), agreement(values[:, :, 1]))
    means = {name: (times, *merged(values)) for name, (times, values) in last.items()}
    unit = "s" if in_seconds else "frames"
    result = RatersResult(tuple(raters), unit, links, agreements, means, tuple(notes))
    for path in out:
        write_text(path, result.merged_csv() if path.suffix.lower() == ".csv" else json_text(result.as_dict()))
    return result


def _read(files: Sequence[Path], va_range: tuple[float, float] | None) -> tuple[dict[str, list[Anchor]], list[str]]:
    """The rows of each rater, and what is to be said of reading them."""
    tables = [
        read_table(path, what="file of ratings", hint="give CSV files", expected=("frame", *_NAMES)) for path in files
    ]
    named = {line.values.get("video_id") for table in tables for line in table.lines} - {None, ""}
    alone = str(next(iter(named))) if len(named) == 1 else "video"
    rows: dict[str, list[Anchor]] = {}
    notes: list[str] = []
    for path, table in zip(files, tables, strict=True):
        marks = anchors_in(table, video_id="" if "video_id" in table.names else alone, va_range=va_range)
        notes += [f"{note[0].upper()}{note[1:]}." for note in marks.notes if "the frame was used" not in note]
        for row in marks.rows:
            rows.setdefault(row.annotator or path.stem, []).append(row)
    if len(rows) < 2:
        listed = f"'{next(iter(rows))}'" if rows else "none"
        raise MtclarError(
            f"expected two raters or more, found {listed}; give a file of each, named differently, or one with a "
            "column 'annotator'."
        )
    return rows, notes


def _courses(rows: Sequence[Anchor], fps: float | None, in_seconds: bool) -> dict[str, Course]:
    """What one rater says, by video; ratings of one moment are averaged."""
    found = {}
    for name in dict.fromkeys(row.video_id for row in rows):
        own = [row for row in rows if row.video_id == name]
        times = np.array([_time(row, fps, in_seconds) for row in own])
        values = np.array([(row.valence, row.arousal) for row in own])
        at, place, counts = np.unique(times, return_inverse=True, return_counts=True)
        mean = np.zeros((len(at), 2))
        np.add.at(mean, place, values)
        found[name] = Course(at, mean / counts[:, None])
    return found


def _time(row: Anchor, fps: float | None, in_seconds: bool) -> float:
    if not in_seconds:
        return float(row.frame or 0)
    return row.time_s if row.time_s is not None else float(row.frame or 0) / float(fps or 1)


def _said(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers as JSON knows them: what is not known is null."""

    def one(value: Any) -> Any:
        if isinstance(value, float):
            return None if np.isnan(value) else round(value, 6)
        return [one(part) for part in value] if isinstance(value, tuple) else value

    return {key: one(value) for key, value in values.items()}
