"""The line run by DVC for real, on a few drawn people: what runs again, what is restored, what is shared."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mtclar.revision import data_revision
from mtclar.settings import read_params

pytestmark = pytest.mark.slow

STAGES = ["crop", "validate", "pair", "train", "evaluate", "export", "label"]
REPOSITORY = Path(__file__).parents[1]
TAKEN = ("mtclar", "dvc.yaml", ".dvcignore", ".dvc/config", ".gitignore", "params.yaml", "pyproject.toml")


class Clone:
    """A clone of the repository as it stands, with a sample of its own and settings that take seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: object, fails: bool = False) -> str:
        """What a command says; the package that `python -m mtclar` runs is the clone's."""
        answer = subprocess.run(
            [str(part) for part in command], cwd=self.folder, env=self.environment(), capture_output=True, text=True
        )
        assert (answer.returncode != 0) == fails, f"{command}\n{answer.stdout[-3000:]}\n{answer.stderr[-3000:]}"
        return answer.stdout + answer.stderr

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "MTCLAR_GIT", "DVC_", "PYTHONPATH"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"DVC_GLOBAL_CONFIG_DIR": str(self.folder.parent), "DVC_SYSTEM_CONFIG_DIR": str(self.folder.parent)}
        return kept | home | {"PATH": path, "COLUMNS": "300", "DVC_NO_ANALYTICS": "1"}

    def dvc(self, *arguments: object, fails: bool = False) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments, fails=fails)

    def git(self, *arguments: object) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        return self.run("git", *identity, *arguments).strip()

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--no-verify", "--message", message)

    def repro(self, *arguments: object) -> dict[str, str]:
        """Runs what must be run; what became of each stage: run, restored (from the run cache) or kept."""
        said = self.dvc("repro", *arguments)
        words = {"Running stage '{}'": "run", "Stage '{}' is cached": "restored", "Stage '{}' didn't change": "kept"}
        return {v: word for v in STAGES for text, word in words.items() if text.format(v) in said}

    def metrics(self) -> dict[str, float]:
        return json.loads((self.folder / "artifacts" / "evaluate" / "summary.json").read_text())


def each(word: str, stages: list[str]) -> dict[str, str]:
    return dict.fromkeys(stages, word)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which `dvc repro` has run once and dvc.lock is committed."""
    clone = Clone(tmp_path_factory.mktemp("dvc") / "clone")
    for name in TAKEN:
        source, target = REPOSITORY / name, clone.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "shipped"))
        else:
            shutil.copy(source, target)
    tiny = read_params(REPOSITORY / "recipes" / "tiny.yaml")
    (clone.folder / "params.yaml").write_text(yaml.safe_dump(tiny, sort_keys=False), encoding="utf-8")
    drawn = ("--artist", "drawn", "--people", 24, "--clips", 10, "--frames", 12)
    clone.run(sys.executable, "-m", "mtclar", "sample", "--out", "data/sample", *drawn)
    clone.git("init", "--quiet")
    clone.git("config", "user.name", "a")  # `dvc exp` commits on its own
    clone.git("config", "user.email", "a@example.org")
    clone.dvc("add", "--quiet", "data")
    clone.commit("first")
    assert clone.repro() == each("run", STAGES)
    assert clone.git("status", "--porcelain") == "?? dvc.lock"
    clone.commit("lock")
    return clone


def test_what_was_run_is_not_run_again_and_says_what_it_was_made_of(clone: Clone) -> None:
    assert clone.repro() == each("kept", STAGES)
    bundle = json.loads((clone.folder / "artifacts" / "export" / "bundle.json").read_text())
    assert bundle["data_revision"] == data_revision(clone.folder / "artifacts" / "crop")
    assert bundle["git_revision"] == clone.git("rev-parse", "HEAD~1"), "the lock that a run writes makes nothing dirty"
    assert bundle["evaluation_set"] == clone.metrics()["evaluation_set"]


@pytest.mark.parametrize(
    ("edited", "again"),
    [
        ("mtclar/learning/loop.py", ["train"]),
        ("mtclar/report/page.py", ["evaluate", "label"]),
        ("mtclar/registry/tracking.py", []),
    ],
)
def test_an_edit_of_code_runs_what_depends_on_it(clone: Clone, edited: str, again: list[str]) -> None:
    path = clone.folder / edited
    before = path.read_bytes()
    path.write_bytes(before + b"\n# edited\n")
    try:
        changed = {line.rstrip(":") for line in clone.dvc("status", *STAGES).splitlines() if line.endswith(":")}
    finally:
        path.write_bytes(before)
    assert {name for name in STAGES if name in changed} == set(again)


def test_an_experiment_is_shown_with_its_metrics_and_going_back_trains_nothing(clone: Clone) -> None:
    before = clone.metrics()
    clone.dvc("exp", "run", "--name", "other", "--set-param", "train.sl_epochs=2")
    assert clone.metrics() != before
    table = json.loads(clone.dvc("exp", "show", "--json"))
    shown = [row for line in table for row in [line, *(e["revs"][0] for e in line.get("experiments") or [])]]
    values = {row["name"] or row["rev"]: row["data"]["metrics"]["artifacts/evaluate/summary.json"] for row in shown}
    assert values["other"]["data"] == values["workspace"]["data"] == clone.metrics()
    assert "!" not in clone.dvc("exp", "show", "--no-pager", "--csv")
    assert "train.sl_epochs" in clone.dvc("params", "diff")
    assert "artifacts/evaluate/summary.json" in clone.dvc("metrics", "diff", "--json")
    clone.git("checkout", "--quiet", "params.yaml")  # and dvc.lock stays that of the experiment
    assert clone.repro() == each("kept", ["crop", "validate", "pair"]) | each("restored", STAGES[3:])
    assert clone.metrics() == before
    assert clone.git("status", "--porcelain") == ""


def test_results_are_pushed_to_a_second_remote_and_pulled_by_somebody_else(clone: Clone, tmp_path: Path) -> None:
    assert "no remote specified" in clone.dvc("push", fails=True), "nothing goes into the repository by mistake"
    clone.dvc("remote", "add", "--local", "results", tmp_path / "remote")
    clone.dvc("push", "--quiet", "--remote", "results")
    other = Clone(tmp_path / "other")
    clone.git("clone", "--quiet", clone.folder, other.folder)
    other.dvc("remote", "add", "--local", "results", tmp_path / "remote")
    other.dvc("pull", "--quiet", "--remote", "results")
    assert other.metrics() == clone.metrics()
    assert other.repro() == each("kept", STAGES)


@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_a_training_that_was_killed_goes_on_and_harms_nothing_that_is_cached(
    clone: Clone, tmp_path: Path, links: str
) -> None:
    """Outputs and data are links into the cache here: whoever wrote into one in place would change the cache."""
    other = Clone(tmp_path / "other")
    clone.git("clone", "--quiet", clone.folder, other.folder)
    other.dvc("config", "--local", "cache.type", links)
    other.dvc("config", "--local", "cache.dir", clone.folder / ".dvc" / "cache")
    other.dvc("checkout", "--quiet")
    kept = {p: p.read_bytes() for p in (clone.folder / ".dvc" / "cache" / "files").rglob("*") if p.is_file()}
    weights = other.folder / "artifacts" / "train" / "model.safetensors"
    before = weights.read_bytes()
    slower = ("train.epochs=12", "crop.quality=93")
    params = yaml.safe_load((other.folder / "params.yaml").read_text())
    for change in slower:
        (section, key), value = change.split("=")[0].split("."), int(change.split("=")[1])
        params[section][key] = value
    (other.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    state = other.folder / "build" / "train" / "last"
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "train"],
        cwd=other.folder,
        env=other.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        for _ in range(3000):
            if list(state.glob("epoch-????")):  # whole: what is being written has a longer name
                break
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGKILL)
    (reached,) = (path.name for path in state.glob("epoch-????"))
    assert 1 <= int(reached[-4:]) < 12
    told = json.loads((state / reached / "state.json").read_text())
    told["history"][0]["loss_valence"] = 123.0  # by this mark the first epoch will be known
    (state / reached / "state.json").write_text(json.dumps(told))
    assert "trained for 12 epochs" in other.dvc("repro", "train")
    assert pd.read_csv(weights.with_name("history.csv"))["loss_valence"][0] == 123.0
    assert weights.read_bytes() != before
    assert {path: path.read_bytes() for path in kept} == kept
