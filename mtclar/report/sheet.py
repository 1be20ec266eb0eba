"""A contact sheet: small pictures of faces with a few lines below each, as a PNG or JPEG file."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.features import Features

FORMATS = (".png", ".jpg", ".jpeg")
COLUMNS, SIDE, GAP, LINE, MARGIN = 5, 160, 14, 18, 16
"""Cells in a row; and in pixels: side of a picture, gap between cells, height of a line of text, margin."""
GROUND, INK, FADED, MISSING = (250, 250, 248), (28, 39, 51), (96, 108, 120), (220, 222, 224)
_FONT, _SIZE, _TITLE = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 0.55


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet.

    Attributes:
        picture: JPEG bytes; None where there is none.
        lines: Text below it, the first in ink and the others fainter.
        mark: RGB of a frame around it; None without one.
    """

    picture: bytes | None
    lines: tuple[str, ...]
    mark: tuple[int, int, int] | None = None


def write_sheet(path: Path, title: str, cells: Sequence[Cell]) -> None:
    """Writes a sheet, whole or not at all.

    Args:
        path: Where to; its ending is one of `FORMATS`.
        title: Stands above.
        cells: At least one, in the order of reading.

    Raises:
        MtclarError: There is nothing to show, or `path` has another ending or cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise MtclarError(f"{path}: expected a file that ends in {', '.join(FORMATS)}; change --out.")
    if not cells:
        raise MtclarError(f"{path}: there is no frame to show, so no sheet was written.")
    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if path.suffix.lower() != ".png" else []
    done, data = cv2.imencode(path.suffix.lower(), sheet(title, cells)[:, :, ::-1], options)
    if not done:
        raise MtclarError(f"{path}: the sheet could not be encoded; choose another ending.")
    with whole_file(path) as part:
        part.write_bytes(data.tobytes())


def sheet(title: str, cells: Sequence[Cell]) -> NDArray[np.uint8]:
    """The sheet as a picture, uint8 RGB (h, w, 3)."""
    across = min(COLUMNS, len(cells))
    deep = -(-len(cells) // across)
    lines = max(len(cell.lines) for cell in cells)
    wide, high = SIDE + GAP, SIDE + LINE * lines + GAP
    top = MARGIN + 2 * LINE
    width = max(2 * MARGIN + across * wide - GAP, 2 * MARGIN + _wide(title, _TITLE))
    found: NDArray[np.uint8] = np.full((top + deep * high + MARGIN, width, 3), GROUND, np.uint8)
    _write(found, title, MARGIN, MARGIN + LINE, _TITLE, INK)
    for number, cell in enumerate(cells):
        x, y = MARGIN + number % across * wide, top + number // across * high
        found[y : y + SIDE, x : x + SIDE] = _small(cell.picture)
        if cell.mark is not None:
            cv2.rectangle(found, (x - 3, y - 3), (x + SIDE + 2, y + SIDE + 2), cell.mark, 3)
        for k, line in enumerate(cell.lines):
            fitting = line
            while len(fitting) > 3 and _wide(fitting, _SIZE) > SIDE + GAP - 4:
                fitting = fitting[:-1]
            _write(found, fitting, x, y + SIDE + LINE * (k + 1) - 3, _SIZE, INK if k == 0 else FADED)
    return found


def face_near(features: Features, frame: int, track: int) -> tuple[bytes | None, int]:
    """The small picture of a track's face nearest in time to a frame, and the frame it is of; None without one."""
    kept = [number for number, own in features.face_pictures if own == track]
    if not kept:
        return None, frame
    nearest = min(kept, key=lambda number: (abs(features.time_s[number] - features.time_s[frame]), number))
    return features.face_pictures[nearest, track], nearest


def _small(picture: bytes | None) -> NDArray[np.uint8]:
    """A picture as a square of the sheet; grey where there is none or it cannot be read."""
    ground: NDArray[np.uint8] = np.full((SIDE, SIDE, 3), MISSING, np.uint8)
    decoded = None if not picture else cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        return ground
    scale = SIDE / max(decoded.shape[:2])
    size = (max(1, round(decoded.shape[1] * scale)), max(1, round(decoded.shape[0] * scale)))
    small = cv2.resize(decoded, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)[:, :, ::-1]
    y, x = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    ground[y : y + small.shape[0], x : x + small.shape[1]] = small
    return ground


def _plain(text: str) -> str:
    """Text in the letters that OpenCV's font has."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode().replace("?", "") or "?"


def _wide(text: str, size: float) -> int:
    return int(cv2.getTextSize(_plain(text), _FONT, size, 1)[0][0])


def _write(on: NDArray[np.uint8], text: str, x: int, y: int, size: float, colour: tuple[int, int, int]) -> None:
    cv2.putText(on, _plain(text), (x, y), _FONT, size, colour, 1, cv2.LINE_AA)
