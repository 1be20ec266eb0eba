"""Submitting, scheduling and watching runs on a stand-in for the API of Kubeflow Pipelines."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import kfp_server_api as api
import pytest
import yaml
from kfp_api import KfpApi, broken, kfp_api, login_page, slow

from mtclar.cli import main
from mtclar.errors import MtclarError
from mtclar.settings import Settings, load_settings
from pipelines.cluster import Cluster, read_token

SECRET = "very-secret-token"  # noqa: S105


@pytest.fixture
def settings() -> Settings:
    return load_settings(Path(__file__).parents[2] / "params.yaml")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KfpApi]:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KF_TOKEN", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT", "KF_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    with kfp_api() as started:
        yield started


def cluster(server: KfpApi, **more: object) -> Cluster:
    return Cluster(server.host, namespace="team", **more)  # type: ignore[arg-type]


def test_a_run_is_of_a_version_with_a_name_that_a_second_submission_finds_again(
    settings: Settings, server: KfpApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTCLAR_GIT_SHA", "0123456789abcdef")
    monkeypatch.setenv("KF_TOKEN", "from-the-environment")
    first = cluster(server).submit("training", settings, data="s3://bucket/data/", experiment="nightly")
    second = cluster(server).submit("training", settings, data="s3://bucket/other", experiment="nightly")
    assert first.version == second.version
    assert first.version.startswith("0123456789ab-")
    assert (first.run_id, second.run_id) == ("run-0", "run-1")
    assert first.link == f"{server.host}/#/runs/details/run-0"
    assert {authorization for _, _, authorization in server.seen} == {"Bearer from-the-environment"}
    ((version, ir),) = server.versions.values()
    assert version.display_name == first.version
    assert yaml.safe_load(ir.decode().split("\n---\n")[0])["pipelineInfo"]["name"] == "mtclar-training"
    assert [item.display_name for item in server.experiments.values()] == ["nightly"]
    assert server.runs["run-0"].runtime_config.parameters == {"data": "s3://bucket/data"}
    changed = settings.model_copy(update={"pipeline": settings.pipeline.model_copy(update={"gpus": 2})})
    assert cluster(server).submit("training", changed, data="s3://b/d", experiment="nightly").version != first.version
    assert len(server.versions) == 2
    assert not list(Path.home().rglob("*"))  # nothing is left in the user's home


def test_what_somebody_else_makes_in_the_same_moment_is_found(settings: Settings, server: KfpApi) -> None:
    first = cluster(server).submit("training", settings, data="s3://bucket/data", experiment="nightly")
    server.late = {"pipelines", "versions", "experiments"}
    second = cluster(server).submit("training", settings, data="s3://bucket/data", experiment="nightly")
    assert not server.late
    assert second.version == first.version
    assert (len(server.pipelines), len(server.versions), len(server.experiments)) == (1, 1, 1)
    first_run, second_run = server.runs.values()
    assert first_run.experiment_id == second_run.experiment_id


def test_the_command_prints_what_the_run_is_run_with_and_where_to_see_it(
    server: KfpApi, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["pipeline", "submit", "training", "--host", server.host, "--data", "s3://bucket/data", "--gpus", "4"]
    arguments += ["--set", "train.epochs=3"]
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for words in (
        "mtclar_image ",
        "mtclar_gpu_image ",
        "s3://bucket/data",
        "gpus ",
        "train: 4 CPU, 16Gi, 72 h",
        "changed ",
    ):
        assert words in said
    assert "train.epochs: 3 (params.yaml: 8)" in said
    assert "pipeline.gpus: 4 (params.yaml: 0)" in said
    assert said.splitlines()[-1] == f"Run run-0: {server.host}/#/runs/details/run-0"
    ((_, ir),) = server.versions.values()
    assert "resourceCount: '4'" in ir.decode()
    assert "nvidia.com/gpu" in ir.decode()


def test_data_that_a_cluster_cannot_read_are_refused(settings: Settings, server: KfpApi) -> None:
    with pytest.raises(MtclarError, match="/home/me/data: a cluster cannot reach this; put it on S3"):
        cluster(server).submit("training", settings, data="/home/me/data", experiment="x")
    with pytest.raises(MtclarError, match=r"unknown pipeline 'trainning' \(did you mean 'training'\?\)"):
        cluster(server).submit("trainning", settings, data="s3://bucket/data", experiment="x")
    assert not server.seen


def test_a_schedule_runs_one_at_a_time_without_catching_up_and_can_be_ended(
    settings: Settings, server: KfpApi, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = cluster(server).schedule(
        "labelling", settings, data="s3://bucket/week", experiment="x", cron="0 3 * * 1", out="s3://bucket/labels"
    )
    made = server.schedules[identity]
    assert made.trigger.cron_schedule.cron == "0 0 3 * * 1"
    assert (made.max_concurrency, made.no_catchup, made.mode) == ("1", True, "ENABLE")
    assert made.runtime_config.parameters == {
        "videos": "s3://bucket/week/videos",
        "anchors": "s3://bucket/week/anchors.csv",
        "out": "s3://bucket/labels",
    }
    with pytest.raises(MtclarError, match="expected five fields such as '0 3"):
        cluster(server).schedule("labelling", settings, data="s3://b", experiment="x", cron="daily")
    for option in (["--list"], ["--stop", identity]):
        with pytest.raises(SystemExit) as ended:
            main(["pipeline", "schedule", "--host", server.host, *option])
        assert ended.value.code == 0
    assert identity in capsys.readouterr().out
    assert not server.schedules


def a_run(server: KfpApi, state: str, error: str = "") -> None:
    begun = datetime(2026, 5, 1, 12, tzinfo=UTC)
    failed = api.GoogleRpcStatus(message=error) if error else None
    train = api.V2beta1PipelineTaskDetail(
        display_name="train", state=state, start_time=begun, end_time=begun + timedelta(minutes=3), error=failed
    )
    waiting = api.V2beta1PipelineTaskDetail(display_name="evaluate", state="PENDING")
    server.runs["run-9"] = api.V2beta1Run(
        run_id="run-9", state=state, run_details=api.V2beta1RunDetails(task_details=[train, waiting])
    )


def test_the_status_of_a_run_is_told_task_by_task(server: KfpApi, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(server, "FAILED", "out of memory")
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "status", "run-9", "--host", server.host])
    assert ended.value.code == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"run-9: failed  {server.host}/#/runs/details/run-9"
    assert said[1].split() == ["train", "failed", "180", "s", "out", "of", "memory"]
    assert said[2].split() == ["evaluate", "pending"]


def test_who_waits_for_a_run_that_fails_is_told_so(server: KfpApi, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(server, "FAILED", "out of memory")
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "status", "run-9", "--host", server.host, "--wait"])
    assert ended.value.code == 1
    assert "mtclar: run run-9: failed (train: out of memory)." in capsys.readouterr().err
    a_run(server, "SUCCEEDED")
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "status", "run-9", "--host", server.host, "--wait"])
    assert ended.value.code == 0


def test_every_way_in_which_a_cluster_fails_is_one_sentence_without_the_token(
    settings: Settings, server: KfpApi, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(words: str, **more: object) -> None:
        with pytest.raises(MtclarError, match=words) as caught:
            cluster(server, token=SECRET, **more).submit("labelling", settings, data="s3://bucket/x", experiment="x")
        assert SECRET not in str(caught.value) + caplog.text
        assert "\n" not in str(caught.value)

    server.token = "another"  # noqa: S105
    refused(r"the token was refused \(401\); set KF_TOKEN")
    server.fault = lambda handler: handler.send(403, {"error": "forbidden"})
    refused(r"not allowed in the namespace 'team' \(403\)")
    server.fault = lambda handler: handler.send(404, "404 page not found", "text/plain")
    refused(r"no such thing \(404\); check the id, and that this is the address of the pipelines API")
    server.fault = broken
    refused(r"answered 500: internal error for Bearer \*\*\*")
    server.fault = login_page
    refused(r"not an answer of the Kubeflow Pipelines API .*page of a login.*text/html")
    server.fault = lambda handler: handler.send(200, "{'half': ", "application/json")
    refused("not an answer of the Kubeflow Pipelines API")
    server.fault = slow
    refused("does not answer in time; check the address and --timeout", timeout_s=0.3)
    server.fault = lambda handler: handler.connection.close()
    refused("cannot be reached")


def test_what_only_reads_is_asked_again_and_what_starts_a_run_is_not(settings: Settings, server: KfpApi) -> None:
    def unavailable(handler: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            server.fault = None
        handler.send(503, {"message": "starting"})  # type: ignore[attr-defined]

    a_run(server, "SUCCEEDED")
    left = [1]
    server.fault = unavailable
    assert cluster(server).status("run-9").state == "SUCCEEDED"

    def no_runs(handler: object) -> None:
        server.fault = None
        if handler.path.endswith("/runs"):  # type: ignore[attr-defined]
            handler.send(503, {"message": "starting"})  # type: ignore[attr-defined]
        else:
            handler.do_GET()  # type: ignore[attr-defined]
            server.fault = no_runs

    cluster(server).submit("labelling", settings, data="s3://bucket/x", experiment="x")
    server.seen.clear()
    server.fault = lambda handler: handler.send(503, {"message": "starting"})
    with pytest.raises(MtclarError, match="answered 503: starting"):
        cluster(server).stop_schedule("recurring-run-0")
    assert len(server.seen) == 1


def test_an_address_where_nothing_listens_and_one_that_is_none_are_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(MtclarError, match=r"127.0.0.1:\d+: the Kubeflow Pipelines API cannot be reached"):
        Cluster(f"http://127.0.0.1:{port}", namespace="team").status("run-0")
    with pytest.raises(MtclarError, match=r"^localhost:8080: expected the address .* with http or https"):
        Cluster("localhost:8080", namespace="team")
    with pytest.raises(MtclarError) as caught:
        Cluster(f"http://me:{SECRET}@127.0.0.1:{port}", namespace="team").status("run-0")
    assert SECRET not in str(caught.value)


def test_a_token_is_read_from_a_file_and_a_file_that_holds_none_is_said(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    assert read_token(file) == SECRET
    for content in ("", "two tokens"):
        file.write_text(content)
        with pytest.raises(MtclarError, match="expected one token and nothing else") as caught:
            read_token(file)
        assert "tokens" not in str(caught.value)
    with pytest.raises(MtclarError, match="the token cannot be read"):
        read_token(tmp_path / "gone")


def test_the_stand_in_refuses_fields_that_the_api_does_not_know(server: KfpApi) -> None:
    import urllib.error
    import urllib.request

    body = json.dumps({"display_name": "x", "pipeline_nmae": "y"}).encode()
    request = urllib.request.Request(f"{server.host}/apis/v2beta1/experiments", body, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
