from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from mtclar.errors import MtclarError
from mtclar.settings import PromoteSettings, RegisterSettings
from mtclar.steps import promote


def test_without_mlflow_the_step_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args, **kwargs):
        if name == "mlflow":
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    gate = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": 0.5, "margin": 0.0}}})
    registry = RegisterSettings(model_name="m", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="e")
    with pytest.raises(MtclarError, match=r"needs mlflow, .* use: pip install 'mtclar\[registry\]'"):
        promote.run(gate, registry=registry)
