"""A registered model served by MLflow's own server, over HTTP, with no package of ours installed for it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture
from make_video import write_video
from servers import free_port, wait_for
from toy_bundle import toy_bundle

import mtclar
from mtclar.registry import tracking
from mtclar.registry.register import _requirements, register_bundle
from mtclar.serving import Bundle
from mtclar.settings import RegisterSettings

ANCHORS = "video_id,frame,valence,arousal\nclip,0,0.5,0.1\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegisterSettings]:
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        settings = RegisterSettings(
            model_name="faces", tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment="faces"
        )
        trained = {"settings": {"lr": 0.1, "tasks": ["valence"]}, "kept_epoch": 3}
        bundle = toy_bundle(folder / "bundle", calibration=CALIBRATION, training=trained)
        register_bundle(Bundle.load(bundle), settings, [])
        yield settings


@pytest.fixture(scope="module")
def bundle(store: RegisterSettings) -> Path:
    return Path(store.tracking_uri.removeprefix("sqlite:///")).parent / "bundle"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", TIMES_MS, picture)


@pytest.fixture(scope="module")
def url(store: RegisterSettings, bundle: Path) -> Iterator[str]:
    """MLflow's server of the model."""
    port, log = free_port(), bundle.parent / "serve.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", "models:/faces@challenger"]
    command += ["--env-manager", "local", "--port", str(port), "--host", "127.0.0.1"]
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store.tracking_uri, "PATH": programs}
    environment["MTCLAR_CACHE"] = str(bundle.parent / "cache of the server")
    (bundle.parent / "params.yaml").write_text("label: {subject: nobody}\n")  # of somebody else: it does not count
    with log.open("w") as file:
        server = subprocess.Popen(
            command, stdout=file, stderr=file, env=environment, cwd=bundle.parent, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", server, log)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def ask(url: str, content: Any) -> tuple[int, Any]:
    """The status and the content of an answer."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read(), parse_constant=not_json)["predictions"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def not_json(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def in_json(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def test_pictures_are_labelled_over_http_as_crops_and_as_portraits(url: str, bundle: Path) -> None:
    colour = np.array([200, 100, 50], np.uint8)
    crop = png(np.broadcast_to(colour, (288, 288, 3)))
    status, (answer,) = ask(url, {"dataframe_records": [{"image": in_json(crop)}]})
    assert status == 200
    assert answer["valence"] == pytest.approx(200 / 255, abs=1e-5)
    portrait = picture(0)
    content = {"dataframe_records": [{"image": in_json(png(portrait))}], "params": {"pictures": "portraits"}}
    status, (answer,) = ask(url, content)
    assert status == 200, answer
    assert -1 <= answer["valence"] <= 1


@pytest.mark.parametrize("kind", ["clip", "features"])
def test_a_video_is_labelled_over_http_with_the_numbers_that_the_library_gives(
    url: str, bundle: Path, clip: Path, tmp_path: Path, kind: str
) -> None:
    features = mtclar.extract(clip, model=bundle)
    file = clip
    if kind == "features":
        file = tmp_path / "clip.features"
        mtclar.write_features(features, file)
    (tmp_path / "anchors.csv").write_text(ANCHORS)
    row = {"video": in_json(file.read_bytes()), "name": "clip", "anchors": ANCHORS}
    status, answer = ask(url, {"dataframe_records": [row]})
    assert status == 200, answer
    ours = mtclar.annotate(features, tmp_path / "anchors.csv", model=bundle).to_pandas()
    theirs = pd.DataFrame(answer)
    assert list(theirs["frame"]) == list(ours["frame"])
    for column in ("valence", "arousal"):
        np.testing.assert_allclose(theirs[column].astype(float), ours[column], atol=1e-9)
    assert set(theirs["name"]) == {"clip"}
    last = answer[-1]
    assert (last["status"], last["valence"], last["valence_lo"]) == ("no_face", None, None)
    assert all(row["valence_lo"] <= row["valence"] <= row["valence_hi"] for row in answer[:3])
    assert not list((bundle.parent / "cache of the server").rglob("*.features")), "nothing of a request is kept"


def test_features_of_another_model_are_a_bad_request(url: str, clip: Path, tmp_path: Path) -> None:
    other = toy_bundle(tmp_path / "other", d_valence=0.5, calibration=CALIBRATION)
    mtclar.write_features(mtclar.extract(clip, model=other), tmp_path / "clip.features")
    row = {"video": in_json((tmp_path / "clip.features").read_bytes())}
    status, answer = ask(url, {"dataframe_records": [row]})
    assert (status, answer["message"]) == (
        400, "row 0: video.features: was extracted with another model than this one; extract the video with it.",
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_examples_of_the_documentation_are_answered(
    url: str, bundle: Path, clip: Path, repository: Path, tmp_path: Path
) -> None:
    parts = re.findall(r"(?:^    .*\n|^\n(?=    ))+", (repository / "docs" / "serving.md").read_text(), re.MULTILINE)
    examples = [textwrap.dedent(part) for part in parts if "/invocations" in part]
    assert len(examples) == 3
    cv2.imwrite(str(tmp_path / "portrait.jpg"), picture(3)[..., ::-1])
    shutil.copy(clip, tmp_path / "clip.mp4")
    (tmp_path / "anchors.csv").write_text(ANCHORS)
    mtclar.write_features(mtclar.extract(clip, model=bundle), tmp_path / "clip.features")
    counts = []
    for example in examples:
        command = re.sub(r"(?:http://)?localhost:5001/invocations", url, example)
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "PATH": programs}, timeout=120,
        )  # fmt: skip
        answer = json.loads(done.stdout)
        assert "predictions" in answer, answer
        counts.append(len(answer["predictions"]))
    assert counts == [1, len(TIMES_MS), len(TIMES_MS)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"dataframe_records": [{"picture": "x"}]}, "expected a column 'image' with pictures or a column 'video'"),
        ({"dataframe_records": [{"image": in_json(b"no picture")}]}, "row 0: "),
        ({"dataframe_records": [{"image": in_json(png(np.zeros((9, 99, 3), np.uint8)))}]}, "row 0: no face was found"),
        ({"dataframe_records": [{"video": in_json(b"no video")}]}, "row 0: video.mp4: "),
        (
            {
                "dataframe_records": [{"image": in_json(png(np.zeros((9, 9, 3), np.uint8)))}],
                "params": {"pictures": "x"},
            },
            "pictures=x: expected one of auto, crops, portraits",
        ),
        ({"inputs": []}, ""),
        ({"rows": []}, ""),
        (b"{'half': ", ""),
        (b"", ""),
        ({"dataframe_records": [{"image": 7}]}, ""),
    ],
)
def test_a_bad_request_is_answered_with_400_and_a_sentence(url: str, content: Any, words: str) -> None:
    status, answer = ask(url, content)
    assert status == 400, answer
    assert "stack_trace" not in answer, answer
    assert "Traceback" not in json.dumps(answer)
    if words:
        assert answer["message"].startswith(words), answer
        assert "\n" not in answer["message"]


def test_anchors_beyond_the_clip_are_a_bad_request_that_says_so(url: str, clip: Path) -> None:
    anchors = ANCHORS.replace("clip,0", "clip,9999")
    status, answer = ask(
        url, {"dataframe_records": [{"video": in_json(clip.read_bytes()), "name": "clip", "anchors": anchors}]}
    )
    assert status == 400
    assert "9999" in answer["message"]
    assert "/tmp" not in answer["message"]


LOAD = """
import sys
from importlib.util import find_spec
from pathlib import Path
sys.path[:] = [p for p in sys.path if not (Path(p or ".") / "mtclar" / "__init__.py").exists()]
found = find_spec("mtclar")
assert found is None or found.origin is None, found
import mlflow, numpy, cv2, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
data = cv2.imencode(".png", numpy.full((64, 64, 3), 255, numpy.uint8))[1].tobytes()
print(model.predict(pandas.DataFrame({"image": [data]}))["valence"][0])
import mtclar
from mtclar.revision import git_revision
print(Path(mtclar.__file__).parent.parent.name, "torch" in sys.modules, git_revision())
"""


def test_the_model_is_loaded_where_no_package_of_ours_is_installed(store: RegisterSettings, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MTCLAR_GIT_SHA")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, "models:/faces@challenger"], capture_output=True, text=True, check=False,
        cwd=tmp_path, env=environment | {"MLFLOW_TRACKING_URI": store.tracking_uri}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    valence, about = done.stdout.strip().splitlines()[-2:]
    assert float(valence) == pytest.approx(1.0)
    where, torch, revision = about.split()
    assert (where, torch) == ("code", "False")
    assert re.match(r"[0-9a-f]{40}|unknown", revision)


def test_what_the_model_requires_is_public_and_exact(store: RegisterSettings) -> None:
    mlflow = tracking.connect(store)
    folder = Path(mlflow.artifacts.download_artifacts("models:/faces@challenger"))
    lines = (folder / "requirements.txt").read_text().split()
    assert {re.split("==", line)[0] for line in lines} >= {"numpy", "onnxruntime", "av", "mlflow"}
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!]+", line) for line in lines)
    assert not [line for line in lines if line.startswith(("mtclar", "torch"))]
    model = mlflow.models.Model.load(folder)
    assert model.saved_input_example_info is not None
    assert [column.name for column in model.signature.inputs] == ["image", "video", "name", "anchors"]
    assert {"valence", "valence_lo", "arousal_hi", "frame"} <= {column.name for column in model.signature.outputs}
    assert not list(folder.rglob("*.pkl"))


def test_the_run_that_registers_tells_the_settings_of_the_training(store: RegisterSettings) -> None:
    mlflow = tracking.connect(store)
    (run,) = mlflow.search_runs(experiment_names=["faces"], output_format="list")
    assert run.data.params["train.lr"] == "0.1"
    assert run.data.params["train.tasks"] == "['valence']"
    assert run.data.params["kept_epoch"] == "3"


def test_a_model_can_be_registered_where_mlflow_is_there_without_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = metadata.version

    def version(name: str) -> str:
        if name == "mlflow":  # as in the images, which hold mlflow-skinny
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    assert "mlflow==3.17.1" in _requirements("3.17.1")


def test_the_run_and_the_version_say_what_they_are_and_from_which_training(tmp_path: Path) -> None:
    settings = RegisterSettings(
        model_name="linked", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="linked"
    )
    with tracking.start(settings, run_name="train") as run:
        run.dataset("faces", "ab" * 32, context="training")
        trained = run.run_id
    bundle = Bundle.load(toy_bundle(tmp_path / "bundle", training_run=trained, evaluation_set="e" * 64))
    version, _ = register_bundle(bundle, settings, [])
    client = tracking.connect(settings).MlflowClient()
    found = client.get_model_version("linked", str(version.number))
    assert found.run_id == trained
    assert found.tags["training_run"] == trained
    assert f"trained in run {trained}" in found.description
    runs = {
        run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("linked").experiment_id])
    }
    registering = runs["register linked"]
    assert registering.data.tags["mlflow.parentRunId"] == trained
    assert registering.data.tags["mlflow.note.content"] == found.description
    assert registering.data.params["bundle_sha"] == bundle.identity
    used = {(item.dataset.name, item.tags[0].value) for item in registering.inputs.dataset_inputs}
    assert used == {("faces", "training"), ("evaluation set", "evaluation")}
    (item,) = runs["train"].inputs.dataset_inputs
    assert json.loads(item.dataset.source) == {"tags": {"revision": "ab" * 32}}
    assert item.dataset.digest == ("ab" * 32)[:36]
    assert tracking.connect(settings).data.get_source(item).to_dict() == {"tags": {"revision": "ab" * 32}}
    assert "mtclar" in client.get_registered_model("linked").description
