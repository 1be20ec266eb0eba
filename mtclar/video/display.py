"""How a decoded picture is shown: with square pixels, upright, at one size, in the colours of an ordinary screen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

from mtclar.errors import MtclarError
from mtclar.video.hdr import HLG, PQ, WIDE, table_for, to_sdr

_WIDEST = 8
"""A pixel is not believed to be more than this times as wide as high, or as high as wide."""
# Numbers of ITU-T H.273
_UNSPECIFIED = 2  # primaries, transfer and matrix alike
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
_OTHER_MATRICES = {
    8: "ycgco",
    10: "bt2020 of constant luminance",
    11: "smpte2085",
    12: "derived",
    13: "derived of constant luminance",
    14: "ictcp",
    15: "ipt-c2",
}
_UNUSUAL = {8: "linear", 9: "logarithmic", 10: "logarithmic", 17: "smpte428"}  # transfers
_SD = (1280, 576)
"""Pictures of at least this width, or of more than this height, that do not name their matrix have that of BT.709."""


class Display:
    """Turns the decoder's frames into uint8 RGB (h, w, 3), all of the size of the first.

    Later pictures of another size are scaled to the first one's, with black borders where their shape is another, so
    that whatever is carried from frame to frame (boxes, crops, sizes of faces) means the same in all of them.

    Attributes:
        size: Width and height of the pictures shown; None before the first.
        rotation: Degrees clockwise by which the last picture was turned.
        mirrored: Whether it was mirrored before that.
        sar: Width of a stored pixel over its height, of the last picture.
    """

    def __init__(self, name: str, warn: Callable[[str], None], size: tuple[int, int] | None = None) -> None:
        """`warn` takes what has to be said of the file `name`; `size` is that of the first picture, if it is known."""
        self._name, self._warn = name, warn
        self.size = size
        self.rotation, self.mirrored = 0, False
        self.sar = Fraction(1)
        self._changed = False
        self._stated = (_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED, 0)

    @property
    def colour(self) -> dict[str, str]:
        """Names of `transfer`, `primaries`, `matrix` and `range` as the last picture states them."""
        transfer, primaries, matrix, span = self._stated
        return {
            "transfer": _named(ColorTrc, transfer),
            "primaries": _named(ColorPrimaries, primaries),
            "matrix": "rgb" if matrix < 0 else (_MATRICES | _OTHER_MATRICES).get(matrix, "unspecified"),
            "range": {1: "limited", 2: "full"}.get(span, "unspecified"),
        }

    def show(self, decoded: Any, sar: Fraction | None, index: int) -> np.ndarray:
        """The picture of frame `index`, given the sample aspect ratio the stream states.

        Raises:
            MtclarError: Its pixel format cannot be converted.
        """
        width, height = self.look(decoded, sar)
        image = upright(self._rgb(decoded, width, height), self.rotation, self.mirrored)
        size = (image.shape[1], image.shape[0])
        first = self.size or size
        if size != first and not self._changed:
            self._changed = True
            self._warn(
                f"{self._name}: the size of the pictures changes, first to {size[0]}x{size[1]} at frame {index}; all "
                f"frames are shown at the size of the first, {first[0]}x{first[1]}."
            )
        return fitted(image, first)

    def look(self, decoded: Any, sar: Fraction | None) -> tuple[int, int]:
        """Takes note of what a picture states about itself, and returns its width and height with square pixels."""
        self.rotation, self.mirrored, off = turn(decoded)
        if off > 1:
            self._warn(
                f"{self._name}: the file asks for a turn that is {off:.0f} degrees away from a quarter turn; the "
                f"pictures were turned by {self.rotation} degrees and stand askew."
            )
        self.sar = sar if sar and sar > 0 else Fraction(1)
        if not 1 / _WIDEST <= self.sar <= _WIDEST:
            self._warn(
                f"{self._name}: the file states pixels {self.sar.numerator}:{self.sar.denominator} times as wide as "
                "high, which cannot be; they were taken to be square."
            )
            self.sar = Fraction(1)
        if decoded.interlaced_frame:
            self._warn(
                f"{self._name}: the pictures are interlaced, so edges that move look like combs; if faces move fast, "
                "deinterlace first (ffmpeg -i IN -vf bwdif OUT)."
            )
        matrix = -1 if decoded.format.is_rgb else decoded.colorspace
        self._stated = (decoded.color_trc, decoded.color_primaries, matrix, decoded.color_range)
        width, height = squared(decoded.width, decoded.height, self.sar)
        if self.size is None:
            self.size = (height, width) if self.rotation % 180 else (width, height)
        return width, height

    def _rgb(self, decoded: Any, width: int, height: int) -> np.ndarray:
        """uint8 RGB (height, width, 3) for an ordinary screen: BT.709 primaries, not HDR, without alpha."""
        # One thread: a picture takes half a millisecond, and each picture would start and end threads of its own.
        options: dict[str, Any] = {"width": width, "height": height, "threads": 1}
        if (width, height) != (decoded.width, decoded.height):
            options["interpolation"] = "BICUBIC"
        unnamed = decoded.colorspace == _UNSPECIFIED and not decoded.format.is_rgb
        if unnamed and (width >= _SD[0] or height > _SD[1]):
            options["src_colorspace"] = "ITU709"
        if decoded.colorspace in _OTHER_MATRICES:
            options["src_colorspace"] = "ITU709"
            self._not_converted("matrix", _OTHER_MATRICES[decoded.colorspace])
        if decoded.color_trc in _UNUSUAL:
            self._not_converted("transfer", _UNUSUAL[decoded.color_trc])
        transparent = _has_alpha(decoded.format.name)
        try:
            image = decoded.to_ndarray(format="rgba" if transparent else "rgb24", **options)
        except (ValueError, av.error.FFmpegError) as error:
            raise MtclarError(
                f"{self._name}: pictures of the pixel format {decoded.format.name} cannot be shown here ({error}); "
                "convert the file to H.264 MP4."
            ) from error
        if transparent:
            image = self._on_black(image)
        table = table_for(decoded.color_trc, decoded.color_primaries)
        if table is None:
            return image
        if decoded.color_trc in (PQ, HLG):
            kind = "PQ, SMPTE ST 2084" if decoded.color_trc == PQ else "HLG, ARIB STD-B67"
            self._warn(
                f"{self._name}: the video is HDR ({kind}); it was mapped to SDR with white at 203 nits (BT.2408)."
            )
        else:
            self._warn(f"{self._name}: the video's colours ({WIDE[decoded.color_primaries]}) were converted to BT.709.")
        return to_sdr(image, table)

    def _not_converted(self, what: str, name: str) -> None:
        self._warn(
            f"{self._name}: the colours are not right, because their {what} ({name}) is not known here; convert the "
            "file to BT.709."
        )

    def _on_black(self, image: np.ndarray) -> np.ndarray:
        """RGB of an RGBA picture before a black ground."""
        alpha = image[..., 3:]
        if alpha.min() == 255:
            return np.ascontiguousarray(image[..., :3])
        self._warn(f"{self._name}: the pictures are partly transparent; they are shown on black.")
        return (image[..., :3].astype(np.uint16) * alpha // 255).astype(np.uint8)


def squared(width: int, height: int, sar: Fraction) -> tuple[int, int]:
    """The size of a stored picture with square pixels: one side is stretched, none shrunk, as browsers do it."""
    return (round(width * sar), height) if sar >= 1 else (width, round(height / sar))


def turn(decoded: Any) -> tuple[int, bool, float]:
    """Degrees clockwise and mirroring that the display matrix asks for, and how far it is from a quarter turn.

    The matrix holds nine int32 numbers a, b, u, c, d, v, x, y, w; it takes a stored point (p, q) to
    (a p + c q, b p + d q) on the screen, y downwards.
    """
    side = decoded.side_data.get("DISPLAYMATRIX")
    if side is None:
        return 0, False, 0.0
    a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].astype(float)
    mirrored = a * d - b * c < 0
    if mirrored:  # mirror first (p -> -p), then turn
        a, b = -a, -b
    degrees = float(np.degrees(np.arctan2(b, a)))
    quarter = round(degrees / 90)
    return quarter % 4 * 90, bool(mirrored), abs(degrees - 90 * quarter)


def upright(image: np.ndarray, rotation: int, mirrored: bool) -> np.ndarray:
    """The picture mirrored and then turned clockwise by a multiple of 90 degrees."""
    if mirrored:
        image = image[:, ::-1]
    return np.ascontiguousarray(np.rot90(image, -rotation // 90))


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture scaled to fit into (width, height), in the middle of black borders where its shape is another."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, min(size[0], round(width * scale))), max(1, min(size[1], round(height * scale))))
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    shown = np.zeros((size[1], size[0], 3), np.uint8)
    shown[top : top + inner[1], left : left + inner[0]] = scaled
    return shown


@functools.lru_cache
def _has_alpha(pixel_format: str) -> bool:
    return any(component.is_alpha for component in av.VideoFormat(pixel_format).components)


def _named(kind: Any, value: int) -> str:
    """What ITU-T H.273 calls a number, as PyAV spells it."""
    try:
        return str(kind(value).name).lower()
    except ValueError:
        return "unspecified" if value == _UNSPECIFIED else str(value)
