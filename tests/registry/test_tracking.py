from __future__ import annotations

import builtins
import logging
import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from servers import free_port, mlflow_server

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.settings import RegisterSettings


def _run(store: RegisterSettings, run_id: str):
    return tracking.connect(store).MlflowClient().get_run(run_id)


def test_a_run_keeps_its_name_parameters_tags_curve_and_artifacts(store: RegisterSettings, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>")
    with tracking.start(store, run_name="train", params={"lr": 0.1, "net": {"size": 3}}, tags={"data_rev": "d"}) as run:
        run.metric("loss", 0.5, step=1)
        run.metric("loss", 0.25, step=2)
        run.metrics({"few_shot": {"valence": {"ccc": 0.8}}, "curve": [1, 2], "name": "x", "nothing": float("nan")})
        run.artifact(report)
    mlflow = tracking.connect(store)
    client = mlflow.MlflowClient()
    done = mlflow.search_runs(experiment_names=[store.experiment], output_format="list")[0]
    assert done.info.run_name == "train"
    assert done.info.status == "FINISHED"
    assert done.data.params == {"lr": "0.1", "net.size": "3"}
    assert done.data.tags["data_rev"] == "d"
    assert done.data.metrics == {"loss": 0.25, "few_shot.valence.ccc": 0.8}
    assert [(m.step, m.value) for m in client.get_metric_history(done.info.run_id, "loss")] == [(1, 0.5), (2, 0.25)]
    assert [item.path for item in client.list_artifacts(done.info.run_id)] == ["report.html"]


def test_artifacts_of_a_sqlite_store_lie_beside_it_and_not_in_the_working_folder(
    store: RegisterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with tracking.start(store, run_name="a") as run:
        run.artifact(Path(__file__))
    assert list(elsewhere.iterdir()) == []
    database = Path(store.tracking_uri.removeprefix("sqlite:///"))
    assert list((database.parent / "mlartifacts").rglob("test_tracking.py"))


def test_a_run_that_raises_is_marked_failed(store: RegisterSettings) -> None:
    with pytest.raises(ZeroDivisionError), tracking.start(store, run_name="a"):
        raise ZeroDivisionError
    runs = tracking.connect(store).search_runs(experiment_names=[store.experiment], output_format="list")
    assert [run.info.status for run in runs] == ["FAILED"]


def test_the_run_that_the_environment_names_is_resumed(
    store: RegisterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tracking.connect(store).MlflowClient()
    ambient = client.create_run(client.create_experiment("of the cluster"), run_name="given")
    monkeypatch.setenv("MLFLOW_RUN_ID", ambient.info.run_id)
    with tracking.start(store, run_name="ours") as run:
        run.metric("loss", 1.0)
    resumed = _run(store, ambient.info.run_id)
    assert resumed.info.run_name == "given"
    assert resumed.data.metrics == {"loss": 1.0}


def test_the_environment_chooses_the_store_before_the_settings(
    store: RegisterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri)
    other = store.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/never.db"})
    with tracking.start(other, run_name="a"):
        pass
    assert not (tmp_path / "never.db").exists()


def test_without_mlflow_the_work_goes_on_and_one_warning_says_so(
    store: RegisterSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def missing(name: str, *args, **kwargs):
        if name == "mlflow":
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with caplog.at_level(logging.WARNING), tracking.start(store, run_name="a") as run:
        run.metric("loss", 1.0)
        run.metrics({"a": 1})
        run.artifact(Path("nowhere"))
    assert len(caplog.records) == 1
    assert "pip install 'mtclar[registry]'" in caplog.text
    with pytest.raises(MtclarError, match="needs mlflow, which is not installed"):
        tracking.require(store)


def test_a_store_that_cannot_be_opened_is_one_sentence(store: RegisterSettings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database, however long one looks at it" * 100)
    with pytest.raises(MtclarError, match=r"broken\.db: the MLflow store cannot be opened"):
        tracking.connect(store.model_copy(update={"tracking_uri": f"sqlite:///{broken}"}))


@pytest.mark.parametrize("given", [None, "1"])
def test_an_address_that_does_not_answer_is_said_soon_and_without_the_password(
    store: RegisterSettings, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    monkeypatch.setenv(name, given) if given else monkeypatch.delenv(name, raising=False)
    began = time.monotonic()
    with pytest.raises(MtclarError) as caught:
        tracking.connect(store.model_copy(update={"tracking_uri": "http://ann:hush@127.0.0.1:9"}))
    assert str(caught.value) == "http://127.0.0.1:9: the MLflow store cannot be opened (Connection refused)."
    assert time.monotonic() - began < 30
    assert os.environ.get(name) == given


def test_a_sqlite_file_that_cannot_be_opened_is_said_at_once(store: RegisterSettings, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(MtclarError, match="unable to open database file"):
        tracking.connect(store.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}"}))
    assert time.monotonic() - began < 10


def test_a_relative_sqlite_file_is_found_from_where_the_caller_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking.absolute_uri("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"
    assert tracking.absolute_uri(f"sqlite:///{tmp_path}/x.db") == f"sqlite:///{tmp_path}/x.db"
    assert tracking.absolute_uri("https://tracking.example") == "https://tracking.example"


def test_a_store_that_is_lost_meanwhile_stops_nobody_and_hears_the_rest_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(tracking, "RETRY_S", 0.5)
    database, port = f"sqlite:///{tmp_path}/mlflow.db", free_port()
    (tmp_path / "history.csv").write_text("epoch,loss\n")
    settings = RegisterSettings(model_name="m", tracking_uri=f"http://127.0.0.1:{port}", experiment="lost")
    with ExitStack() as stack:
        serve = partial(mlflow_server, tmp_path, database, dict(os.environ), port=port)
        with serve():
            run = stack.enter_context(tracking.start(settings, run_name="train"))
            run.metric("loss", 1.0, step=1)
        begun = time.monotonic()
        run.metric("loss", 0.5, step=2)  # nobody hears it
        run.artifact(tmp_path / "history.csv")
        assert time.monotonic() - begun < 30
        assert caplog.text.count("MLflow could not be told of metric loss") == 1
        stack.enter_context(serve())
        time.sleep(0.6)
        run.metric("loss", 0.25, step=3)
        client = tracking.connect(settings).MlflowClient()
        assert [(item.step, item.value) for item in client.get_metric_history(run.run_id, "loss")] == [
            (1, 1.0), (2, 0.5), (3, 0.25),
        ]  # fmt: skip
        assert [item.path for item in client.list_artifacts(run.run_id)] == ["history.csv"]
    assert "lacks" not in caplog.text


def test_what_a_lost_store_never_heard_is_said_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    port = free_port()
    settings = RegisterSettings(model_name="m", tracking_uri=f"http://127.0.0.1:{port}", experiment="lost")
    with ExitStack() as stack:
        with mlflow_server(tmp_path, f"sqlite:///{tmp_path}/mlflow.db", dict(os.environ), port=port):
            run = stack.enter_context(tracking.start(settings, run_name="train"))
        run.metric("loss", 0.5, step=2)
        run.metrics({"valence": {"ccc": 0.7}})
    assert f"its run {run.run_id} lacks metric loss, metrics; all of it is in the output" in caplog.text
    assert "could not be told that run" in caplog.text


def test_what_a_store_refuses_is_said_and_keeps_nothing_else_back(
    store: RegisterSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tracking.start(store, run_name="train") as run:
        run.artifact(tmp_path / "gone.csv")
        run.metric("a name that MLflow does not take: %", 1.0)
        run.metric("loss", 0.5, step=1)
    assert _run(store, run.run_id).data.metrics == {"loss": 0.5}
    assert len(caplog.records) == 1
    assert f"MLflow has not taken for its run {run.run_id}: gone.csv (" in caplog.text
    assert "metric a name that MLflow does not take" in caplog.text


def test_a_store_that_is_slow_to_fail_is_asked_the_more_seldom(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, asked = [1000.0], []

    class Silent:
        @staticmethod
        def log_metric(name: str, value: float, **more: object) -> None:
            asked.append(clock[0])
            clock[0] += 40  # until the connection is given up
            raise ConnectionError("read timeout")

    monkeypatch.setattr(tracking.time, "monotonic", lambda: clock[0])
    run = tracking.MlflowTracking(Silent, "run")
    while clock[0] < 3000:
        run.metric("loss", 0.5)
        clock[0] += 5
    assert len(asked) == 5, "a tenth of the time at most"
    assert len(caplog.records) == 1


def test_a_run_that_the_environment_names_keeps_its_parent(
    store: RegisterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tracking.connect(store).MlflowClient()
    given = client.create_run(client.create_experiment("of the cluster"), tags={"mlflow.parentRunId": "theirs"})
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    with tracking.start(store, run_name="register", tags={"mlflow.parentRunId": "ours", "data_rev": "d"}):
        pass
    tags = _run(store, given.info.run_id).data.tags
    assert (tags["mlflow.parentRunId"], tags["data_rev"]) == ("theirs", "d")


def test_the_environment_is_after_connecting_what_it_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = RegisterSettings(model_name="m", tracking_uri=f"sqlite:///{tmp_path}/a.db", experiment="e")
    tracking.connect(settings)
    assert "MLFLOW_TRACKING_URI" not in os.environ
    other = settings.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/b.db"})
    assert tracking.connect(other).get_tracking_uri() == f"sqlite:///{tmp_path}/b.db"
