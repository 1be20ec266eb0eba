"""A folder of numbered pictures, or a single picture, read as a video."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtclar.data.store import decode
from mtclar.errors import MtclarError
from mtclar.video.display import fitted
from mtclar.video.frames import Frame, Video, VideoFacts, spread

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})


class Numbered(NamedTuple):
    """A picture whose name ends in a number."""

    number: int
    path: Path
    before: str
    """What stands before the number."""


def numbered(folder: Path) -> list[Numbered]:
    """The pictures of a folder that make a sequence, in the order of their numbers.

    Those whose whole name is a number (00000.png); if there are none, those with the same name before the number and
    the same ending (out-001.jpg, frame_0001.jpg), if there are two of them at least and no second such sequence. Other
    pictures are left out.
    """
    sequences: dict[tuple[str, str], list[Numbered]] = defaultdict(list)
    for path in folder.iterdir():
        named = re.fullmatch(r"(.*?)([0-9]+)", path.stem, re.DOTALL)
        if named and path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."):
            before = named[1]
            sequences[before, path.suffix.lower() if before else ""].append(Numbered(int(named[2]), path, before))
    found = sequences.get(("", ""))
    if not found:
        several = [pictures for pictures in sequences.values() if len(pictures) > 1]
        found = several[0] if len(several) == 1 else []
    return sorted(found, key=lambda picture: (picture.number, picture.path.name))


def is_sequence(pictures: Sequence[Numbered]) -> bool:
    """Whether they were numbered as frames of a video: by numbers alone, or evenly spaced after a name."""
    steps = {after.number - picture.number for picture, after in itertools.pairwise(pictures)}
    return bool(pictures) and (not pictures[0].before or len(steps) == 1)


class PictureVideo(Video):
    """A folder of numbered pictures; a picture's number, less the first one's, over `fps` is its time.

    A file is one picture, at time 0. Pictures are turned as their EXIF orientation says. All are shown at the size of
    the first.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Lists the folder.

        Raises:
            MtclarError: The folder holds no numbered pictures, or two with the same number.
        """
        super().__init__(path)
        pictures = numbered(path) if path.is_dir() else [Numbered(0, path, "")]
        if not pictures:
            raise MtclarError(
                f"{path}: expected a video file or a folder of numbered pictures such as 00000.png or out-001.jpg, of "
                "one name."
            )
        for picture, after in itertools.pairwise(pictures):
            if picture.number == after.number:
                raise MtclarError(f"{after.path}: two pictures have the number {after.number}; keep one of them.")
        self._pictures = [picture.path for picture in pictures]
        self._fps = fps
        self._pts = [picture.number - pictures[0].number for picture in pictures]
        self.expected_frames = len(self._pictures)
        self._first_shape = self._picture(0).shape

    def files(self) -> list[Path]:
        return self._pictures

    def _picture(self, index: int) -> np.ndarray:
        path = self._pictures[index]
        try:
            return decode(path.read_bytes(), str(path))
        except OSError as error:
            raise MtclarError(f"{path}: the picture cannot be read ({error.strerror}).") from error

    @property
    def outline(self) -> VideoFacts:
        return VideoFacts(
            width=self._first_shape[1],
            height=self._first_shape[0],
            rotation=0,
            mirrored=False,
            time_base=f"1/{self._fps:g}",
            start_time=0,
            nominal_fps=self._fps,
            is_vfr=len(set(np.diff(self._pts).tolist())) > 1,
            n_frames=len(self._pts),
            codec=self._pictures[0].suffix.lower().lstrip("."),
            sha256="",
            warnings=self.warnings,
            matrix="rgb",
            range="full",
        )

    def timeline(self) -> np.ndarray:
        return np.array(self._pts) / self._fps

    def _read(self) -> Iterator[Frame]:
        yield from self._frames(range(len(self._pts)))

    def sampled(self, count: int) -> Iterator[Frame]:
        yield from self._frames(spread(len(self._pts), count))

    def _frames(self, some: Iterable[int]) -> Iterator[Frame]:
        size = (self._first_shape[1], self._first_shape[0])
        for index in some:
            pts, image = self._pts[index], self._picture(index)
            if image.shape != self._first_shape:
                self._warn(
                    f"{self.path.name}: not all pictures have the size of the first, {size[0]}x{size[1]}; the others "
                    "are shown at that size."
                )
            yield Frame(index, pts, pts / self._fps, fitted(image, size))
