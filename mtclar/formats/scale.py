"""The scale of values in a file, and XML from outside."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from mtclar.errors import MtclarError, brief

Options = Mapping[str, Any]


def inward(values: Any, options: Options, usual: tuple[float, float] = (-1.0, 1.0)) -> np.ndarray:
    """Values of a file in [-1, 1]: x = 2 (y - lo) / (hi - lo) - 1, with lo and hi of `va_range` or the usual ones.

    Raises:
        MtclarError: A value lies outside.
    """
    low, high = options.get("va_range") or usual
    found = 2 * (np.asarray(values, float) - low) / (high - low) - 1
    outside = np.abs(found) > 1 + 1e-6
    if outside.any():
        worst = np.asarray(values, float)[outside][0]
        raise MtclarError(
            f"expected values from {low:g} to {high:g}, found {worst:g}; give their scale with --va-range."
        )
    return np.clip(found, -1, 1)


def outward(values: Any, options: Options, usual: tuple[float, float] = (-1.0, 1.0)) -> np.ndarray:
    """The inverse of `inward`."""
    low, high = options.get("va_range") or usual
    return low + (np.asarray(values, float) + 1) / 2 * (high - low)


def parse_xml(path: Path, what: str, content: bytes | None = None) -> ElementTree.Element:
    """The root of an XML file; document types are refused, for with them come entities, within and without.

    Raises:
        MtclarError: It cannot be read, is no XML, or has a document type.
    """

    def refuse(*_: object) -> None:
        raise MtclarError(f"{path}: expected {what} without a document type (<!DOCTYPE>), which is not read.")

    try:
        raw = path.read_bytes() if content is None else content
        first = expat.ParserCreate()
        first.StartDoctypeDeclHandler = refuse
        first.Parse(raw, True)
        return ElementTree.fromstring(raw)  # noqa: S314 - without a document type there are no entities
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ElementTree.ParseError, expat.ExpatError) as error:
        raise MtclarError(f"{path}: expected {what} ({brief(error)}).") from error


def text_of(root: ElementTree.Element) -> str:
    """An XML document, indented."""
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def number(text: Any, where: str) -> float:
    """A number that a file holds.

    Raises:
        MtclarError: It is none.
    """
    try:
        return float(str(text).strip().replace("\N{MINUS SIGN}", "-"))
    except ValueError as error:
        raise MtclarError(f"{where}: expected a number, found '{text}'.") from error
