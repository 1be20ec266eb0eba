"""What a video is to the rest of the house: an iterable of frames and the facts about its file."""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Frame:
    """One displayed picture of a video.

    Attributes:
        index: 0-based, in presentation order, without gaps.
        pts: Presentation time stamp in units of the video's time base: as the container gives it where that can be
            believed, else the nearest to `time_s`.
        time_s: Seconds from the first displayed frame.
        image: uint8 RGB (h, w, 3), upright, with square pixels; all frames of a video have one size.
    """

    index: int
    pts: int
    time_s: float
    image: np.ndarray


@dataclass(frozen=True)
class VideoFacts:
    """What is known of a video's file.

    Attributes:
        width, height: Pixels of a displayed frame: upright, its pixels square. All frames have this size.
        rotation: Degrees clockwise (0, 90, 180, 270) by which the stored pictures were turned to stand upright.
        mirrored: Whether they were mirrored, too.
        time_base: Seconds of one PTS unit, as a fraction such as "1/15360".
        start_time: PTS of the first displayed frame; None where nothing can be shown.
        nominal_fps: The rate the container states; None where it states none. Never use it to compute a time.
        is_vfr: Whether the intervals between frames differ by more than rounding; None before the video was read.
        n_frames: Number of frames; None before the video was read to its end.
        codec: Name of the codec, or of the picture format.
        sha256: Of the file, or of all pictures of a folder in order.
        warnings: One sentence for everything that was not as it should be.
        sar: Width of a stored pixel over its height (the sample aspect ratio), such as "64/45".
        media_offset_s: How much later than the file the video starts, in seconds: a moment at `time_s` is at
            `time_s + media_offset_s` in a player that counts from the start of the file.
        stream: Index of the stream in the file.
        stamps_mended: Number of frames whose time stamp was wrong or missing.
        transfer, primaries, matrix, range: How the stored colours are coded, as the file states; HDR and wide colours
            are converted to those of an ordinary screen.
    """

    width: int
    height: int
    rotation: int
    mirrored: bool
    time_base: str
    start_time: int | None
    nominal_fps: float | None
    is_vfr: bool | None
    n_frames: int | None
    codec: str
    sha256: str
    warnings: tuple[str, ...] = ()
    sar: str = "1/1"
    media_offset_s: float = 0.0
    stream: int = 0
    stamps_mended: int = 0
    transfer: str = "unspecified"
    primaries: str = "unspecified"
    matrix: str = "unspecified"
    range: str = "unspecified"

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON can hold them."""
        return {**asdict(self), "warnings": list(self.warnings)}


class Intervals:
    """The smallest and the largest interval between time stamps that came by, in PTS units."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.count = 0
        self._low: float | None = None
        self._high = 0.0

    def add(self, pts: float) -> None:
        """Takes the time stamp of the next frame."""
        if self.last is None:
            self.first = pts
        else:
            step = pts - self.last
            self._low = step if self._low is None else min(self._low, step)
            self._high = max(self._high, step)
        self.last = pts
        self.count += 1

    @property
    def vary(self) -> bool:
        """Whether they differ by more than the rounding of two stamps and one percent."""
        return self._low is not None and self._high - self._low > 1 + 0.01 * self._low


def spread(n: int, count: int) -> list[int]:
    """`count` of n positions, evenly spaced from the first to the last; all of them if they are no more."""
    return np.unique(np.linspace(0, n - 1, num=min(n, count)).round().astype(int)).tolist() if n else []


class Video(ABC):
    """Frames of one video. It can be read more than once; each pass decodes anew and holds one frame at a time.

    Attributes:
        path: The file, or the folder of pictures.
        expected_frames: What the container says or lets one guess, for a progress bar; None where nothing is known.

    Example:
        with open_video(Path("clip.mp4")) as video:
            for frame in video:
                use(frame.image, frame.time_s)
        video.facts.n_frames
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.expected_frames: int | None = None
        self._warnings: dict[str, None] = {}
        self._passes: list[Iterator[Frame]] = []

    def __enter__(self) -> Video:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        frames = self._read()
        self._passes.append(frames)
        return frames

    @abstractmethod
    def timeline(self) -> np.ndarray:
        """float64 (n,): `time_s` of every frame, without decoding more than is needed to know them.

        It is what the packets of the file say; if reading to the end shows that some hold no picture, it is from then
        on what the frames had.

        Raises:
            MtclarError: The file cannot be read.
        """

    def close(self) -> None:
        """Ends every pass that is under way and frees its decoder; the facts stay."""
        for frames in self._passes:
            frames.close()  # type: ignore[attr-defined]
        self._passes.clear()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for everything that was not as it should be, so far."""
        return tuple(self._warnings)

    def _warn(self, sentence: str) -> None:
        self._warnings[sentence] = None

    @functools.cached_property
    def sha256(self) -> str:
        """Of the file, or of all pictures of a folder in order; read on the first use."""
        digest = hashlib.sha256()
        for path in self.files():
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    @property
    def facts(self) -> VideoFacts:
        """What is known by now; complete after one pass to the end."""
        return replace(self.outline, sha256=self.sha256)

    @property
    @abstractmethod
    def outline(self) -> VideoFacts:
        """As `facts`, but without the sha256, for which the whole file would have to be read."""

    @abstractmethod
    def sampled(self, count: int) -> Iterator[Frame]:
        """About so many frames, spread over the video, in their order; quick where the file can be entered anywhere.

        Of a long file they are the key frames before evenly spaced times, each once, so they may be fewer.

        Raises:
            MtclarError: The file cannot be read.
        """

    @abstractmethod
    def _read(self) -> Iterator[Frame]:
        """One pass over the frames, as a generator."""

    @abstractmethod
    def files(self) -> list[Path]:
        """The files the video consists of, in order."""
