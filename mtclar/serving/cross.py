"""The pair head for every face with every other: the first layer's halves are computed once a face, not once a pair.

A head that concatenates two embeddings begins with layers W [a, b] + c = W_a a + (W_b b + c), so for n faces and k
others W_a a is needed n times, W_b b + c k times, and only their sum n k times. `crossed` rewrites the graph of a pair
head accordingly: from left (n, d) and right (n, d) to left (n, d) and right (k, d), its outputs having a row for each
pair, the right one changing fastest. The graph is a protocol buffer, of which as much is read and written here as that
takes: labelling has no need of the package onnx.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

Fields = list[tuple[int, int | bytes]]
"""A message: numbers of its fields with their values, integers or bytes, in order."""

# Numbers of fields, from onnx.proto.
_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _OP_TYPE, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_F, _ATTRIBUTE_I, _ATTRIBUTE_TYPE = 1, 2, 3, 20
_DIMS, _DATA_TYPE, _TENSOR_NAME, _RAW_DATA = 1, 2, 8, 9
_FLOAT, _INT64, _TYPE_INT = 1, 7, 2


@dataclass(frozen=True)
class _Node:
    """A node of a graph, as far as it is asked."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int | bytes]


def crossed(model: bytes) -> bytes | None:
    """A pair graph rewritten for all pairs; None where it is not a head that begins with layers of both embeddings.

    Args:
        model: Serialised ONNX with the inputs `left` and `right`, both float32 (n, d).

    Returns:
        Serialised ONNX with `left` (n, d) and `right` (k, d) and the same outputs, each of n k rows.
    """
    whole = _read(model)
    graph = _read(_only(whole, _GRAPH))
    tensors = {_text(_only(fields, _TENSOR_NAME)): fields for fields in map(_read, _all(graph, _INITIALIZER))}
    nodes = [_node(_read(data)) for data in _all(graph, _NODE)]
    sides = {
        node.outputs[0]: node.inputs
        for node in nodes
        if node.kind == "Concat" and set(node.inputs) == {"left", "right"} and node.attributes.get("axis") == 1
    }
    if not sides or any({"left", "right"} & set(node.inputs) for node in nodes if node.outputs[0] not in sides):
        return None
    made: Fields = []
    shapes: dict[int, str] = {}
    for node, data in zip(nodes, _all(graph, _NODE), strict=True):
        if node.outputs[0] in sides:
            continue
        if not sides.keys() & set(node.inputs):
            made.append((_NODE, data))
            continue
        weight = _weight(node, sides.keys(), tensors)
        if weight is None:
            return None
        made += _split(node, sides[node.inputs[0]], weight, shapes)
    made += [
        (_INITIALIZER, _tensor("cross.left", np.array([1]))),
        (_INITIALIZER, _tensor("cross.right", np.array([0]))),
    ]
    made += [(_INITIALIZER, _tensor(name, np.array([-1, width]))) for width, name in shapes.items()]
    made += [(number, value) for number, value in graph if number in (_INITIALIZER, 2)]
    made += [(_INPUT, _declared(_read(data), None)) for data in _all(graph, _INPUT)]
    made += [(_OUTPUT, _declared(_read(data), "pairs")) for data in _all(graph, _OUTPUT)]
    return _write([(number, _write(made) if number == _GRAPH else value) for number, value in whole])


def _weight(node: _Node, both: Iterable[str], tensors: dict[str, Fields]) -> np.ndarray | None:
    """The matrix (h, 2 d) of a layer of both embeddings; None where the node is none."""
    plain = node.kind == "Gemm" and node.attributes.get("transB") == 1 and not node.attributes.get("transA", 0)
    ones = all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
    if not (plain and ones and node.inputs[0] in both and len(node.inputs) == 3 and node.inputs[1] in tensors):
        return None
    fields = tensors[node.inputs[1]]
    raw = [value for number, value in fields if number == _RAW_DATA]
    shape = [value for number, value in fields if number == _DIMS]
    if shape and isinstance(shape[0], bytes):  # packed
        shape = list(_varints(shape[0]))
    if _only(fields, _DATA_TYPE) != _FLOAT or len(shape) != 2 or len(raw) != 1 or not isinstance(raw[0], bytes):
        return None
    return np.frombuffer(raw[0], "<f4").reshape(int(shape[0]), int(shape[1]))


def _split(node: _Node, order: tuple[str, ...], weight: np.ndarray, shapes: dict[int, str]) -> Fields:
    """The nodes and weights that stand for a layer of the embeddings `order`, left and right or the other way round."""
    name, (h, width) = node.outputs[0], weight.shape
    shape = shapes.setdefault(h, f"cross.shape{h}")
    made: Fields = []
    for half, side in enumerate(order):
        part, out = f"{name}.weight.{side}", f"{name}.{side}"
        columns = weight[:, half * width // 2 : (half + 1) * width // 2]
        made.append((_INITIALIZER, _tensor(part, np.ascontiguousarray(columns))))
        inputs = [side, part] + ([node.inputs[2]] if half else [])
        made.append((_NODE, _made("Gemm", inputs, out, transB=1)))
        made.append((_NODE, _made("Unsqueeze", [out, f"cross.{side}"], f"{out}.wide")))
    made.append((_NODE, _made("Add", [f"{name}.left.wide", f"{name}.right.wide"], f"{name}.sum")))
    made.append((_NODE, _made("Reshape", [f"{name}.sum", shape], name)))
    return made


def _node(fields: Fields) -> _Node:
    attributes: dict[str, int | bytes] = {}
    for data in _all(fields, _ATTRIBUTE):
        inner = dict(_read(data))
        name = _text(inner[_ATTRIBUTE_NAME])
        if _ATTRIBUTE_F in inner:
            attributes[name] = float(np.frombuffer(_bytes(inner[_ATTRIBUTE_F]), "<f4")[0])  # type: ignore[assignment]
        else:
            attributes[name] = inner.get(_ATTRIBUTE_I, 0)
    inputs, outputs = (tuple(map(_text, _all(fields, number))) for number in (_NODE_INPUT, _NODE_OUTPUT))
    return _Node(_text(_only(fields, _OP_TYPE)), inputs, outputs, attributes)


def _made(kind: str, inputs: Iterable[str], output: str, **attributes: int) -> bytes:
    """A new node."""
    fields: Fields = [(_NODE_INPUT, name.encode()) for name in inputs]
    fields += [(_NODE_OUTPUT, output.encode()), (3, f"cross.{output}".encode()), (_OP_TYPE, kind.encode())]
    for name, value in attributes.items():
        inner: Fields = [(_ATTRIBUTE_NAME, name.encode()), (_ATTRIBUTE_I, value), (_ATTRIBUTE_TYPE, _TYPE_INT)]
        fields.append((_ATTRIBUTE, _write(inner)))
    return _write(fields)


def _tensor(name: str, values: np.ndarray) -> bytes:
    """A new weight: float32, or int64 for what is whole."""
    whole = values.dtype.kind == "i"
    fields: Fields = [(_DIMS, side) for side in values.shape]
    fields += [(_DATA_TYPE, _INT64 if whole else _FLOAT), (_TENSOR_NAME, name.encode())]
    return _write([*fields, (_RAW_DATA, values.astype("<i8" if whole else "<f4").tobytes())])


def _declared(fields: Fields, rows: str | None) -> bytes:
    """An input or output (ValueInfoProto) whose number of rows has a name of its own."""
    name = _text(_only(fields, 1))
    kind = _read(_only(fields, 2))  # TypeProto
    tensor = _read(_only(kind, 1))
    dims = _all(_read(_only(tensor, 2)), 1)
    dims = [_write([(2, (rows or f"rows_{name}").encode())]), *dims[1:]]
    shape = _write([(1, dim) for dim in dims])
    tensor = [(number, shape if number == 2 else value) for number, value in tensor]
    return _write([(1, name.encode()), (2, _write([(1, _write(tensor))]))])


def _read(data: int | bytes) -> Fields:
    """The fields of a message."""
    data, at, found = _bytes(data), 0, []
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value: int | bytes
            value, at = _varint(data, at)
        else:
            size, at = (8, at) if kind == 1 else (4, at) if kind == 5 else _varint(data, at)
            value, at = data[at : at + size], at + size
        found.append((key >> 3, value))
    return found


def _write(fields: Fields) -> bytes:
    """A message; bytes are written with their length, but for a float of an attribute, which is never written here."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _encoded(number << 3) + _encoded(value)
        else:
            out += _encoded(number << 3 | 2) + _encoded(len(value)) + value
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _all(fields: Fields, number: int) -> list[int | bytes]:
    return [value for key, value in fields if key == number]


def _only(fields: Fields, number: int) -> int | bytes:
    return _all(fields, number)[0]


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"expected a message, got the number {value}")
    return value
