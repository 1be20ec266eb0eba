import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from kfp import dsl, local

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
    said = run.run_here("training", settings=settings, data=data, root=tmp_path / "runs")
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
    said = run.run_here("labelling", settings=settings, data=data, root=tmp_path / "runs")
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
    said = r"^pipeline training: the task 'list-data' failed; .*/empty: there is no file"
    with pytest.raises(MtclarError, match=said):
        run.run_here("training", settings=settings, data=tmp_path / "empty", root=tmp_path / "runs")


def test_data_that_is_not_there_and_unknown_pipelines_are_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match="nowhere: no such data"):
        run.run_here("training", settings=settings, data=tmp_path / "nowhere", root=tmp_path)
    with pytest.raises(MtclarError, match=r"unknown pipeline 'trainning' \(did you mean 'training'\?\)"):
        run.run_here("trainning", settings=settings, data=tmp_path, root=tmp_path)


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
