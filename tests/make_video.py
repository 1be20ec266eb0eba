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
    """uint8 RGB (height, width, 3) with a drawn face that the HOG detector finds; `light` scales its brightness."""
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
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
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
