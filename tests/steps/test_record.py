"""How a run of a pipeline ended stands in MLflow, and never makes a run fail."""

import pytest

from mtclar.registry import tracking
from mtclar.settings import load_settings
from mtclar.steps import record


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return load_settings(overrides=()).register_.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"})


def test_the_outcome_stands_beside_what_the_run_was_to_run_with(store, monkeypatch):
    monkeypatch.setenv("MTCLAR_GIT_SHA", "c0ffee")
    facts = {"data": "s3://bucket/data", "gpus": 4, "resources": {"train": "4 CPU, 16Gi, 72 h"}}
    said = record.run(store, pipeline="mtclar-training", state="FAILED", error="task train\nfailed", facts=facts)
    assert said == "mtclar-training: failed (task train failed)"
    client = tracking.require(store).MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name(store.experiment).experiment_id])
    assert run.info.run_name == "mtclar-training"
    assert run.data.params == {"data": "s3://bucket/data", "gpus": "4", "resources.train": "4 CPU, 16Gi, 72 h"}
    kept = {name: run.data.tags[name] for name in ("outcome", "error", "git_sha", "mlflow.note.content")}
    assert kept == {
        "outcome": "failed",
        "error": "task train\nfailed",
        "git_sha": "c0ffee",
        "mlflow.note.content": said,
    }


def test_a_store_that_cannot_be_reached_is_a_warning(store, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    broken = store.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/file/mlflow.db"})
    assert record.run(broken, pipeline="mtclar-labelling", state="SUCCEEDED", facts={}) == "mtclar-labelling: succeeded"
    assert "the outcome is not recorded in MLflow" in caplog.text
