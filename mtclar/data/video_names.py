"""Which of the videos at hand a name in somebody's table means.

Tables name videos as the program or the machine that wrote them does: with a folder or a drive, with another ending, in
another letter case or another Unicode form of the same letters. A name is compared in steps from strict to lenient, and
what fits several videos is refused.
"""

from __future__ import annotations

import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mtclar.video.find import VIDEO_SUFFIXES

MEDIA_SUFFIXES = VIDEO_SUFFIXES | {".mxf", ".asf", ".gif", ".vob", ".dv", ".wav", ".mp3"}
"""Endings that do not tell one video from another."""
CODE_PAGES = ("utf-8", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "cp949", "cp936", "mac_roman", "cp437", "cp850")
"""Encodings tried for a name that was read as Windows-1252 and fits no video so."""

Form = Callable[[str], str]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


FORMS: tuple[Form, ...] = (str, _composed, _folded)
"""From strict to lenient: as written, in one Unicode form, and without letter case."""


@dataclass(frozen=True)
class Found:
    """What a name fits.

    Attributes:
        videos: Ids of the videos: none, one, or several that fit equally well.
        shared: How many last parts of the two paths are equal; 0 where the whole name fits.
    """

    videos: tuple[str, ...]
    shared: int = 0


class VideoNames:
    """The names of the videos at hand.

    Args:
        videos: Their ids, or their ids by the paths of their files: folders of those then tell twins apart.
    """

    def __init__(self, videos: Iterable[str] | Mapping[Path, str]) -> None:
        known: dict[str, list[tuple[str, ...]]] = {}
        if isinstance(videos, Mapping):
            for path, name in videos.items():
                known.setdefault(name, [_parts(name)]).append(_parts(str(path.absolute())))
        else:
            known = {name: [_parts(name)] for name in videos}
        self.ids = tuple(sorted(known))
        self._tables = [(form, *_indexed(form, known)) for form in FORMS]

    def find(self, written: str, *, foreign_letters: bool = False) -> Found:
        """Which videos a written name means, by the first step in which it fits any.

        Args:
            written: The name.
            foreign_letters: Whether its letters beyond ASCII may have been others, see `LabelTable`.
        """
        found = self._find(written)
        if found.videos or written.isascii():
            return found
        candidates = []
        for page in CODE_PAGES if foreign_letters else CODE_PAGES[:1]:  # UTF-8 read as Windows-1252, then saved again
            try:
                candidates.append(self._find(_windows_bytes(written).decode(page)))
            except UnicodeError:
                continue
        fitting = {candidate.videos: candidate for candidate in candidates if candidate.videos}
        return next(iter(fitting.values())) if len(fitting) == 1 else found

    def _find(self, written: str) -> Found:
        parts = _parts(written)
        for form, (as_is, bare), last in self._tables:
            for table, name in ((as_is, written.replace("\\", "/")), (bare, "/".join(parts))):
                if videos := table.get(form(name)):
                    return Found(tuple(sorted(videos)))
            formed = tuple(map(form, parts))
            shared: dict[str, int] = {}
            for name, path in last.get(formed[-1], []):
                shared[name] = max(shared.get(name, 0), _shared(formed, path))
            if shared:
                most = max(shared.values())
                closest = sorted(name for name, count in shared.items() if count == most)
                same_ending = [name for name in closest if form(name).endswith(form(_last(written)))]
                return Found(tuple(same_ending if len(same_ending) == 1 else closest), most)
        return Found(())


def plain_path(name: str) -> tuple[str, ...]:
    """The parts of a path of any system without what does not tell videos apart: ending, letter case, Unicode form."""
    return tuple(map(_folded, _parts(name)))


def _indexed(
    form: Form, known: Mapping[str, list[tuple[str, ...]]]
) -> tuple[tuple[dict[str, set[str]], dict[str, set[str]]], dict[str, list[tuple[str, tuple[str, ...]]]]]:
    """The ids by their whole name and by that without ending, and ids and paths by the last part of the path."""
    as_is: dict[str, set[str]] = {}
    bare: dict[str, set[str]] = {}
    last: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for name, paths in known.items():
        as_is.setdefault(form(name), set()).add(name)
        bare.setdefault(form("/".join(_parts(name))), set()).add(name)
        for parts in paths:
            formed = tuple(map(form, parts))
            last.setdefault(formed[-1], []).append((name, formed))
    return (as_is, bare), last


def _last(name: str) -> str:
    """The last part of a path of any system, with its ending."""
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path of any system, the last one without its ending."""
    if name.lower().startswith("file:"):
        name = urllib.parse.unquote(name[5:])
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    last = parts.pop() if parts else name
    stem, dot, ending = last.rpartition(".")
    return (*parts, stem if stem and f"{dot}{ending}".lower() in MEDIA_SUFFIXES else last)


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many last parts of two paths are equal."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b:
            break
        count += 1
    return count


def _windows_bytes(text: str) -> bytes:
    """The bytes that were read as Windows-1252.

    Raises:
        UnicodeEncodeError: They were not.
    """
    return b"".join(mark.encode("latin-1" if "\x80" <= mark <= "\x9f" else "cp1252") for mark in text)
