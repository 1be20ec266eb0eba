"""A foreign face network tried on faces: which of its outputs mean what, and the encoder made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError, nearest
from mtclar.faces import CropSpec, to_input
from mtclar.serving.adopt import ASIDE, Encoder, Part, make_encoder
from mtclar.serving.adopt_heads import Reading
from mtclar.serving.foreign import RANGES, Scaling, find_picture, read_onnx
from mtclar.serving.foreign_answers import (
    Columns,
    answers,
    find_embedding,
    find_label,
    listed,
    parse_columns,
    values_of,
)
from mtclar.serving.foreign_graph import isolate, last_linear_input
from mtclar.settings import AdoptSettings
from mtclar.steps.adopt_faces import Trial, hardly_pictures, median_distance

DIMENSIONS = ("valence", "arousal")
OTHER_NAMES = {
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "angry": "anger",
    "fearful": "fear",
    "disgusted": "disgust",
}
"""Names that others give to expressions."""
BEYOND = 1.5
"""How far a label may lie from the middle of its range, in halves of it: linear outputs overshoot a little."""


@dataclass(frozen=True)
class Network:
    """A network that has been understood.

    Attributes:
        encoder: It, wrapped.
        crop: How faces must be cut for it.
        trial: The faces it was tried on.
        embeddings: float64 (n, d), of them, without what rides along.
        reading: How labels are read; its weights are 0 for those in `unread`.
        unread: Dimensions that the network does not tell.
        facts: What bundle.json says of it under `adopted`.
    """

    encoder: Encoder
    crop: CropSpec
    trial: Trial
    embeddings: np.ndarray
    reading: Reading
    unread: tuple[str, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Told:
    """What the outputs mean: columns of the embedding, their values by the foreign graph, and how they are read."""

    parts: list[Part]
    values: list[np.ndarray]
    unread: tuple[str, ...]
    expressions: tuple[int, ...]
    probabilities: bool


def try_network(
    s: AdoptSettings,
    path: Path,
    spec_of: Callable[[int], CropSpec],
    faces_of: Callable[[CropSpec], Trial],
    *,
    labelled: bool,
) -> Network:
    """Reads a network, tries it on faces and wraps it.

    Args:
        s: The section `adopt` of params.yaml.
        path: The ONNX file.
        spec_of: How faces are cut for a network that sees so many pixels a side.
        faces_of: Faces so cut.
        labelled: Whether labelled faces are at hand, from which a label that it does not tell may be learned.

    Raises:
        MtclarError: See `mtclar.steps.adopt.run`.
    """
    scaling = _scaling(s, path)
    model = read_onnx(path)
    picture = find_picture(path, model, name=s.input, size=s.input_size, layout=s.layout, grey=s.colour == "grey")
    if picture.kind == TensorProto.UINT8 and s.range != "0-255":
        raise MtclarError(f"{path}: its input '{picture.name}' takes whole numbers from 0 to 255; give --range 0-255.")
    isolate(path, model, picture.name)
    crop = spec_of(picture.size)
    trial = faces_of(crop)
    count = len(trial.crops)
    shown = to_input(np.concatenate([trial.crops, hardly_pictures(crop.size, s.seed)]), crop)
    inner = last_linear_input(model)
    outputs = answers(path, model, picture, scaling, shown, _wanted(s, model, inner))
    told = _understood(s, path, outputs, inner, count, labelled=labelled)
    encoder = make_encoder(path, model, picture, scaling, told.parts, shown, np.hstack(told.values), s.tolerance)
    width = told.values[0].shape[1]
    read = [name for name in DIMENSIONS if name not in told.unread]
    weights = np.zeros((sum(values.shape[1] for values in told.values), 2))
    for place, name in enumerate(read):
        weights[width + place, DIMENSIONS.index(name)] = 1 / ASIDE
    return Network(
        encoder=encoder,
        crop=crop,
        trial=trial,
        embeddings=told.values[0][:count],
        reading=Reading(weights, np.zeros(2), width + len(read), told.expressions, told.probabilities),
        unread=told.unread,
        facts={
            "file": path.name,
            "input": picture.name,
            "layout": picture.layout,
            "colour": s.colour,
            "weights": scaling.weights.astype(float).round(7).tolist(),
            "bias": scaling.bias.astype(float).round(7).tolist(),
            "outputs": {
                what: str(part.columns)
                for what, part in zip(["embedding", *read, "expression"], told.parts, strict=False)
            },
            "embedding_unit": float(told.parts[0].unit),
            "one_by_one": encoder.one_by_one,
            "difference": encoder.difference,
        },
    )


def _scaling(s: AdoptSettings, path: Path) -> Scaling:
    """What is done to the pixels, by range or by mean and std."""
    given = bool(s.mean), bool(s.std), bool(s.range)
    if given not in {(True, True, False), (False, False, True)}:
        raise MtclarError(
            f"{path}: a graph does not tell how its pixels are scaled; give either --mean and --std (ImageNet's are "
            "0.485,0.456,0.406 and 0.229,0.224,0.225) or --range (0-1, 0-255 or -1-1)."
        )
    mean, std = ((number,) for number in RANGES[s.range]) if s.range else (s.mean, s.std)
    return Scaling.of(s.colour, tuple(mean), tuple(std))


def _wanted(s: AdoptSettings, model: onnx.ModelProto, inner: str) -> list[str]:
    """Tensors inside the graph that the settings name, and the one before its last layer."""
    asked = (s.embedding, s.valence, s.arousal, s.expression)
    names = {inner, *asked, *(name.rpartition(":")[0] for name in asked)} - {""}
    return sorted(names & {name for node in model.graph.node for name in node.output})


def _understood(
    s: AdoptSettings, path: Path, outputs: Mapping[str, np.ndarray], inner: str, count: int, *, labelled: bool
) -> _Told:
    """Finds the meaning of the outputs; the first `count` rows are of faces, the others of hardly any."""
    embedding = find_embedding(path, s.embedding, outputs, inner)
    values = values_of(path, embedding, outputs)
    unit = median_distance(values[:count])
    if not unit > 0:
        raise MtclarError(f"{path}: the embedding '{embedding}' is the same for most faces; name another --embedding.")
    parts = [Part(embedding, values[:count].mean(axis=0), unit, aside=False)]
    told = [parts[0].of(values)]
    unread = []
    for name in DIMENSIONS:
        column = find_label(path, name, getattr(s, name), outputs)
        if column is None:
            unread.append(name)
            continue
        found = values_of(path, column, outputs)
        parts.append(_label(s, path, name, column, found[:count]))
        told.append(parts[-1].of(found))
    if unread and not labelled:
        options = " and ".join(f"--{name} OUTPUT:COLUMN" for name in unread)
        raise MtclarError(
            f"{path}: which output is {' and '.join(unread)} is not clear ({listed(outputs)}); give {options}, or "
            "--faces with labelled faces to learn from."
        )
    expressions: tuple[int, ...] = ()
    if s.expression:
        columns = parse_columns(path, "--expression", s.expression, outputs)
        told.append(values_of(path, columns, outputs))
        parts.append(Part(columns, np.zeros(told[-1].shape[1]), 1.0, aside=True))
        expressions = _expressions(s, columns, told[-1].shape[1])
    sums = told[-1].sum(axis=1)
    probabilities = bool(expressions and (told[-1] >= -1e-6).all() and np.abs(sums - 1).max() < 1e-3)
    return _Told(parts, told, tuple(unread), expressions, probabilities)


def _label(s: AdoptSettings, path: Path, name: str, column: Columns, values: np.ndarray) -> Part:
    """A label brought to [-1, 1]."""
    low, high = s.label_range
    if not low < high:
        raise MtclarError(f"--label-range: expected a lower and a higher number, got {low:g} and {high:g}.")
    part = Part(column, np.array([(low + high) / 2]), (high - low) / 2, aside=True)
    if np.abs(part.of(values)).max() > BEYOND:
        raise MtclarError(
            f"{path}: output '{column}' answers {values.min():.3g} to {values.max():.3g} on test faces, which is no "
            f"{name} between {low:g} and {high:g}; check the column, --label-range, --mean and --std."
        )
    return part


def _expressions(s: AdoptSettings, columns: Columns, width: int) -> tuple[int, ...]:
    """What the columns of expressions mean, as positions in EXPRESSIONS."""
    names = [OTHER_NAMES.get(name.strip().lower(), name.strip().lower()) for name in s.expressions]
    for name in names:
        if name not in EXPRESSIONS:
            raise MtclarError(f"--expressions: '{name}' is not known{nearest(name, EXPRESSIONS)}.")
    if len(names) != width or len(set(names)) != width:
        raise MtclarError(
            f"--expressions: '{columns}' has {width} columns, so {width} different names are expected in their order "
            f"(of {', '.join(EXPRESSIONS)}), got {len(names)}: {', '.join(names) or 'none'}."
        )
    return tuple(EXPRESSIONS.index(name) for name in names)
