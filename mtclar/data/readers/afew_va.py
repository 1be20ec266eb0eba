"""AFEW-VA: clips of film frames, `NN/CCC/00000.png` ... with `CCC.json` among them, or flattened to `001..600`.

Valence and arousal are whole steps of -10..10 and become tenths. Splits are drawn by actor, so that nobody stands in
two. An actor's name is personal data: subject_id is a short digest of it, never the name.

Taken care of: keys from 00000 or 00001, further keys such as `emotion`, png or jpg, `*_cropped` folders (left out),
frames without a label or a picture (left out), landmarks measured in a frame of another width than the picture's.
The files state no frame rate: `crop.fps` gives the times.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mtclar.data.readers.records import Group, Notes, Record, divide, number, pair
from mtclar.data.readers.tree import Entry, Tree
from mtclar.errors import MtclarError
from mtclar.settings import CropSettings

DATASET = "afew-va"
SUFFIXES = (".png", ".jpg", ".jpeg")  # in the order of preference
WIDTHS = (720, 960, 1024, 1280, 1920)
"""Widths of video frames in which landmarks may have been measured."""
SQUEEZED = 0.84
"""Width over height of a face's landmarks below which they were measured in a frame of non-square pixels.

Over 3,667 rendered faces of the sample it is 0.97 (5 % of them below 0.86); times 720/960 it is 0.73."""


@dataclass(frozen=True)
class Clip:
    """One clip: its annotation and its pictures by frame key; gives its records when called."""

    dataset: str
    clip_id: str
    annotation: Entry
    pictures: Mapping[str, Entry]
    subject_id: str
    split: str
    fps: float

    def __call__(self, notes: Notes) -> Iterator[Record]:
        frames: dict[str, Any] = json.loads(self.annotation.read())["frames"]
        first = _first_key([*frames, *self.pictures])
        landmarks = {key: _landmarks(frame) for key, frame in frames.items()}
        stretch: float | None = None
        for key in sorted(frames, key=int):
            name = f"{PurePosixPath(self.annotation.name).parent}/{key}"
            valence, arousal = _affect(frames[key])
            if np.isnan(valence):
                notes.skip("no label")
                continue
            if key not in self.pictures:
                notes.fault(name, "the picture is missing")
                continue
            if stretch is None:
                stretch = self._stretch([points for points in landmarks.values() if points is not None])
            points = landmarks[key]
            frame = int(key) - first
            yield Record(
                load=partial(Entry.picture, self.pictures[key]),
                name=self.pictures[key].name,
                dataset=self.dataset,
                face_id=f"{self.dataset}/{self.clip_id}/{frame:05d}",
                subject_id=self.subject_id,
                split=self.split,
                valence=valence,
                arousal=arousal,
                clip_id=self.clip_id,
                frame=frame,
                pts=frame,
                time_s=frame / self.fps,
                landmarks=None if points is None else points * (stretch or 1.0, 1.0),
            )
        extra = self.pictures.keys() - frames.keys()
        if extra:
            notes.skip("no label", len(extra))

    def _stretch(self, landmarks: list[np.ndarray]) -> float | None:
        """By what x of the landmarks must be multiplied; None while no picture of the clip can be read."""
        for key in sorted(self.pictures):
            try:
                height, width = self.pictures[key].picture().shape[:2]
            except MtclarError:
                continue
            return stretch(np.array(landmarks), width, height) if landmarks else 1.0
        return None


def read(data: Path, settings: CropSettings, notes: Notes) -> Iterator[Group]:
    """Reads the release, zips or folders; see `mtclar.data.readers.read`.

    Raises:
        MtclarError: There is no clip in the folder.
    """
    found = find(Tree(data), notes)
    if not found:
        raise MtclarError(f"{data}: expected AFEW-VA's clips (001/001.json beside 00000.png ...), found none.")
    subjects = {clip: _subject(clip, actor) for clip, (actor, _, _) in found.items()}
    splits = divide(subjects.values(), validation=settings.validation, test=settings.test, seed=settings.seed)
    for clip, (_, annotation, pictures) in found.items():
        subject = subjects[clip]
        yield Group(annotation.name, Clip(DATASET, clip, annotation, pictures, subject, splits[subject], settings.fps))


def find(tree: Tree, notes: Notes, under: str = "") -> dict[str, tuple[str, Entry, dict[str, Entry]]]:
    """Actor, annotation and pictures by frame key of each clip, in the order of the clips' names."""
    folders: dict[str, dict[str, Entry]] = defaultdict(dict)
    annotations = []
    for name in tree.names():
        path = PurePosixPath(name)
        if not name.startswith(under) or any(part.endswith("_cropped") for part in path.parts):
            continue
        if path.suffix == ".json" and path.stem == path.parent.name:
            annotations.append(path)
        elif path.suffix.lower() in SUFFIXES and path.stem.isdecimal():
            before = folders[str(path.parent)].get(path.stem)
            if before is None or _rank(before.name) > _rank(name):
                folders[str(path.parent)][path.stem] = tree.entry(name)
    clips: dict[str, tuple[str, Entry, dict[str, Entry]]] = {}
    for path in sorted(annotations, key=lambda path: (path.stem, str(path))):
        entry = tree.entry(str(path))
        try:
            content = json.loads(entry.read())
            if not isinstance(content.get("frames"), dict) or not all(key.isdecimal() for key in content["frames"]):
                raise MtclarError("it has no 'frames' by number")
        except (ValueError, AttributeError) as error:
            notes.fault(entry.name, f"not an annotation of AFEW-VA ({error})")
            continue
        if path.stem in clips:
            notes.skip("clip found twice")
            continue
        clips[path.stem] = (str(content.get("actor") or ""), entry, folders[str(path.parent)])
    return clips


def stretch(landmarks: np.ndarray, width: int, height: int) -> float:
    """By what x of a clip's landmarks must be multiplied to fit pictures of `width` by `height` pixels.

    Landmarks that lie beyond the right border were measured in a wider frame. Landmarks of faces that are too narrow,
    none of them in the right quarter of a picture as wide as 960 x 576, were measured in the 720 x 576 frame of a DVD.

    Args:
        landmarks: float (frames, 68, 2).
    """
    right = float(np.median(landmarks[..., 0].max(1)))
    if right > width:
        return width / next((frame for frame in WIDTHS if frame >= right), right)
    sides = np.ptp(landmarks, axis=1)
    narrow = float(np.median(sides[:, 0] / np.maximum(sides[:, 1], 1e-9))) < SQUEEZED
    if narrow and right <= 0.75 * width and abs(width / height - 960 / 576) < 0.05:
        return 960 / 720
    return 1.0


def _rank(name: str) -> int:
    return SUFFIXES.index(PurePosixPath(name).suffix.lower())


def _first_key(keys: list[str]) -> int:
    """1 where a clip counts its frames from 00001, else 0."""
    return 1 if keys and min(int(key) for key in keys) == 1 else 0


def _subject(clip: str, actor: str) -> str:
    name = " ".join(actor.casefold().split())
    return f"{DATASET}/{hashlib.sha256(name.encode()).hexdigest()[:12]}" if name else f"{DATASET}/clip-{clip}"


def _affect(frame: object) -> tuple[float, float]:
    """Valence and arousal in [-1, 1]; NaN where one is missing."""
    if not isinstance(frame, dict):
        return pair(np.nan, np.nan, np.nan)
    valence, arousal = pair(number(frame.get("valence")), number(frame.get("arousal")), np.nan)
    return valence / 10, arousal / 10


def _landmarks(frame: object) -> np.ndarray | None:
    """(68, 2), or None where the frame has no 68 finite points."""
    if not isinstance(frame, dict):
        return None
    try:
        points = np.asarray(frame.get("landmarks"), float)
    except (TypeError, ValueError):
        return None
    return points if points.shape == (68, 2) and np.isfinite(points).all() else None
