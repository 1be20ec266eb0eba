"""Labelling needs no more than the core dependencies: tried in an environment that has nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from bright_clip import CALIBRATION
from make_video import with_face, write_video
from toy_bundle import toy_bundle
from toy_checkout import track

HEAVY = ("torch", "mlflow", "kfp", "kornia", "dvc", "great_expectations", "vtk", "onnx", "scipy", "dlib")


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command as a newcomer would, with nothing of this environment."""
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def checkout(folder: Path) -> Path:
    """What a wheel is built from, as in a fresh clone: a toy model in the remote, and nobody has run `dvc pull`."""
    repository = Path(__file__).parents[1]
    for name in ("mtclar", "components", "pipelines", "recipes"):
        shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
    for name in ("pyproject.toml", "hatch_build.py", "params.yaml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(repository / name, folder / name)
    bundle = toy_bundle(folder.parent / "toy", calibration=CALIBRATION)
    track(bundle, folder / "mtclar" / "shipped" / "default", folder / "dvc-remote")
    return folder


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with mtclar and its core dependencies, in the versions of the lock."""
    root, repository = tmp_path_factory.mktemp("core"), Path(__file__).parents[1]
    subprocess.run([sys.executable, "-m", "venv", root / "venv"], check=True)
    binaries = root / "venv" / "bin"
    install = run(
        binaries / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--constraint", repository / "requirements.lock", checkout(root / "checkout"),
        cwd=root,
    )  # fmt: skip
    assert install.returncode == 0, install.stderr
    return binaries


def test_the_core_environment_holds_none_of_the_heavy_packages(core: Path, tmp_path: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {HEAVY!r} if u.find_spec(name)])"
    assert run(core / "python", "-c", code, cwd=tmp_path).stdout.strip() == "[]"


def test_label_runs_in_the_core_environment(core: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", range(0, 200, 40), lambda i: with_face(0.7 + 0.1 * i))
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,-0.2,0.1\n", encoding="utf-8")
    toy_bundle(tmp_path / "bundle", calibration=CALIBRATION)
    answer = run(
        core / "mtclar", "label", "clip.mp4", "--anchors", "anchors.csv", "--model", "bundle", "--out", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    table = pd.read_csv(tmp_path / "out" / "clip.va.csv")
    assert table["status"].tolist() == ["ok"] * 5
    assert table["valence"].is_monotonic_increasing
    assert (table["valence_hi"] - table["valence_lo"])[1:].gt(0).all()
    assert (tmp_path / "out" / "clip.html").stat().st_size > 10_000


def test_the_wheel_of_a_fresh_clone_carries_its_model_so_a_video_is_all_that_label_needs(
    core: Path, tmp_path: Path
) -> None:
    folder = run(core / "mtclar", "models", "path", cwd=tmp_path).stdout.strip()
    assert folder.startswith(str(core.parent))
    assert folder.endswith("mtclar/shipped/default")
    write_video(tmp_path / "clip.mp4", range(0, 200, 40), lambda i: with_face(0.7 + 0.1 * i))
    answer = run(core / "mtclar", "label", "clip.mp4", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert set(pd.read_csv(tmp_path / "labels" / "clip.va.csv")["source"]) == {"zero-shot"}


def test_a_recipe_finds_its_base_inside_the_wheel(core: Path, tmp_path: Path) -> None:
    code = "from mtclar.settings import load_settings, recipe; f = recipe('paper'); print(f, load_settings(f).train)"
    answer = run(core / "python", "-c", code, cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(str(core.parent))
    assert "epochs=40 " in answer.stdout


def test_a_bad_video_gives_one_sentence_and_no_traceback_in_the_core_environment(core: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("no video")
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,-0.2,0.1\n", encoding="utf-8")
    toy_bundle(tmp_path / "bundle")
    answer = run(
        core / "mtclar", "label", "clip.mp4", "--anchors", "anchors.csv", "--model", "bundle", "--out", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 1
    assert "holds text" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_of_the_registry_asks_for_the_extra_in_the_core_environment(core: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", [0, 40], lambda i: with_face())
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,-0.2,0.1\n", encoding="utf-8")
    answer = run(
        core / "mtclar", "label", "clip.mp4", "--anchors", "anchors.csv", "--model", "models:/mtclar@champion",
        "--out", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 1
    assert "mtclar[registry]" in answer.stderr
    assert "Traceback" not in answer.stderr
