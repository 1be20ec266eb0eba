"""Lines of a CSV that a person wrote by hand: valence and arousal of frames or pictures, checked value by value."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtclar.errors import MtclarError


@dataclass(frozen=True)
class LabelLine:
    """One line of such a file, with its number for what is wrong with it.

    Attributes:
        path: The file.
        number: Of the line, from 1.
        values: Its cells by the names of the columns, without spaces around them.
        decimal_comma: Whether a comma is a decimal point.
    """

    path: Path
    number: int
    values: dict[str, str]
    decimal_comma: bool

    def affect(self, name: str) -> float:
        """A value in [-1, 1].

        Raises:
            MtclarError: It is missing, no number or out of range.
        """
        value = self.given(name)
        if value is None:
            raise self.error(f"{name} is not given; leave the line out or label it")
        if not -1 <= value <= 1:
            raise self.error(f"{name} is {value:g}, expected a value from -1 to 1")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number from 0, None where the cell is empty.

        Raises:
            MtclarError: It is something else.
        """
        value = self.given(name)
        if value is not None and (value < 0 or value != int(value)):
            raise self.error(f"{name} is {value:g}, expected a whole number from 0")
        return None if value is None else int(value)

    def given(self, name: str) -> float | None:
        """A finite number, None where the cell is empty.

        Raises:
            MtclarError: It is something else.
        """
        text = self.values.get(name, "")
        if not text:
            return None
        try:
            value = float(text.replace(",", ".") if self.decimal_comma else text)
        except ValueError:
            raise self.error(f"{name} is '{text}', expected a number") from None
        if not math.isfinite(value):
            raise self.error(f"{name} is {text}, expected a finite number")
        return value

    def error(self, what: str) -> MtclarError:
        """What is wrong with the line, in one sentence."""
        return MtclarError(f"{self.path}, line {self.number}: {what}.")


def read_lines(path: Path, *, what: str, hint: str, columns: Sequence[str]) -> tuple[list[str], list[LabelLine]]:
    """Reads such a file; a byte order mark, spaces around names and `;` between columns are taken in stride.

    In a file with `;` a comma is a decimal point. Empty lines are left out.

    Args:
        path: The file.
        what: What messages call it, such as `anchors file`.
        hint: What to do where it cannot be read.
        columns: What an empty file should have held.

    Returns:
        The names of its columns in lower case, and its lines, at least one.

    Raises:
        MtclarError: It cannot be read, is no CSV, or holds no line; one sentence.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise MtclarError(f"{path}: the {what} cannot be read ({reason}); {hint}.") from error
    lines = text.splitlines()
    head = next((number for number, line in enumerate(lines) if line.strip()), None)
    if head is None:
        raise MtclarError(f"{path}: the {what} is empty; expected the columns {', '.join(columns)}.")
    separator = next((mark for mark in (";", "\t") if mark in lines[head] and "," not in lines[head]), ",")
    reader = csv.reader(lines[head:], delimiter=separator)
    try:
        table = [(head + reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise MtclarError(f"{path}, line {head + reader.line_num}: not a CSV line ({error}).") from error
    names = [name.strip().lower() for name in table[0][1]]
    found = []
    for number, cells in table[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if any(cell.strip() for cell in cells[len(names) :]):
            raise MtclarError(
                f"{path}, line {number}: has {len(cells)} values under {len(names)} columns; write a decimal point, "
                "or ';' between the columns."
            )
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=False)}
        found.append(LabelLine(path, number, values, decimal_comma=separator != ","))
    if not found:
        raise MtclarError(f"{path}: the {what} has a header but no line; label at least one frame.")
    return names, found
