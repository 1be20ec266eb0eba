"""A face network that somebody else trained: its ONNX file, its picture input, and how pixels reach it.

Read with `onnx` alone; what ONNX Runtime makes of it is asked in `foreign_answers.py`, what becomes of it is made in
`adopt.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto

from mtclar.errors import MtclarError, nearest

KINDS: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.UINT8: "uint8"}
"""Element types a picture input may have."""
LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the brightness of a picture (ITU-R BT.601)."""
RANGES = {"0-1": (0.0, 1.0), "0-255": (0.0, 1 / 255), "-1-1": (0.5, 0.5)}
"""Mean and standard deviation, in units of 0..1, that bring pixels into a range."""
LARGEST = 2**31
"""Bytes from which a graph with its weights does not fit into one file, a limit of protobuf."""


@dataclass(frozen=True)
class Picture:
    """The input of a network that takes the picture of a face.

    Attributes:
        name: Of the input.
        layout: nchw | nhwc.
        channels: 3, or 1 for a grey picture.
        size: Side in pixels.
        batch: Pictures at a time; 0 where any number will do.
        kind: One of `KINDS`.
    """

    name: str
    layout: str
    channels: int
    size: int
    batch: int
    kind: int


@dataclass(frozen=True)
class Scaling:
    """What is done to RGB pixels in [0, 1] before a network sees them: channel c = sum over RGB weights[c] x + bias[c].

    Attributes:
        weights: float32 (channels, 3).
        bias: float32 (channels,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, colour: str, mean: Sequence[float], std: Sequence[float]) -> Scaling:
        """Order of the channels, then (x - mean) / std.

        Args:
            colour: rgb | bgr | grey.
            mean, std: One number, or one a channel in the network's order, in units of pixels from 0 to 1.

        Raises:
            MtclarError: There are two or more than three numbers, a mean is outside -1 to 2, or a std not above 0.
        """
        order = {"rgb": np.eye(3), "bgr": np.eye(3)[::-1], "grey": LUMA[None]}[colour]
        for name, values in (("--mean", mean), ("--std", std)):
            if len(values) not in {1, len(order)}:
                raise MtclarError(f"{name}: expected one number or {len(order)} for {colour}, got {len(values)}.")
        if not (np.abs(np.subtract(mean, 0.5)) <= 1.5).all():
            raise MtclarError(
                f"--mean: {_list(mean)} is not in units of pixels from 0 to 1; divide mean and std by 255 if they "
                "were meant for pixels from 0 to 255."
            )
        if not (np.asarray(std) > 0).all():
            raise MtclarError(f"--std: {_list(std)} must be above 0.")
        by = np.broadcast_to(np.asarray(std, np.float64), len(order))
        return cls((order / by[:, None]).astype(np.float32), (-np.asarray(mean) / by).astype(np.float32))

    def prepare(self, faces: NDArray[np.float32], picture: Picture) -> NDArray[Any]:
        """The input of the network in numpy.

        Args:
            faces: float32 RGB (n, 3, S, S) in [0, 1].
            picture: What the network expects.

        Returns:
            (n, channels, S, S) or (n, S, S, channels), of the input's type.
        """
        seen = np.einsum("cr,nrhw->nchw", self.weights, faces, dtype=np.float32) + self.bias[:, None, None]
        if picture.kind == TensorProto.UINT8:
            seen = np.clip(np.rint(seen), 0, 255)
        seen = seen.transpose(0, 2, 3, 1) if picture.layout == "nhwc" else seen
        return np.ascontiguousarray(seen, KINDS[picture.kind])


def read_onnx(path: Path) -> onnx.ModelProto:
    """Reads an ONNX file with the data that lie beside it.

    Weights that old files list as inputs too are inputs no more.

    Raises:
        MtclarError: It is missing, something else, cut short, or refused by the ONNX checker.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror}); give the ONNX file of a network.") from error
    if head.startswith((b"\x80", b"PK\x03\x04")):
        raise MtclarError(
            f"{path}: is a pickle or zip archive, as torch saves weights; export the network to ONNX first."
        )
    if head.startswith((b"version https://git-lfs", b"<", b"\x89HDF")):
        raise MtclarError(
            f"{path}: is a web page, a pointer of Git LFS or an HDF5 file, not ONNX; fetch the ONNX file."
        )
    broken = "is not an ONNX file, or was cut short; fetch or export it again"
    try:
        model = onnx.load(str(path))
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise MtclarError(f"{path}: {broken}.") from error
    except (OSError, onnx.checker.ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MtclarError(f"{path}: the data beside it cannot be read ({reason}); keep them in its folder.") from error
    if not (model.ir_version and model.graph.node and model.graph.output):
        raise MtclarError(f"{path}: {broken}.")
    if model.ByteSize() >= LARGEST:
        raise MtclarError(
            f"{path}: holds 2 GB or more, which no single ONNX file can; only smaller ones can be adopted."
        )
    _inputs_alone(model)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = " ".join(str(error).split())[:200]
        raise MtclarError(f"{path}: the ONNX checker refuses it ({reason}); export it again.") from error
    return model


def _inputs_alone(model: onnx.ModelProto) -> None:
    """Drops the weights from the inputs, which a file of IR version 3 or less had to list there."""
    weights = {item.name for item in model.graph.initializer}
    kept = [item for item in model.graph.input if item.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)


def find_picture(path: Path, model: onnx.ModelProto, *, name: str, size: int, layout: str, grey: bool) -> Picture:
    """The input that takes the picture.

    Args:
        path: Of the file, for what is said.
        model: What it holds.
        name: Of the input; empty for the only one there is, or the only one that may be a picture.
        size: Side of the picture in pixels where the graph leaves it open; 0 where it does not.
        layout: nchw | nhwc | auto, which asks the shape.
        grey: Whether the network sees one channel.

    Raises:
        MtclarError: There is no such input, or it is no square picture of one or three channels.
    """
    inputs = {item.name: item for item in model.graph.input}
    if not inputs:
        raise MtclarError(f"{path}: the graph has no input, so it cannot be shown a face.")
    if name and name not in inputs:
        raise MtclarError(f"{path}: has no input '{name}'{nearest(name, inputs)}; correct --input.")
    if not name:
        fitting = (
            [key for key, item in inputs.items() if _layouts(_shape(item), grey)] if len(inputs) > 1 else list(inputs)
        )
        if len(fitting) != 1:
            known = ", ".join(f"{key} {_said(_shape(item))}" for key, item in inputs.items())
            raise MtclarError(f"{path}: has {len(inputs)} inputs ({known}); say by --input which takes the picture.")
        name = fitting[0]
    shape, kind = _shape(inputs[name]), inputs[name].type.tensor_type.elem_type
    if kind not in KINDS:
        found = TensorProto.DataType.Name(kind).lower() if kind else "no tensor"
        raise MtclarError(f"{path}: input '{name}' is {found}; expected pictures of {', '.join(KINDS.values())}.")
    if len(shape) != 4:
        raise MtclarError(
            f"{path}: input '{name}' has shape {_said(shape)}; expected pictures (n, 3, S, S) or (n, S, S, 3)."
        )
    return _picture(path, name, shape, kind, size=size, layout=layout, grey=grey)


def _picture(path: Path, name: str, shape: list[int], kind: int, *, size: int, layout: str, grey: bool) -> Picture:
    where, channels = f"{path}: input '{name}' has shape {_said(shape)}", 1 if grey else 3
    possible = _layouts(shape, grey) if layout == "auto" else [layout]
    if len(possible) > 1:
        raise MtclarError(f"{where}, which leaves open where the channels are; give --layout nchw or nhwc.")
    if not possible:
        other = _layouts(shape, not grey)
        hint = (
            f"give --colour {'rgb or bgr' if grey else 'grey'}"
            if other
            else "only rgb, bgr and grey pictures are known"
        )
        raise MtclarError(f"{where}: expected {channels} channel{'s' * (channels > 1)} at place 1 or 3; {hint}.")
    _, c, high, wide = shape if possible[0] == "nchw" else (shape[0], shape[3], shape[1], shape[2])
    if c not in {0, channels}:
        raise MtclarError(
            f"{where}: {c} channels in layout {possible[0]}, expected {channels}; see --colour and --layout."
        )
    if high and wide and high != wide:
        raise MtclarError(
            f"{where}: {high} x {wide} pixels, but faces are cut square; only square inputs can be adopted."
        )
    fixed = high or wide
    if fixed and size and fixed != size:
        raise MtclarError(f"{where}: its pictures have {fixed} pixels a side, not the {size} of --input-size.")
    if not (fixed or size):
        raise MtclarError(f"{where}: the size of its pictures is left open; give --input-size, such as 224.")
    return Picture(name, possible[0], channels, fixed or size, shape[0], kind)


def _shape(item: onnx.ValueInfoProto) -> list[int]:
    """Sizes of the axes, 0 for one that is left open; four of those for a tensor of which nothing is known."""
    tensor = item.type.tensor_type
    if item.type.HasField("tensor_type") and not tensor.HasField("shape"):
        return [0, 0, 0, 0]
    return [max(dim.dim_value, 0) for dim in tensor.shape.dim]


def _layouts(shape: list[int], grey: bool) -> list[str]:
    """The layouts that four axes allow; a stated number of channels outweighs an axis that is left open."""
    if len(shape) != 4:
        return []
    channels = 1 if grey else 3
    stated = [name for name, axis in (("nchw", 1), ("nhwc", 3)) if shape[axis] == channels]
    return stated or [name for name, axis in (("nchw", 1), ("nhwc", 3)) if shape[axis] == 0]


def _said(shape: list[int]) -> str:
    return f"({', '.join(str(size or '?') for size in shape)})"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
