import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from kfp import dsl, local

from mtclar.cli import main
from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.fetch import fetch_bundle
from mtclar.serving import Bundle
from mtclar.settings import Settings, load_settings
from mtclar.synthesis.sample import make_sample
from pipelines import run

SMALL = (
    "crop.detector=given",
    "crop.workers=1",
    "validate.min_rows=20",
    "validate.min_class_share=0.001",
    "pair.pairs=128",
    "pair.pairs_held_out=32",
    "train.epochs=1",
    "train.sl_epochs=1",
    "evaluate.bootstrap=100",
    "export.check_faces=2",
    "promote.gate={valence_ccc: {floor: -1.0, margin: -2.0}}",
    "label.thumbnails=1",
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "KF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return load_settings(Path(__file__).parents[2] / "params.yaml", SMALL)


def test_both_pipelines_run_here_from_raw_data_to_labels_by_the_champion(settings: Settings, tmp_path: Path) -> None:
    data = tmp_path / "sample"
    make_sample(out=data, people=15, clips=5, frames=10, seed=7, artist="drawn", face_model=None, workers=1)
    said = run.run_local("training", settings=settings, data=data, root=tmp_path / "runs")
    assert said == "mtclar version 1 is the champion (models:/mtclar@champion)"
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert (tmp_path / "mlflow.db").is_file()
    bundle = Bundle.load(fetch_bundle("models:/mtclar@champion", settings.register_))
    (made,) = (tmp_path / "runs").glob("*/export/bundle")
    assert bundle.identity == Bundle.load(made).identity
    for video in (data / "videos").glob("*.mp4"):
        if video.stem != "solo_1":
            video.unlink()
    rows = (data / "anchors.csv").read_text().splitlines(keepends=True)
    (data / "anchors.csv").write_text("".join(row for i, row in enumerate(rows) if i == 0 or row.startswith("solo_1,")))
    said = run.run_local("labelling", settings=settings, data=data, root=tmp_path / "runs")
    (labels,) = (tmp_path / "runs").glob("*/merge/labels")
    assert said == f"Labels: {labels}"
    assert [video["video_id"] for video in json.loads((labels / "summary.json").read_text())["labelled"]] == ["solo_1"]
    (listing,) = (tmp_path / "runs").glob("*/list-videos/listing/listing.json")
    assert json.loads(listing.read_text())["model"] == "models:/mtclar/1"  # the alias may move meanwhile
    client = tracking.require(settings.register_).MlflowClient()
    experiment = client.get_experiment_by_name(settings.register_.experiment).experiment_id
    ended = {run.info.run_name: run for run in client.search_runs([experiment]) if "outcome" in run.data.tags}
    assert {name: run.data.tags["outcome"] for name, run in ended.items()} == {
        "mtclar-training": "succeeded",
        "mtclar-labelling": "succeeded",
    }
    assert ended["mtclar-training"].data.params["data"] == str(data)


def test_a_task_that_fails_fails_the_run_and_its_sentence_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = r"pipeline training: .*Inner task failed: 'list-data' inside 'exit-handler-1'; .*/empty: there is no file"
    with pytest.raises(MtclarError, match=said):
        run.run_local("training", settings=settings, data=tmp_path / "empty", root=tmp_path / "runs")


def test_data_that_is_not_there_and_unknown_pipelines_are_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match="nowhere: no such data"):
        run.run_local("training", settings=settings, data=tmp_path / "nowhere", root=tmp_path)
    with pytest.raises(MtclarError, match=r"unknown pipeline 'trainning' \(did you mean 'training'\?\)"):
        run.run_local("trainning", settings=settings, data=tmp_path, root=tmp_path)


def test_a_branch_that_kfp_skips_in_silence_is_noticed(tmp_path: Path) -> None:
    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def gate() -> NamedTuple("Answer", [("decision", str), ("other", str)]):
        return ("yes", "")

    @dsl.component(base_image="python:3.11", install_kfp_package=False)
    def act(path: str):
        open(path, "w").close()

    @dsl.pipeline(name="branch")
    def branch(path: str):
        with dsl.If(gate().outputs["decision"] == "yes"):
            act(path=path)

    local.init(
        local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "a"), workspace_root=str(tmp_path / "b")
    )
    with run._watched() as unresolved:
        branch(path=str(tmp_path / "done"))
    assert bool(unresolved) is not (tmp_path / "done").exists()


def test_an_output_that_cannot_be_written_is_one_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        run.compile_all(tmp_path / "file" / "ir", settings)


class Api(BaseHTTPRequestHandler):
    """As much of the Kubeflow Pipelines API as a submission needs."""

    seen: list[tuple[str, str, str | None, dict]]
    refuse = False

    def do_GET(self) -> None:
        self._answer({"multi_user": True} if "healthz" in self.path else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append(("POST", self.path, self.headers.get("Authorization"), body))
        self._answer({"run_id": "run-1", "experiment_id": "experiment-1", "display_name": "x", "state": "PENDING"})

    def _answer(self, content: dict) -> None:
        data = json.dumps({"error": self.headers.get("Authorization")} if self.refuse else content).encode()
        self.send_response(401 if self.refuse else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Api]]]:
    monkeypatch.setenv("HOME", str(tmp_path))
    handler = type("OwnApi", (Api,), {"seen": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()


def test_a_run_is_submitted_with_its_namespace_token_and_parameters(
    settings: Settings, cluster: tuple[str, type[Api]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, api = cluster
    monkeypatch.setenv("KF_TOKEN", "from-the-environment")
    identity = run.submit(
        "training", settings=settings, data="s3://bucket/data", host=host, namespace="team", experiment="nightly"
    )
    assert identity == "run-1"
    assert {authorization for _, _, authorization, _ in api.seen} == {"Bearer from-the-environment"}
    body = api.seen[-1][3]
    assert body["runtime_config"]["parameters"]["data"] == "s3://bucket/data"


def test_a_cluster_that_refuses_is_one_sentence_without_the_token(
    settings: Settings, cluster: tuple[str, type[Api]], caplog: pytest.LogCaptureFixture
) -> None:
    host, api = cluster
    api.refuse, secret = True, "very-secret"
    with pytest.raises(MtclarError, match="the pipeline cannot be submitted") as refused:
        run.submit("labelling", settings=settings, data="s3://b", host=host, namespace="team", token=secret)
    assert secret not in str(refused.value) + caplog.text


def test_the_gpus_asked_for_on_the_command_line_reach_the_cluster(cluster: tuple[str, type[Api]]) -> None:
    host, api = cluster
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "submit", "training", "--host", host, "--data", "s3://bucket/data", "--gpus", "4"])
    assert ended.value.code == 0
    sent = json.dumps(api.seen[-1][3])
    assert '"resourceCount": "4"' in sent or '"count": "4"' in sent
    assert "nvidia.com/gpu" in sent
