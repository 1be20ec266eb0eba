"""The one geometry by which faces are cut out: in training, in export and in labelling alike.

Pixel convention: pixel i of a row covers the interval [i, i + 1), its centre lies at i + 0.5, and a box
(x, y, w, h) covers [x, x + w) by [y, y + h). A box need not lie on whole pixels, nor inside the picture; what lies
outside is black. Every output pixel is the mean of the source over a square around its own centre, as wide as the
output pixel or one source pixel, whichever is larger: an area average when a face shrinks, bilinear interpolation
when it grows, with no seam between the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError, nearest

Box = tuple[float, float, float, float]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class CropSpec:
    """How a face becomes the input of a network; part of every bundle.

    Attributes:
        scale: Side of the square crop over the mean side of the face box.
        input_size: Side of the network's input in pixels, S.
        size: Side of a stored crop in pixels.
        centre: Side of the part of a stored crop that the network sees, in pixels of the crop; the rest is the margin
            from which training shifts and turns.
        colour: Order of the channels; only RGB is known.
        align: Where a crop is cut: by the face's box, upright as the picture is, or by the mesh, level and of one size
            whatever mouth and brows do (`faces.align`).
    """

    scale: float
    input_size: int
    size: int = 288
    centre: int = 256
    colour: str = "RGB"
    align: str = "box"

    def __post_init__(self) -> None:
        if not (0 < self.centre <= self.size and (self.size - self.centre) % 2 == 0):
            raise MtclarError(
                f"crop spec: a centre of {self.centre} pixels must fit into the crop's {self.size} with equal margins."
            )
        if not (self.input_size > 0 and np.isfinite(self.scale) and self.scale > 0):
            raise MtclarError(f"crop spec: scale {self.scale} and input size {self.input_size} must be positive.")
        if self.colour != "RGB":
            raise MtclarError(f"crop spec: colour order '{self.colour}' is not known, only RGB is.")
        if self.align not in ("box", "mesh"):
            raise MtclarError(f"crop spec: align '{self.align}' is not known; it is box or mesh.")

    def to_dict(self) -> dict[str, Any]:
        """The spec as it stands in bundle.json."""
        return {key: value for key, value in asdict(self).items() if (key, value) != ("align", "box")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CropSpec:
        """Reads a spec back.

        Raises:
            MtclarError: A key is unknown or missing, or a value is impossible.
        """
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                raise MtclarError(f"crop spec: unknown key '{key}'{nearest(key, known)}.")
        missing = [key for key in ("scale", "input_size") if key not in values]
        if missing:
            raise MtclarError(f"crop spec: '{missing[0]}' is missing.")
        try:
            return cls(
                scale=float(values["scale"]),
                input_size=int(values["input_size"]),
                size=int(values.get("size", 288)),
                centre=int(values.get("centre", 256)),
                colour=str(values.get("colour", "RGB")),
                align=str(values.get("align", "box")),
            )
        except (TypeError, ValueError) as error:
            if isinstance(error, MtclarError):
                raise
            raise MtclarError(f"crop spec: a value is not a number ({error}).") from error


def crop_box(box: Box, scale: float) -> Box:
    """The square that is cut out for a face box: same centre, side `scale` times the mean of width and height."""
    x, y, w, h = (float(value) for value in box)
    side = scale * (w + h) / 2
    return x + (w - side) / 2, y + (h - side) / 2, side, side


def cut(picture: NDArray[np.uint8], box: Box, spec: CropSpec) -> NDArray[np.uint8]:
    """Cuts the square crop of one face out of a picture.

    Args:
        picture: uint8 RGB (h, w, 3).
        box: Face box (x, y, w, h) in pixels of the picture; may reach over its border.
        spec: Only `size` and `scale` are used.

    Returns:
        uint8 RGB (size, size, 3), black where the picture ends.

    Raises:
        MtclarError: The picture is not uint8 RGB, or the box is empty or not finite.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise MtclarError(f"expected a picture uint8 (h, w, 3), got {picture.dtype} {picture.shape}.")
    if not (np.all(np.isfinite(box)) and box[2] > 0 and box[3] > 0):
        raise MtclarError(f"a face box must have positive sides, got {tuple(float(value) for value in box)}.")
    left, top, side, _ = crop_box(box, spec.scale)
    step = side / spec.size
    centres = (np.arange(spec.size) + 0.5) * step
    cells = _means if step > 1 else _between
    return cells(picture, left + centres, top + centres, step)


def _reached(low: Floats, high: Floats, length: int) -> tuple[int, int]:
    """The whole pixels of a row or column of `length` that the positions from `low` to `high` touch: begin, end."""
    return max(0, int(np.floor(low.min()))), min(length, int(np.ceil(high.max())))


def _means(picture: NDArray[np.uint8], x: Floats, y: Floats, step: float) -> NDArray[np.uint8]:
    """Means over squares of side `step` around the points of the grid (x, y); exact, by an integral image."""
    height, width = picture.shape[:2]
    across, down = (np.stack([centres - step / 2, centres + step / 2]) for centres in (x, y))
    (x0, x1), (y0, y1) = _reached(across[0], across[1], width), _reached(down[0], down[1], height)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((len(y), len(x), 3), np.uint8)
    sums = np.asarray(cv2.integral(np.ascontiguousarray(picture[y0:y1, x0:x1]), sdepth=cv2.CV_64F), np.float64)
    rows = np.subtract(*(_read(sums, edges, 0) for edges in np.clip(down[::-1] - y0, 0, y1 - y0)))
    means = np.subtract(*(_read(rows, edges, 1) for edges in np.clip(across[::-1] - x0, 0, x1 - x0))) / step**2
    return np.clip(np.rint(means), 0, 255).astype(np.uint8)


def _between(picture: NDArray[np.uint8], x: Floats, y: Floats, step: float) -> NDArray[np.uint8]:
    """The picture at the points of the grid (x, y), read linearly between the centres of its pixels."""
    height, width = picture.shape[:2]
    (x0, x1), (y0, y1) = _reached(x - 0.5, x + 0.5, width), _reached(y - 0.5, y + 0.5, height)
    if x0 >= x1 or y0 >= y1:
        return np.zeros((len(y), len(x), 3), np.uint8)
    part = np.zeros((y1 - y0 + 2, x1 - x0 + 2, 3), np.float32)  # with a black pixel all around
    part[1:-1, 1:-1] = picture[y0:y1, x0:x1]
    rows = _read(part, np.clip(y - y0 + 0.5, 0, y1 - y0 + 1), 0)
    return np.rint(_read(rows, np.clip(x - x0 + 0.5, 0, x1 - x0 + 1), 1)).astype(np.uint8)


def _read(values: Floats, at: Floats, axis: int) -> Floats:
    """`values` at fractional indices along `axis`, linear between neighbours."""
    low = np.minimum(at.astype(np.int64), values.shape[axis] - 2)
    part = (at - low).astype(values.dtype).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    below = values.take(low, axis)
    return below + (values.take(low + 1, axis) - below) * part


def resize(crops: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.uint8]:
    """The centres of stored crops at the network's size.

    Args:
        crops: uint8 RGB (n, size, size, 3).
        spec: Keeps the middle `centre` of `size` pixels and scales it to `input_size`: by area when it shrinks,
            bilinearly when it grows.

    Returns:
        uint8 RGB (n, S, S, 3).

    Raises:
        MtclarError: The crops do not have the spec's size.
    """
    if crops.ndim != 4 or crops.shape[1:] != (spec.size, spec.size, 3) or crops.dtype != np.uint8:
        raise MtclarError(f"expected crops uint8 (n, {spec.size}, {spec.size}, 3), got {crops.dtype} {crops.shape}.")
    margin = (spec.size - spec.centre) // 2
    middle = crops[:, margin : margin + spec.centre, margin : margin + spec.centre]
    if spec.input_size == spec.centre:
        return middle
    how = cv2.INTER_AREA if spec.input_size < spec.centre else cv2.INTER_LINEAR
    out = np.empty((len(crops), spec.input_size, spec.input_size, 3), np.uint8)
    for i, crop in enumerate(middle):
        cv2.resize(crop, (spec.input_size, spec.input_size), dst=out[i], interpolation=how)
    return out


def to_input(crops: NDArray[np.uint8], spec: CropSpec) -> NDArray[np.float32]:
    """Stored crops as the network's input: `resize`, channels first, divided by 255.

    Args:
        crops: uint8 RGB (n, size, size, 3).
        spec: The geometry.

    Returns:
        float32 (n, 3, S, S) in [0, 1].

    Raises:
        MtclarError: The crops do not have the spec's size.
    """
    planes = resize(crops, spec).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)
