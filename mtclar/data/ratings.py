"""Which clips and pictures of a folder a person has rated, and how.

Beside the videos, at any depth, may lie

- `NAME_labels.csv`: ratings of the video NAME in the same folder, with the columns of an anchors file, of which
  `video_id` may be left out;
- `labels.csv` with the column `video_id`: ratings of any videos of the folder;
- `labels.csv` with the column `picture`: valence and arousal of pictures beside it by file name, and `person_id` where
  it is known who is seen.

They may be called .tsv too. All other files, those of anchors among them, are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtclar.data.anchors import Anchors, affect, anchors_in
from mtclar.data.label_lines import LabelTable, read_table
from mtclar.data.video_names import VideoNames
from mtclar.errors import MtclarError, counted
from mtclar.video import find_videos, video_ids

_HINT = "give a CSV of ratings"
_ENDINGS = (".csv", ".tsv")
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_COLUMNS = ("video_id", "frame", "valence", "arousal")


@dataclass(frozen=True)
class RatedPicture:
    """One picture with what a person said of it; `person_id` is empty where it is not known who is seen."""

    path: Path
    valence: float
    arousal: float
    person_id: str


@dataclass(frozen=True)
class Ratings:
    """What is rated below a folder.

    Attributes:
        clips: Each rated video, its name, and the ratings that name it so.
        pictures: The rated pictures.
        unrated: Names of the videos without a rating.
        notes: What was decided while reading, one sentence each.
    """

    clips: dict[Path, tuple[str, Anchors]]
    pictures: tuple[RatedPicture, ...]
    unrated: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_ratings(folder: Path, va_range: tuple[float, float] | None = None) -> Ratings:
    """Finds the videos and pictures below a folder and reads what a person said of them.

    Args:
        folder: The folder.
        va_range: The values in its files that mean -1 and 1; None for these themselves.

    Raises:
        MtclarError: The folder is not there or nothing in it is rated, or a file of ratings is not what it should be:
            one sentence, with the line where it is about one.
    """
    if not folder.is_dir():
        raise MtclarError(f"{folder}: no such folder; give one of clips and their ratings with --real.")
    named = [
        path
        for path in sorted(folder.rglob("*labels.*"))
        if (path.stem == "labels" or path.stem.endswith("_labels"))
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    files = [path for path in named if path.suffix in _ENDINGS]
    read = {path.with_suffix("") for path in files}
    tables = {path: read_table(path, what="file of ratings", hint=_HINT, expected=_COLUMNS) for path in files}
    of_pictures = [path for path, table in tables.items() if "picture" in table.names]
    notes = [
        f"{path} was left out, as it is a spreadsheet: save it as CSV"
        for path in named
        if path.suffix.lower() in _SPREADSHEETS and path.with_suffix("") not in read
    ]
    notes += [note for path in of_pictures for note in tables[path].notes]
    pictures = [picture for path in of_pictures for picture in _pictures(tables[path], va_range, notes)]
    videos = _videos(folder, {path.parent for path in of_pictures})
    names = video_ids(videos)
    clips: dict[Path, tuple[str, Anchors]] = {}
    for path in files:
        if path not in of_pictures:
            marked = _rated(tables[path], names, va_range)
            notes += next(iter(marked.values())).notes if marked else ()
            for video, marks in marked.items():
                if video in clips:
                    raise MtclarError(
                        f"{path}: rates '{names[video]}', which {clips[video][1].path} rates too; keep one of them."
                    )
                clips[video] = names[video], marks
    if not clips and not pictures:
        raise MtclarError(
            f"{folder}: nothing in it is rated; put NAME_labels.csv with frame, valence and arousal beside a video "
            "NAME, or a labels.csv with video_id or picture."
        )
    unrated = tuple(name for video, name in names.items() if video not in clips)
    return Ratings(clips, tuple(pictures), unrated, tuple(notes))


def _videos(folder: Path, of_pictures: set[Path]) -> list[Path]:
    """The videos below a folder, without folders whose pictures are rated one by one."""
    try:
        found = find_videos([folder])
    except MtclarError:
        found = []  # none: there may be pictures
    return [video for video in found if video not in of_pictures]


def _rated(table: LabelTable, names: dict[Path, str], va_range: tuple[float, float] | None) -> dict[Path, Anchors]:
    """The videos that a file rates, each with the ratings of all of them."""
    path = table.path
    if path.stem == "labels":
        if "video_id" not in table.names:
            raise MtclarError(
                f"{path}: names neither a video nor a picture (found: {', '.join(table.names)}); add the column "
                "'video_id' or 'picture', or call the file as its video: NAME_labels.csv."
            )
        marks = anchors_in(table, va_range=va_range).match(names)
        return {video: marks for video, name in names.items() if marks.of(name)}
    stem = path.stem.removesuffix("_labels")
    beside = {video.name: video for video in names if video.parent == path.parent}
    fitting = VideoNames(list(beside)).find(stem).videos
    if len(fitting) != 1:
        several = "several videos" if fitting else "no video"
        raise MtclarError(f"{path}: {several} '{stem}' beside it; call it as the one it rates: NAME_labels.csv.")
    video = beside[fitting[0]]
    marks = anchors_in(table, video_id=names[video], va_range=va_range)
    return {video: marks.match({video: names[video]})}


def _pictures(table: LabelTable, va_range: tuple[float, float] | None, notes: list[str]) -> list[RatedPicture]:
    """The pictures that a file rates; those whose rating is missing are left out, and that is noted."""
    path = table.path
    for name in ("valence", "arousal"):
        if name not in table.names:
            raise MtclarError(f"{path}: the column '{name}' is missing (found: {', '.join(table.names)}).")
    found: dict[str, RatedPicture] = {}
    missing = 0
    for line in table.lines:
        name = line.values.get("picture", "")
        if not name:
            raise line.error("no picture is named")
        if name in found:
            raise line.error(f"rates '{name}' a second time; keep one of the lines")
        if not (path.parent / name).is_file():
            raise line.error(f"no picture '{name}' lies beside the file")
        if not (line.text("valence") and line.text("arousal")):
            missing += 1
            continue
        valence, arousal = (affect(line, dimension, table, va_range) for dimension in ("valence", "arousal"))
        found[name] = RatedPicture(path.parent / name, valence, arousal, line.text("person_id"))
    if missing:
        notes.append(f"left out {counted(missing, 'picture')} of {path} without valence or arousal")
    return list(found.values())
