from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.model.checkpoint import save_checkpoint
from mtclar.model.emofan import EmoFanSpec
from mtclar.model.mtclar import MTCLAR, ModelSpec
from mtclar.model.predictor import TorchPredictor
from mtclar.revision import git_revision
from mtclar.serving import Bundle
from mtclar.settings import ExportSettings, load_settings
from mtclar.steps import export

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
NAMES = ("small", "exact")
FEW_SHOT = {"first": {"mtclar": {"valence": {"ccc": 0.8}, "arousal": {"ccc": 0.7}}}}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A faces store of noise, a checkpoint of chance and an evaluation of hope."""
    root = tmp_path_factory.mktemp("line")
    rng = np.random.default_rng(0)
    with FacesWriter(root / "faces", size=288, quality=92, facts={"data_revision": "a" * 64}) as writer:
        for i in range(6):
            row = {"face_id": str(i), "dataset": "sample", "split": "train", "frame": i, "pts": 0, "track_id": 0}
            writer.add(row, rng.integers(0, 256, (288, 288, 3)).astype(np.uint8))
    torch.manual_seed(0)
    model = MTCLAR(TINY_MODEL)
    facts = {"crop": CropSpec(scale=1.5, input_size=32).to_dict(), "data_revision": "a" * 64, "run_id": "f00"}
    save_checkpoint(root / "checkpoint", model, facts)
    (root / "evaluation").mkdir()
    (root / "evaluation" / "metrics.json").write_text(json.dumps({"few_shot": FEW_SHOT, "evaluation_set": "e" * 64}))
    (root / "evaluation" / "calibration.json").write_text(json.dumps({"valence": {"half_width": 0.2}}))
    return {name: root / name for name in ("faces", "checkpoint", "evaluation")}


@pytest.fixture
def settings() -> ExportSettings:
    return load_settings().export


def test_the_bundle_holds_the_model_and_all_a_labeller_must_know(
    line: dict[str, Path], settings: ExportSettings, tmp_path: Path
) -> None:
    seen = []
    result = export.run(
        settings, **line, out=tmp_path / "bundle", progress=lambda done, total, what="": seen.append((done, total))
    )
    bundle = Bundle.load(tmp_path / "bundle")
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == [
        "bundle.json", "encoder.onnx", "pair.onnx", "single.onnx",
    ]  # fmt: skip
    assert result.identity == bundle.identity
    assert result.difference < settings.tolerance
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert bundle.crop_spec == CropSpec(scale=1.5, input_size=32)
    assert bundle.calibration == {"valence": {"half_width": 0.2}}
    assert bundle.facts["metrics"] == {"valence_ccc": 0.8, "arousal_ccc": 0.7}
    assert set(bundle.facts["licences"]) == {"software", "sample"}
    assert bundle.facts["git_revision"] == git_revision()
    lineage = ("data_revision", "evaluation_set", "training_run")
    assert [bundle.facts[name] for name in lineage] == ["a" * 64, "e" * 64, "f00"]
    crops = np.random.default_rng(1).integers(0, 256, (3, 288, 288, 3)).astype(np.uint8)
    expected = TorchPredictor.from_checkpoint(line["checkpoint"]).embed(crops)
    np.testing.assert_allclose(bundle.embed(crops), expected, atol=1e-5)
    assert "agrees with torch" in str(result)


def test_faces_of_other_data_than_the_checkpoint_was_trained_on_are_refused(
    line: dict[str, Path], settings: ExportSettings, tmp_path: Path
) -> None:
    shutil.copytree(line["faces"], tmp_path / "faces")
    facts = json.loads((tmp_path / "faces" / "store.json").read_text())
    (tmp_path / "faces" / "store.json").write_text(json.dumps(facts | {"data_revision": "b" * 64}))
    with pytest.raises(MtclarError, match="was trained on other data"):
        export.run(settings, **line | {"faces": tmp_path / "faces"}, out=tmp_path / "bundle")


def test_disagreement_beyond_the_tolerance_leaves_no_bundle(
    line: dict[str, Path], settings: ExportSettings, tmp_path: Path
) -> None:
    with pytest.raises(MtclarError, match=r"\.onnx: ONNX Runtime and torch differ .* export.tolerance = 1e-12"):
        export.run(settings.model_copy(update={"tolerance": 1e-12}), **line, out=tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_missing_inputs_are_refused_by_name(line: dict[str, Path], settings: ExportSettings, tmp_path: Path) -> None:
    for name, sentence in (
        ("faces", "expected a faces store"),
        ("checkpoint", "expected a checkpoint"),
        ("evaluation", "mtclar evaluate"),
    ):
        with pytest.raises(MtclarError, match=rf"nowhere.*{sentence}"):
            export.run(settings, **(line | {name: tmp_path / "nowhere"}), out=tmp_path / "bundle")


def test_the_encoder_may_be_in_8_bits_and_says_what_that_costs(
    line: dict[str, Path], settings: ExportSettings, tmp_path: Path
) -> None:
    found = export.run(settings.model_copy(update={"int8": True}), **line, out=tmp_path / "small")
    exact = export.run(settings, **line, out=tmp_path / "exact")
    assert found.difference == exact.difference  # the exact graphs were compared with torch first
    small, large = (Bundle.load(folder) for folder in (tmp_path / "small", tmp_path / "exact"))
    operators = [{node.op_type for node in onnx.load(tmp_path / name / "encoder.onnx").graph.node} for name in NAMES]
    assert "QuantizeLinear" in operators[0]
    assert "QuantizeLinear" not in operators[1]
    crops = np.random.default_rng(1).integers(0, 256, (5, 288, 288, 3)).astype(np.uint8)
    a, b = small.embed(crops), large.embed(crops)
    assert not np.array_equal(a, b)
    said = small.facts["int8"]
    assert said["faces"] == 6
    assert 0.5 < said["cosine"] <= 1
    assert 0 <= said["valence"]["difference"] < 0.5
    assert "the encoder in 8 bits differs by" in str(found)
    assert "int8" not in large.facts
    for name in ("pair.onnx", "single.onnx"):
        assert (tmp_path / "small" / name).read_bytes() == (tmp_path / "exact" / name).read_bytes()


def test_what_8_bits_cost_is_the_difference_of_the_heads_and_their_errors(
    tmp_path: Path, line: dict[str, Path]
) -> None:
    from mtclar.serving.quantise import loss

    class Said:
        def __init__(self, shift: float) -> None:
            self.shift = shift

        def embed(self, crops: np.ndarray) -> np.ndarray:
            return np.tile([1.0, self.shift], (len(crops), 1))

        def single(self, embedding: np.ndarray) -> tuple[np.ndarray, ...]:
            return np.zeros((len(embedding), 8)), embedding[:, 1], np.full(len(embedding), np.nan)

    store = FacesStore(line["faces"])
    store.table["valence"], store.table["arousal"] = 0.5, 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtclar.serving.quantise.Bundle.load", lambda folder: Said(float(folder.name)))
        found = loss(tmp_path / "0.0", tmp_path / "0.1", store)
    assert found["faces"] == 6
    assert found["cosine"] == pytest.approx(1 / np.sqrt(1.01), abs=1e-5)
    assert found["valence"] == {"difference": 0.1, "rmse": [0.5, 0.4]}
    assert found["arousal"]["difference"] is None  # a head that does not know
