"""Videos that any browser plays: H.264, yuv420p, MP4, its index at the front; whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError

FINE = Fraction(1, 90_000)
"""Time base of a video of variable rate, in seconds: that of MPEG, which the usual rates divide."""
AUDIO_IN_MP4 = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"})
"""Codecs whose packets an MP4 file takes as they are."""
STANDARD_RATES = tuple(
    Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "30", "48", "50", "60000/1001", "60")
)
_SLOWEST, _FASTEST = Fraction(1), Fraction(240)
_BT709, _LIMITED = 1, 1  # numbers of ITU-T H.273


class VideoWriter:
    """Writes pictures one after the other, and the audio of their source beside them.

    Example:
        with VideoWriter(Path("out.mp4"), (640, 480), rate=Fraction(25)) as writer:
            for frame in video:
                writer.write(frame.image)
        writer.notes

    Attributes:
        size: Width and height of the pictures written: the given ones, made even by repeating the last column or row.
        notes: What became of the audio, if it is not there.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        rate: Fraction | None = None,
        crf: int = 20,
        audio_of: Path | None = None,
        audio_shift_s: float = 0.0,
    ) -> None:
        """Says what will be written; entered, it begins.

        Args:
            path: Where to; a file that lies there is replaced once the new one is whole.
            size: Width and height of the pictures.
            rate: Frames a second, of a video of constant rate; None where each picture comes with its time.
            crf: Of x264: 0 is lossless, 18 looks as the source, 23 is x264's own.
            audio_of: A file whose first audio stream is copied, packet by packet, if MP4 can hold it.
            audio_shift_s: Added to the times of the audio, which count from the start of its file.
        """
        self.path, self._rate, self._crf = path, rate, crf
        self.size = size[0] + size[0] % 2, size[1] + size[1] % 2
        self.notes: tuple[str, ...] = ()
        self._audio_of, self._shift_s = audio_of, audio_shift_s
        self._whole: AbstractContextManager[Path]
        self._audio: _Audio | None = None
        self._count, self._last = 0, -1

    def __enter__(self) -> VideoWriter:
        self._whole = whole_file(self.path)
        partial = self._whole.__enter__()
        try:
            self._out: Any = av.open(f"file:{partial}", "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._out.add_stream("libx264", rate=self._rate or 25)
            self._stream.width, self._stream.height, self._stream.pix_fmt = *self.size, "yuv420p"
            context = self._stream.codec_context
            context.time_base = 1 / self._rate if self._rate else FINE
            # No B-frames, and a key frame every second: players and browsers then find every frame at its time.
            key = round(self._rate) if self._rate else 25
            context.options = {"crf": str(self._crf), "preset": "veryfast", "bf": "0", "g": str(max(1, key))}
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
            if self._audio_of is not None:
                self._audio = _Audio.beside(self._out, self._audio_of, self._shift_s)
                self.notes = () if self._audio is None or self._audio.stream is not None else (self._audio.note,)
        except BaseException as error:
            self._whole.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, image: np.ndarray, time_s: float | None = None) -> None:
        """Writes the next picture, uint8 RGB (h, w, 3); with its time in seconds where there is no constant rate.

        Raises:
            MtclarError: It cannot be written.
        """
        stamp = self._count if time_s is None else max(self._last + 1, round(time_s / FINE))
        frame = av.VideoFrame.from_ndarray(_even(image, self.size), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = stamp, self._stream.codec_context.time_base
        try:
            self._out.mux(self._stream.encode(frame))
            if self._audio is not None:
                self._audio.copy(float(stamp * self._stream.codec_context.time_base))
        except av.error.FFmpegError as error:
            raise MtclarError(f"{self.path}: the video cannot be written ({error.strerror}).") from error
        self._count, self._last = self._count + 1, stamp

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        failed = error
        try:
            try:
                if error is None:
                    self._out.mux(self._stream.encode(None))
                    if self._audio is not None:
                        self._audio.copy(float("inf"))
            finally:
                if self._audio is not None:
                    self._audio.close()
                self._out.close()
        except OSError as broken:  # FFmpeg's errors are among them
            failed = failed or MtclarError(f"{self.path}: the video cannot be written ({broken.strerror}).")
        self._whole.__exit__(type(failed) if failed else None, failed, at)
        if failed is not None and error is None:
            raise failed


class _Audio:
    """The first audio stream of a file, on its way into another, packet by packet."""

    def __init__(self, source: Any, out: Any, shift_s: float) -> None:
        self._source, self._out, self._shift_s = source, out, shift_s
        own = source.streams.audio[0]
        self.stream: Any = None
        self.note = f"The audio ({own.codec_context.name}) cannot be copied into MP4; the video has none."
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        if own.codec_context.name in AUDIO_IN_MP4:
            self.stream = out.add_stream_from_template(own)
            self._begins_s = max(0.0, (source.start_time or 0) / av.time_base)
            self._packets = self._read(own)
            self._next = next(self._packets, None)

    @classmethod
    def beside(cls, out: Any, path: Path, shift_s: float) -> _Audio | None:
        """The audio of a file; None where it has none."""
        if not path.is_file():
            return None
        source = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
        if source.streams.audio and source.streams.audio[0].codec_context is not None:
            return cls(source, out, shift_s)
        source.close()
        return None

    def _read(self, own: Any) -> Iterator[Any]:
        """The packets that can be shown, none before the video begins; up to the first that cannot be read."""
        shift = round((self._shift_s - self._begins_s) / own.time_base)
        try:
            for packet in self._source.demux(own):
                if not packet.size or packet.pts is None or packet.pts + shift < 0:
                    continue
                packet.pts += shift
                packet.dts = packet.pts
                packet.stream = self.stream
                yield packet
        except av.error.FFmpegError:
            return

    def copy(self, until_s: float) -> None:
        """Writes the packets up to a time of the video."""
        while self._next is not None and float(self._next.pts * self._next.time_base) <= until_s:
            self._out.mux(self._next)
            self._next = next(self._packets, None)

    def close(self) -> None:
        self._source.close()


def constant_rate(times_s: np.ndarray, stated: float | None = None) -> Fraction:
    """Frames a second at which as many frames take as long: a usual rate if it drifts by less than half a frame.

    Args:
        times_s: float (n,), ascending, of the frames.
        stated: The rate that the file states; it counts where several fit, and for a single frame.
    """
    n = len(times_s)
    span = float(times_s[-1] - times_s[0]) if n > 1 else 0.0
    mean = (n - 1) / span if span > 0 else stated or 25.0
    usual = [
        rate
        for rate in STANDARD_RATES
        if abs((n - 1) / rate - span) < 0.5 / rate and abs(float(rate) / mean - 1) < 0.01
    ]
    if span > 0 and usual:
        return min(usual, key=lambda rate: abs(float(rate) - (stated or mean)))
    return min(max(Fraction(mean).limit_denominator(1000), _SLOWEST), _FASTEST)


def _even(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture with its last column and row repeated up to a size; places in it stay where they are."""
    height, width = image.shape[:2]
    if (width, height) != size:
        image = np.pad(image, ((0, size[1] - height), (0, size[0] - width), (0, 0)), mode="edge")
    return np.ascontiguousarray(image)
