"""The house rules a program can check."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

ALLOWED = {  # room -> rooms it may import from, besides those common to all
    "data": {"video"},  # the reader of videos opens them
    "video": set(),
    "faces": set(),
    "model": {"faces"},
    "learning": {"model", "faces", "evaluation"},
    "serving": {"faces", "model"},
    "features": {"faces", "video"},
    "labelling": {"features"},
    "evaluation": {"labelling", "features"},
    "report": {"evaluation", "labelling", "features", "video"},
    "registry": {"serving", "evaluation"},
    "formats": set(),
    "studio": {"formats", "labelling", "features"},
    "synthesis": {"faces", "video"},
}
COMMON = {"data", "settings", "errors", "environment", "progress", "revision", "storage", "remote"}


def test_ruff_finds_nothing(repository):
    assert _tool(repository, "ruff", "check", ".") == ""
    assert _tool(repository, "ruff", "format", "--check", ".") == ""


def test_the_type_checker_finds_nothing(repository):
    assert _tool(repository, "mypy") == ""


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_from_rooms_below_it(repository, room):
    for file in sorted((repository / "mtclar" / room).rglob("*.py")):
        for name in _imports(file):
            parts = name.split(".")
            if parts[0] == "mtclar" and len(parts) > 1:
                assert parts[1] in COMMON | ALLOWED[room] | {room, "__version__"}, f"{file} imports {name}"


def test_nothing_in_the_library_imports_components_or_pipelines_at_load(repository):
    for file in sorted((repository / "mtclar").rglob("*.py")):
        if file.name != "cli_pipeline.py":
            assert not {name.split(".")[0] for name in _imports(file)} & {"components", "pipelines"}, file


def test_torch_is_imported_only_where_models_are_learned_or_exported(repository):
    for file in sorted((repository / "mtclar").rglob("*.py")):
        room = file.relative_to(repository / "mtclar").parts[0]
        if any(name.split(".")[0] in {"torch", "kornia", "safetensors"} for name in _imports(file)):
            assert room in {"model", "learning"} or (room, file.name) == ("serving", "export.py"), file


def _imports(file) -> list[str]:
    """Every module named in an import statement of `file`, inside functions too."""
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names += (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "mtclar" else [node.module]
            )
    return names


def _tool(repository, *command: str) -> str:
    """Runs a tool of the environment; returns what it had to say if it was not content."""
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=repository, capture_output=True, text=True, check=False
    )
    return "" if answer.returncode == 0 else answer.stdout + answer.stderr
