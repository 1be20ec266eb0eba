"""Which data and which code a model came from.

An image on a cluster holds neither a checkout nor data.dvc, so the environment's MTCLAR_GIT_SHA and MTCLAR_DATA_REV
win where they are set; the pipeline's components set them through `declare`.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

UNKNOWN = "unknown"
GIT_VARIABLE = "MTCLAR_GIT_SHA"
DATA_VARIABLE = "MTCLAR_DATA_REV"


def declare(*, data_rev: str = "", git_sha: str = "") -> None:
    """States the revisions of this process in its environment; an empty string leaves that one to be found out."""
    for name, value in ((DATA_VARIABLE, data_rev), (GIT_VARIABLE, git_sha)):
        if value:
            os.environ[name] = value


def git_revision(folder: Path) -> str:
    """The commit checked out at `folder`, with `-dirty` if a tracked file differs from it.

    Returns "unknown" outside a git checkout, and where git is not installed.
    """
    if declared := os.environ.get(GIT_VARIABLE):
        return declared
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return UNKNOWN
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changed else commit


def data_revision(folder: Path) -> str:
    """The md5 that data.dvc gives the data, from the first data.dvc at or above `folder`, then the working folder.

    Returns "unknown" if there is none, or if it names no md5.
    """
    if declared := os.environ.get(DATA_VARIABLE):
        return declared
    here, cwd = Path(folder).resolve(), Path.cwd()
    for place in (here, *here.parents, cwd, *cwd.parents):
        pointer = place / "data.dvc"
        if not pointer.is_file():
            continue
        try:
            return str(yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"][0]["md5"])
        except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, IndexError, TypeError):
            return UNKNOWN
    return UNKNOWN


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of a git command at `folder`; None if it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
