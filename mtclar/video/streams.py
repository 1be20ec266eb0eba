"""What can be said of a file before any of it is decoded: which stream to read, and whether the file is whole."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av

from mtclar.errors import MtclarError


def choose(container: Any, path: Path) -> tuple[int, str | None]:
    """The index of the video stream to read, and a sentence where there was a choice.

    Covers and thumbnails are never read where there is anything else, nor streams of one picture or of a codec that
    is not known. Of the others, the first rule that tells them apart decides: the one marked as default, the one with
    more frames, the larger one, the first. Thumbnails are what is marked as such, and pictures less than a third as
    wide and high as those beside them: most programs mark the first stream as default, whatever it shows.

    Raises:
        MtclarError: There is no video stream, or its codec is not known.
    """
    streams = [s for s in container.streams.video if not _is_still(s)] or list(container.streams.video)
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise MtclarError(f"{path}: the file holds no video stream, only {kinds}.")
    known = [s for s in streams if s.codec_context is not None and s.codec_context.is_decoder]
    if not known:
        raise MtclarError(f"{path}: the video's codec is not known here; convert the file to H.264 MP4.")
    if len(streams) == 1:
        return known[0].index, None
    frames = _frame_counts(container, streams)
    most = max(frames.values())
    largest = max(s.codec_context.width * s.codec_context.height for s in known)

    def rank(stream: Any) -> tuple[bool, bool, bool, bool, int, int, int]:
        count, size = frames[stream.index], stream.codec_context.width * stream.codec_context.height
        default = bool(stream.disposition & stream.disposition.default)
        return count > 1, size * 9 >= largest, default, count >= 0.9 * most, size, count, -stream.index

    best = max(known, key=rank)
    listed = []
    for stream in streams:
        default = ", default" if stream.disposition & stream.disposition.default else ""
        context = stream.codec_context
        size = f"{context.width}x{context.height}" if context is not None else "unknown codec"
        listed.append(f"{stream.index}: {size}, {frames[stream.index]} frames{default}")
    return best.index, (
        f"{path.name}: the file holds {len(streams)} video streams ({'; '.join(listed)}); stream {best.index} was read."
    )


def _is_still(stream: Any) -> bool:
    """Whether the stream is a cover, or a track of thumbnails."""
    marks = stream.disposition
    return bool(marks & (marks.attached_pic | marks.timed_thumbnails | marks.still_image))


def _frame_counts(container: Any, streams: list[Any]) -> Counter[int]:
    counts: Counter[int] = Counter({stream.index: 0 for stream in streams})
    try:
        for packet in packets_of(container, *streams):
            counts[packet.stream_index] += packet.size > 0
    except av.error.FFmpegError:
        pass  # said when the stream is read
    return counts


def packets_of(container: Any, *streams: Any, on_new: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """The packets of the streams; `on_new` is called where one begins that the file has not announced."""
    while True:
        try:
            yield from container.demux(*streams)
            return
        except IndexError:  # PyAV does not know that stream; what follows can be read
            on_new()


def ends_early(path: Path) -> bool:
    """Whether the file is shorter than what it says of itself: MP4, Matroska, AVI and ASF say the size of their parts.

    Other formats say nothing, so that of their files it is not known.
    """
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            head = file.read(16)
            file.seek(0)
            if head[4:8] in _BOXES:
                return any(end > size + _SLACK for end in _boxes(file, size))
            if head.startswith(b"\x1aE\xdf\xa3"):
                return any(end > size + _SLACK for end in _elements(file))
            if head.startswith(b"RIFF"):
                return any(end > size + _SLACK for end in _riffs(file, size))
            if head == _ASF_HEADER:
                return any(end > size + _SLACK for end in _objects(file, size))
    except (OSError, struct.error):
        pass
    return False


_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"sidx", b"mfra", b"free", b"skip", b"wide", b"pnot"})
_SLACK = 64  # some programs count a header twice
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def _boxes(file: BinaryIO, size: int) -> Iterator[int]:
    """Where the boxes of an MP4 or QuickTime file end (ISO/IEC 14496-12, 4.2); stops at what is none."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind not in _BOXES and kind not in (b"uuid", b"udta", b"meta"):
            return
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < 8:  # 0: up to the end of the file
            return
        at += length
        yield at


def _elements(file: BinaryIO) -> Iterator[int]:
    """Where the header and the segment of a Matroska or WebM file end (RFC 8794); nothing of one of unknown size."""
    for _ in range(2):
        identifier = file.read(4)
        first = file.read(1)[0]
        width = 9 - first.bit_length()
        length = int.from_bytes(bytes([first & (0xFF >> width)]) + file.read(width - 1), "big")
        if identifier not in (b"\x1aE\xdf\xa3", b"\x18S\x80g") or length == (1 << 7 * width) - 1:
            return
        yield file.seek(length, 1)


def _riffs(file: BinaryIO, size: int) -> Iterator[int]:
    """Where the RIFF chunks of an AVI file end; large files have several."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or not length:
            return
        at += 8 + length
        yield at


def _objects(file: BinaryIO, size: int) -> Iterator[int]:
    """Where the objects of an ASF or WMV file end."""
    at = 0
    while at + 24 <= size:
        file.seek(at + 16)
        (length,) = struct.unpack("<Q", file.read(8))
        if length < 24:
            return
        at += length
        yield at


def described(path: Path) -> tuple[str, ...]:
    """What streams a file holds, such as `video h264 1920x1080` and `audio aac 48000 Hz`, in their order.

    Raises:
        OSError: The file cannot be opened.
    """
    said = []
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
        for stream in container.streams:
            context: Any = stream.codec_context
            more = ""
            if context is not None and stream.type == "video":
                more = f" {context.width}x{context.height}"
            elif context is not None and stream.type == "audio":
                more = f" {context.sample_rate} Hz"
            codec = context.name if context is not None else "unknown codec"
            said.append(f"{stream.type} {codec}{more}")
    return tuple(said)
