from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from foreign_network import MEAN, SIZE, STD, WIDTH, network_in_numpy, write_network
from onnx import TensorProto

from mtclar.errors import MtclarError
from mtclar.serving.adopt import ASIDE, Part, make_encoder
from mtclar.serving.foreign import Picture, Scaling, find_picture, read_onnx
from mtclar.serving.foreign_answers import Columns, answers
from mtclar.serving.foreign_graph import isolate

FACES = np.random.default_rng(0).random((4, 3, SIZE, SIZE), np.float32)
EMBEDDING = Part(Columns("embedding"), np.linspace(-1, 1, WIDTH), 2.5, aside=False)
VALENCE = Part(Columns("scores", (8,)), np.array([0.25]), 0.5, aside=True)


def run(graph: bytes, **inputs: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def wrapped(path: Path, scaling: Scaling, parts=(EMBEDDING, VALENCE), grey: bool = False):
    """The wrapped encoder, its picture, and what the graph itself says."""
    model = read_onnx(path)
    picture = find_picture(path, model, name="", size=SIZE, layout="auto", grey=grey)
    outputs = answers(path, model, picture, scaling, FACES)
    expected = np.hstack([p.of(outputs[p.columns.output][:, list(p.columns.columns or range(WIDTH))]) for p in parts])
    return make_encoder(path, model, picture, scaling, parts, FACES, expected, 1e-3), picture


def by_numpy(scaling: Scaling, picture: Picture) -> np.ndarray:
    """The embedding of FACES, from pixels on without any graph."""
    seen = scaling.prepare(FACES, picture).astype(np.float64)
    embedding, scores = network_in_numpy(seen if picture.layout == "nchw" else seen.transpose(0, 3, 1, 2))
    label = (scores[:, 8:9] - 0.25) / 0.5
    return np.hstack([(embedding - np.linspace(-1, 1, WIDTH)) / 2.5, label * ASIDE])


@pytest.mark.parametrize(
    ("network", "colour", "mean", "std"),
    [
        ({}, "rgb", MEAN, STD),
        ({}, "bgr", (0.3, 0.4, 0.5), (0.1, 0.2, 0.3)),
        ({"nhwc": True}, "rgb", (0.5,), (0.5,)),
        ({"nhwc": True, "batch": 1}, "bgr", (0.0,), (1.0,)),
        ({"channels": 1}, "grey", (0.45,), (0.22,)),
        ({"size": "s"}, "rgb", MEAN, STD),
        ({"batch": 1}, "rgb", MEAN, STD),
        ({"batch": 1, "reshape": True}, "rgb", MEAN, STD),
        ({"batch": 1, "reshape": True, "ir_version": 3}, "rgb", MEAN, STD),
        ({"batch": 4}, "rgb", MEAN, STD),
        ({"external": True}, "rgb", MEAN, STD),
        ({"second_input": True}, "rgb", MEAN, STD),
        ({"outputs": ("embedding", "scores", "maps")}, "rgb", MEAN, STD),
    ],
)
def test_the_wrapped_graph_says_what_numpy_does_for_any_number_of_faces(tmp_path, network, colour, mean, std):
    scaling, path = Scaling.of(colour, mean, std), write_network(tmp_path / "net.onnx", **network)
    if "second_input" in network:
        model = read_onnx(path)
        isolate(path, model, "picture")
        path.write_bytes(model.SerializeToString())
    encoder, picture = wrapped(path, scaling, grey=colour == "grey")
    assert not encoder.one_by_one
    expected = by_numpy(scaling, picture)
    for n in (1, 3, 4):
        np.testing.assert_allclose(run(encoder.graph, faces=FACES[:n])[0], expected[:n], atol=2e-5)
    label = run(encoder.graph, faces=FACES)[0][:, -1] / ASIDE
    np.testing.assert_allclose(label, expected[:, -1] / ASIDE, atol=2e-5)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.FLOAT16])
def test_whole_numbers_and_half_precision_are_what_the_graph_gets_where_it_asks_for_them(tmp_path, kind):
    scaling = Scaling.of("rgb", (0.0,), (1 / 255 if kind == TensorProto.UINT8 else 1.0,))
    encoder, picture = wrapped(write_network(tmp_path / "net.onnx", kind=kind), scaling)
    np.testing.assert_allclose(run(encoder.graph, faces=FACES)[0], by_numpy(scaling, picture), atol=1e-4)


def test_a_graph_that_mixes_the_faces_of_a_batch_is_asked_one_by_one(tmp_path):
    encoder, _ = wrapped(write_network(tmp_path / "net.onnx", mixing=True), Scaling.of("rgb", MEAN, STD))
    assert encoder.one_by_one
    assert run(encoder.graph, faces=FACES[:1])[0].shape == (1, WIDTH + 1)


def test_a_graph_that_takes_only_several_faces_that_it_mixes_is_refused(tmp_path):
    path = write_network(tmp_path / "net.onnx", mixing=True, batch=4)
    with pytest.raises(MtclarError, match="takes just 4 faces at a time; export it for any number, or for one"):
        wrapped(path, Scaling.of("rgb", MEAN, STD))


def test_nodes_and_weights_that_nothing_needs_are_left_out(tmp_path):
    scaling, path = Scaling.of("rgb", MEAN, STD), write_network(tmp_path / "net.onnx")
    whole, _ = wrapped(path, scaling)
    part, _ = wrapped(path, scaling, (EMBEDDING,))
    assert len(part.graph) < len(whole.graph) - 10 * WIDTH * 4
