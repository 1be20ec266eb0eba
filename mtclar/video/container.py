"""A video file, read with PyAV: streaming, times from the container, shown as a player shows it."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from mtclar.errors import MtclarError
from mtclar.video.clock import Clock, descents, read_packets
from mtclar.video.display import Display
from mtclar.video.frames import Frame, Intervals, Video, VideoFacts, spread
from mtclar.video.stamps import END_GAP_S, mend
from mtclar.video.streams import choose, ends_early, packets_of

# A playlist dressed up as a video must not make us fetch anything.
_OPTIONS = {"protocol_whitelist": "file"}
_MAX_STATED_FPS = 1000.0
_SHORT = 8
"""Of a video with fewer frames than so many times those asked for, all are decoded."""
_MPEG_CLOCK = 1 << 33
_UNSUPPORTED = (av.error.PatchWelcomeError, av.error.NotImplementedError, av.error.ExperimentalError)


class ContainerVideo(Video):
    """One video stream of a file.

    Its packets are looked through before the first frame is decoded, so that times and number of frames are known.
    Where their stamps leave a doubt, the file is decoded once more, before, for the order of its frames.
    """

    def __init__(self, path: Path) -> None:
        """Looks into the file without decoding it.

        Raises:
            MtclarError: The file is missing, empty, no video, cut before its index, or of a codec that is not known.
        """
        super().__init__(path)
        with _open(path) as container:
            self._stream, choice = choose(container, path)
            if choice:
                self._warn(choice)
            stream = container.streams[self._stream]
            context = stream.codec_context
            self._time_base: Fraction = stream.time_base
            self._tick_s = float(stream.time_base)
            self._codec: str = context.name
            self._fps = _stated_fps(stream)
            self._sars = (stream.sample_aspect_ratio, context.sample_aspect_ratio)
            self._stated_frames = int(stream.frames)
            self._begins_s = (container.start_time or 0) / av.time_base
            # AVI has no time stamps: those that FFmpeg makes up are late by what the decoder keeps back.
            is_avi = container.format.name == "avi"
            self._avi_start_s = float((stream.start_time or 0) * stream.time_base) if is_avi else None
            self._clock_turns = container.format.name in ("mpegts", "mpeg") and self._time_base == Fraction(1, 90000)
            self.expected_frames = self._stated_frames or _guess_frames(container, stream, self._fps)
            self._coded_size = (context.width, context.height)
        self._first = Display(path.name, self._warn)
        self._times: np.ndarray | None = None
        self._vary: bool | None = None
        self._whole = True

    def files(self) -> list[Path]:
        return [self.path]

    @property
    def outline(self) -> VideoFacts:
        clock, first = self._clock, self._first
        start = clock.pts[0] if len(clock.pts) else None
        complete = self._times is not None
        width, height = first.size or self._coded_size
        return VideoFacts(
            width=width,
            height=height,
            rotation=first.rotation,
            mirrored=first.mirrored,
            time_base=f"{self._time_base.numerator}/{self._time_base.denominator}",
            start_time=None if start is None else round(start),
            nominal_fps=self._fps,
            is_vfr=self._vary if complete else None,
            n_frames=len(self._times) if self._times is not None else None,
            codec=self._codec,
            sha256="",
            warnings=self.warnings,
            sar=f"{first.sar.numerator}/{first.sar.denominator}",
            media_offset_s=0.0 if start is None else self._offset_s(float(start)),
            stream=self._stream,
            stamps_mended=clock.mended,
            **first.colour,
        )

    def timeline(self) -> np.ndarray:
        if self._times is not None:
            return self._times.copy()
        pts = self._clock.pts
        return (pts - pts[:1]) * self._tick_s

    @functools.cached_property
    def _clock(self) -> Clock:
        """The stamps of the frames, from those of the packets, or of the decoded frames where those leave a doubt."""
        with _open(self.path) as container:
            stream = container.streams[self._stream]
            packets = read_packets(container, stream, lambda first: self._look(first, stream))
        step = packets.step or (1 / (self._fps * self._tick_s) if self._fps else 1.0)
        sorted_out = packets.presented and packets.ascend and descents(packets.shown) > 0
        if packets.in_order(self._tick_s) and not sorted_out:
            pts = np.sort(np.array(packets.stamps, float))
            first = packets.shown[0] if packets.shown else None
            return self._told(Clock(pts if first is None else pts[pts >= first], True, step, 0))
        stamps = packets.stamps
        if packets.presented and not sorted_out:
            with _open(self.path) as container:
                stamps = [frame.pts for frame in self._decoded(container, container.streams[self._stream])]
            sorted_out = descents(stamps) > descents(packets.stamps) + 2
            stamps = packets.stamps if sorted_out else stamps
        if sorted_out:
            self._warn(f"{self.path.name}: the time stamps come in decoding order; they were sorted.")
        mended = mend(stamps, step, self._tick_s, _MPEG_CLOCK if self._clock_turns else None)
        for sentence in mended.sentences(self.path.name, self._tick_s):
            self._warn(sentence)
        return self._told(Clock(mended.pts, False, step, int((mended.wrong | mended.missing).sum())))

    def _told(self, clock: Clock) -> Clock:
        """The clock, after a word where the video starts later than the file."""
        self.expected_frames = len(clock.pts) or self.expected_frames
        late = self._offset_s(float(clock.pts[0])) if len(clock.pts) else 0.0
        if late > max(0.001, clock.step * self._tick_s / 2):
            self._warn(
                f"{self.path.name}: the video starts {late:.3f} s later than the file; times count from its first "
                "frame (for anchors in the time of the file: --anchor-clock media)."
            )
        return clock

    def _offset_s(self, start: float) -> float:
        """Seconds from the start of the file to the first frame, whose stamp is `start`."""
        first = self._avi_start_s if self._avi_start_s is not None else start * self._tick_s
        begins = 0.0 if self._begins_s < 0 <= first else self._begins_s
        return round(first - begins, 6) if 0 < first - begins < END_GAP_S else 0.0

    def _look(self, first: Any, stream: Any) -> None:
        """Takes note of what the first picture states about itself."""
        self._first.look(first, self._sar(stream))

    def _sar(self, stream: Any) -> Fraction | None:
        """The sample aspect ratio of the container, unless the pictures have changed theirs.

        PyAV tells that of the picture decoded last, a few frames ahead of the one shown.
        """
        now = stream.codec_context.sample_aspect_ratio
        stated, coded = self._sars
        return now if now and now != coded else stated

    def _read(self) -> Iterator[Frame]:
        """Yields the frames; those before a damaged place are kept, and the damage becomes a warning."""
        clock = self._clock
        display = Display(self.path.name, self._warn, self._first.size)
        seen, times, odd = Intervals(), array("d"), 0
        with _open(self.path) as container:
            stream = container.streams[self._stream]
            stream.thread_type = "AUTO"
            for decoded in self._decoded(container, stream):
                stamp = decoded.pts if clock.own else clock.at(seen.count)
                if stamp is None or (seen.last is not None and stamp <= seen.last):
                    stamp, odd = clock.after(seen.last), odd + 1
                image = display.show(decoded, self._sar(stream), seen.count)
                seen.add(stamp)
                times.append(float((stamp - (seen.first or 0)) * self._tick_s))
                yield Frame(seen.count - 1, round(stamp), times[-1], image)
            self._check_count(clock, seen.count, odd)
        self._vary, self._times = seen.vary, np.array(times)

    def sampled(self, count: int) -> Iterator[Frame]:
        clock, n = self._clock, len(self._clock.pts)
        found = 0
        if clock.own and n > _SHORT * count:
            with _open(self.path) as container:
                for frame in self._key_frames(container, [clock.pts[index] for index in spread(n, count)]):
                    found += 1
                    yield frame
        if not found:  # a short file, or one that can only be read from its start
            some = set(spread(n, count))
            yield from (frame for frame in self._read() if frame.index in some)

    def _key_frames(self, container: Any, wanted: Sequence[float]) -> Iterator[Frame]:
        """The key frames before wanted time stamps, each once; nothing more once the file cannot be entered."""
        clock, last = self._clock, -1
        stream = container.streams[self._stream]
        stream.codec_context.skip_frame = "NONKEY"
        display = Display(self.path.name, self._warn, self._first.size)
        for stamp in wanted:
            try:
                container.seek(round(stamp), stream=stream, backward=True)
                decoded = next(container.decode(stream), None)
            except av.error.FFmpegError:
                return
            if decoded is None or decoded.pts is None:
                continue
            index = max(0, int(np.searchsorted(clock.pts, decoded.pts, side="right")) - 1)
            if index > last:
                last, time_s = index, float((decoded.pts - clock.pts[0]) * self._tick_s)
                yield Frame(index, decoded.pts, time_s, display.show(decoded, self._sar(stream), index))

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """The decoder's frames in presentation order, as far as the file can be read.

        Raises:
            MtclarError: There is none.
        """
        more = f"{self.path.name}: in the middle of the file begins another stream, which was not read."
        packets = packets_of(container, stream, on_new=lambda: self._warn(more))
        read = frames = spoiled = 0
        faults: list[tuple[int, av.error.FFmpegError]] = []
        broken: av.error.FFmpegError | None = None
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                broken = error
                break
            if packet is None:
                break
            read += packet.size > 0
            try:
                for decoded in packet.decode():
                    frames, spoiled = frames + 1, spoiled + bool(decoded.is_corrupt)
                    yield decoded
            except av.error.EOFError:
                break
            except av.error.FFmpegError as error:
                faults.append((read, error))
        if broken:
            for decoded in _drain(stream):
                frames += 1
                yield decoded
        early = ends_early(self.path)
        if early or broken:  # of the last packet only a part is there
            faults = [fault for fault in faults if fault[0] < read]
        self._tell(frames, spoiled, faults, early, broken)

    def _tell(
        self,
        frames: int,
        spoiled: int,
        faults: list[tuple[int, av.error.FFmpegError]],
        early: bool,
        broken: av.error.FFmpegError | None,
    ) -> None:
        """Says what of the file could not be read.

        Raises:
            MtclarError: Not one of its frames could.
        """
        name = self.path.name
        unknown = [error for _, error in faults if isinstance(error, _UNSUPPORTED)]
        if not frames:
            why = (
                f"the video uses a part of the codec {self._codec} that is not supported here; convert it to H.264 MP4"
            )
            raise MtclarError(
                f"{self.path}: {why}."
                if unknown
                else f"{self.path}: no frame of the video can be decoded; the file is damaged or cut short."
            )
        stated = f" of {self._stated_frames}" if self._stated_frames else ""
        if early:
            self._warn(f"{name}: the file is cut short; {frames}{stated} frames could be read.")
        elif broken:
            self._warn(
                f"{name}: the file is damaged or cut short; {frames}{stated} frames could be read ({broken.strerror})."
            )
        if unknown:
            self._warn(
                f"{name}: {len(unknown)} packets use a part of the codec {self._codec} that is not supported here, and "
                "what they show is missing; convert the file to H.264 MP4."
            )
        damaged = [fault for fault in faults if fault[1] not in unknown]
        if damaged:
            after, error = damaged[0]
            places = (
                "a damaged place was skipped"
                if len(damaged) == 1
                else f"{len(damaged)} damaged places were skipped, the first"
            )
            self._warn(f"{name}: {places} after {after} packets ({error.strerror}).")
        if spoiled:
            self._warn(f"{name}: {spoiled} frames are damaged and shown as well as they could be decoded.")
        self._whole = not (faults or early or broken)

    def _check_count(self, clock: Clock, count: int, odd: int) -> None:
        """Says where the frames differ from what the packets promised."""
        name = self.path.name
        if count < len(clock.pts) and self._whole:
            self._warn(f"{name}: {len(clock.pts) - count} of the file's {len(clock.pts)} packets showed no picture.")
        if odd:
            self._warn(f"{name}: {odd} frames without a usable time stamp got one between their neighbours.")
        if count == 1:
            self._warn(f"{name}: the video has a single picture, so there is a single row of labels.")


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
