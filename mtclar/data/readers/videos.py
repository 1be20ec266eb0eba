"""Videos of one's own, with or without `labels.csv` beside them.

`labels.csv` has the columns video_id (file name with or without suffix), frame (0-based), valence, arousal, and if
wanted person_id, track_id and x, y, w, h (the face box in pixels). Of a video it names, only the frames it lists are
read; of any other, all frames. A person is a subject; who is not named is the video's own. Splits are drawn by subject.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mtclar.data.readers.records import NAN, Box, Group, Notes, Record, divide, number, pair
from mtclar.data.readers.tree import Entry, Tree
from mtclar.errors import MtclarError, nearest
from mtclar.settings import CropSettings

if TYPE_CHECKING:
    from mtclar.video import Frame

DATASET = "videos"
LABELS = "labels.csv"
REQUIRED = ("video_id", "frame", "valence", "arousal")
SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")


@dataclass(frozen=True)
class Label:
    """What labels.csv says about one frame of one person."""

    valence: float
    arousal: float
    box: Box | None


@dataclass(frozen=True)
class Film:
    """One person in one video; gives its records when called. Without labels, every frame is one."""

    video: Entry
    clip_id: str
    subject_id: str
    track_id: int
    split: str
    labels: dict[int, Label] | None

    def __call__(self, notes: Notes) -> Iterator[Record]:
        if self.video.member is not None:
            notes.fault(self.video.name, "the video lies inside an archive; unpack it")
            return
        wanted = None if self.labels is None else set(self.labels)
        for frame, load in frames_of(Path(self.video.path), wanted, notes):
            label = (self.labels or {}).get(frame.index, Label(NAN, NAN, None))
            yield Record(
                load=load,
                name=f"{self.video.name}, frame {frame.index}",
                dataset=DATASET,
                face_id=f"{DATASET}/{self.clip_id}/{frame.index:05d}",
                subject_id=self.subject_id,
                split=self.split,
                valence=label.valence,
                arousal=label.arousal,
                clip_id=self.clip_id,
                frame=frame.index,
                pts=frame.pts,
                time_s=frame.time_s,
                track_id=self.track_id,
                box=label.box,
            )


def frames_of(path: Path, wanted: set[int] | None, notes: Notes) -> Iterator[tuple[Frame, partial[NDArray[np.uint8]]]]:
    """The wanted frames of a video (all, if None), each with a loader of its picture; decodes as it goes.

    A video that cannot be opened, breaks off or lacks a wanted frame is noted, not raised.
    """
    from mtclar.video import open_video

    missing = set(wanted or ())
    try:
        with open_video(path) as video:
            for frame in video:
                if wanted is None or frame.index in wanted:
                    missing.discard(frame.index)
                    yield frame, partial(np.asarray, frame.image)
                if wanted is not None and not missing:
                    break
    except MtclarError as error:
        notes.fault(path.name, str(error))
        return
    for index in sorted(missing):
        notes.fault(f"{path.name}, frame {index}", "the video has no such frame")


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads videos and their labels; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There is no video, or labels.csv names an unknown one, lacks a column or repeats a frame.
    """
    if Path(data).is_file():
        raise MtclarError(f"{data}: expected a folder of videos; give the folder the video lies in.")
    tree = Tree(data)
    videos = {name: tree.entry(name) for suffix in SUFFIXES for name in tree.names(suffix)}
    if not videos:
        raise MtclarError(f"{data}: no video in this folder (looked for {', '.join(SUFFIXES)}).")
    ids = _ids(sorted(videos))
    labels: dict[tuple[str, str, int], dict[int, Label]] = {}
    for name in tree.names(LABELS):
        if PurePosixPath(name).name.lower() == LABELS:
            _read_labels(tree, name, ids, labels)
    named = {video for video, _, _ in labels}
    tracks = sorted(labels) + [(video, "", 0) for video in sorted(videos) if video not in named]
    subjects = {track: f"{DATASET}/{track[1] or 'unknown-' + ids[track[0]]}" for track in tracks}
    splits = divide(subjects.values(), validation=settings.validation, test=settings.test, seed=settings.seed)
    several = {video for video in named if sum(other == video for other, _, _ in labels) > 1}
    for track in sorted(tracks):
        video, person, number_ = track
        clip = ids[video] + (f"#{person or number_}" if video in several else "")
        film = Film(videos[video], clip, subjects[track], number_, splits[subjects[track]], labels.get(track))
        yield Group(f"{video} ({person})" if person else video, film)


def _ids(names: list[str]) -> dict[str, str]:
    """A short unique id of each video: its name without suffix, its path where two are called alike."""
    stems = [PurePosixPath(name).stem for name in names]
    paths = [str(PurePosixPath(name).with_suffix("")) for name in names]
    return {
        name: stem if stems.count(stem) == 1 else path if paths.count(path) == 1 else name
        for name, stem, path in zip(names, stems, paths, strict=True)
    }


def _read_labels(
    tree: Tree, name: str, ids: dict[str, str], labels: dict[tuple[str, str, int], dict[int, Label]]
) -> None:
    """Adds one labels.csv to `labels`, by video, person and track, then by frame."""
    where = f"{tree.root}/{name}"
    known = {alias: video for video in ids for alias in (PurePosixPath(video).name, ids[video], video)}
    rows = csv.DictReader(tree.lines(name), skipinitialspace=True)
    header = [column.strip() for column in rows.fieldnames or ()]
    rows.fieldnames = header
    for column in REQUIRED:
        if column not in header:
            raise MtclarError(f"{where}: there is no column '{column}'{nearest(column, header)}.")
    for line, row in enumerate(rows, 2):
        video = known.get((row["video_id"] or "").strip())
        if video is None:
            raise MtclarError(
                f"{where}, line {line}: no video '{row['video_id']}'{nearest(str(row['video_id']), known)}."
            )
        frame = number(row["frame"])
        if not (np.isfinite(frame) and frame >= 0 and frame == int(frame)):
            raise MtclarError(f"{where}, line {line}: frame '{row['frame']}' is not a whole number from 0.")
        track = number(row.get("track_id") or 0)
        key = video, (row.get("person_id") or "").strip(), int(track) if np.isfinite(track) else 0
        frames = labels.setdefault(key, {})
        if int(frame) in frames:
            raise MtclarError(f"{where}, line {line}: frame {int(frame)} of '{row['video_id']}' is labelled twice.")
        x, y, w, h = (number(row.get(side)) for side in "xywh")
        box = (x, y, w, h) if np.isfinite((x, y, w, h)).all() and w > 0 and h > 0 else None
        frames[int(frame)] = Label(*pair(number(row["valence"]), number(row["arousal"]), NAN), box)
