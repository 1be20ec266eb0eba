from __future__ import annotations

import onnx
import pytest
from foreign_network import write_network

from mtclar.errors import MtclarError
from mtclar.serving.foreign_graph import isolate, last_linear_input


def test_what_goes_into_the_last_layer_is_found_where_the_graph_ends_in_one(tmp_path):
    path = write_network(tmp_path / "net.onnx", outputs=("scores",), last=True)
    assert last_linear_input(onnx.load(path)) == "embedding"
    assert last_linear_input(onnx.load(write_network(path, outputs=("maps",)))) == ""


def test_an_input_that_the_answers_do_not_need_is_left_out_and_one_they_need_is_named(tmp_path):
    path = write_network(tmp_path / "net.onnx", second_input=True)
    model = onnx.load(path)
    isolate(path, model, "picture")
    assert [item.name for item in model.graph.output] == ["embedding", "scores"]
    assert [item.name for item in model.graph.input] == ["picture"]
    with pytest.raises(MtclarError, match=r"need the input\(s\) picture besides 'other'"):
        model = onnx.load(write_network(path, second_input=True))
        del model.graph.output[2]
        isolate(path, model, "other")
