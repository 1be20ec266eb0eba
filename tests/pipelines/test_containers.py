"""The pipelines in containers: what these see, how a run is judged, and, where the images are there, whole runs."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import docker
import pytest
from test_run import SMALL

from mtclar.errors import MtclarError
from mtclar.revision import GIT_VARIABLE
from mtclar.settings import load_settings
from mtclar.synthesis.sample import make_sample
from pipelines import containers, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def image() -> str:
    """The image without torch that MTCLAR_IMAGE names, or the one of this commit; the other must be there too."""
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    named = os.environ.get("MTCLAR_IMAGE") or f"mtclar:{revision.stdout.strip() or 'none'}"
    try:
        with closing(docker.from_env()) as client:
            for name in (named, os.environ.get("MTCLAR_GPU_IMAGE") or f"{named}-gpu"):
                client.images.get(name)
    except docker.errors.ImageNotFound as error:
        pytest.skip(f"no image for the pipelines, 'make images' builds them ({error.explanation})")
    except docker.errors.DockerException:
        pytest.skip("no container engine answers")
    return named


def command(image: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mtclar pipeline run` in `folder`, by those images."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", GIT_VARIABLE))}
    environment |= {"MTCLAR_IMAGE": image, "MTCLAR_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    changes = [part for change in SMALL for part in ("--set", change)]
    words = ["pipeline", "run", *arguments, "--containers", "--root", "runs", "--params", str(ROOT / "params.yaml")]
    return subprocess.run(
        [sys.executable, "-m", "mtclar", *words, *changes],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.mark.slow
def test_both_pipelines_run_in_the_images_from_raw_data_to_labels_by_the_champion(image: str, tmp_path: Path) -> None:
    make_sample(
        out=tmp_path / "sample", people=15, clips=5, frames=10, seed=7, artist="drawn", face_model=None, workers=1
    )
    trained = command(image, tmp_path, "training", "--data", "sample")
    assert trained.returncode == 0, trained.stderr + trained.stdout
    assert trained.stdout.splitlines()[-1] == "mtclar version 1 is the champion (models:/mtclar@champion)"
    assert (tmp_path / "runs" / "mlflow.db").is_file()
    assert not (tmp_path / "mlflow.db").exists()
    labelled = command(image, tmp_path, "labelling", "--data", "sample", "--set", "pipeline.shards=2")
    assert labelled.returncode == 0, labelled.stderr + labelled.stdout
    (labels,) = (tmp_path / "runs").glob("*/merge/labels")
    assert labelled.stdout.splitlines()[-1] == f"Labels: {labels}"
    assert len(list(labels.rglob("*.parquet"))) >= 5
    if os.getuid() == 0:
        assert labels.stat().st_uid == 10001


@pytest.mark.slow
def test_a_task_that_fails_in_its_container_fails_the_run_and_its_sentence_is_said(image: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    failed = command(image, tmp_path, "training", "--data", "empty")
    assert failed.returncode == 1
    said = failed.stderr.splitlines()[-1]
    assert said.startswith("mtclar: pipeline training: the task 'list-data' failed; ")
    assert "mtclar-data/empty: there is no file" in said


@pytest.mark.slow
def test_an_image_that_is_not_there_is_named(image: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = command("mtclar-of-nobody:0123456789abcdef", tmp_path, "training", "--data", "empty")
    assert refused.returncode == 1
    assert refused.stderr.startswith("mtclar: MTCLAR_IMAGE=mtclar-of-nobody:0123456789abcdef: there is no such image")
    assert len(refused.stderr.splitlines()) == 1


def test_without_an_engine_nothing_is_copied_and_one_sentence_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    (tmp_path / "data").mkdir()
    with pytest.raises(
        MtclarError, match=r"^unix://\S+/docker.sock: no container engine answers; start Docker, .* or use --local\.$"
    ):
        run.run_here(
            "training", settings=load_settings(), data=tmp_path / "data", root=tmp_path / "runs", containers=True
        )
    assert not (tmp_path / "runs").exists()


def test_the_data_are_linked_below_the_run_and_what_links_point_to_comes_along(tmp_path: Path) -> None:
    data, root = tmp_path / "data", tmp_path / "runs"
    (data / "videos").mkdir(parents=True)
    (data / "videos" / "a.mp4").write_bytes(b"video")
    (tmp_path / "elsewhere.csv").write_text("anchors")
    (data / "anchors.csv").symlink_to(tmp_path / "elsewhere.csv")
    (root / "data" / "data").mkdir(parents=True)
    (root / "data" / "data" / "mine").write_text("mine")
    for _ in range(2):  # a second run finds what the first brought
        place = containers.brought(data, root)
        assert place.is_relative_to(root)
        assert (place / "videos" / "a.mp4").stat().st_ino == (data / "videos" / "a.mp4").stat().st_ino
        assert not (place / "anchors.csv").is_symlink()
        assert (place / "anchors.csv").read_text() == "anchors"
    assert containers.brought(place, root) == place  # what lies there already stays as it is
    assert (place / "anchors.csv").exists()
    assert (root / "data" / "data" / "mine").read_text() == "mine"  # and what is not ours too


def test_the_registry_is_a_server_or_a_file_below_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "runs"
    below = f"sqlite:///{root}/mlflow.db"
    assert containers.store_below(root, f"sqlite:///{tmp_path}/mlflow.db") == below
    assert containers.store_below(root, below) == below
    assert containers.store_below(root, "http://mlflow:5000") == "http://mlflow:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    assert containers.keys("http://mlflow:5000")["MLFLOW_TRACKING_PASSWORD"] == "secret"  # noqa: S105
    assert containers.keys(below) == {}


LOG = """16:21:17.206 - INFO - Executing task \x1b[96m'list-data'\x1b[0m
    Traceback (most recent call last):
      File "/app/mtclar/data/whole.py", line 7, in listed
        raise MtclarError("there is no file")
    mtclar.errors.MtclarError: data: there is no file.
16:21:18.000 - INFO - Task \x1b[96m'list-data'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
16:21:19.000 - INFO - Executing task \x1b[96m'record'\x1b[0m
16:21:20.000 - INFO - Task \x1b[96m'record'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
"""


def test_a_task_that_the_runner_calls_successful_and_that_left_nothing_is_named_with_its_sentence(
    tmp_path: Path,
) -> None:
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "executor_output.json").write_text("{}")
    heard = run._Log(io.StringIO())
    for begin in range(0, len(LOG), 7):  # it comes in pieces
        heard.write(LOG[begin : begin + 7])
    assert heard.without_result({tmp_path}) == ["list-data"]
    assert heard.why("list-data") == "data: there is no file."
    (tmp_path / "list-data").mkdir()
    (tmp_path / "list-data" / "executor_output.json").write_text("{}")
    assert heard.without_result({tmp_path}) == []


def test_a_task_that_failed_by_another_error_says_which() -> None:
    heard = run._Log(io.StringIO())
    heard.write(LOG.replace("mtclar.errors.MtclarError: data", "builtins.KeyError: data"))
    assert heard.why("list-data") == "builtins.KeyError: data: there is no file."
    assert heard.why("record") == "its log says why."
