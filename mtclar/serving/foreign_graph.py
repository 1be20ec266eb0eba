"""The graph of a foreign network: what needs what in it, and what may be left out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx

from mtclar.errors import MtclarError

PASSED = ("Softmax", "Sigmoid", "Tanh", "Identity", "Add", "Clip", "Cast")
"""Operators that may follow the last linear layer."""


def isolate(path: Path, model: onnx.ModelProto, picture: str) -> None:
    """Takes out of a graph all that needs another input than the picture, and the other inputs.

    Raises:
        MtclarError: Every output needs another input.
    """
    graph = model.graph
    others = {item.name for item in graph.input if item.name != picture}
    if not others:
        return
    needing, kept = set(others), []
    for node in graph.node:
        if needing & set(read_by(node)):
            needing |= set(node.output)
        else:
            kept.append(node)
    outputs = [item for item in graph.output if item.name not in needing]
    if not outputs:
        raise MtclarError(f"{path}: its outputs need the input(s) {', '.join(sorted(others))} besides '{picture}'.")
    for field, items in ((graph.node, kept), (graph.output, outputs)):
        del field[:]
        field.extend(items)  # type: ignore[arg-type]
    inputs = [item for item in graph.input if item.name == picture]
    del graph.input[:]
    graph.input.extend(inputs)


def read_by(node: onnx.NodeProto) -> Iterable[str]:
    """Names a node reads, those that its subgraphs read from outside among them."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from read_by(inner)


def prune(graph: onnx.GraphProto) -> None:
    """Leaves out nodes and weights that the outputs do not need."""
    needed = {item.name for item in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(read_by(node))
    for field, items in (
        (graph.node, kept[::-1]),
        (graph.initializer, [item for item in graph.initializer if item.name in needed]),
        (graph.sparse_initializer, [item for item in graph.sparse_initializer if item.values.name in needed]),
    ):
        del field[:]
        field.extend(items)  # type: ignore[arg-type]


def last_linear_input(model: onnx.ModelProto) -> str:
    """The tensor that goes into the last linear layer, where the graph ends in one; else an empty name.

    It is the embedding of networks that give their last layer's answer alone.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    weights = {item.name for item in model.graph.initializer}
    weights |= {node.output[0] for node in model.graph.node if node.op_type in ("Constant", "DequantizeLinear")}
    found = set()
    for item in model.graph.output:
        node = makers.get(item.name)
        while node is not None and node.op_type in PASSED:
            inner = [name for name in node.input if name and name not in weights]
            node = makers.get(inner[0]) if len(inner) == 1 or node.op_type == "Clip" else None
        if node is not None and node.op_type in ("Gemm", "MatMul"):
            found.add(node.input[0])
    return found.pop() if len(found) == 1 else ""
