"""What mtclar sets in the environment, in a process that has just begun."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar.environment import SWITCHES, cache_root

REPORTERS = {"dvc", "great_expectations", "huggingface_hub", "mlflow", "onnxruntime"}


def environment(code: str, **variables: str) -> dict[str, str]:
    """The environment of a new process after `code`, of which only the search path and `variables` were set before."""
    code += "; import json, os, subprocess, sys"
    code += "; inner = 'import json, os; print(json.dumps(dict(os.environ)))'"
    code += "; print(subprocess.check_output([sys.executable, '-c', inner], text=True))"
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return json.loads(subprocess.check_output([sys.executable, "-c", code], env=given, text=True))


@pytest.mark.parametrize("code", ["import mtclar", "import mtclar.cli", "from mtclar.serving import Bundle"])
def test_whoever_imports_mtclar_and_every_process_after_it_has_all_reports_switched_off(code):
    assert environment(code).items() >= SWITCHES.items()


def test_what_the_user_has_set_stays(tmp_path):
    said = environment("import mtclar", GX_ANALYTICS_ENABLED="true", MPLCONFIGDIR=str(tmp_path))
    assert (said["GX_ANALYTICS_ENABLED"], said["MPLCONFIGDIR"]) == ("true", str(tmp_path))


def test_make_switches_them_off_for_dvc_as_well_which_starts_before_mtclar(repository):
    exports = re.findall(r"^export (\w+) := (.*)$", (repository / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(exports).items() >= SWITCHES.items()
    config = (repository / ".dvc" / "config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config


@pytest.mark.parametrize("folder", ["bench", "components", "pipelines", "studies", "tools"])
def test_no_script_loads_what_reports_before_mtclar(repository, folder):
    for script in (repository / folder).rglob("*.py"):
        names: list[str] = []
        for node in ast.parse(script.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names += [alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module.partition(".")[0])
        loud = [i for i, name in enumerate(names) if name in REPORTERS]
        assert not loud or "mtclar" in names[: loud[0]], f"{script} imports {names[loud[0]]} before mtclar"


def test_matplotlib_keeps_its_list_of_fonts_in_our_cache_unless_it_has_a_folder_of_its_own(tmp_path):
    said = environment("import mtclar", HOME=str(tmp_path))
    assert said["MPLCONFIGDIR"] == str(tmp_path / ".cache" / "mtclar" / "matplotlib")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".config" / "matplotlib").mkdir(parents=True)
    assert "MPLCONFIGDIR" not in environment("import mtclar", HOME=str(tmp_path))


def test_the_cache_is_where_the_user_wants_it(monkeypatch):
    monkeypatch.setenv("MTCLAR_CACHE", "/own")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_root() == Path("/own")
    monkeypatch.delenv("MTCLAR_CACHE")
    assert cache_root() == Path("/elsewhere/mtclar")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path("/home/somebody/.cache/mtclar")
