"""Text as programs write it: the encoding of a file, and files that are no text though they were given as such."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from mtclar.errors import MtclarError

_SPREADSHEET = "open it in the spreadsheet program, save it as CSV and give that"
_KINDS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind (.xls)", _SPREADSHEET),
    (b"PAR1", "a Parquet file", "write it as CSV and give that"),
    (b"ARROW1", "an Arrow file", "write it as CSV and give that"),
    (b"SQLite format 3", "a database", "export the table as CSV and give that"),
    (b"\x1f\x8b", "compressed (gzip)", "unpack it and give the CSV"),
    (b"%PDF", "a PDF", "give a CSV"),
    (b"{\\rtf", "a rich text document", "save it as plain text and give that"),
    (b"\x89PNG", "a picture", "give a CSV"),
    (b"\xff\xd8\xff", "a picture", "give a CSV"),
)
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_WINDOWS_1252 = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
"""By which Windows-1252 differs from Latin-1."""


def read_text(path: Path, what: str, hint: str) -> tuple[str, bool]:
    """Reads a file of text: UTF-8, UTF-16 or UTF-32, or else Windows-1252, in which every byte is a letter.

    Args:
        path: The file.
        what: What messages call it.
        hint: What to do where it cannot be read.

    Returns:
        The text, and whether Windows-1252 had to be assumed: letters beyond ASCII may then have been others.

    Raises:
        MtclarError: It cannot be read or is no text; a spreadsheet and the like is named with the way out.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise MtclarError(f"{path}: the {what} cannot be read ({error.strerror}); {hint}.") from error
    kind, way_out = next(
        ((kind, way) for magic, kind, way in _KINDS if raw.startswith(magic)), (_zipped(path, raw), "")
    )
    if kind:
        raise MtclarError(f"{path}: the {what} is {kind}, not a CSV; {way_out or _SPREADSHEET}.")
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), _unmarked(raw))
    foreign = False
    try:
        text = raw.decode(encoding).rstrip("\x1a")
    except UnicodeDecodeError:
        foreign = encoding == "utf-8"
        text = raw.decode("latin-1").translate(_WINDOWS_1252) if foreign else "\0"
    if re.search(r"[\x00-\x08\x0e-\x1b\x7f]", text):
        raise MtclarError(f"{path}: the {what} cannot be read (it is not text); {hint}.")
    if page := re.match(r"\s*(?:<|[{]|\[\s*[\[{])", text):
        form = "a web page or XML, whatever its ending" if "<" in page[0] else "JSON"
        raise MtclarError(f"{path}: the {what} is {form}, not a CSV; {_SPREADSHEET}.")
    return text, foreign


def _unmarked(raw: bytes) -> str:
    """The encoding of a file without a byte order mark: digits and separators of UTF-16 are a zero and a byte."""
    start = raw[:4000]
    zeros = [start[parity::2].count(0) / max(len(start) // 2, 1) for parity in (0, 1)]
    for parity, name in ((0, "utf-16-be"), (1, "utf-16-le")):
        if zeros[parity] > 0.2 and zeros[1 - parity] < 0.02:
            return name
    return "utf-8"


def _zipped(path: Path, raw: bytes) -> str:
    """What kind of document a zip archive is; empty where the file is none."""
    if not raw.startswith(b"PK\x03\x04"):
        return ""
    try:
        inside = zipfile.ZipFile(io.BytesIO(raw)).namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        inside = []
    if any(name.startswith("xl/") for name in inside):
        return "an Excel workbook (.xlsx)"
    if b"opendocument.spreadsheet" in raw[:200]:
        return "a LibreOffice spreadsheet (.ods)"
    return "a Numbers document" if any(name.endswith(".iwa") for name in inside) else "a zip archive"
