"""Prints what an image installs: packages of pyproject.toml and others by name, each at the version of the lock.

    python packages.py --extra train --extra s3 kfp
    python packages.py --only --extra server

With --only the package's own requirements are left out. It runs where nothing is installed yet: standard library alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path


def canonical(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path) -> dict[str, str]:
    """Version by canonical name of a file of `NAME==VERSION` lines."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==", 1) for line in lines if "==" in line)
    return {canonical(name): version.strip() for name, version in pairs}


def main() -> None:
    """Prints the requirements, one a line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*")
    arguments.add_argument("--extra", action="append", default=[])
    arguments.add_argument("--only", action="store_true")
    given = arguments.parse_args()
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [] if given.only else list(project["dependencies"])
    for extra in given.extra:
        if extra not in project["optional-dependencies"]:
            sys.exit(f"pyproject.toml: has no extra '{extra}'.")
        wanted += project["optional-dependencies"][extra]
    versions = locked(Path("requirements.lock"))
    for requirement in [*wanted, *given.names]:
        name, extras = re.match(r"([\w.-]+)(\[[^]]*\])?", requirement).groups()  # type: ignore[union-attr]
        if canonical(name) not in versions:
            sys.exit(f"requirements.lock: lacks {name}; run 'make lock'.")
        print(f"{name}{extras or ''}=={versions[canonical(name)]}")


if __name__ == "__main__":
    main()
