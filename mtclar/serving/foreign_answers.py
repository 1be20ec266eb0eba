"""What a foreign network answers: its outputs as ONNX Runtime gives them, and which of them means what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from mtclar.errors import MtclarError, nearest
from mtclar.serving.foreign import Picture, Scaling

LEAST_EMBEDDING = 17
"""Columns from which an unnamed output is taken for an embedding: more than any list of expressions and labels has."""


SAME = 1e-6
"""Relative difference up to which numbers count as the same."""


@dataclass(frozen=True)
class Columns:
    """Some columns of an output.

    Attributes:
        output: Its name, or that of any tensor in the graph.
        columns: Which, from 0; None for all.
    """

    output: str
    columns: tuple[int, ...] | None = None

    def __str__(self) -> str:
        if self.columns is None:
            return self.output
        ends = sorted({self.columns[0], self.columns[-1]})
        return f"{self.output}:{'-'.join(map(str, ends))}"


def answers(
    path: Path, model: onnx.ModelProto, picture: Picture, scaling: Scaling, faces: np.ndarray, inner: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """What the network says of each face alone, by output.

    Args:
        path: Of its file.
        model: The network, changed to give `inner` too.
        picture: Its input.
        scaling: What is done to the pixels.
        faces: float32 RGB (n, 3, S, S) in [0, 1].
        inner: Tensors inside the graph that are wanted as well.

    Returns:
        float64 (n, ...) by name; what is no tensor of numbers is left out.

    Raises:
        MtclarError: ONNX Runtime cannot open or run the graph.
    """
    known = {item.name for item in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner if name not in known)
    names = [item.name for item in model.graph.output]
    session = open_session(path, model.SerializeToString())
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for number in range(len(faces)):
        seen = np.repeat(scaling.prepare(faces[number : number + 1], picture), max(picture.batch, 1), axis=0)
        try:
            for name, value in zip(names, session.run(names, {picture.name: seen}), strict=True):
                if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
                    found[name].append(value[:1] if value.ndim and picture.batch > 1 else value)
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise MtclarError(f"{path}: fails on a picture of {picture.size} pixels ({_reason(error)}).") from error
    return {name: np.stack(values).astype(np.float64)[:, 0] for name, values in found.items() if _rows(values)}


def _rows(values: list[np.ndarray]) -> bool:
    """Whether there is one answer a face, all of one shape, with one row each."""
    return bool(values) and values[0].ndim > 0 and len({value.shape for value in values}) == 1 and len(values[0]) == 1


def open_session(path: Path, model: bytes) -> Any:
    """A session of ONNX Runtime on the CPU.

    Raises:
        MtclarError: It does not take the graph: an operator it does not know, shapes that do not fit.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise MtclarError(f"{path}: ONNX Runtime cannot open the graph ({_reason(error)}).") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def parse_columns(path: Path, option: str, asked: str, outputs: Mapping[str, np.ndarray]) -> Columns:
    """Reads OUTPUT, OUTPUT:COLUMN or OUTPUT:FIRST-LAST; names may hold colons themselves.

    Raises:
        MtclarError: No tensor has that name, it is not (n, columns), or the columns are out of range.
    """
    name, columns = asked, None
    if asked not in outputs and (match := re.fullmatch(r"(.+):(\d+)(?:-(\d+))?", asked)):
        name, first, last = match[1], int(match[2]), int(match[3] or match[2])
        columns = tuple(range(first, last + 1))
        if not columns:
            raise MtclarError(f"{option} {asked}: the first column comes after the last.")
    if name not in outputs:
        raise MtclarError(f"{path}: has no output '{name}'{nearest(name, outputs)}; correct {option}.")
    width = width_of(path, name, outputs)
    if columns is not None and columns[-1] >= width:
        raise MtclarError(
            f"{path}: output '{name}' has {width} columns, numbered from 0, so {option} {asked} is out of range."
        )
    return Columns(name, columns)


def listed(outputs: Mapping[str, np.ndarray]) -> str:
    """Names and shapes of outputs, for what is said."""
    return ", ".join(f"{name} ({', '.join(map(str, ('n', *v.shape[1:])))})" for name, v in outputs.items())


def width_of(path: Path, name: str, outputs: Mapping[str, np.ndarray]) -> int:
    """Columns of an output; axes of size 1 after them do not count.

    Raises:
        MtclarError: It is not (n, columns).
    """
    shape = outputs[name].shape[1:]
    if sum(size > 1 for size in shape) > 1 or 0 in shape:
        said = ", ".join(map(str, ("n", *shape)))
        raise MtclarError(
            f"{path}: output '{name}' has shape ({said}), expected (n, columns); name one after the pooling."
        )
    return int(np.prod(shape))


def find_embedding(path: Path, asked: str, outputs: Mapping[str, np.ndarray], inner: str) -> Columns:
    """The output that is the embedding: the one asked for, one named so, the only wide one, or the tensor `inner`.

    Raises:
        MtclarError: None or several would do, or the one asked for is no row of numbers.
    """
    if asked:
        return parse_columns(path, "--embedding", asked, outputs)
    flat = {name: value for name, value in outputs.items() if sum(size > 1 for size in value.shape[1:]) == 1}
    wide = [name for name in flat if width_of(path, name, flat) >= LEAST_EMBEDDING and name != inner]
    named = [name for name in wide if re.search("embed|feature", name, re.IGNORECASE)]
    for choice in (named, wide, [inner] if inner in flat else []):
        if len(choice) == 1:
            return Columns(choice[0])
    raise MtclarError(
        f"{path}: which output is the embedding is not clear ({listed(outputs)}); give it by --embedding."
    )


def find_label(path: Path, what: str, asked: str, outputs: Mapping[str, np.ndarray]) -> Columns | None:
    """The column that is valence or arousal: the one asked for, or an output of one column named so; None if neither.

    Raises:
        MtclarError: The one asked for is not there, or is more than one column.
    """
    if not asked:
        flat = {name: value for name, value in outputs.items() if value[0].size == 1}
        named = [name for name in flat if re.search(what, name, re.IGNORECASE)]
        return Columns(named[0], (0,)) if len(named) == 1 else None
    found = parse_columns(path, f"--{what}", asked, outputs)
    width = width_of(path, found.output, outputs) if found.columns is None else len(found.columns)
    if width != 1:
        raise MtclarError(
            f"{path}: --{what} {asked} is {width} columns, expected one; say which, such as {found.output}:{width - 1}."
        )
    return found if found.columns else Columns(found.output, (0,))


def values_of(path: Path, columns: Columns, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The numbers of some columns, float64 (n, width).

    Raises:
        MtclarError: One is not finite, or they are the same for every face.
    """
    width_of(path, columns.output, outputs)
    values = outputs[columns.output].reshape(len(outputs[columns.output]), -1)
    values = values if columns.columns is None else values[:, list(columns.columns)]
    if not (fine := np.isfinite(values).all(axis=1)).all():
        raise MtclarError(
            f"{path}: output '{columns}' is NaN or infinite on {(~fine).sum()} of {len(values)} test faces; check "
            "--mean, --std, --range and the network itself."
        )
    if (np.ptp(values, axis=0) <= SAME * (1 + np.abs(values).max(axis=0))).all():
        raise MtclarError(
            f"{path}: output '{columns}' is the same for {len(values)} different test faces, so it does not depend on "
            "the picture; check the output, --mean, --std and --range."
        )
    return values
