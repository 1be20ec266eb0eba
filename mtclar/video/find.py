"""Which videos a list of files and folders means, and what each is called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.video.pictures import numbered_pictures

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"}
    | {".ts", ".mts", ".m2ts", ".3gp", ".flv", ".ogv"}
)


def find_videos(paths: Sequence[Path | str]) -> list[Path]:
    """The videos that `paths` mean: a file is itself, a folder all videos in it at any depth, in sorted order.

    A folder of numbered pictures (00000.png, ...) without video files counts as one video. A file is taken whatever
    its suffix, and one that is not there is kept in the list: opening it says so. Hidden files are left out, and so
    is what is named twice, and a link that leads back to a folder above it.

    Raises:
        MtclarError: A folder holds no video, or there are no paths.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        inside = _in_folder(path) if path.is_dir() else [path]
        if not inside:
            raise MtclarError(f"{path}: no video in this folder (looked for {', '.join(sorted(VIDEO_SUFFIXES))}).")
        for video in inside:
            found.setdefault(os.path.abspath(video), video)
    if not found:
        raise MtclarError("no video was given; name at least one file or folder.")
    return list(found.values())


def _in_folder(folder: Path, above: frozenset[Path] = frozenset()) -> list[Path]:
    """The videos in a folder, `above` being where the way to it has led through."""
    if (here := folder.resolve()) in above:
        return []
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    videos = [path for path in entries if path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()]
    deeper = [video for path in entries if path.is_dir() for video in _in_folder(path, above | {here})]
    if not videos and numbered_pictures(folder):
        return [folder, *deeper]
    return sorted([*videos, *deeper])


def video_ids(videos: Sequence[Path]) -> dict[Path, str]:
    """A name for each video, unique among them: its file name without suffix.

    Where several have that name, they are called by their path below the folder they share, without suffix
    ("monday/clip"), and where that is not unique either, with it ("monday/clip.mov").
    """
    names = {path: _without_suffix(path).name for path in videos}
    taken = Counter(names.values())
    twins = [path for path in videos if taken[names[path]] > 1]
    if twins:
        shared = Path(os.path.commonpath([path.absolute().parent for path in twins]))
        relative = {path: path.absolute().relative_to(shared) for path in twins}
        names.update({path: _without_suffix(relative[path]).as_posix() for path in twins})
        taken = Counter(names.values())
        names.update({path: relative[path].as_posix() for path in twins if taken[names[path]] > 1})
    return names


def _without_suffix(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path
