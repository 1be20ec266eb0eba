"""dvc.yaml says what each stage depends on, and dvc.lock is one of it. (test_dvc_repro.py runs it.)"""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

import pytest
import yaml
from code_reached import reached

STAGES = ("crop", "validate", "pair", "train", "evaluate", "export", "label")
CARRIES = {
    f"mtclar/{name}.py" for name in ("errors", "progress", "settings", "revision", "environment", "storage", "remote")
} | {
    "mtclar/registry/",
    "mtclar/data/whole.py",
}
"""Code that carries or tells and does not decide what a stage writes: an edit of it runs no stage again."""
BY_NAME = {"crop": {"mtclar/data/readers/"}, "train": {"mtclar/model/"}}
"""What a step imports by a name in its settings, which no import statement shows."""


@pytest.fixture
def stages(repository: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((repository / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@pytest.fixture
def lock(repository: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((repository / "dvc.lock").read_text(encoding="utf-8"))["stages"]


def code(stage: dict[str, Any]) -> list[str]:
    """The code among a stage's dependencies; folders end in a slash."""
    found = [dep for dep in stage["deps"] if dep.startswith("mtclar/")]
    return [dep if dep.endswith(".py") else f"{dep}/" for dep in found]


def covers(dep: str, file: str) -> bool:
    return file.startswith(dep) if dep.endswith("/") else file == dep


def decides(repository: Path, verb: str) -> set[str]:
    """The modules that a step imports, directly or not, and that decide what it writes."""
    files = {file.as_posix() for file in reached(repository, Path(f"mtclar/steps/{verb}.py"))}
    return {file for file in files if not any(covers(dep, file) for dep in CARRIES)}


@pytest.mark.parametrize("verb", STAGES)
def test_a_stage_depends_on_all_the_code_that_its_step_imports(repository, stages, verb):
    missing = {file for file in decides(repository, verb) if not any(covers(dep, file) for dep in code(stages[verb]))}
    assert not missing, f"add them, or their folder, to the deps of '{verb}' in dvc.yaml"


@pytest.mark.parametrize("verb", STAGES)
def test_a_stage_depends_on_no_code_that_its_step_does_not_import(repository, stages, verb):
    needed = decides(repository, verb) | BY_NAME.get(verb, set())
    for dep in code(stages[verb]):
        assert (repository / dep).exists(), dep
        assert any(covers(dep, file) for file in needed), f"{dep}: '{verb}' has no use for it"


def test_an_edit_of_learning_trains_again_and_one_of_report_neither_trains_nor_crops(stages):
    runs = {folder: {v for v in STAGES if f"mtclar/{folder}/" in code(stages[v])} for folder in ("learning", "report")}
    assert runs == {"learning": {"train"}, "report": {"evaluate", "label"}}


def test_outputs_are_cached_and_can_be_restored(stages):
    assert tuple(stages) == STAGES
    for verb, stage in stages.items():
        assert stage["outs"] == [f"artifacts/{verb}"], "no options: neither cache: false nor persist: true"


def test_the_remote_inside_the_repository_takes_the_sample_and_the_model_and_nothing_else(repository):
    config = configparser.ConfigParser()
    config.read(repository / ".dvc" / "config")
    assert "remote" not in config["core"], "a `dvc push` without a remote would put every result into the repository"
    for name in ("data.dvc", "mtclar/shipped/default.dvc"):
        (out,) = yaml.safe_load((repository / name).read_text(encoding="utf-8"))["outs"]
        assert out["remote"] == "sample"


def test_the_lock_is_of_these_stages_commands_and_settings(repository, stages, lock):
    params = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    assert set(lock) == set(stages), "run `dvc repro` and commit dvc.lock"
    for verb, stage in stages.items():
        locked = lock[verb]
        assert locked["cmd"] == stage["cmd"], f"'{verb}': run `dvc repro` and commit dvc.lock"
        assert {dep["path"] for dep in locked["deps"]} == set(stage["deps"]), verb
        assert [out["path"] for out in locked["outs"]] == stage["outs"], verb
        assert locked["params"]["params.yaml"] == {section: params[section] for section in stage["params"]}, (
            f"the settings of '{verb}' are others than those of dvc.lock: run `dvc repro` and commit dvc.lock"
        )


def test_the_lock_is_of_the_sample_that_is_tracked_and_of_itself(repository, lock):
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    for verb, stage in lock.items():
        for dep in stage["deps"]:
            if dep["path"] in made:
                assert dep["md5"] == made[dep["path"]], f"'{verb}' was run on another {dep['path']}"
