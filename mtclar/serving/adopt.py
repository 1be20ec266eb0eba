"""A foreign face network as encoder.onnx of a bundle, made by surgery on its graph; no weight of it changes.

It is a 1x1 convolution that orders and scales the channels, the foreign graph, then

    embedding = ((e - mean) / distance, labels / 1024)

with e the foreign embedding, `mean` and `distance` the mean and the median distance of faces of many people: so the
distances of two embeddings are about 1 whatever the network, as the few-shot engine expects. Valence, arousal and the
expressions ride along, so small that they do not count in a distance; 1024 is a power of two and costs no precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from mtclar.errors import MtclarError
from mtclar.serving.foreign import Picture, Scaling
from mtclar.serving.foreign_answers import Columns, open_session
from mtclar.serving.foreign_graph import prune

PREFIX = "adopted/"
"""Goes before every name of the foreign graph, so that none clashes with a name of ours."""
ASIDE = 1 / 1024
"""Factor of the columns that ride along with the embedding."""


@dataclass(frozen=True)
class Part:
    """Some columns of the embedding: (columns of the foreign output - shift) / unit, made small if they ride along.

    Attributes:
        columns: Where they come from.
        shift: float64 (width,).
        unit: One number for all.
        aside: Whether they ride along, by the factor `ASIDE`.
    """

    columns: Columns
    shift: np.ndarray
    unit: float
    aside: bool

    def of(self, values: np.ndarray) -> np.ndarray:
        """The same in numpy, but never made small: values (n, width) to float64 (n, width)."""
        return (values - self.shift) / self.unit


@dataclass(frozen=True)
class Encoder:
    """A wrapped encoder.

    Attributes:
        graph: encoder.onnx.
        one_by_one: Whether it takes one face at a time alone.
        difference: How far it is from the foreign graph fed by numpy, at most, over the test faces.
    """

    graph: bytes
    one_by_one: bool
    difference: float


def make_encoder(
    path: Path,
    model: onnx.ModelProto,
    picture: Picture,
    scaling: Scaling,
    parts: Sequence[Part],
    faces: np.ndarray,
    expected: np.ndarray,
    tolerance: float,
) -> Encoder:
    """Wraps the foreign graph so that it takes any number of faces at once, or else one at a time.

    A graph that was exported for a batch of one mostly works with more once its declared sizes are taken out, and where
    it reshapes to one row, that is set to as many as come. Whether it does is tried: faces together must get what each
    got alone.

    Args:
        path: Of the file, for what is said.
        model: The foreign network; is not changed.
        picture: Its input.
        scaling: What is done to the pixels before.
        parts: What the embedding is put together from.
        faces: float32 RGB (n, 3, S, S), n >= 2, test faces.
        expected: float64 (n, d), what the foreign graph says of each alone, as `Part.of` has it.
        tolerance: How far what the wrapped graph says may be from that.

    Raises:
        MtclarError: Even one at a time the graph does not say the same.
    """
    problem: MtclarError | None = None
    worst = float("inf")
    undo = np.concatenate([np.full(len(part.shift), 1 / ASIDE if part.aside else 1.0) for part in parts])
    for graph, together in _attempts(model, picture, scaling, parts):
        try:
            session = open_session(path, graph)
            sizes = (len(faces), 2, 1) if together else (1,) * len(faces)
            found: list[float] = []
            for size in sizes:
                some = slice(0, size) if together else slice(len(found), len(found) + 1)
                answer = session.run(["embedding"], {"faces": faces[some]})[0]
                if answer.shape != expected[some].shape:
                    break
                found.append(float(np.abs(answer * undo - expected[some]).max()))
        except MtclarError as error:
            problem = error
            continue
        except Exception:  # noqa: S112 - ONNX Runtime's errors share no base class; the next attempt is the answer
            continue
        if len(found) == len(sizes) and (worst := max(found)) <= tolerance:
            return Encoder(graph, not together, worst)
    if problem is None and picture.batch > 1:
        problem = MtclarError(
            f"{path}: takes just {picture.batch} faces at a time; export it for any number, or for one."
        )
    raise problem or MtclarError(
        f"{path}: the wrapped graph does not say what the network says (largest difference {worst:.3g}, "
        f"adopt.tolerance is {tolerance:g}); does it draw random numbers?"
    )


def _attempts(
    model: onnx.ModelProto, picture: Picture, scaling: Scaling, parts: Sequence[Part]
) -> Iterator[tuple[bytes, bool]]:
    """Ways to wrap the graph, the best first, and whether each takes several faces at once."""
    for repaired in (False, True):
        yield _encoder(model, picture, scaling, parts, rows="n", repaired=repaired), True
    if picture.batch in {0, 1}:
        yield _encoder(model, picture, scaling, parts, rows=1, repaired=False), False


def _encoder(
    model: onnx.ModelProto,
    picture: Picture,
    scaling: Scaling,
    parts: Sequence[Part],
    *,
    rows: str | int,
    repaired: bool,
) -> bytes:
    body = compose.add_prefix(model, PREFIX)
    graph = body.graph
    if repaired:
        _free_rows(graph, picture.batch)
    # Sizes that were declared for another batch would contradict what comes.
    for field in (graph.value_info, graph.output, graph.input):
        del field[:]
    before = _before(picture, scaling, graph)
    after = _after(parts, graph)
    nodes = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("faces", TensorProto.FLOAT, [rows, 3, picture.size, picture.size]))
    width = sum(len(part.shift) for part in parts)
    graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [rows, width]))
    prune(graph)
    onnx.checker.check_model(body)
    return body.SerializeToString()


def _before(picture: Picture, scaling: Scaling, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """From `faces` to the input of the foreign graph."""
    rounding = 0.5 if picture.kind == TensorProto.UINT8 else 0.0  # the cast cuts off
    graph.initializer.extend(
        [
            numpy_helper.from_array(scaling.weights[:, :, None, None], "weights"),
            numpy_helper.from_array(scaling.bias + np.float32(rounding), "bias"),
        ]
    )
    nodes = [helper.make_node("Conv", ["faces", "weights", "bias"], ["scaled"], kernel_shape=[1, 1])]
    last = "scaled"
    if picture.layout == "nhwc":
        nodes.append(helper.make_node("Transpose", [last], ["turned"], perm=[0, 2, 3, 1]))
        last = "turned"
    nodes.append(helper.make_node("Cast", [last], [PREFIX + picture.name], to=picture.kind))
    return nodes


def _after(parts: Sequence[Part], graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """From outputs of the foreign graph to `embedding`."""
    nodes = []
    for k, part in enumerate(parts):
        nodes += [
            helper.make_node("Cast", [PREFIX + part.columns.output], [f"plain{k}"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", [f"plain{k}"], [f"flat{k}"], axis=1),
        ]
        factor = (ASIDE if part.aside else 1.0) / part.unit
        constants = {"shift": np.asarray(part.shift, np.float32), "factor": np.float32(factor)}
        chosen = f"flat{k}"
        if part.columns.columns is not None:
            constants["which"] = np.array(part.columns.columns, np.int64)
            chosen = f"chosen{k}"
            nodes.append(helper.make_node("Gather", [f"flat{k}", f"which{k}"], [chosen], axis=1))
        nodes += [
            helper.make_node("Sub", [chosen, f"shift{k}"], [f"moved{k}"]),
            helper.make_node("Mul", [f"moved{k}", f"factor{k}"], [f"part{k}"]),
        ]
        graph.initializer.extend(numpy_helper.from_array(np.asarray(v), f"{key}{k}") for key, v in constants.items())
    nodes.append(helper.make_node("Concat", [f"part{k}" for k in range(len(parts))], ["embedding"], axis=1))
    return nodes


def _free_rows(graph: onnx.GraphProto, batch: int) -> None:
    """Lets each Reshape to as many rows as the graph was exported for take the number of rows that come."""
    known = {item.name: item for item in graph.initializer}
    known |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for number, node in enumerate(graph.node):
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in known:
            continue
        shape = numpy_helper.to_array(known[node.input[1]]).copy()
        if shape.ndim == 1 and len(shape) and shape[0] == max(batch, 1):
            shape[0] = 0  # the same as in the input, unless `allowzero` takes it at its word
            kept = [attribute for attribute in node.attribute if attribute.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)
            graph.initializer.append(numpy_helper.from_array(shape, f"shape{number}"))
            node.input[1] = f"shape{number}"
