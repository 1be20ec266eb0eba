from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign_network import MEAN, SIZE, STD, write_network
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from mtclar.errors import MtclarError
from mtclar.serving.foreign import Picture, Scaling, find_picture, read_onnx

PICTURE = Picture("picture", "nchw", 3, SIZE, 0, TensorProto.FLOAT)


def found(path: Path, name: str = "", size: int = 0, layout: str = "auto", grey: bool = False) -> Picture:
    return find_picture(path, read_onnx(path), name=name, size=size, layout=layout, grey=grey)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(MtclarError, match=r"net\.onnx: cannot be read \(No such file"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"weight": 1}), "is a pickle or zip archive, as torch saves weights"),
        (b"PK\x03\x04 torch", "is a pickle or zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a pointer of Git LFS"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (b"", "is not an ONNX file, or was cut short"),
        (b"only words, and no network", "is not an ONNX file, or was cut short"),
    ],
)
def test_what_is_no_onnx_file_is_refused_by_what_it_is(path, content, words):
    path.write_bytes(content)
    with pytest.raises(MtclarError, match=words):
        read_onnx(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_file_cut_short_is_refused(path, share):
    content = write_network(path).read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(MtclarError, match=r"cut short|refuses it"):
        read_onnx(path)


def test_weights_that_lie_beside_the_file_come_with_it_and_their_absence_is_said(path):
    model = read_onnx(write_network(path, external=True))
    assert (path.parent / "weights.bin").exists()
    assert all(item.data_location == TensorProto.DEFAULT for item in model.graph.initializer)
    (path.parent / "weights.bin").unlink()
    with pytest.raises(MtclarError, match="the data beside it cannot be read"):
        read_onnx(path)


def test_a_network_that_fits_into_no_file_is_refused(path, monkeypatch):
    monkeypatch.setattr("mtclar.serving.foreign.LARGEST", 1000)
    with pytest.raises(MtclarError, match="holds 2 GB or more"):
        read_onnx(write_network(path))


def test_weights_listed_as_inputs_by_an_old_file_are_no_inputs(path):
    assert len(onnx.load(write_network(path, ir_version=3)).graph.input) > 1
    assert [item.name for item in read_onnx(path).graph.input] == ["picture"]


def test_the_picture_is_found_from_its_shape(path):
    assert found(write_network(path)) == PICTURE
    assert found(write_network(path, batch=1)).batch == 1
    assert found(write_network(path, nhwc=True)).layout == "nhwc"
    assert found(write_network(path, channels=1), grey=True).channels == 1
    assert found(write_network(path, size="s"), size=48).size == 48
    assert found(write_network(path, kind=TensorProto.UINT8)).kind == TensorProto.UINT8
    assert found(write_network(path, channels="c"), layout="nchw") == PICTURE


@pytest.mark.parametrize(
    ("network", "asked", "words"),
    [
        ({"size": "s"}, {}, "the size of its pictures is left open; give --input-size"),
        ({}, {"size": 64}, "have 32 pixels a side, not the 64 of --input-size"),
        ({"channels": 4}, {}, r"\(\?, 4, 32, 32\): expected 3 channels at place 1 or 3; only rgb, bgr and grey"),
        ({"channels": 1}, {}, "expected 3 channels at place 1 or 3; give --colour grey"),
        ({}, {"grey": True}, "expected 1 channel at place 1 or 3; give --colour rgb or bgr"),
        ({"channels": "c", "size": "s"}, {"size": 32}, "leaves open where the channels are; give --layout"),
        ({"channels": 4}, {"layout": "nchw"}, "4 channels in layout nchw, expected 3"),
        ({"kind": TensorProto.DOUBLE}, {}, "is double; expected pictures of float32, float16, uint8"),
        ({}, {"name": "pictrue"}, r"has no input 'pictrue' \(did you mean 'picture'\?\); correct --input"),
    ],
)
def test_a_picture_that_is_not_clear_is_asked_for_in_one_sentence(path, network, asked, words):
    with pytest.raises(MtclarError, match=words):
        found(write_network(path, **network), **asked)


@pytest.mark.parametrize(
    ("shape", "words"),
    [([1, 3, 32, 48], "32 x 48 pixels, but faces are cut square"), ([1, 300], r"\(1, 300\); expected pictures")],
)
def test_an_input_that_is_no_square_picture_is_refused(path, shape, words):
    model = onnx.load(write_network(path))
    item = onnx.helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)
    model.graph.input[0].CopyFrom(item)
    with pytest.raises(MtclarError, match=words):
        find_picture(path, model, name="", size=0, layout="auto", grey=False)


def test_of_several_inputs_the_only_picture_is_taken(path):
    assert found(write_network(path, second_input=True)).name == "picture"
    model = onnx.load(path)
    model.graph.input[1].CopyFrom(onnx.helper.make_tensor_value_info("other", TensorProto.FLOAT, [1, 3, 8, 8]))
    with pytest.raises(MtclarError, match=r"has 2 inputs \(picture .*, other \(1, 3, 8, 8\)\); say by --input"):
        find_picture(path, model, name="", size=0, layout="auto", grey=False)


@given(
    faces=st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((2, 3, 4, 4), np.float32)),
    colour=st.sampled_from(["rgb", "bgr"]),
)
def test_pixels_are_ordered_then_scaled(faces, colour):
    ordered = faces if colour == "rgb" else faces[:, ::-1]
    expected = (ordered - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    np.testing.assert_allclose(Scaling.of(colour, MEAN, STD).prepare(faces, PICTURE), expected, atol=1e-5)


def test_grey_is_the_brightness_and_channels_last_are_last():
    faces = np.random.default_rng(0).random((2, 3, 4, 4), np.float32)
    grey = Scaling.of("grey", (0.0,), (1 / 255,)).prepare(faces, Picture("p", "nhwc", 1, 4, 0, TensorProto.UINT8))
    assert (grey.shape, grey.dtype) == ((2, 4, 4, 1), np.uint8)
    brightness = 0.299 * faces[:, 0] + 0.587 * faces[:, 1] + 0.114 * faces[:, 2]
    np.testing.assert_allclose(grey[..., 0], brightness * 255, atol=0.51)


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), "divide mean and std by 255"),
        ((0.5, 0.5), (0.5,), "expected one number or 3 for rgb, got 2"),
        ((0.5,), (0.0,), "must be above 0"),
        ((float("nan"),), (1.0,), "not in units of pixels from 0 to 1"),
    ],
)
def test_means_of_other_units_and_counts_are_refused(mean, std, words):
    with pytest.raises(MtclarError, match=words):
        Scaling.of("rgb", mean, std)
