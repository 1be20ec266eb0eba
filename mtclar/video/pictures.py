"""A folder of numbered pictures, or a single picture, read as a video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mtclar.data.store import decode
from mtclar.errors import MtclarError
from mtclar.video.frames import Frame, Intervals, Video, VideoFacts

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp"})


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder whose whole name is a number (00000.png), in the order of the numbers."""
    found = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES and path.stem.isascii() and path.stem.isdigit()
    )
    return sorted(found, key=lambda path: (int(path.stem), path.name))


class PictureVideo(Video):
    """A folder of numbered pictures; a picture's number, less the first one's, over `fps` is its time.

    A file is one picture, at time 0.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Lists the folder.

        Raises:
            MtclarError: The folder holds no numbered pictures, or two with the same number.
        """
        super().__init__(path)
        self._pictures = numbered_pictures(path) if path.is_dir() else [path]
        if not self._pictures:
            raise MtclarError(f"{path}: expected a video file or a folder of numbered pictures such as 00000.png.")
        numbers = [int(picture.stem) for picture in self._pictures] if path.is_dir() else [0]
        for number, after, picture in zip(numbers, numbers[1:], self._pictures[1:], strict=False):
            if number == after:
                raise MtclarError(f"{picture}: two pictures have the number {number}; keep one of them.")
        self._fps = fps
        self._pts = [number - numbers[0] for number in numbers]
        self.expected_frames = len(self._pictures)
        self._first_shape = self._picture(0).shape

    def _files(self) -> list[Path]:
        return self._pictures

    def _picture(self, index: int) -> np.ndarray:
        path = self._pictures[index]
        try:
            return decode(path.read_bytes(), str(path))
        except OSError as error:
            raise MtclarError(f"{path}: the picture cannot be read ({error.strerror}).") from error

    @property
    def facts(self) -> VideoFacts:
        seen = Intervals()
        for pts in self._pts:
            seen.add(pts)
        return VideoFacts(
            width=self._first_shape[1],
            height=self._first_shape[0],
            rotation=0,
            mirrored=False,
            time_base=f"1/{self._fps:g}",
            start_time=0,
            nominal_fps=self._fps,
            is_vfr=self._pts[-1] != len(self._pts) - 1,
            n_frames=len(self._pts),
            codec=self._pictures[0].suffix.lower().lstrip("."),
            sha256=self.sha256,
            warnings=self.warnings,
        )

    def timeline(self) -> np.ndarray:
        return np.array(self._pts) / self._fps

    def _read(self) -> Iterator[Frame]:
        for index, pts in enumerate(self._pts):
            yield Frame(index, pts, pts / self._fps, self._picture(index))
