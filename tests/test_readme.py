"""The README's commands, run as they stand, in a folder like a fresh clone with a small sample."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mtclar.settings import read_params
from mtclar.synthesis.sample import make_sample


def commands(readme: Path) -> list[str]:
    """Every line of the README's bash blocks, continuation lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


@pytest.fixture
def workplace(tmp_path, repository) -> Path:
    """A git repository with the project's files, a drawn sample and settings that take seconds."""
    for name in ("dvc.yaml", "Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(repository / name, tmp_path / name)
    unneeded = shutil.ignore_patterns("__pycache__", "shipped")
    shutil.copytree(repository / "mtclar", tmp_path / "mtclar", ignore=unneeded)  # stages depend on the code
    tiny = read_params(repository / "recipes" / "tiny.yaml")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tiny), encoding="utf-8")
    make_sample(
        out=tmp_path / "data" / "sample",
        people=24,
        clips=10,
        frames=12,
        seed=3,
        artist="drawn",
        face_model=None,
        workers=2,
    )
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(shlex.split(command), cwd=tmp_path, env=environment(), check=True)
    return tmp_path


def environment() -> dict[str, str]:
    """The environment with this interpreter's programs first, as after `source .venv/bin/activate`."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


def test_the_readme_has_the_commands_of_both_users(repository):
    verbs = {tuple(command.split()[:2]) for command in commands(repository / "README.md")}
    assert {("make", "demo"), ("make", "test"), ("mtclar", "label"), ("mtclar", "promote")} <= verbs


def test_the_readmes_commands_work_in_the_order_in_which_they_stand(workplace, repository):
    label_first = "mtclar label data/sample/videos"
    later = []
    for command in commands(repository / "README.md"):
        if command.startswith("make"):
            command = command.replace("make", "make --dry-run", 1)
        if command.startswith(label_first) and not (workplace / "artifacts" / "export").exists():
            later.append(command)  # the reader has run `make demo` by then, which made the bundle
            continue
        run(command, workplace)
    for command in later:
        run(command, workplace)
    assert list((workplace / "labels").glob("**/*.va.csv"))
    assert list((workplace / "build" / "pipelines").glob("*.yaml"))


def test_the_readmes_links_lead_to_files_of_the_repository(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://arxiv.org/") or (repository / target).exists(), target


def run(command: str, folder: Path) -> None:
    """Runs one command of the README; shows what it said if it fails."""
    answer = subprocess.run(
        shlex.split(command), cwd=folder, env=environment(), capture_output=True, text=True, timeout=400, check=False
    )
    assert answer.returncode == 0, f"{command}\n{answer.stdout[-3000:]}\n{answer.stderr[-3000:]}"
