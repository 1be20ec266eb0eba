"""Which data and which code a model came from.

Data get their revision where they enter: `mtclar crop` and `mtclar synthesize` write one of the content they read into
store.json, and every later step copies it from there. Code gets it where it is built: an image states it in
MTCLAR_GIT_SHA, a wheel carries a file, and in a checkout git says it. Neither is ever told by who starts a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtclar.errors import MtclarError

UNKNOWN = "unknown"
GIT_VARIABLE = "MTCLAR_GIT_SHA"
STAMP = "data_revision"
"""Key of the data revision in store.json and in whatever is made from it, up to bundle.json."""
EVALUATION_SET = "evaluation_set"
"""Key of what a model was judged on, in metrics.json and bundle.json (see `mtclar.evaluation.identity`)."""
CARRIED = "git_revision.txt"
"""File beside this one, in wheels alone (hatch_build.py): the revision of the code they were built from."""

_HERE = Path(__file__).resolve()
_CODE = ("mtclar/", "components/", "pipelines/")
_WRITTEN_BY_DVC = ("dvc.lock", "studies/dvc.lock")
_REVISION = re.compile(r"[0-9a-f]{64}")


def git_revision() -> str:
    """The revision of the code that runs.

    It is what the environment's MTCLAR_GIT_SHA says, which images set; else the commit of the checkout that this
    package is part of, wherever it is called from, with `-dirty` if a tracked file differs from it or a Python file of
    the package is not tracked (dvc.lock does not count: a run of DVC writes it); else what the wheel carries.

    Returns:
        "unknown" where none of these says it.
    """
    if declared := os.environ.get(GIT_VARIABLE):
        return declared
    return _of_checkout(_HERE) or _carried(_HERE.with_name(CARRIED)) or UNKNOWN


def listing_revision(listing: Mapping[str, str]) -> str:
    """The revision of some content: 64 hex digits, the sha256 of its sorted listing.

    Args:
        listing: sha256 of the content of each part, by its relative name.
    """
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(listing.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def data_revision(store: Path) -> str:
    """The revision of the data that a faces store was made of.

    Returns:
        What `mtclar crop` or `mtclar synthesize` has stamped; "unknown" for a store of an earlier mtclar, which stamped
        nothing.

    Raises:
        MtclarError: There is no faces store, or its stamp is not one.
    """
    path = Path(store) / "store.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MtclarError(f"{store}: expected a faces store written by 'mtclar crop' ({error}).") from error
    return stamped(facts, path)


def joint_revision(revisions: Sequence[str]) -> str:
    """The data revision of what is made of several: of one it is that one, "unknown" where one of them is."""
    if UNKNOWN in revisions:
        return UNKNOWN
    if len(set(revisions)) == 1:
        return revisions[0]
    return listing_revision({revision: revision for revision in revisions})


def stamped(facts: Any, path: Path) -> str:
    """The data revision that a file states.

    Args:
        facts: Content of the file.
        path: The file, for messages.

    Returns:
        "unknown" if it states none.

    Raises:
        MtclarError: What it states is not a revision.
    """
    found = facts.get(STAMP, UNKNOWN) if isinstance(facts, dict) else None
    if found == UNKNOWN or (isinstance(found, str) and _REVISION.fullmatch(found)):
        return str(found)
    raise MtclarError(
        f"{path}: expected 64 hexadecimal digits under '{STAMP}', got {found!r}; run the step that wrote it again."
    )


def same_data(ours: str, theirs: str, message: str) -> None:
    """Raises `MtclarError(message)` if both revisions are known and they differ."""
    if UNKNOWN not in (ours, theirs) and ours != theirs:
        raise MtclarError(message)


def _of_checkout(file: Path) -> str | None:
    """The commit of the checkout that tracks `file`; None where there is none.

    That git knows a folder above is not enough: an environment may lie within the checkout of something else.
    """
    folder = file.parent
    if _git(folder, "ls-files", "--error-unmatch", "--", file.name) is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    changed = _git(
        folder, "-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all", "--no-renames"
    )
    if commit is None or changed is None:
        return None
    return f"{commit}-dirty" if any(map(_counts, changed.splitlines())) else commit


def _counts(line: str) -> bool:
    """Whether a line of `git status --porcelain` speaks of code that differs from the commit."""
    state, name = line[:2], line[3:]
    if state == "??":
        return name.startswith(_CODE) and name.endswith(".py")
    return name not in _WRITTEN_BY_DVC


def _carried(file: Path) -> str | None:
    """What a wheel carries; None outside of one."""
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of a git command at `folder`; None if it fails or git is not installed."""
    # Within a git hook, variables name the repository of the hook, which need not be this one.
    without = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"}
    ours = {name: value for name, value in os.environ.items() if name not in without}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env=ours,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
