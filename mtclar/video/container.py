"""A video file, read with PyAV: streaming, times from the container, the display matrix applied."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mtclar.errors import MtclarError
from mtclar.video.frames import Frame, Intervals, Video, VideoFacts

# A playlist dressed up as a video must not make us fetch anything.
_OPTIONS = {"protocol_whitelist": "file"}
_MAX_STATED_FPS = 1000.0


class ContainerVideo(Video):
    """The first video stream of a file."""

    def __init__(self, path: Path) -> None:
        """Looks into the file without decoding it.

        Raises:
            MtclarError: The file is missing, empty, no video, cut before its index, or of a codec that is not known.
        """
        super().__init__(path)
        with _open(path) as container:
            stream = _video_stream(container, path)
            self._time_base: Fraction = stream.time_base
            self._codec: str = stream.codec_context.name
            self._size = (stream.codec_context.width, stream.codec_context.height)
            self._fps = _stated_fps(stream)
            self._stated_frames = int(stream.frames)
            self.expected_frames = self._stated_frames or _guess_frames(container, stream, self._fps)
        self._turn = (0, False)
        self._seen: Intervals | None = None
        self._complete: int | None = None

    def _files(self) -> list[Path]:
        return [self.path]

    @property
    def facts(self) -> VideoFacts:
        seen = self._seen
        return VideoFacts(
            width=self._size[0],
            height=self._size[1],
            rotation=self._turn[0],
            mirrored=self._turn[1],
            time_base=f"{self._time_base.numerator}/{self._time_base.denominator}",
            start_time=seen.first if seen else None,
            nominal_fps=self._fps,
            is_vfr=seen.vary if seen and self._complete is not None else None,
            n_frames=self._complete,
            codec=self._codec,
            sha256=self.sha256,
            warnings=self.warnings,
        )

    def _read(self) -> Iterator[Frame]:
        """Yields the frames; those before a damaged place are kept, and the damage becomes a warning."""
        seen = self._seen = Intervals()
        step = max(1, round(1 / (self._time_base * Fraction(self._fps).limit_denominator(1001)))) if self._fps else 1
        with _open(self.path) as container:
            stream = _video_stream(container, self.path)
            stream.thread_type = "AUTO"
            for decoded in self._decoded(container, stream):
                pts = decoded.pts if decoded.pts is not None else decoded.dts
                if pts is None or (seen.last is not None and pts <= seen.last):
                    self._warn(f"{self.path.name}: frames without a usable time stamp got one after the last.")
                    pts = 0 if seen.last is None else seen.last + step
                self._turn = _turn(decoded)
                image = _upright(decoded.to_ndarray(format="rgb24"), *self._turn)
                self._size = (image.shape[1], image.shape[0])
                seen.add(pts)
                time_s = float((pts - (seen.first or 0)) * self._time_base)
                yield Frame(seen.count - 1, pts, time_s, image)
        if not seen.count:
            raise MtclarError(f"{self.path}: no frame of the video can be decoded; the file is damaged or cut short.")
        self._complete = seen.count

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """The decoder's frames in presentation order; ends at a damaged place of the file."""
        packets = container.demux(stream)
        read = 0
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                self._cut_short(read, error)
                yield from _drain(stream)
                return
            read += packet.size > 0
            try:
                yield from packet.decode()
            except av.error.EOFError:
                break
            except av.error.FFmpegError as error:
                self._warn(f"{self.path.name}: a damaged place was skipped after {read} packets ({error.strerror}).")
        self._check_end(container, stream)

    def _cut_short(self, read: int, error: av.error.FFmpegError) -> None:
        stated = f" of the {self._stated_frames} stated" if self._stated_frames else ""
        self._warn(
            f"{self.path.name}: damaged or cut short; about {read}{stated} frames could be read ({error.strerror})."
        )

    def _check_end(self, container: Any, stream: Any) -> None:
        """Warns where the frames end well before the container says they do."""
        seen = self._seen
        if seen is None or seen.last is None or seen.first is None:
            return
        # MP4 lists where each picture lies; av before 16 does not show that list.
        ends = [entry.pos + entry.size for entry in getattr(stream, "index_entries", ())]
        if ends and max(ends) > self.path.stat().st_size:
            stated = f" of {self._stated_frames}" if self._stated_frames else ""
            self._warn(f"{self.path.name}: the file is cut short; {seen.count}{stated} frames could be read.")
            return
        end_s = float((seen.last - seen.first) * self._time_base)
        stated_s = 0.0
        if stream.duration:
            stated_s = float(stream.duration * self._time_base)
        elif container.duration and not container.streams.audio:
            stated_s = container.duration / av.time_base
            end_s = max(
                end_s, float(seen.last * self._time_base)
            )  # Matroska counts from zero, not from its first frame
        if stated_s - end_s > max(1.0, 0.1 * stated_s):
            self._warn(f"{self.path.name}: the frames end at {end_s:.1f} s of {stated_s:.1f} s; the file is cut short.")


def _open(path: Path) -> Any:
    try:
        if path.stat().st_size == 0:
            raise MtclarError(f"{path}: the file is empty (0 bytes); copy or download it again.")
        return av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace")
    except av.error.FFmpegError as error:
        raise MtclarError(f"{path}: {_what_it_is(path)} ({error.strerror}).") from error
    except OSError as error:
        raise MtclarError(f"{path}: the video cannot be read ({error.strerror}); check the path.") from error


def _what_it_is(path: Path) -> str:
    """A guess at why a file is no video, from its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return "the video cannot be read"
    if head.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the video itself; fetch it with 'git lfs pull'"
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable() or all(c.isprintable() or c.isspace() for c in text):
        return "the file holds text, not a video"
    return "not a video that can be read, or one that is cut short; copy or download it again"


def _video_stream(container: Any, path: Path) -> Any:
    streams = [s for s in container.streams.video if not _is_cover(s)] or list(container.streams.video)
    if not streams:
        raise MtclarError(f"{path}: the file holds no video stream, only {_others(container)}.")
    stream = streams[0]
    if stream.codec_context is None or not stream.codec_context.is_decoder:
        raise MtclarError(f"{path}: the video's codec is not known here; convert the file to H.264 MP4.")
    return stream


def _is_cover(stream: Any) -> bool:
    """Whether the stream is a picture attached to a sound file."""
    return bool(stream.disposition & stream.disposition.attached_pic)


def _others(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _stated_fps(stream: Any) -> float | None:
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate < _MAX_STATED_FPS:
            return float(rate)
    return None


def _guess_frames(container: Any, stream: Any, fps: float | None) -> int | None:
    if not fps:
        return None
    if stream.duration:
        return round(float(stream.duration * stream.time_base) * fps)
    return round(container.duration / av.time_base * fps) if container.duration else None


def _drain(stream: Any) -> Iterator[Any]:
    """What the decoder still holds back."""
    try:
        yield from stream.codec_context.decode(None)
    except av.error.FFmpegError:
        return


def _turn(decoded: Any) -> tuple[int, bool]:
    """Degrees clockwise and mirroring that the display matrix asks for, to the nearest quarter turn.

    The matrix holds nine int32 numbers a, b, u, c, d, v, x, y, w; it takes a stored point (p, q) to
    (a p + c q, b p + d q) on the screen, y downwards.
    """
    side = decoded.side_data.get("DISPLAYMATRIX")
    if side is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].astype(float)
    mirrored = a * d - b * c < 0
    if mirrored:  # mirror first (p -> -p), then turn
        a, b = -a, -b
    return round(float(np.degrees(np.arctan2(b, a))) / 90) % 4 * 90, bool(mirrored)


def _upright(image: np.ndarray, rotation: int, mirrored: bool) -> np.ndarray:
    if mirrored:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, -rotation // 90))
