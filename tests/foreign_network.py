"""Small face networks of the kind others publish as ONNX: a convolution, a pooling, an embedding and a last layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, WIDTH = 32, 20
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IMAGENET = ["adopt.mean=[0.485,0.456,0.406]", "adopt.std=[0.229,0.224,0.225]"]
LABELS = ["adopt.valence=scores:8", "adopt.arousal=scores:9"]


def weights(channels: int = 3) -> dict[str, np.ndarray]:
    """The network's weights: a 4x4 convolution of stride 4 to eight maps, WIDTH features, ten scores."""
    rng = np.random.default_rng(5)
    return {
        "kernel": rng.normal(0, 0.4, (8, channels, 4, 4)).astype(np.float32),
        "features": rng.normal(0, 0.5, (WIDTH, 8)).astype(np.float32),
        "scores": rng.normal(0, 0.12, (10, WIDTH)).astype(np.float32),
    }


def write_network(
    path: Path,
    *,
    batch: int | str = "n",
    channels: int | str = 3,
    size: int | str = SIZE,
    nhwc: bool = False,
    outputs: tuple[str, ...] = ("embedding", "scores"),
    reshape: bool = False,
    mixing: bool = False,
    score_unit: float = 1.0,
    nan_on_black: bool = False,
    blind: bool = False,
    kind: int = TensorProto.FLOAT,
    external: bool = False,
    second_input: bool = False,
    ir_version: int = 8,
    **changes: Any,
) -> Path:
    """Writes a network.

    Args:
        path: Where.
        batch, channels, size: Axes of its input; a word leaves one open.
        nhwc: Channels last.
        outputs: Of embedding (n, WIDTH), scores (n, 10), maps (n, 8, 8, 8).
        reshape: Whether the pooled maps are brought to a shape that was traced, (1, 8).
        mixing: Whether one face's answer depends on the others of its batch.
        score_unit: Factor of the scores.
        nan_on_black: Whether a black picture becomes NaN.
        blind: Whether the embedding is the same for every picture.
        kind: Type of the input.
        external: Whether the weights lie in a file beside it.
        second_input: Whether there is an input besides, which nothing else than an output of its own needs.
        ir_version: Of the file; at 3 the weights are inputs too.
        changes: Operators by name of the node's output, to replace one by another.
    """
    w = weights(channels if isinstance(channels, int) else 3)
    constants = {**w, "rows": np.array([1, 8]), "score_unit": np.float32(score_unit)}
    nodes, last = [], "picture"
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [last], ["plain"], to=TensorProto.FLOAT))
        last = "plain"
    if nhwc:
        nodes.append(helper.make_node("Transpose", [last], ["turned"], perm=[0, 3, 1, 2]))
        last = "turned"
    nodes.append(helper.make_node("Conv", [last, "kernel"], ["raw"], strides=[4, 4]))
    nodes.append(helper.make_node(changes.get("maps", "Tanh"), ["raw"], ["maps"], domain=changes.get("domain", "")))
    nodes.append(helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]))
    if reshape:
        nodes.append(helper.make_node("Reshape", ["pooled", "rows"], ["flat"], allowzero=1))  # as torch writes it
    else:
        nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    last = "flat"
    if mixing:
        nodes.append(helper.make_node("ReduceMean", [last], ["of_all"], axes=[0], keepdims=1))
        nodes.append(helper.make_node("Add", [last, "of_all"], ["mixed"]))
        last = "mixed"
    if nan_on_black:
        constants |= {"whole": np.float32(SIZE)}
        nodes.append(helper.make_node("ReduceMax", ["picture"], ["brightest"], axes=[1, 2, 3], keepdims=0))
        nodes.append(helper.make_node("Unsqueeze", ["brightest", "one"], ["column"]))
        nodes.append(helper.make_node("Sqrt", ["column"], ["root"]))
        nodes.append(helper.make_node("Mul", [last, "root"], ["fragile"]))
        constants |= {"one": np.array([1])}
        last = "fragile"
    if blind:
        constants["nothing"] = np.float32(0)
        nodes.append(helper.make_node("Mul", [last, "nothing"], ["blinded"]))
        last = "blinded"
    nodes.append(helper.make_node("Gemm", [last, "features"], ["embedding"], transB=1))
    nodes.append(helper.make_node("Gemm", ["embedding", "scores_w"], ["plain_scores"], transB=1))
    nodes.append(helper.make_node("Mul", ["plain_scores", "score_unit"], ["scores"]))
    constants["scores_w"] = constants.pop("scores")
    shape = [batch, size, size, channels] if nhwc else [batch, channels, size, size]
    inputs = [helper.make_tensor_value_info("picture", kind, shape)]
    shapes = {"embedding": [batch, WIDTH], "scores": [batch, 10], "maps": [batch, 8, 8, 8], "doubled": [batch]}
    if second_input:
        inputs.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, [batch]))
        nodes.append(helper.make_node("Add", ["other", "other"], ["doubled"]))
        outputs = (*outputs, "doubled")
    if "last" in changes:  # a network that ends in the last layer itself
        nodes = [node for node in nodes if node.output[0] != "scores"]
        nodes[-1].output[0] = "scores"
    used = {name for node in nodes for name in node.input}
    initializers = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items() if name in used]
    if ir_version == 3:
        inputs += [helper.make_tensor_value_info(i.name, i.data_type, list(i.dims)) for i in initializers]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs]
    graph = helper.make_graph(nodes, "network", inputs, values, initializers)
    opsets = [helper.make_opsetid("", 14), *([helper.make_opsetid("theirs", 1)] if changes.get("domain") else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    onnx.save(model, str(path), save_as_external_data=external, location="weights.bin", size_threshold=0)
    return path


def network_in_numpy(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Embedding (n, WIDTH) and scores (n, 10) of pictures (n, 3, SIZE, SIZE) as the network gets them."""
    w = {name: value.astype(np.float64) for name, value in weights(seen.shape[1]).items()}
    n, c, s, _ = seen.shape
    patches = seen.reshape(n, c, s // 4, 4, s // 4, 4).astype(np.float64)
    pooled = np.tanh(np.einsum("nciajb,kcab->nkij", patches, w["kernel"])).mean(axis=(2, 3))
    embedding = pooled @ w["features"].T
    return embedding, embedding @ w["scores"].T
