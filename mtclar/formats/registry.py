"""Which formats there are, and which of them a file is in."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtclar.data.whole import unwritable
from mtclar.errors import MtclarError, nearest
from mtclar.formats.annotations import Annotations


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        module: Of this package, where `read` and `write` are.
        endings: Of files, the usual first.
        reads: Whether it can be read.
        writes: Whether it can be written.
        what: In a few words.
    """

    module: str
    endings: tuple[str, ...]
    reads: bool
    writes: bool
    what: str


FORMATS: Mapping[str, Format] = {
    "csv": Format("tables", (".csv",), True, True, "our labels, a row a frame and track"),
    "parquet": Format("tables", (".parquet",), True, True, "the same as Parquet"),
    "anchors": Format("tables", (".csv",), True, True, "what a person said, for --anchors"),
    "r": Format("tables", (".R", ".r"), False, True, "an R script that reads and draws the CSV beside it"),
    "openface": Format(
        "tables", (".csv",), True, True, "a row a frame as OpenFace writes it, with valence and arousal"
    ),
    "nova": Format("nova", (".annotation",), True, True, "NOVA: two continuous tracks a person, 4 files"),
    "elan": Format("elan", (".eaf",), True, True, "ELAN: tiers of anchors and segments, and the curve beside it"),
    "label-studio": Format("label_studio", (".json",), True, True, "Label Studio: a task, its interface and curve"),
    "cvat": Format("cvat", (".xml", ".zip"), True, True, "CVAT for video 1.1: a track of boxes a person"),
    "afew-va": Format("afew_va", (".json",), True, True, "AFEW-VA's JSON of one clip, steps of a tenth in +-10"),
    "carma": Format("raters", (".csv",), True, False, "CARMA: one dimension, bins of time"),
    "darma": Format("raters", (".csv",), True, False, "DARMA: two dimensions by joystick, bins of time"),
    "boris": Format("raters", (".csv", ".tsv"), True, False, "BORIS: tabular events, valence and arousal as modifiers"),
}


def format_of(path: Path, name: str = "", *, writing: bool = False) -> str:
    """The name of the format of a file: the one that is given, or by its ending and what stands in it.

    Raises:
        MtclarError: There is no such format, it cannot be read or written, or the file is in none that is known.
    """
    if name:
        if name not in FORMATS:
            raise MtclarError(f"unknown format '{name}'{nearest(name, FORMATS)}; known are {', '.join(FORMATS)}.")
        if not (FORMATS[name].writes if writing else FORMATS[name].reads):
            raise MtclarError(f"format {name} ({FORMATS[name].what}) can only be {'read' if writing else 'written'}.")
        return name
    ending = path.suffix.lower()
    if writing:
        found = {".csv": "csv", ".json": "label-studio", ".xml": "cvat", ".zip": "cvat", ".r": "r"}.get(ending)
        found = found or next((name for name, known in FORMATS.items() if ending in known.endings), None)
    else:
        found = _looked_into(path, ending)
    if found is None:
        endings = ", ".join(sorted({known.endings[0] for known in FORMATS.values()}))
        raise MtclarError(
            f"{path}: in none of the formats that can be {'written' if writing else 'read'} ({endings}); name it with "
            f"--{'to' if writing else 'from'}."
        )
    return found


def read_annotations(path: Path, name: str = "", **options: Any) -> Annotations:
    """What a file says of a video.

    Args:
        path: The file.
        name: Its format; empty to look into it.
        **options: `va_range`, the values of the file that mean -1 and 1; `dimension`, of files with one only;
            `video_id`, of files with several videos or none named; `all_rows`, whether what no person has touched
            counts as theirs (CVAT).

    Raises:
        MtclarError: It cannot be read, or is not in the format.
    """
    if not path.is_file():
        raise MtclarError(f"{path}: there is no such file.")
    found = format_of(path, name)
    annotations: Annotations = _module(found).read(path, found, options)
    return annotations


def write_annotations(given: Annotations, path: Path, name: str = "", **options: Any) -> list[Path]:
    """Writes annotations whose rows have frames and times; each file appears whole.

    Args:
        given: What to write.
        path: The file; formats of several files write the others beside it.
        name: The format; empty for that of the file's ending.
        **options: `va_range`, the values that -1 and 1 become.

    Returns:
        The files that were written.

    Raises:
        MtclarError: A file cannot be written, or the format cannot hold it.
    """
    found = format_of(path, name, writing=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    written: list[Path] = _module(found).write(given, path, found, options)
    return written


def _module(name: str) -> Any:
    return importlib.import_module(f"mtclar.formats.{FORMATS[name].module}")


def _looked_into(path: Path, ending: str) -> str | None:
    if ending in (".annotation", ".eaf", ".xml", ".zip", ".parquet"):
        return next(name for name, known in FORMATS.items() if ending in known.endings)
    if ending == ".json":
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise MtclarError(f"{path}: expected JSON of Label Studio or AFEW-VA ({error}).") from error
        return "afew-va" if isinstance(content, dict) and "frames" in content else "label-studio"
    if ending in (".csv", ".tsv", ".txt"):
        with path.open("rb") as file:
            head = file.read(4000).decode("utf-8", "replace").lower()
        for name, words in (
            ("darma", ("multimedia file", "magnitude")),
            ("carma", ("multimedia file", "second")),
            ("boris", ("behavior",)),
            ("openface", ("timestamp", "success")),
            ("csv", ("valence_lo",)),
            ("anchors", ("valence",)),
        ):
            if all(word in head for word in words):
                return name
    return None
