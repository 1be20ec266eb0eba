"""Which modules of mtclar a module reaches by its imports, those inside functions too; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def reached(root: Path, start: Path) -> set[Path]:
    """Every file below `root`/mtclar, relative to `root`, that `start` reaches.

    A name that a package re-exports leads to the module it comes from, so what else the package imports does not count.
    """
    found: set[Path] = set()
    waiting = [start]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for module, name in _imports(root / file):
            waiting += _files(root, module, name)
    return found


def _files(root: Path, module: str, name: str | None) -> list[Path]:
    """Where `from module import name` leads, as far as it stays within mtclar."""
    if module.split(".")[0] != "mtclar":
        return []
    if name is not None and (file := _file(root, f"{module}.{name}")) is not None:
        return [file]
    file = _file(root, module)
    if file is None:
        return []
    if file.name == "__init__.py" and name is not None:
        for deeper, known in _imports(root / file):
            if known == name:
                return _files(root, deeper, known)
    return [file]


def _file(root: Path, module: str) -> Path | None:
    """The file of a module; None for mtclar itself, of which steps take nothing but the version."""
    if module == "mtclar":
        return None
    path = Path(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if (root / file).is_file()), None)


def _imports(file: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) of each import of a file, but for those that only a type checker follows."""
    waiting: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.module, alias.name) for alias in node.names)
        waiting += ast.iter_child_nodes(node)
