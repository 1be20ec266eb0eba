from __future__ import annotations

import json
from pathlib import Path

import pytest
from toy_bundle import toy_bundle

from mtclar.errors import MtclarError
from mtclar.settings import PromoteSettings, RegisterSettings
from mtclar.steps import promote, register


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    few_shot = {"first": {"mtclar": {"valence": {"ccc": 0.8}, "arousal": {"ccc": 0.7}}}}
    folder = tmp_path / "evaluation"
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({"few_shot": few_shot}))
    return folder


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegisterSettings:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return RegisterSettings(model_name="faces", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="tests")


def test_a_bundle_is_registered_once_and_then_promoted(
    settings: RegisterSettings, evaluation: Path, tmp_path: Path
) -> None:
    bundle = toy_bundle(tmp_path / "bundle")
    first = register.run(settings, bundle=bundle, evaluation=evaluation)
    assert first.new
    assert str(first) == "faces version 1: registered (models:/faces@challenger)"
    again = register.run(settings, bundle=bundle, evaluation=evaluation)
    assert again.version == first.version
    assert "no second version" in str(again)
    gate = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": 0.5, "margin": 0.0}}})
    done = promote.run(gate, registry=settings)
    assert done.outcome == "promoted"
    assert done.challenger == first.version


def test_an_evaluation_of_another_model_is_refused(
    settings: RegisterSettings, evaluation: Path, tmp_path: Path
) -> None:
    bundle = toy_bundle(tmp_path / "bundle", metrics={"valence_ccc": 0.9, "arousal_ccc": 0.9})
    with pytest.raises(MtclarError, match=r"not the metrics the bundle .* was exported with"):
        register.run(settings, bundle=bundle, evaluation=evaluation)


def test_a_changed_bundle_never_reaches_the_registry(
    settings: RegisterSettings, evaluation: Path, tmp_path: Path
) -> None:
    bundle = toy_bundle(tmp_path / "bundle")
    (bundle / "pair.onnx").write_bytes(b"changed")
    with pytest.raises(MtclarError, match=r"pair\.onnx"):
        register.run(settings, bundle=bundle, evaluation=evaluation)
    assert not (tmp_path / "mlflow.db").exists()
