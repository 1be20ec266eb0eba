"""A bundle small enough to reckon by hand: the embedding of a face is its mean red, green and blue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mtclar.data.tables import EXPRESSIONS
from mtclar.faces.crop import CropSpec
from mtclar.serving import write_bundle

SPEC = CropSpec(scale=1.5, input_size=64)
WEIGHTS = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)


def toy_graphs(d_valence: float = 1.0) -> dict[str, bytes]:
    """The three graphs; `d_valence` is multiplied to the difference in valence (nan breaks it)."""

    def first(name: str, out: str, column: int) -> list[onnx.NodeProto]:
        return [helper.make_node("Gather", [name, f"column{column}"], [out], axis=1)]

    columns = [numpy_helper.from_array(np.array(i), f"column{i}") for i in (0, 1)]
    encoder = _model(
        [helper.make_node("ReduceMean", ["faces", "axes"], ["embedding"], keepdims=0)],
        {"faces": ["n", 3, SPEC.input_size, SPEC.input_size]},
        {"embedding": ["n", 3]},
        [numpy_helper.from_array(np.array([2, 3]), "axes")],
    )
    pair = _model(
        [
            helper.make_node("Sub", ["left", "right"], ["delta"]),
            *first("delta", "plain_valence", 0),
            *first("delta", "d_arousal", 1),
            helper.make_node("Mul", ["plain_valence", "factor"], ["d_valence"]),
            helper.make_node("Mul", ["left", "right"], ["product"]),
            helper.make_node("ReduceMean", ["product", "last"], ["similar"], keepdims=0),
        ],
        {"left": ["n", 3], "right": ["n", 3]},
        {"similar": ["n"], "d_valence": ["n"], "d_arousal": ["n"]},
        [
            *columns,
            numpy_helper.from_array(np.array([1]), "last"),
            numpy_helper.from_array(np.float32(d_valence), "factor"),
        ],
    )
    single = _model(
        [
            helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["expression"], axis=1),
            *first("embedding", "valence", 0),
            *first("embedding", "arousal", 1),
        ],
        {"embedding": ["n", 3]},
        {"expression": ["n", 8], "valence": ["n"], "arousal": ["n"]},
        [*columns, numpy_helper.from_array(WEIGHTS, "weights")],
    )
    return {"encoder.onnx": encoder, "pair.onnx": pair, "single.onnx": single}


def toy_facts(**changes: Any) -> dict[str, Any]:
    """What bundle.json says of it."""
    facts = {
        "mtclar_version": "0.1.0",
        "crop": SPEC.to_dict(),
        "tasks": ["similarity", "valence", "arousal"],
        "embedding_size": 3,
        "label_range": [-1.0, 1.0],
        "expressions": list(EXPRESSIONS),
        "calibration": None,
        "metrics": {"valence_ccc": 0.8, "arousal_ccc": 0.7},
        "data_revision": "0123.dir",
        "git_revision": "abc",
        "licences": {"software": "Apache-2.0"},
    }
    return facts | changes


def toy_bundle(folder: Path, d_valence: float = 1.0, **changes: Any) -> Path:
    """Writes the bundle to `folder` and returns it."""
    write_bundle(folder, toy_graphs(d_valence), toy_facts(**changes))
    return folder


def _model(nodes: list, inputs: dict, outputs: dict, constants: list) -> bytes:
    def values(shapes: dict) -> list:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    graph = helper.make_graph(nodes, "toy", values(inputs), values(outputs), constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()
