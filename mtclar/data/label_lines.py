"""Tables that a person or another tool wrote: labels of frames or pictures as lines of text, read value by value.

Spreadsheet programs differ in encoding, separator and decimal mark, and tools in the names of columns and the way they
write times. What has one meaning is read; what could mean two things is refused with a sentence that says what to write
instead.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtclar.data.text_files import read_text
from mtclar.errors import MtclarError, counted

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "video_id": ("video", "file", "filename", "file_name", "video_file", "video_name", "clip"),
    "picture": ("image",),
    "frame": ("frame_number", "frame_no", "frame_nr", "frame_index", "frame_idx"),
    "time_s": ("time", "timestamp", "seconds", "sec", "time_sec", "video_time", "onset"),
    "time_ms": ("timestamp_ms", "milliseconds", "ms"),
    "valence": ("v", "pleasure"),
    "arousal": ("a", "activation"),
    "track_id": ("track", "face_id"),
    "person_id": ("person", "subject"),
    "annotator": ("rater", "coder"),
    "weight": (),
    "valence_sd": (),
    "arousal_sd": (),
    "face_x": (),
    "face_y": (),
    "face_w": (),
    "face_h": (),
}
"""Columns that mean something, and other names under which they are read. All else in a table is passed over."""
NUMBERS = tuple(name for name in COLUMNS if name not in ("video_id", "picture", "person_id", "annotator"))
MISSING = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "missing", "-", "--", ".", "?", "#n/a", "#nv", "<na>", "nat"}
)
"""What stands, in any letter case, for a value that is not known."""

_DASHES = {ord(dash): "-" for dash in "\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63\uff0d"}
_NUMBER = {mark: re.compile(rf"[+-]?(?:[0-9]+|[0-9]*\{mark}[0-9]+|[0-9]+\{mark})(?:[eE][+-]?[0-9]+)?") for mark in ".,"}
_GROUPED = {mark: re.compile(rf"[+-]?[1-9][0-9]{{0,2}}(?:\{mark}[0-9]{{3}})+") for mark in ".,"}
_CLOCK = re.compile(r"(-?)(?:([0-9]+):)?([0-9]+):([0-9]{1,2}(?:[.,][0-9]*)?)")
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0}
_SEPARATORS = (",", ";", "\t", "|", " ")
_SEARCHED = 20  # lines at the top of a file among which the header is looked for


@dataclass(frozen=True)
class LabelLine:
    """One line of a table, with its number for what is wrong with it.

    Attributes:
        path: The file.
        number: Of the line, from 1.
        values: Its cells by the names in `COLUMNS`, without spaces around them.
        decimal: The decimal mark of the file, `.` or `,`; empty where nothing in the file tells.
    """

    path: Path
    number: int
    values: Mapping[str, str]
    decimal: str

    def text(self, name: str) -> str:
        """What a cell says; empty where it is missing."""
        value = self.values.get(name, "")
        return "" if _tidy(value).lower() in MISSING else value

    def whole(self, name: str) -> int | None:
        """A whole number from 0, None where it is missing.

        Raises:
            MtclarError: It is something else.
        """
        value = self.given(name)
        if value is not None and (value < 0 or value != int(value)):
            raise self.error(f"{name} is {value:g}, expected a whole number from 0")
        return None if value is None else int(value)

    def given(self, name: str, text: str | None = None) -> float | None:
        """A finite number, None where it is missing; `text` is read in place of the cell where it is given.

        Raises:
            MtclarError: It is something else, or may mean two numbers.
        """
        text = _tidy(self.values.get(name, "") if text is None else text)
        return None if text.lower() in MISSING else self._number(name, text)

    def time(self, name: str) -> float | None:
        """A time in seconds, None where it is missing: a number, with or without unit, or hh:mm:ss.mmm, or mm:ss.

        Raises:
            MtclarError: It is something else, a time code that ends in the number of a frame among them.
        """
        text = re.sub(r"^0 days?,? ", "", _tidy(self.values.get(name, "")))
        if text.lower() in MISSING:
            return None
        if ":" not in text:
            unit = re.fullmatch(r"([-+0-9.,]+)\s*([a-z]+)", text.lower())
            if unit and unit[2] in _UNITS:
                return self._number(name, unit[1]) * _UNITS[unit[2]]
            return self._number(name, text)
        if re.fullmatch(r"[0-9]+:[0-9]+:[0-9]+[:;][0-9]+", text):
            raise self.error(
                f"{name} is '{text}', a time code that ends in the number of a frame; write hh:mm:ss.mmm, or count "
                "frames in a column 'frame'"
            )
        found = _CLOCK.fullmatch(text)
        if found is None or float(found[4].replace(",", ".")) >= 60 or (found[2] and int(found[3]) >= 60):
            raise self.error(f"{name} is '{_brief(text)}', expected seconds, mm:ss or hh:mm:ss.mmm")
        value = 3600 * int(found[2] or 0) + 60 * int(found[3]) + float(found[4].replace(",", "."))
        return -value if found[1] else value

    def error(self, what: str) -> MtclarError:
        """What is wrong with the line, in one sentence."""
        return MtclarError(f"{self.path}, line {self.number}: {what}.")

    def _number(self, name: str, text: str) -> float:
        mark = next((mark for mark in ".," if _NUMBER[mark].fullmatch(text)), None)
        if mark is None:
            groups = re.fullmatch(r"[+-]?[0-9]{1,3}(?:([.,])[0-9]{3})+(?:(?!\1)[.,][0-9]+)?", text)
            why = "a number without marks between its thousands" if groups else "a number"
            raise self.error(f"{name} is '{_brief(text)}', expected {why}")
        used = next((mark for mark in ".," if mark in text), "")
        if used and _GROUPED[used].fullmatch(text) and used != self.decimal:
            whole, fraction = text.replace(used, ""), text.rstrip("0").rstrip(used)
            if len(fraction.partition(used)[2]) == 3:
                fraction += "0"  # four digits after the mark are no group of thousands
            raise self.error(
                f"{name} is '{text}', which may mean {whole} or {fraction} in this file; write the one that is meant"
            )
        value = float(text.replace(",", "."))
        if not math.isfinite(value):
            raise self.error(f"{name} is {_brief(text)}, expected a finite number")
        return value


@dataclass(frozen=True)
class LabelTable:
    """A table, read.

    Attributes:
        path: The file.
        names: Names of its columns: those of `COLUMNS` where they mean one, all others in lower case.
        lines: Its lines, at least one.
        notes: What was decided on the way, one sentence each.
        foreign_letters: Whether the file is not UTF-8, so that letters beyond ASCII may have been others.
    """

    path: Path
    names: tuple[str, ...]
    lines: tuple[LabelLine, ...]
    notes: tuple[str, ...] = ()
    foreign_letters: bool = False


def read_table(path: Path, *, what: str, hint: str, expected: Sequence[str]) -> LabelTable:
    """Reads such a table.

    UTF-8, UTF-16 and Windows-1252; a first line `sep=;`; columns separated by comma, semicolon, tab, bar or blanks;
    decimal points or commas; empty lines, blanks around values and lines above the header are taken in stride.

    Args:
        path: The file.
        what: What messages call it, such as `anchors file`.
        hint: What to do where it cannot be read.
        expected: Columns that the table should hold, for messages.

    Raises:
        MtclarError: It cannot be read, is no such table, has no header, or holds no line; one sentence.
    """
    text, foreign = read_text(path, what, hint)
    rows = list(io.StringIO(text, newline=""))
    told = re.fullmatch(r'"?sep=(.)"?[,;\t|]*', rows[0].strip("\r\n"), re.IGNORECASE) if rows else None
    top = [at for at, row in enumerate(rows) if row.strip() and not (told and at == 0)][:_SEARCHED]
    if not top:
        raise MtclarError(f"{path}: the {what} is empty; expected the columns {', '.join(expected)}.")
    head, separator = _header(rows, top, told[1] if told else "")
    table = list(_cells(path, rows[head:], head, separator))
    if not table:
        raise MtclarError(f"{path}, line {head + 1}: no header; expected the columns {', '.join(expected)}.")
    if len(table[0][1]) == 1 and separator in table[0][1][0]:  # each line was quoted as a whole
        table = [line for number, cells in table for line in _cells(path, cells[:1], number - 1, separator)]
    written = [_column(cell) for cell in table[0][1]]
    if not {"valence", "arousal"} & {_KNOWN.get(name) for name in written}:
        _refuse_headless(path, table, separator, expected)
    names, notes = _named(path, written)
    if passed := [at for at in top if at < head]:
        notes.append(f"passed over {counted(len(passed), 'line')} above the header of {path.name}")
    if foreign:
        notes.append(
            f"{path.name} is not UTF-8 and was read as Windows-1252; if letters such as ä come out wrong, save it as "
            "'CSV UTF-8'"
        )
    found: list[tuple[int, dict[str, str]]] = []
    for number, cells in table[1:]:
        if not any(cells) or cells == table[0][1]:  # empty, or the header again where files were put together
            continue
        if any(cells[len(names) :]):
            raise MtclarError(
                f"{path}, line {number}: has {len(cells)} values under {len(names)} columns; write a decimal point, "
                "or ';' between the columns."
            )
        found.append((number, dict(zip(names, cells, strict=False))))
    if not found:
        raise MtclarError(f"{path}: the {what} has a header but no line; label at least one frame.")
    decimal = _decimal((values.get(name, "") for _, values in found for name in NUMBERS), separator)
    lines = tuple(LabelLine(path, number, values, decimal) for number, values in found)
    return LabelTable(path, tuple(names), lines, tuple(notes), foreign)


def table_of(rows: Sequence[Mapping[str, object]], path: Path) -> LabelTable:
    """A table of values that a program has at hand; what is None or NaN is missing.

    Args:
        rows: Each a mapping from the names of columns, at least one.
        path: What messages call it.

    Raises:
        MtclarError: It is not clear which of two columns is meant.
    """
    written = list(dict.fromkeys(str(name) for row in rows for name in row))
    names, _ = _named(path, [_column(name) for name in written])
    plain = dict(zip(written, names, strict=True))
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = {plain[str(name)]: "" if value is None else str(value).strip() for name, value in row.items()}
        lines.append(LabelLine(path, number, dict.fromkeys(names, "") | cells, "."))
    return LabelTable(path, tuple(names), tuple(lines))


_KNOWN = {other: name for name, others in COLUMNS.items() for other in (name, *others)}


def _cells(path: Path, rows: Iterable[str], above: int, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the cells of each line, of which `above` come before."""
    reader = csv.reader(iter(rows), delimiter=separator, strict=True, skipinitialspace=True)
    number = above + 1
    try:
        for cells in reader:
            yield number, [cell.strip() for cell in cells]
            number = above + reader.line_num + 1
    except csv.Error as error:
        raise MtclarError(
            f"{path}, line {number}: not a CSV line ({error}); look for a quotation mark that is opened and not closed "
            "or has no separator after it."
        ) from error


def _header(rows: Sequence[str], top: Sequence[int], told: str) -> tuple[int, str]:
    """Which line is the header, and the separator: that under which most names of columns are known.

    Above it may stand a title and the like, which do not name both valence and arousal.
    """

    def known(at: int, separator: str) -> tuple[set[str], int]:
        """The columns that a line names under a separator, and into how many cells it falls."""
        cells = rows[at].strip("\r\n").split(None if separator == " " else separator)
        names = {_KNOWN[name] for name in map(_column, cells) if name in _KNOWN}
        return (set(), 0) if separator == " " and len(names) < len(cells) else (names, len(cells))

    choices = [told] if told else _SEPARATORS
    for at in top:
        found = {choice: known(at, choice) for choice in choices}
        best = max(choices, key=lambda choice: (len(found[choice][0]), found[choice][1], -choices.index(choice)))
        if {"valence", "arousal"} <= found[best][0]:
            return at, best
        if at == top[0]:
            first = best
    return top[0], first


def _column(cell: str) -> str:
    """The name of a column in lower case with underscores; `Time (s)` is `time_s`, `Valence [-1, 1]` is `valence`."""
    name = cell.strip().strip('"#').lower()
    name = re.sub(r"[(\[](?!(?:s|sec|seconds|ms)[)\]])[^)\]]*[)\]]", "", name)
    return re.sub(r"[\W_]+", "_", name).strip("_")


def _named(path: Path, written: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the columns by what they mean, and what is to be said of that.

    Raises:
        MtclarError: It is not clear which of two columns is meant.
    """
    names, read = list(written), []
    for at, name in enumerate(written):
        meant = _KNOWN.get(name)
        if meant is None or meant == name or meant in written:
            continue
        others = [other for other in written if _KNOWN.get(other) == meant and other != name]
        if others:
            raise MtclarError(
                f"{path}: the columns '{name}' and '{others[0]}' may both be '{meant}'; name the right one so."
            )
        names[at] = meant
        read.append(f"'{name}' as {meant}")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise MtclarError(f"{path}: the column '{twice[0]}' is there twice; keep one of them.")
    return names, [f"columns of {path.name} were read by their other names: {', '.join(read)}"] if read else []


def _refuse_headless(
    path: Path, table: Sequence[tuple[int, list[str]]], separator: str, expected: Sequence[str]
) -> None:
    """Refuses a file whose first line holds values where the names of columns should be.

    Raises:
        MtclarError: It does; shows the line to add.
    """
    number, first = table[0]
    is_number = [bool(re.fullmatch(r"[+-]?[0-9.,:]*[0-9]", _tidy(cell))) for cell in first]
    if sum(is_number) < 2:
        return
    column = [cells[-3] for _, cells in table if len(cells) == len(first) >= 3]
    at = "frame" if all(re.fullmatch("[0-9]+", cell) for cell in column) else "time_s"
    names = ["video_id", at, "valence", "arousal"] if "video_id" in expected else [at, "valence", "arousal"]
    line = separator.join(names[max(len(names) - len(first), 0) :] if len(first) >= 3 else names)
    shown = line.replace("\t", "<tab>")
    raise MtclarError(
        f"{path}, line {number}: holds values where the names of the columns should be; put a first line above it, "
        f"such as '{shown}'."
    )


def _decimal(cells: Iterable[str], separator: str) -> str:
    """The decimal mark that a file uses, empty where it is not certain.

    A mark is certain by a number in which it cannot stand between thousands. Without one, points are decimal points
    where commas separate the columns, which no program with decimal commas writes.
    """
    certain = {
        mark
        for cell in map(_tidy, cells)
        for mark in ".,"
        if mark in cell and _NUMBER[mark].fullmatch(cell) and not _GROUPED[mark].fullmatch(cell)
    }
    if len(certain) == 1:
        return certain.pop()
    return "." if not certain and separator == "," else ""


def _tidy(cell: str) -> str:
    """A number with an ASCII minus and without blanks after its sign or between its thousands."""
    text = cell.translate(_DASHES).strip()
    return re.sub(r"(?<=^[+-])\s+|(?<=[0-9])[\s'\u2019](?=[0-9]{3}(?![0-9]))", "", text)


def _brief(text: str) -> str:
    """A cell as a message shows it: on one line, and not endless."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"{line[:37]}..."
