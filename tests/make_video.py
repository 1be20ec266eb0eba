"""Small test videos: numbered ones, whose frames carry a code of black and white squares, and ones with a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

BITS, CELL = 8, 16


def numbered(index: int, width: int = 160, height: int = 96) -> np.ndarray:
    """uint8 RGB (height, width, 3) with `index` as white and black squares along the upper edge, red below left."""
    image = np.full((height, width, 3), 96, np.uint8)
    for bit in range(BITS):
        image[:CELL, bit * CELL : (bit + 1) * CELL] = 255 * (index >> bit & 1)
    image[height // 2 :, : width // 4] = (220, 20, 20)
    return image


def number(image: np.ndarray) -> int:
    """Reads the code back from an upright frame."""
    middle = image[CELL // 2, CELL // 2 : BITS * CELL : CELL].astype(float).mean(axis=1)
    return int(sum(int(value > 128) << bit for bit, value in enumerate(middle)))


def with_face(light: float = 1.0, left: int = 60, size: int = 160, width: int = 288, height: int = 192) -> np.ndarray:
    """uint8 RGB (height, width, 3) with a drawn face that every detector finds; `light` scales its brightness."""
    picture = np.full((height, width, 3), (70, 90, 110), np.uint8)
    picture[16 : 16 + size, left : left + size] = np.clip(_face(size) * light, 0, 255)
    return picture


def _face(s: int) -> np.ndarray:
    image = np.full((s, s, 3), (70, 90, 110), np.uint8)

    def ellipse(x: float, y: float, a: float, b: float, colour: tuple[int, int, int]) -> None:
        cv2.ellipse(image, (round(x * s), round(y * s)), (round(a * s), round(b * s)), 0, 0, 360, colour, -1)

    ellipse(0.5, 0.42, 0.34, 0.40, (60, 40, 30))
    ellipse(0.5, 0.52, 0.29, 0.38, (224, 180, 150))
    for x in (0.385, 0.615):
        ellipse(x, 0.40, 0.085, 0.03, (70, 45, 35))
        ellipse(x, 0.415, 0.085, 0.03, (224, 180, 150))
        ellipse(x, 0.47, 0.07, 0.04, (190, 140, 115))
        ellipse(x, 0.475, 0.055, 0.027, (250, 250, 250))
        ellipse(x, 0.475, 0.025, 0.026, (60, 40, 30))
    ellipse(0.5, 0.60, 0.05, 0.035, (205, 155, 130))
    for x in (0.47, 0.53):
        ellipse(x, 0.625, 0.016, 0.01, (130, 80, 70))
    ellipse(0.5, 0.745, 0.11, 0.03, (170, 80, 80))
    ellipse(0.5, 0.742, 0.09, 0.008, (100, 40, 40))
    return cv2.GaussianBlur(image, (0, 0), s / 150)


def write_video(
    path: Path,
    pts: Sequence[int],
    picture: Callable[[int], np.ndarray] = numbered,
    *,
    time_base: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    rotation: int = 0,
    flip: bool = False,
    b_frames: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Writes one frame per time stamp, in units of `time_base`; `picture` makes the frame of an index."""
    height, width = picture(0).shape[:2]
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = (
            width,
            height,
            {"png": "rgb24", "gif": "rgb8"}.get(codec, "yuv420p"),
        )
        stream.codec_context.time_base = time_base
        if codec == "libx264":
            preset = "veryfast" if b_frames else "ultrafast"
            stream.codec_context.options = {"bf": str(b_frames), "crf": "18", "preset": preset, "threads": "1"}
        if rotation or flip:
            stream.set_display_rotation(rotation, hflip=flip)
        for index, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def restamped(path: Path, out: Path, stamps: Callable[[list[int]], Sequence[int]]) -> Path:
    """Copies the packets of a video into `out`; `stamps` makes their new PTS from the old, in the file's order."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        stream = target.add_stream_from_template(source.streams.video[0])
        given = list(stamps([int(packet.pts) for packet in packets]))
        for k, packet in enumerate(packets):
            packet.pts = given[k]
            if out.suffix == ".mkv":  # which keeps no decoding time
                packet.dts = min(given[k:])
            packet.stream = stream
            target.mux(packet)
    return out


def write_planes(
    path: Path,
    planes: Sequence[np.ndarray],
    pix_fmt: str,
    *,
    codec: str = "ffv1",
    colours: dict[str, int] | None = None,
    sar: Fraction | None = None,
    options: dict[str, str] | None = None,
    frames: int = 2,
) -> Path:
    """Writes the same stored picture several times, each plane as it is given, uint8 or uint16 (h, w).

    `colours`: numbers of ITU-T H.273 by PyAV's names color_range, colorspace, color_trc and color_primaries.
    """
    height, width = planes[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.options = options or {}
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        frame = av.VideoFrame(width, height, pix_fmt)
        for plane, values in zip(frame.planes, planes, strict=True):
            rows = np.zeros((plane.height, plane.line_size // values.itemsize), values.dtype)
            stored = values.reshape(plane.height, -1)
            rows[:, : stored.shape[1]] = stored
            plane.update(rows.tobytes())
        for name, number in (colours or {}).items():
            setattr(frame, name, number)
            setattr(stream.codec_context, name, number)
        for index in range(frames):
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sizes(path: Path, sizes: Sequence[tuple[int, int]], each: int = 5, codec: str = "libvpx") -> Path:
    """One stream whose pictures change their size: `each` frames of every (width, height)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        for part, (width, height) in enumerate(sizes):
            encoder = av.CodecContext.create(codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
            encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            encoder.bit_rate = 4_000_000
            encoder.options = {"deadline": "realtime", "auto-alt-ref": "0", "lag-in-frames": "0"}
            for index in [*range(part * each, (part + 1) * each), None]:
                frame = None
                if index is not None:
                    frame = av.VideoFrame.from_ndarray(numbered(index, width, height), format="rgb24")
                    frame.pts, frame.time_base = index, Fraction(1, 25)
                for packet in encoder.encode(frame):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    container.mux(packet)
    return path


def write_streams(
    path: Path,
    streams: Sequence[tuple[int, int, int]],
    *,
    marks: Sequence[str] = (),
    codecs: Sequence[str] = (),
) -> Path:
    """Several video streams, each (width, height, frames); `marks` are their dispositions, such as "default"."""
    with av.open(str(path), "w") as container:
        made = []
        for k, (width, height, _) in enumerate(streams):
            codec = codecs[k] if codecs else "libx264"
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.options = {"preset": "ultrafast", "threads": "1"} if codec == "libx264" else {}
            if k < len(marks):
                stream.disposition = getattr(av.stream.Disposition, marks[k]) if marks[k] else av.stream.Disposition(0)
            made.append(stream)
        for index in range(max(frames for *_, frames in streams)):
            for stream, (width, height, frames) in zip(made, streams, strict=True):
                if index < frames:
                    frame = av.VideoFrame.from_ndarray(numbered(index, width, height), format="rgb24")
                    frame.pts, frame.time_base = index, Fraction(1, 25)
                    container.mux(stream.encode(frame))
        for stream in made:
            container.mux(stream.encode(None))
    return path


def with_audio(path: Path, out: Path, codec: str = "aac", seconds: float = 2.0) -> Path:
    """Copies the video stream of `path` into `out` beside a tone of 440 Hz."""
    rate, at_once = 48_000, 1024
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        tone = target.add_stream(codec, rate=rate)
        layout, form = "mono", "fltp" if codec == "aac" else "s16"
        tone.codec_context.layout, tone.codec_context.format = layout, form
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
        for start in range(0, int(seconds * rate), at_once):
            wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(start, start + at_once) / rate)
            samples = wave.astype(np.float32) if form == "fltp" else (wave * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples[None], format=form, layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            target.mux(tone.encode(frame))
        target.mux(tone.encode(None))
    return out
