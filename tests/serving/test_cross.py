"""The pair head for all pairs: the same answers as pair by pair, from a graph in which the first layer is split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from test_onnx_export import TINY, TINY_MODEL
from toy_bundle import toy_bundle, toy_facts, toy_graphs

from mtclar.faces.crop import CropSpec
from mtclar.model.mtclar import MTCLAR
from mtclar.serving import Bundle, write_bundle
from mtclar.serving.cross import crossed
from mtclar.serving.default import default_bundle
from mtclar.serving.export import export_graphs


def exported(folder: Path, **changes) -> Bundle:
    torch.manual_seed(3)
    model = MTCLAR(replace(TINY_MODEL, **changes)).eval()
    facts = toy_facts(
        crop=CropSpec(scale=1.5, input_size=TINY.input_size).to_dict(), embedding_size=TINY.embedding_size
    )
    write_bundle(folder, export_graphs(model, 18), facts)
    return Bundle.load(folder)


def assert_same(bundle: Bundle, n: int, k: int) -> None:
    rng = np.random.default_rng(5)
    left, right = (rng.normal(size=(rows, bundle.embedding_size)).astype(np.float32) for rows in (n, k))
    tiled = bundle.compare(np.repeat(left, k, axis=0), np.tile(right, (n, 1)))
    for found, known in zip(bundle.compare_all(left, right), tiled, strict=True):
        np.testing.assert_allclose(found, known.reshape(n, k), atol=2e-5)


@pytest.mark.parametrize("antisymmetric", [True, False])
def test_a_head_that_concatenates_is_split_and_answers_the_same(tmp_path, antisymmetric):
    bundle = exported(tmp_path / "bundle", antisymmetric=antisymmetric, projector=(16, 8))
    assert bundle._cross is not None
    for n, k in ((1, 1), (7, 3), (2, 9)):
        assert_same(bundle, n, k)


def test_in_the_split_graph_no_first_layer_has_a_row_for_every_pair(tmp_path):
    bundle = exported(tmp_path / "bundle", projector=(16, 8))
    graph = onnx.load_model_from_string(crossed((bundle.folder / "pair.onnx").read_bytes()))
    onnx.checker.check_model(graph)
    assert not [node for node in graph.graph.node if node.op_type == "Concat"]
    width = TINY.embedding_size
    used = {name for node in graph.graph.node for name in node.input}
    wide = {item.name: tuple(item.dims) for item in graph.graph.initializer if item.name in used}
    assert (16, width) in wide.values()
    assert (16, 2 * width) not in wide.values()


@pytest.mark.parametrize("fusion", ["absolute", "multiply", "difference"])
def test_a_head_that_does_not_concatenate_is_asked_pair_by_pair(tmp_path, fusion):
    bundle = exported(tmp_path / "bundle", fusion=fusion, antisymmetric=fusion == "difference")
    assert bundle._cross is None
    assert_same(bundle, 4, 3)


def test_the_toy_model_which_is_no_network_is_asked_pair_by_pair(tmp_path):
    assert crossed(toy_graphs()["pair.onnx"]) is None
    assert_same(Bundle.load(toy_bundle(tmp_path / "bundle")), 3, 2)


def test_the_model_that_ships_is_split():
    bundle = Bundle.load(default_bundle(), threads=1)
    assert bundle._cross is not None
    assert_same(bundle, 40, 32)


def test_nobody_compared_with_somebody_is_no_answer(tmp_path):
    bundle = exported(tmp_path / "bundle")
    some = np.zeros((3, bundle.embedding_size), np.float32)
    assert bundle.compare_all(some[:0], some)[1].shape == (0, 3)
    assert bundle.compare_all(some, some[:0])[1].shape == (3, 0)
