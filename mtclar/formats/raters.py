"""Ratings of people from CARMA, DARMA and BORIS, which are read only."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.text_files import read_text
from mtclar.errors import MtclarError
from mtclar.formats.annotations import Annotations, track_of
from mtclar.formats.scale import Options, inward, number

PLEASANT = ("valence", "pleas", "positive", "affiliat")
EXCITED = ("arousal", "activ", "excite", "domina")
"""How labels of axes begin or what they hold, by which a dimension is known."""


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads a file of one of the three."""
    text, _ = read_text(path, f"file of {name.upper()}", "give the file as the program wrote it")
    separator = "\t" if text.count("\t") > text.count(",") else ","
    lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text), delimiter=separator)]
    if name == "boris":
        return _boris(path, lines, options)
    return _bins(path, lines, name, options)


def _bins(path: Path, lines: list[list[str]], name: str, options: Options) -> Annotations:
    """CARMA and DARMA: facts, a header that begins with Second, a line of %, then the end of each bin and its mean."""
    start = next((i for i, line in enumerate(lines) if line and line[0].lower() == "second"), None)
    if start is None:
        raise MtclarError(f"{path}: expected a file of {name.upper()} with a line that begins with 'Second'.")
    facts = {line[0].lower(): line[1:] for line in lines[:start] if line}
    data = [line for line in lines[start + 1 :] if line and not line[0].startswith("%")]
    if not data:
        raise MtclarError(f"{path}: holds no rating.")
    ends = np.array([number(line[0], f"{path}: Second") for line in data])
    step = float(np.median(np.diff(ends))) if len(ends) > 1 else float(ends[0])
    table = pd.DataFrame({"time_s": np.maximum(ends - step / 2, 0)})
    if name == "carma":
        low, high = (number(_fact(facts, key, path), f"{path}: {key}") for key in ("minimum value", "maximum value"))
        words = " ".join(_fact(facts, key, path, "") for key in ("upper label", "lower label")).lower()
        dimension = options.get("dimension") or _dimension(words)
        if dimension is None:
            raise MtclarError(
                f"{path}: its labels ('{words}') tell neither valence nor arousal; say which with --dimension."
            )
        axes = {dimension: (1, low, high)}
    else:
        size = number(_fact(facts, "magnitude", path), f"{path}: Magnitude")
        labels = [cell.lower() for cell in lines[start][1:3]]
        found = [_dimension(label) for label in labels]
        names = found if set(found) == {"valence", "arousal"} else ["valence", "arousal"]
        axes = {str(dimension): (column, -size, size) for column, dimension in enumerate(names, 1)}
    for dimension, (column, low, high) in axes.items():
        cells = [line[column] if column < len(line) else "" for line in data]
        values = [number(cell, f"{path}: a rating") if cell.lower() not in ("", "nan") else np.nan for cell in cells]
        table[dimension] = inward(values, options if options.get("va_range") else {"va_range": (low, high)})
    media = _fact(facts, "multimedia file", path, "").replace("\\", "/").rsplit("/", 1)[-1]
    video = options.get("video_id") or Path(media).stem or path.stem
    notes = (f"a rating is the mean of a bin of {step:g} s and stands for its middle.",)
    return Annotations(video, table.dropna(subset=list(axes), how="all"), media=media, notes=notes)


def _fact(facts: dict[str, list[str]], key: str, path: Path, default: str | None = None) -> str:
    found = next((values for known, values in facts.items() if known.startswith(key)), None)
    if found:
        return found[0]
    if default is None:
        raise MtclarError(f"{path}: expected a line '{key.title()}' above the ratings.")
    return default


def _dimension(words: str) -> str | None:
    if any(word in words for word in PLEASANT):
        return "valence"
    return "arousal" if any(word in words for word in EXCITED) else None


def _boris(path: Path, lines: list[list[str]], options: Options) -> Annotations:
    """Tabular events: behaviours called valence and arousal, whose value is the first modifier, or the comment."""
    start = next((i for i, line in enumerate(lines) if any(cell.lower() == "behavior" for cell in line)), None)
    if start is None:
        raise MtclarError(f"{path}: expected tabular events of BORIS with a column 'Behavior'.")
    header = [cell.lower() for cell in lines[start]]

    def column(*names: str) -> int | None:
        return next((i for i, cell in enumerate(header) if any(cell.startswith(name) for name in names)), None)

    when, what = column("time", "start (s)", "start"), header.index("behavior")
    if when is None:
        raise MtclarError(f"{path}: expected a column 'Time' or 'Start (s)', found {', '.join(lines[start])}.")
    values = [i for i, cell in enumerate(header) if cell.startswith(("modifier", "comment"))]
    who, media = column("subject"), column("media file", "source")
    rows: dict[tuple[str, float], dict[str, object]] = {}
    people: dict[str, int] = {}
    for line in lines[start + 1 :]:
        dimension = line[what].lower() if what < len(line) else ""
        if dimension not in ("valence", "arousal"):
            continue
        at = number(line[when], f"{path}: time")
        said = next((line[i] for i in values if i < len(line) and line[i] not in ("", "None")), "")
        person = line[who] if who is not None and who < len(line) else ""
        base: dict[str, object] = {"time_s": at, "person_id": person or None, "track_id": track_of(person, people)}
        row = rows.setdefault((person, at), base)
        row[dimension] = float(inward([number(said, f"{path}, {dimension} at {at:g} s")], options)[0])
    if not rows:
        raise MtclarError(f"{path}: no behaviour is called valence or arousal.")
    file = lines[start + 1][media].replace("\\", "/").rsplit("/", 1)[-1] if media is not None else ""
    video = options.get("video_id") or Path(file).stem or path.stem
    return Annotations(video, pd.DataFrame(list(rows.values())), media=file)
