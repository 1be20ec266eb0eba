from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign_network import MEAN, STD, WIDTH, network_in_numpy, write_network

from mtclar.errors import MtclarError
from mtclar.serving.foreign import Scaling, find_picture, read_onnx
from mtclar.serving.foreign_answers import (
    Columns,
    answers,
    find_embedding,
    find_label,
    parse_columns,
    values_of,
)
from mtclar.serving.foreign_graph import isolate

FILE = Path("net.onnx")
SCALING = Scaling.of("rgb", MEAN, STD)
FACES = np.random.default_rng(0).random((3, 3, 32, 32), np.float32)
OUTPUTS = {
    "scores": np.arange(30.0).reshape(3, 10),
    "Identity:0": np.arange(150.0).reshape(3, 50, 1, 1),
    "maps": np.ones((3, 8, 4, 4)),
    "Valence_out": np.arange(3.0)[:, None],
}


def asked(path: Path, inner: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    model = read_onnx(path)
    picture = find_picture(path, model, name="", size=0, layout="auto", grey=False)
    isolate(path, model, picture.name)
    return answers(path, model, picture, SCALING, FACES, inner)


@pytest.mark.parametrize("network", [{}, {"batch": 1}, {"batch": 4}, {"batch": 1, "reshape": True}, {"ir_version": 3}])
def test_each_face_is_answered_alone_whatever_batch_the_graph_was_made_for(tmp_path, network):
    found = asked(write_network(tmp_path / "net.onnx", **network))
    embedding, scores = network_in_numpy(SCALING.prepare(FACES, _picture(tmp_path / "net.onnx")))
    np.testing.assert_allclose(found["embedding"], embedding, atol=1e-5)
    np.testing.assert_allclose(found["scores"], scores, atol=1e-5)


def _picture(path: Path):
    return find_picture(path, read_onnx(path), name="", size=0, layout="auto", grey=False)


def test_a_tensor_inside_the_graph_can_be_asked_for(tmp_path):
    found = asked(write_network(tmp_path / "net.onnx", outputs=("scores",)), ("embedding", "maps"))
    assert {name: value.shape for name, value in found.items()} == {
        "scores": (3, 10),
        "embedding": (3, WIDTH),
        "maps": (3, 8, 8, 8),
    }


def test_an_operator_that_onnx_runtime_does_not_know_is_named(tmp_path):
    with pytest.raises(MtclarError, match=r"ONNX Runtime cannot open the graph \(.*Swish"):
        asked(write_network(tmp_path / "net.onnx", maps="Swish", domain="theirs"))


def test_a_graph_that_fails_on_the_picture_is_said_so(tmp_path):
    model = onnx.load(write_network(tmp_path / "net.onnx", batch=1, reshape=True))
    next(i for i in model.graph.initializer if i.name == "rows").CopyFrom(
        onnx.numpy_helper.from_array(np.array([1, 9]), "rows")
    )
    del model.graph.value_info[:]
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(MtclarError, match=r"fails on a picture of 32 pixels|cannot open the graph"):
        asked(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scores", Columns("scores")),
        ("scores:3", Columns("scores", (3,))),
        ("scores:0-7", Columns("scores", tuple(range(8)))),
        ("Identity:0", Columns("Identity:0")),
        ("Identity:0:49", Columns("Identity:0", (49,))),
    ],
)
def test_columns_are_named_by_output_and_number(text, expected):
    assert parse_columns(FILE, "--valence", text, OUTPUTS) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score:1", r"has no output 'score' \(did you mean 'scores'\?\); correct --valence"),
        ("scores:10", "'scores' has 10 columns, numbered from 0, so --valence scores:10 is out of range"),
        ("scores:5-2", "the first column comes after the last"),
        ("maps:1", r"'maps' has shape \(n, 8, 4, 4\), expected \(n, columns\); name one after the pooling"),
    ],
)
def test_columns_that_are_not_there_are_refused(text, words):
    with pytest.raises(MtclarError, match=words):
        parse_columns(FILE, "--valence", text, OUTPUTS)


def test_the_embedding_is_the_only_wide_output_or_the_one_named_so():
    assert find_embedding(FILE, "", OUTPUTS, "") == Columns("Identity:0")
    two = OUTPUTS | {"face_features": np.ones((3, 64))}
    assert find_embedding(FILE, "", two, "") == Columns("face_features")
    assert find_embedding(FILE, "scores", two, "") == Columns("scores")
    small = {"scores": OUTPUTS["scores"], "inner": np.ones((3, 12))}
    assert find_embedding(FILE, "", small, "inner") == Columns("inner")
    with pytest.raises(MtclarError, match=r"not clear \(scores \(n, 10\)\); give it by --embedding"):
        find_embedding(FILE, "", {"scores": OUTPUTS["scores"]}, "")


def test_a_label_is_the_output_named_so_or_one_column_asked_for():
    assert find_label(FILE, "valence", "", OUTPUTS) == Columns("Valence_out", (0,))
    assert find_label(FILE, "arousal", "", OUTPUTS) is None
    assert find_label(FILE, "arousal", "scores:9", OUTPUTS) == Columns("scores", (9,))
    with pytest.raises(MtclarError, match="--arousal scores is 10 columns, expected one; say which, such as scores:9"):
        find_label(FILE, "arousal", "scores", OUTPUTS)


def test_answers_that_are_not_finite_or_always_the_same_are_refused():
    with pytest.raises(MtclarError, match="output 'maps:1-2' is NaN or infinite on 1 of 3 test faces; check --mean"):
        values_of(FILE, Columns("maps", (1, 2)), {"maps": np.array([[0, 1.0, 2], [np.nan, 2, 1], [1, np.inf, 0]])})
    with pytest.raises(MtclarError, match="output 'one' is the same for 3 different test faces"):
        values_of(FILE, Columns("one"), {"one": np.ones((3, 4))})
