"""Small test videos whose frames carry their own number: a code of grey squares in the upper left corner."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
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


def write_video(
    path: Path,
    pts: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 1000),
    codec: str = "libx264",
    rotation: int = 0,
    flip: bool = False,
    b_frames: int = 0,
    container_options: dict[str, str] | None = None,
    size: tuple[int, int] = (160, 96),
) -> Path:
    """Writes one numbered frame per time stamp, in units of `time_base`."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        stream.codec_context.time_base = time_base
        if codec == "libx264":
            preset = "veryfast" if b_frames else "ultrafast"
            stream.codec_context.options = {"bf": str(b_frames), "crf": "18", "preset": preset, "threads": "1"}
        if rotation or flip:
            stream.set_display_rotation(rotation, hflip=flip)
        for index, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(numbered(index, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
