from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mtclar.registry import tracking
from mtclar.settings import RegisterSettings


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh MLflow database: its migrations take seconds, so they run once and the file is copied."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # mlflow sets it, to the store of the test before
        tracking.connect(RegisterSettings(model_name="m", tracking_uri=f"sqlite:///{path}", experiment="e"))
    return path


@pytest.fixture
def store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegisterSettings:
    """A section `register` with an MLflow store of its own."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "registry"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    return RegisterSettings(model_name="mtclar", tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment="tests")
