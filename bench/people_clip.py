"""Clips of any length for the benchmarks, made of the sample's videos of people who do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from mtclar.errors import MtclarError
from mtclar.video import open_video

WIDTH, HEIGHT, FPS = 640, 360, 25
SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "videos"
LOOP = 600
"""Frames that are encoded; a longer clip repeats their packets, so that an hour is made in seconds."""


def make_clip(path: Path, frames: int, sample: Path = SAMPLE) -> Path:
    """Writes an H.264 clip of 640 by 360 pixels and 25 frames a second.

    Raises:
        MtclarError: The sample is not here.
    """
    videos = sorted(sample.glob("solo_*.mp4"))
    if not videos:
        raise MtclarError(f"{sample}: no sample video is here; run 'dvc pull' first, or give --sample.")
    if frames <= LOOP:
        _encode(path, videos, frames)
        return path
    loop = path.with_name(f"{path.stem}-loop{path.suffix}")
    _encode(loop, videos, LOOP)
    _repeat(loop, path, frames)
    loop.unlink()
    return path


def _pictures(videos: list[Path]) -> Iterator[np.ndarray]:
    """Each video there and back again, so that nothing jumps but where the person changes."""
    while True:
        for video in videos:
            with open_video(video) as opened:
                pictures = [_fitted(frame.image) for frame in opened]
            yield from pictures
            yield from reversed(pictures)


def _fitted(picture: np.ndarray) -> np.ndarray:
    """uint8 RGB (360, 640, 3), the picture in the middle of its own blurred edge."""
    width = round(picture.shape[1] * HEIGHT / picture.shape[0])
    left = (WIDTH - width) // 2
    scaled = cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(scaled, 0, 0, left, WIDTH - width - left, cv2.BORDER_REPLICATE)


def _encode(path: Path, videos: list[Path], frames: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, FPS)
        for index, picture in zip(range(frames), _pictures(videos), strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _repeat(loop: Path, path: Path, frames: int) -> None:
    """Writes the packets of a clip without B frames again and again until there are so many."""
    with av.open(str(path), "w") as target:
        stream, written = None, 0
        while written < frames:
            with av.open(str(loop)) as source:
                step = None
                if stream is None:
                    stream = target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is None or written == frames:
                        continue
                    step = step or round(1 / (FPS * packet.time_base))
                    packet.stream, packet.pts = stream, written * step
                    packet.dts, packet.duration = packet.pts, step
                    target.mux(packet)
                    written += 1
