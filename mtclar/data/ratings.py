"""Which clips and pictures of a folder a person has rated, and how.

Beside the videos, at any depth, may lie

- `NAME_labels.csv`: ratings of the video NAME in the same folder, with the columns of an anchors file, of which
  `video_id` may be left out;
- `labels.csv` with the column `video_id`: ratings of any videos of the folder;
- `labels.csv` with the column `picture`: valence and arousal of pictures beside it by file name, and `person_id` where
  it is known who is seen.

All other files, those of anchors among them, are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtclar.data.anchor_rows import Anchors
from mtclar.data.anchors import read_anchors
from mtclar.data.label_lines import LabelLine, read_lines
from mtclar.errors import MtclarError
from mtclar.video import find_videos, video_ids
from mtclar.video.find import VIDEO_SUFFIXES

_HINT = "give a CSV of ratings"
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
    """

    clips: dict[Path, tuple[str, Anchors]]
    pictures: tuple[RatedPicture, ...]
    unrated: tuple[str, ...]


def find_ratings(folder: Path) -> Ratings:
    """Finds the videos and pictures below a folder and reads what a person said of them.

    Raises:
        MtclarError: The folder is not there or nothing in it is rated, or a file of ratings is not what it should be:
            one sentence, with the line where it is about one.
    """
    if not folder.is_dir():
        raise MtclarError(f"{folder}: no such folder; give one of clips and their ratings with --real.")
    files = sorted(
        path
        for path in folder.rglob("*.csv")
        if (path.name == "labels.csv" or path.name.endswith("_labels.csv"))
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    headed = {path: _lines(path) for path in files}
    of_pictures = [path for path, (names, _) in headed.items() if "picture" in names]
    pictures = [picture for path in of_pictures for picture in _pictures(path, *headed[path])]
    videos = _videos(folder, {path.parent for path in of_pictures})
    names = video_ids(videos)
    clips: dict[Path, tuple[str, Anchors]] = {}
    for path in files:
        if path not in of_pictures:
            for video, marks in _rated(path, names, headed[path][0]).items():
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
    return Ratings(clips, tuple(pictures), tuple(name for video, name in names.items() if video not in clips))


def _lines(path: Path) -> tuple[list[str], list[LabelLine]]:
    return read_lines(path, what="file of ratings", hint=_HINT, columns=_COLUMNS)


def _videos(folder: Path, of_pictures: set[Path]) -> list[Path]:
    """The videos below a folder, without folders whose pictures are rated one by one."""
    try:
        found = find_videos([folder])
    except MtclarError:
        found = []  # none: there may be pictures
    return [video for video in found if video not in of_pictures]


def _rated(path: Path, names: dict[Path, str], columns: list[str]) -> dict[Path, Anchors]:
    """The videos that a file rates, each with the ratings of all of them."""
    if path.name == "labels.csv":
        if "video_id" not in columns:
            raise MtclarError(
                f"{path}: names neither a video nor a picture (found: {', '.join(columns)}); add the column 'video_id' "
                "or 'picture', or call the file as its video: NAME_labels.csv."
            )
        marks = read_anchors(path, what="file of ratings", hint=_HINT).match(names.values())
        return {video: marks for video, name in names.items() if marks.of(name)}
    stem = path.name.removesuffix("_labels.csv")
    here = [video for video in names if video.parent == path.parent and stem in (video.name, _stem(video))]
    if len(here) != 1:
        several = "several videos" if here else "no video"
        raise MtclarError(f"{path}: {several} '{stem}' beside it; call it as the one it rates: NAME_labels.csv.")
    marks = read_anchors(path, what="file of ratings", hint=_HINT, video_id=names[here[0]])
    return {here[0]: marks.match([names[here[0]]])}


def _stem(video: Path) -> str:
    return video.stem if video.suffix.lower() in VIDEO_SUFFIXES else video.name


def _pictures(path: Path, columns: list[str], lines: list[LabelLine]) -> list[RatedPicture]:
    """The pictures that a file rates."""
    for name in ("valence", "arousal"):
        if name not in columns:
            raise MtclarError(f"{path}: the column '{name}' is missing (found: {', '.join(columns)}).")
    found: dict[str, RatedPicture] = {}
    for line in lines:
        name = line.values.get("picture", "")
        if not name:
            raise line.error("no picture is named")
        if name in found:
            raise line.error(f"rates '{name}' a second time; keep one of the lines")
        if not (path.parent / name).is_file():
            raise line.error(f"no picture '{name}' lies beside the file")
        person = line.values.get("person_id", "")
        found[name] = RatedPicture(path.parent / name, line.affect("valence"), line.affect("arousal"), person)
    return list(found.values())
