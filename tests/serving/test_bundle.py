from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toy_bundle import WEIGHTS, toy_bundle, toy_facts, toy_graphs

from mtclar.errors import MtclarError
from mtclar.serving import Bundle, write_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "bundle")


@pytest.fixture
def crops() -> np.ndarray:
    """Forty plain pictures, more than one batch of the encoder; row i is (i, 2i, 3i)."""
    colours = np.arange(40)[:, None] * np.array([1, 2, 3])
    return np.broadcast_to(colours[:, None, None].astype(np.uint8), (40, 288, 288, 3)).copy()


def test_embeddings_are_what_the_graph_makes_of_every_crop_in_order(folder: Path, crops: np.ndarray) -> None:
    embedding = Bundle.load(folder, threads=1).embed(crops)
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(embedding, np.arange(40)[:, None] * np.array([1, 2, 3]) / 255, atol=1e-5)


def test_pairs_are_compared_row_by_row(folder: Path) -> None:
    left, right = np.random.default_rng(0).random((2, 5, 3)).astype(np.float32)
    similar, d_valence, d_arousal = Bundle.load(folder).compare(left, right)
    np.testing.assert_allclose(similar, (left * right).mean(1), atol=1e-6)
    np.testing.assert_allclose(d_valence, left[:, 0] - right[:, 0], atol=1e-6)
    np.testing.assert_allclose(d_arousal, left[:, 1] - right[:, 1], atol=1e-6)


def test_single_faces_get_probabilities_valence_and_arousal(folder: Path) -> None:
    embedding = np.random.default_rng(0).random((4, 3)).astype(np.float32)
    expression, valence, arousal = Bundle.load(folder).single(embedding)
    logits = np.exp(embedding @ WEIGHTS)
    np.testing.assert_allclose(expression, logits / logits.sum(1, keepdims=True), atol=1e-5)
    np.testing.assert_array_equal(valence, embedding[:, 0])
    np.testing.assert_array_equal(arousal, embedding[:, 1])


def test_no_faces_give_empty_answers_of_the_right_shape(folder: Path) -> None:
    bundle = Bundle.load(folder)
    none = bundle.embed(np.empty((0, 288, 288, 3), np.uint8))
    assert none.shape == (0, 3)
    assert [x.shape for x in bundle.compare(none, none)] == [(0,), (0,), (0,)]
    assert [x.shape for x in bundle.single(none)] == [(0, 8), (0,), (0,)]


def test_loading_reads_no_graph_before_it_is_asked(folder: Path) -> None:
    bundle = Bundle.load(folder)
    for graph in folder.glob("*.onnx"):
        graph.unlink()
    with pytest.raises(MtclarError, match=r"pair\.onnx: ONNX Runtime cannot open the graph"):
        bundle.compare(np.zeros((1, 3)), np.zeros((1, 3)))


@pytest.mark.parametrize("name", ["encoder.onnx", "pair.onnx", "single.onnx"])
def test_a_changed_cut_or_missing_graph_is_refused_by_name(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(MtclarError, match=rf"{name}: changed since the bundle was written"):
        Bundle.load(folder)
    (folder / name).write_bytes(content[:-1])
    with pytest.raises(MtclarError, match=rf"{name}: cut short, {len(content) - 1} of {len(content)} bytes"):
        Bundle.load(folder)
    (folder / name).unlink()
    with pytest.raises(MtclarError, match=rf"{name}: cannot be read \(No such file"):
        Bundle.load(folder)
    (folder / name).write_bytes(content)
    Bundle.load(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema_version": 2}, "has schema version 2, this mtclar reads 1"),
        ({"embedding_size": "3"}, "'embedding_size' is a str"),
        ({"crop": {"scale": 1.5, "input_siez": 64}}, "unknown key 'input_siez'.*did you mean 'input_size'"),
        ({"expressions": ["happy"]}, "the expressions are"),
        ({"files": {}}, "does not state the sha256 and size of encoder.onnx"),
        (
            {"files": {"encoder.onnx": {"sha256": "", "bytes": "9"}}},
            "does not state the sha256 and size of encoder.onnx",
        ),
    ],
)
def test_a_bundle_json_that_says_something_else_is_refused(folder: Path, change: dict, sentence: str) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(MtclarError, match=sentence):
        Bundle.load(folder)


def test_a_folder_without_a_readable_bundle_json_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match=r"not a model bundle .*mtclar export"):
        Bundle.load(tmp_path / "nowhere")
    for content, sentence in (("{", "not valid JSON"), ("[]", "expected an object"), ("{}", "schema version None")):
        (folder / "bundle.json").write_text(content)
        with pytest.raises(MtclarError, match=sentence):
            Bundle.load(folder)


def test_answers_that_are_not_finite_are_an_error_and_not_a_label(tmp_path: Path) -> None:
    bundle = Bundle.load(toy_bundle(tmp_path / "nan", d_valence=float("nan")))
    with pytest.raises(MtclarError, match=r"pair\.onnx: 'd_valence' is not finite in 2 places"):
        bundle.compare(np.ones((2, 3)), np.ones((2, 3)))


def test_a_graph_that_is_not_the_declared_one_is_refused(tmp_path: Path) -> None:
    graphs = toy_graphs()
    write_bundle(tmp_path / "swapped", graphs | {"pair.onnx": graphs["single.onnx"]}, toy_facts())
    with pytest.raises(MtclarError, match=r"pair\.onnx: expected inputs and outputs"):
        Bundle.load(tmp_path / "swapped").compare(np.ones((1, 3)), np.ones((1, 3)))
    write_bundle(tmp_path / "sizes", graphs, toy_facts(embedding_size=4))
    with pytest.raises(MtclarError, match=r"encoder\.onnx: 'embedding' has shape \(1, 3\), expected \(1, 4\)"):
        Bundle.load(tmp_path / "sizes").embed(np.zeros((1, 288, 288, 3), np.uint8))


def test_wrong_shapes_are_refused_with_the_expected_one(folder: Path) -> None:
    bundle = Bundle.load(folder)
    with pytest.raises(MtclarError, match=r"expected crops uint8 \(n, 288, 288, 3\), got uint8 \(1, 64, 64, 3\)"):
        bundle.embed(np.zeros((1, 64, 64, 3), np.uint8))
    with pytest.raises(MtclarError, match=r"expected embeddings \(n, 3\), got \(2, 4\)"):
        bundle.single(np.zeros((2, 4)))
    with pytest.raises(MtclarError, match="2 queries cannot be compared with 1 anchors"):
        bundle.compare(np.zeros((2, 3)), np.zeros((1, 3)))


def test_the_identity_follows_every_byte_of_the_model(tmp_path: Path) -> None:
    first = toy_bundle(tmp_path / "a")
    assert Bundle.load(first).identity == Bundle.load(toy_bundle(tmp_path / "b")).identity
    assert Bundle.load(first).identity != Bundle.load(toy_bundle(tmp_path / "c", d_valence=2)).identity
    assert Bundle.load(first).identity != Bundle.load(toy_bundle(tmp_path / "d", git_revision="def")).identity


def test_a_bundle_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = toy_bundle(tmp_path / "bundle")
    before = Bundle.load(folder).identity
    with pytest.raises(MtclarError, match="'metrics' is a list"):
        write_bundle(folder, toy_graphs(), toy_facts(metrics=[]))
    assert Bundle.load(folder).identity == before
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        toy_bundle(tmp_path / "file" / "bundle")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "file"]


def test_loading_imports_neither_torch_nor_mlflow(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; from mtclar.serving import Bundle;"
        f"Bundle.load(Path({str(folder)!r})).embed(np.zeros((1, 288, 288, 3), np.uint8));"
        "print(sorted({'torch', 'mlflow', 'onnx', 'kfp'} & sys.modules.keys()))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_a_bundle_says_what_it_runs_on_and_a_gpu_answers_as_the_cpu_does(folder: Path, monkeypatch) -> None:
    import onnxruntime

    crops = np.random.default_rng(3).integers(0, 256, (5, 288, 288, 3), np.uint8)
    bundle = Bundle.load(folder)
    there = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    assert bundle.runs_on in (("GPU (CUDA)", "CPU") if there else ("CPU",))
    monkeypatch.setattr("mtclar.serving.bundle.PROVIDERS", (("CPUExecutionProvider", {}),))
    slow = Bundle.load(folder)
    assert slow.runs_on == "CPU"
    np.testing.assert_allclose(bundle.embed(crops), slow.embed(crops), atol=1e-4)


def test_a_bundle_may_be_sent_to_another_process(folder: Path) -> None:
    bundle = Bundle.load(folder)
    crops = np.full((1, 288, 288, 3), 77, np.uint8)
    there = pickle.loads(pickle.dumps(bundle)).embed(crops)  # noqa: S301 - our own
    np.testing.assert_array_equal(there, bundle.embed(crops))
