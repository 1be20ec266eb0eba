"""Which videos a list of files and folders means, what each is called, and what was passed over."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.video.pictures import PICTURE_SUFFIXES, is_sequence, numbered

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"}
    | {".ts", ".mts", ".m2ts", ".3gp", ".flv", ".ogv", ".mxf", ".asf", ".vob", ".3g2", ".f4v", ".qt", ".dv"}
    | {
        ".m2v",
        ".m1v",
        ".mpe",
        ".m2t",
        ".divx",
        ".ogm",
        ".h264",
        ".264",
        ".hevc",
        ".265",
        ".ivf",
        ".y4m",
        ".rm",
        ".rmvb",
    }
)
OVERLAY_SUFFIX = ".overlay.mp4"
"""Of the videos that `mtclar label --overlay` writes beside the labels."""
_NAMED = 3


def find_videos(paths: Sequence[Path | str]) -> list[Path]:
    """The videos that `paths` mean: a file is itself, a folder all videos in it at any depth, in sorted order.

    A folder of numbered pictures (00000.png or out-001.jpg, ...) without video files counts as one video; where the
    numbers follow a name, only if they are evenly spaced, for pictures of a camera are numbered too. A file is taken
    whatever its suffix, and one that is not there is kept in the list: opening it says so. Hidden files are left out,
    and so is what is named twice, a link that leads back to a folder above it, and an overlay beside its labels.

    Raises:
        MtclarError: A folder holds no video, or there are no paths.
    """
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        inside = _in_folder(path) if path.is_dir() else [path]
        if not inside:
            passed = "".join(f" {sentence}" for sentence in passed_over([path]))
            raise MtclarError(
                f"{path}: no video in this folder (looked for {', '.join(sorted(VIDEO_SUFFIXES))}).{passed}"
            )
        for video in inside:
            found.setdefault(os.path.abspath(video), video)
    if not found:
        raise MtclarError("no video was given; name at least one file or folder.")
    return list(found.values())


def passed_over(paths: Sequence[Path | str]) -> list[str]:
    """What lies in the folders among `paths`, looks like a video and is not taken: a sentence each, with what helps."""
    taken = {os.path.abspath(path) for path in paths}
    said: dict[str, None] = {}
    for folder in (path for path in map(Path, paths) if path.is_dir()):
        for here, entries in _walk(folder):
            videos = [path for path in entries if _is_video(path)]
            others = [path for path in entries if not path.is_dir() and os.path.abspath(path) not in taken]
            by_suffix: dict[str, list[Path]] = defaultdict(list)
            for path in others:
                if not _is_video(path) and path.suffix.lower() not in PICTURE_SUFFIXES and _looks_like_video(path):
                    by_suffix[path.suffix].append(path)
            for suffix, files in sorted(by_suffix.items()):
                ending = f"the ending {suffix} is" if suffix else "names without an ending are"
                said[f"{here}: {_list(files)} passed over, because {ending} not looked for; name the file itself."] = (
                    None
                )
            if videos or here != folder:
                said.update(dict.fromkeys(_pictures_passed(here, bool(videos))))
    return list(said)


def _pictures_passed(folder: Path, beside_videos: bool) -> Iterator[str]:
    """Why the pictures of a folder are no video, if they could be meant as one."""
    pictures = numbered(folder)
    if pictures and (beside_videos or not is_sequence(pictures)):
        count = f"{len(pictures)} numbered pictures ({pictures[0].path.name}, ...) passed over"
        if beside_videos:
            yield f"{folder}: {count}, because videos lie beside them; move them to a folder of their own."
        else:
            yield (
                f"{folder}: {count}, because their numbers are not evenly spaced; name the folder itself if they are "
                "one video."
            )


def _list(files: list[Path]) -> str:
    names = ", ".join(path.name for path in files[:_NAMED]) + (", ..." if len(files) > _NAMED else "")
    return f"{len(files)} file{'s' if len(files) > 1 else ''} ({names})"


def _looks_like_video(path: Path) -> bool:
    """Whether the first bytes are those of a format that holds moving pictures."""
    try:
        with path.open("rb") as file:
            head = file.read(377)
    except OSError:
        return False
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return head[8:11] not in (b"M4A", b"M4B", b"hei", b"mif", b"avi", b"crx")  # sound, and pictures
    return (
        (
            head.startswith(
                (
                    b"\x1aE\xdf\xa3",
                    b"GIF87a",
                    b"GIF89a",
                    b"FLV\x01",
                    b"\0\0\1\xba",
                    b"\0\0\1\xb3",
                    b".RMF",
                    b"YUV4MPEG2",
                )
            )
            or head.startswith(bytes.fromhex("060e2b34020501"))  # MXF
            or head.startswith(bytes.fromhex("3026b2758e66cf11"))  # ASF; sound, too, but then it ends in .wma
            or (head.startswith(b"RIFF") and head[8:12] == b"AVI ")
            or (len(head) == 377 and head[0] == head[188] == head[376] == 0x47)  # MPEG transport stream
        )
        and path.suffix.lower() not in (".wma", ".mka")
    )


def _walk(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[tuple[Path, list[Path]]]:
    """A folder and all below it, with what lies in each, without hidden files; no folder within itself by a link."""
    if (here := folder.resolve()) in above:
        return
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    yield folder, entries
    for path in entries:
        if path.is_dir():
            yield from _walk(path, above | {here})


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def is_overlay(name: str, beside: Container[str]) -> bool:
    """Whether a file is an overlay that `mtclar label` wrote: one whose labels lie beside it."""
    return name.endswith(OVERLAY_SUFFIX) and f"{name.removesuffix(OVERLAY_SUFFIX)}.va.csv" in beside


def _in_folder(top: Path) -> list[Path]:
    """The videos in a folder, at any depth."""
    found = []
    for folder, entries in _walk(top):
        names = {path.name for path in entries}
        videos = [path for path in entries if _is_video(path) and not is_overlay(path.name, names)]
        pictures = [] if videos else numbered(folder)
        if pictures and (folder == top or is_sequence(pictures)):
            videos = [folder]
        found += videos
    return sorted(found)


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
