"""pair.onnx and single.onnx of an adopted network.

single.onnx: valence and arousal = clip(embedding · weights + bias, -1, 1), where `weights` pick the columns that ride
along or are a ridge regression's; pair.onnx: the difference before that clip, clip((left - right) · weights, -2, 2).
Nothing is known of how such a network tells whether two expressions are alike, so `similar` is NaN and the bundle's
tasks leave similarity out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mtclar.data.tables import EXPRESSIONS
from mtclar.serving.adopt import ASIDE

OPSET, IR_VERSION = 18, 10
"""Of both graphs; the encoder keeps the foreign graph's."""
ABSENT = -1e4
"""Logit of an expression that the network does not know."""


@dataclass(frozen=True)
class Reading:
    """How valence and arousal, and perhaps expressions, are read from an embedding.

    Attributes:
        weights: float64 (d, 2), of valence and arousal.
        bias: float64 (2,).
        first: The column of the embedding with the first answer about expressions.
        expressions: Positions in EXPRESSIONS of these answers; empty where the network tells of none.
        probabilities: Whether they are probabilities; else they are logits.
    """

    weights: np.ndarray
    bias: np.ndarray
    first: int = 0
    expressions: tuple[int, ...] = ()
    probabilities: bool = False


def make_heads(reading: Reading) -> dict[str, bytes]:
    """pair.onnx and single.onnx. Without a word on expressions each is as likely as any other."""
    width = len(reading.weights)
    weights = numpy_helper.from_array(reading.weights.astype(np.float32), "weights")
    columns = [numpy_helper.from_array(np.array(k), f"column{k}") for k in (0, 1)]

    def ends(kind: float) -> list[onnx.TensorProto]:
        return [_constant(sign * kind, name) for sign, name in ((-1, "least"), (1, "most"))]

    def apart(names: tuple[str, str]) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Clip", ["labels", "least", "most"], ["clipped"]),
            *(helper.make_node("Gather", ["clipped", f"column{k}"], [name], axis=1) for k, name in enumerate(names)),
        ]

    pair = _model(
        [
            helper.make_node("Sub", ["left", "right"], ["apart"]),
            helper.make_node("MatMul", ["apart", "weights"], ["labels"]),
            *apart(("d_valence", "d_arousal")),
            helper.make_node("Add", ["d_valence", "unknown"], ["similar"]),
        ],
        {"left": ["n", width], "right": ["n", width]},
        {"similar": ["n"], "d_valence": ["n"], "d_arousal": ["n"]},
        [weights, *columns, *ends(2.0), _constant(np.nan, "unknown")],
    )
    picks, absent = np.zeros((width, len(EXPRESSIONS)), np.float32), np.zeros(len(EXPRESSIONS), np.float32)
    for k, place in enumerate(reading.expressions):
        picks[reading.first + k, place] = 1 / ASIDE
    if reading.expressions:
        absent[[k for k in range(len(EXPRESSIONS)) if k not in reading.expressions]] = ABSENT
    logits = [helper.make_node("MatMul", ["embedding", "picks"], ["told"])]
    if reading.probabilities:
        logits += [
            helper.make_node("Max", ["told", "tiny"], ["likely"]),
            helper.make_node("Log", ["likely"], ["told_log"]),
        ]
    single = _model(
        [
            helper.make_node("MatMul", ["embedding", "weights"], ["raised"]),
            helper.make_node("Add", ["raised", "bias"], ["labels"]),
            *apart(("valence", "arousal")),
            *logits,
            helper.make_node("Add", ["told_log" if reading.probabilities else "told", "absent"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["expression"], axis=1),
        ],
        {"embedding": ["n", width]},
        {"expression": ["n", len(EXPRESSIONS)], "valence": ["n"], "arousal": ["n"]},
        [
            weights,
            *columns,
            *ends(1.0),
            numpy_helper.from_array(reading.bias.astype(np.float32), "bias"),
            numpy_helper.from_array(picks, "picks"),
            numpy_helper.from_array(absent, "absent"),
            _constant(1e-12, "tiny"),
        ],
    )
    return {"pair.onnx": pair, "single.onnx": single}


def _constant(value: float, name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, np.float32), name)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, list[str | int]],
    outputs: dict[str, list[str | int]],
    constants: list[onnx.TensorProto],
) -> bytes:
    taken, given = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in part.items()]
        for part in (inputs, outputs)
    )
    graph = helper.make_graph(nodes, "mtclar", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
