from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from toy_bundle import toy_bundle, toy_facts

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.model.emofan import EmoFanSpec
from mtclar.model.encoder import EncoderSpec
from mtclar.model.encoders import encoder_spec
from mtclar.model.mtclar import MTCLAR, ModelSpec
from mtclar.model.predictor import TorchPredictor
from mtclar.serving import Bundle, write_bundle
from mtclar.serving.export import check_agreement, differences, export_graphs

TINY = EmoFanSpec(
    name="emofan-nano",
    input_size=32,
    centre=256,
    stem=8,
    width=8,
    stacks=1,
    depth=1,
    pool="max",
    landmarks=4,
    emotion=(8, 8),
    local_contrast=True,
)
TINY_MODEL = ModelSpec(
    encoder=TINY,
    fusion="concat",
    tasks=("similarity", "valence", "arousal"),
    projector=(16,),
    dropout=0.5,
    antisymmetric=True,
    single=(16,),
    tanh_logits=False,
    mirror=False,
)


@pytest.fixture(scope="module")
def predictor() -> TorchPredictor:
    torch.manual_seed(0)
    model = MTCLAR(TINY_MODEL)
    return TorchPredictor(model, CropSpec(scale=1.5, input_size=TINY.input_size))


@pytest.fixture(scope="module")
def graphs(predictor: TorchPredictor) -> dict[str, bytes]:
    return export_graphs(predictor.model, 18)


def test_each_graph_is_one_valid_file_at_the_asked_opset(graphs: dict[str, bytes]) -> None:
    for data in graphs.values():
        graph = onnx.load_model_from_string(data)
        onnx.checker.check_model(graph, full_check=True)
        assert {item.version for item in graph.opset_import if item.domain == ""} == {18}
        assert all(not item.external_data for item in graph.graph.initializer)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_the_number_of_rows_is_free(graphs: dict[str, bytes], predictor: TorchPredictor, rows: int) -> None:
    faces = np.random.default_rng(rows).random((rows, 3, 32, 32), np.float32)
    session = ort.InferenceSession(graphs["encoder.onnx"], providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = predictor.model.encoder(torch.from_numpy(faces)).numpy()
    np.testing.assert_allclose(session.run(None, {"faces": faces})[0], expected, atol=1e-5)


def test_the_bundle_answers_like_torch(graphs: dict[str, bytes], predictor: TorchPredictor, tmp_path: Path) -> None:
    facts = toy_facts(crop=predictor.crop.to_dict(), embedding_size=TINY.embedding_size)
    write_bundle(tmp_path / "bundle", graphs, facts)
    bundle = Bundle.load(tmp_path / "bundle")
    crops = np.random.default_rng(0).integers(0, 256, (5, 288, 288, 3)).astype(np.uint8)
    assert check_agreement(predictor, bundle, crops, 1e-4) < 1e-5
    similar, d_valence, _ = bundle.compare(bundle.embed(crops), bundle.embed(crops[::-1]))
    assert ((similar >= 0) & (similar <= 1)).all()
    np.testing.assert_allclose(d_valence, -d_valence[::-1], atol=1e-5)
    expression, _, _ = bundle.single(bundle.embed(crops))
    np.testing.assert_allclose(expression.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "changes"),
    [
        (
            encoder_spec("emofan", {"input_size": 32, "width": 16, "depth": 1, "emotion": [16], "pool": "average"}),
            {"fusion": "difference", "tanh_logits": True},
        ),
        (encoder_spec("resnet-nano", {"input_size": 32, "widths": [8, 12]}), {"fusion": "absolute"}),
        (encoder_spec("resnet-nano", {"input_size": 32, "widths": [8, 12]}), {"fusion": "multiply", "mirror": True}),
    ],
)
def test_every_encoder_and_fusion_answers_like_torch(encoder: EncoderSpec, changes: dict, tmp_path: Path) -> None:
    antisymmetric = changes["fusion"] == "difference"
    torch.manual_seed(1)
    model = MTCLAR(replace(TINY_MODEL, encoder=encoder, antisymmetric=antisymmetric, **changes))
    crop = CropSpec(scale=1.5, input_size=encoder.input_size)
    predictor = TorchPredictor(model, crop, device="cpu")
    facts = toy_facts(crop=crop.to_dict(), embedding_size=encoder.embedding_size)
    write_bundle(tmp_path / "bundle", export_graphs(model, 18), facts)
    bundle = Bundle.load(tmp_path / "bundle")
    crops = np.random.default_rng(0).integers(0, 256, (3, 288, 288, 3)).astype(np.uint8)
    assert check_agreement(predictor, bundle, crops, 1e-4) < 1e-4
    embedding = bundle.embed(crops)
    _, d_valence, _ = bundle.compare(embedding, embedding[::-1].copy())
    if antisymmetric:
        np.testing.assert_allclose(d_valence, -d_valence[::-1], atol=1e-5)


@pytest.mark.parametrize("absent", ["valence", "arousal"])
def test_a_model_without_one_of_the_differences_is_refused(absent: str) -> None:
    tasks = tuple(task for task in TINY_MODEL.tasks if task != absent)
    with pytest.raises(MtclarError, match=rf"trained without {absent}; train one with both in train\.tasks"):
        export_graphs(MTCLAR(replace(TINY_MODEL, tasks=tasks)), 18)


def test_a_model_that_learned_no_similarity_labels_all_the_same_and_calls_it_not_known(tmp_path: Path) -> None:
    model = MTCLAR(replace(TINY_MODEL, tasks=("valence", "arousal")))
    crop = CropSpec(scale=1.5, input_size=TINY_MODEL.encoder.input_size)
    predictor = TorchPredictor(model, crop, device="cpu")
    facts = toy_facts(crop=crop.to_dict(), embedding_size=TINY_MODEL.encoder.embedding_size)
    crops = np.random.default_rng(0).integers(0, 256, (3, 288, 288, 3)).astype(np.uint8)
    write_bundle(tmp_path / "bundle", export_graphs(model, 18), facts | {"tasks": ["valence", "arousal"]})
    bundle = Bundle.load(tmp_path / "bundle")
    assert check_agreement(predictor, bundle, crops, 1e-4) < 1e-4
    embedding = bundle.embed(crops)
    similar, *deltas = bundle.compare(embedding, embedding[::-1].copy())
    assert np.isnan(similar).all()
    assert np.isfinite(deltas).all()
    write_bundle(tmp_path / "claims", export_graphs(model, 18), facts)
    with pytest.raises(MtclarError, match="'similar' is not finite"):
        Bundle.load(tmp_path / "claims").compare(embedding, embedding)


def test_a_bundle_that_answers_otherwise_is_refused_by_graph(predictor: TorchPredictor, tmp_path: Path) -> None:
    class Toy(TorchPredictor):
        """Says what the toy bundle says, but for a valence that is off by a hundredth."""

        def __init__(self, bundle: Bundle) -> None:
            self.bundle = bundle

        def embed(self, crops):
            return self.bundle.embed(crops)

        def compare(self, left, right):
            similar, d_valence, d_arousal = self.bundle.compare(left, right)
            return similar, d_valence + np.float32(0.01), d_arousal

        def single(self, embedding):
            return self.bundle.single(embedding)

    bundle = Bundle.load(toy_bundle(tmp_path / "toy"))
    crops = np.zeros((3, 288, 288, 3), np.uint8)
    assert differences(Toy(bundle), bundle, crops)["encoder.onnx"] == 0
    with pytest.raises(MtclarError, match=r"pair\.onnx: ONNX Runtime and torch differ by up to 0\.01 on 3 faces"):
        check_agreement(Toy(bundle), bundle, crops, 1e-4)


def test_an_opset_that_cannot_hold_the_model_is_one_sentence(predictor: TorchPredictor) -> None:
    with pytest.raises(MtclarError, match=r"encoder\.onnx: the model cannot be exported at opset 99 .*wrote opset 18"):
        export_graphs(predictor.model, 99)


def test_no_graph_names_the_folders_of_its_maker(graphs: dict[str, bytes]) -> None:
    root = str(Path(__file__).parents[2]).encode()
    for name, graph in graphs.items():
        assert root not in graph, name
        assert b"site-packages" not in graph, name
