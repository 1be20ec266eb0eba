"""Aff-Wild2's valence-arousal track: `Train_Set/<video>.txt` and `Validation_Set/<video>.txt`, one line a frame.

Line i labels frame i; -5 marks a frame as not to be used. Pictures come from a folder `<video>/00001.jpg` ... of
cropped faces (counted from 1, with gaps where no face was found) or, where there is none, from the video file itself.
`_left` and `_right` at the end of a name say which of two people is meant. `Validation_Set` is the test split, because
the labels of the official one are withheld; the validation split is drawn by seed from the videos of `Train_Set`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtclar.data.readers.records import Group, Notes, Record, divide, number, pair
from mtclar.data.readers.tree import Entry, Tree
from mtclar.data.readers.videos import SUFFIXES as VIDEO_SUFFIXES
from mtclar.data.readers.videos import frames_of
from mtclar.errors import MtclarError
from mtclar.settings import CropSettings

DATASET = "aff-wild2"
NOT_VALID = -5.0
TRAIN, TEST = "train_set", "validation_set"
HEADER = ["valence", "arousal"]
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
MARGIN = 1 / 8
"""Share of a cropped face picture on each side that lies outside the face box; for pictures no detector helps with."""


@dataclass(frozen=True)
class Track:
    """The labels of one person in one video; gives its records when called.

    Attributes:
        affect: float (frames, 2), NaN where not valid.
        faces: Pictures of the cropped face by frame, 0-based; empty where the video itself is read.
        video: The video file, if there are no pictures.
    """

    name: str
    split: str
    affect: NDArray[np.float64]
    fps: float
    faces: dict[int, Entry] = field(default_factory=dict)
    video: Entry | None = None

    def __call__(self, notes: Notes) -> Iterator[Record]:
        valid = [int(i) for i in np.flatnonzero(np.isfinite(self.affect[:, 0]))]
        notes.skip("not valid (-5)", len(self.affect) - len(valid))
        if self.video is not None:
            yield from self._from_video(set(valid), notes)
            return
        for frame in valid:
            entry = self.faces.get(frame)
            if entry is None:
                notes.skip("no face picture of the frame")
                continue
            record = self._record(frame, frame, frame / self.fps, entry.name, partial(Entry.picture, entry))
            yield replace(record, box=_inner_box(entry))

    def _from_video(self, wanted: set[int], notes: Notes) -> Iterator[Record]:
        if self.video is None or self.video.member is not None:
            notes.fault(self.name, "the video lies inside an archive; unpack it")
            return
        for frame, load in frames_of(Path(self.video.path), wanted, notes):
            record = self._record(frame.index, frame.pts, frame.time_s, f"{self.video.name}, frame {frame.index}", load)
            yield replace(record, side=next((side for side in SIDES if self.name.endswith("_" + side)), None))

    def _record(self, frame: int, pts: int, time_s: float, name: str, load: partial[NDArray[np.uint8]]) -> Record:
        return Record(
            load=load,
            name=name,
            dataset=DATASET,
            face_id=f"{DATASET}/{self.name}/{frame:05d}",
            subject_id=f"{DATASET}/{self.name}",
            split=self.split,
            valence=float(self.affect[frame, 0]),
            arousal=float(self.affect[frame, 1]),
            clip_id=self.name,
            frame=frame,
            pts=pts,
            time_s=time_s,
        )


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the release; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There are no label files of the valence-arousal track in the folder.
    """
    tree = Tree(data)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for name in tree.names(".txt"):
        parent = PurePosixPath(name).parent.name.lower()
        if parent in (TRAIN, TEST):
            lists["train" if parent == TRAIN else "test"].append(name)
    if not any(lists.values()):
        raise MtclarError(f"{data}: expected Train_Set/<video>.txt and Validation_Set/<video>.txt, found neither.")
    test_share = 0 if lists["test"] else settings.test
    videos = (_base(name) for name in lists["train"])
    splits = divide(videos, validation=settings.validation, test=test_share, seed=settings.seed)
    faces, films = _pictures(tree)
    for name in lists["train"] + lists["test"]:
        affect = _affect(tree.text(name))
        if affect is None:
            notes.skip("not a valence-arousal track")
            continue
        stem = PurePosixPath(name).stem
        split = splits[_base(name)] if name in lists["train"] else "test"
        if stem in faces:
            yield Group(name, Track(stem, split, affect, settings.fps, faces=faces[stem]))
        elif film := films.get(stem) or films.get(_base(name)):
            yield Group(name, Track(stem, split, affect, settings.fps, video=film))
        else:
            notes.fault(name, "there are neither pictures nor a video of it")


def _base(name: str) -> str:
    """Name of the video that a track belongs to."""
    stem = PurePosixPath(name).stem
    return stem.removesuffix("_left").removesuffix("_right")


def _pictures(tree: Tree) -> tuple[dict[str, dict[int, Entry]], dict[str, Entry]]:
    """Face pictures by video and frame (0-based), and video files by name."""
    faces: dict[str, dict[int, Entry]] = defaultdict(dict)
    films: dict[str, Entry] = {}
    for name in tree.names():
        path = PurePosixPath(name)
        if path.suffix.lower() in (".jpg", ".jpeg", ".png") and path.stem.isdecimal() and int(path.stem) > 0:
            faces[path.parent.name].setdefault(int(path.stem) - 1, tree.entry(name))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            films.setdefault(path.stem, tree.entry(name))
    return dict(faces), films


def _affect(text: str) -> NDArray[np.float64] | None:
    """Labels (frames, 2), NaN where not valid; None where the file belongs to another track."""
    lines = text.splitlines()
    if not lines or [cell.strip().lower() for cell in lines[0].split(",")] != HEADER:
        return None
    rows = [(*line.split(","), "", "")[:2] for line in lines[1:] if line.strip()]
    return np.array([pair(number(v), number(a), NOT_VALID) for v, a in rows]).reshape(-1, 2)


def _inner_box(entry: Entry) -> tuple[float, float, float, float] | None:
    """The face box in a picture that is a cropped face already; None where the picture cannot be read."""
    try:
        height, width = entry.picture().shape[:2]
    except MtclarError:
        return None
    return width * MARGIN, height * MARGIN, width * (1 - 2 * MARGIN), height * (1 - 2 * MARGIN)
