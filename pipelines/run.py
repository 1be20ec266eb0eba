"""A pipeline on this machine: its tasks as processes or in containers, and whether it did what it should."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

from mtclar.errors import MtclarError, nearest
from mtclar.registry import tracking
from mtclar.registry.versions import CHALLENGER, CHAMPION, Version, of_alias
from mtclar.serving import Bundle
from mtclar.settings import Settings
from pipelines import containers as engine
from pipelines import labelling, training

log = logging.getLogger(__name__)

PIPELINES = {"training": training, "labelling": labelling}
NAMES = tuple(PIPELINES)
_UNRESOLVED = "Could not resolve CEL parameter"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BEGINS = re.compile(r"Executing task '(.+?)'")
_ENDS = re.compile(r"Task '(.+?)' finished with status")
_MISTAKE = re.compile(r"\s*((?:\w+\.)*[A-Z]\w*): (.+)")
"""The last line of a traceback; those before it are files and code, where no name in capitals stands before a colon."""


def run_here(name: str, *, settings: Settings, data: Path, root: Path, containers: bool = False) -> str:
    """Runs a whole pipeline on this machine and checks what it changed.

    Its tasks are processes of this interpreter or, as on a cluster, containers of the images. With containers, all that
    they see lies below `root`: the data are linked or copied there, and so is the registry unless it is a server.

    Args:
        name: "training" or "labelling".
        settings: All of params.yaml.
        data: For training the data set; for labelling a folder with videos/ and anchors.csv.
        root: Folder of the tasks' outputs.
        containers: Whether to run in containers.

    Returns:
        A sentence on what the run has left.

    Raises:
        MtclarError: A task failed, a branch was skipped because its condition could not be read, the registry does not
            hold what the run should have put there, there are no labels, or there is no container engine.
    """
    from kfp import local

    if not data.exists():
        raise MtclarError(f"{data}: no such data; give a folder with --data.")
    run_root, uri = Path(root).absolute(), tracking.store_uri(settings.register_)
    data = data.absolute()
    environment = {}
    runner: Any = local.SubprocessRunner(use_venv=False)
    if containers:
        arguments(name, settings, "")  # before anything is copied
        runner, uri = engine.runner(run_root, settings), engine.store_below(run_root, uri)
        data, environment = engine.brought(data, run_root), engine.keys(uri)
    given = arguments(name, settings, str(data))
    register = settings.register_.model_copy(update={"tracking_uri": uri})
    settings = settings.model_copy(update={"register_": register})
    with _watched() as unresolved, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*non-Python base image.*")
        pipeline = build(name, settings, environment={**environment, "MLFLOW_TRACKING_URI": uri})
        local.init(
            runner,
            pipeline_root=str(run_root),
            workspace_root=str(run_root / "workspace"),
            raise_on_error=True,
        )
        before, runs = _left(run_root, name), set(_runs(run_root, name))
        heard, failure = _Log(sys.stdout), None
        try:
            with redirect_stdout(cast(TextIO, heard)):
                pipeline(**given)
        except (RuntimeError, ValueError) as error:  # the second where a result is missing of what seemed to succeed
            failure = error
        if stopped := heard.without_result(set(_runs(run_root, name)) - runs):
            raise MtclarError(f"pipeline {name}: the task '{stopped[0]}' failed; {heard.why(stopped[0])}") from failure
        if failure:
            reason = _COLOUR.sub("", " ".join(str(failure).split())).rstrip(".")
            raise MtclarError(f"pipeline {name}: {reason}; its log says why.") from failure
        if unresolved:
            raise MtclarError(f"pipeline {name}: a branch was skipped in silence ({unresolved[0]}).")
        made = _left(run_root, name) - before
        with tracking.kept_environment("MLFLOW_TRACKING_URI"):
            os.environ["MLFLOW_TRACKING_URI"] = uri
            return _promoted(settings, made) if name == "training" else _labelled(made)


def build(name: str, settings: Settings, *, environment: Mapping[str, str] | None = None) -> Any:
    """A pipeline by its name.

    Args:
        name: "training" or "labelling".
        settings: All of params.yaml.
        environment: For a run on this machine, variables of its tasks; None for one on a cluster.
    """
    return PIPELINES[name].build(settings, environment=environment)


def arguments(name: str, settings: Settings, data: str) -> dict[str, Any]:
    """The run's own parameters; every section keeps its default, which is `settings`.

    Raises:
        MtclarError: There is no such pipeline.
    """
    if name not in NAMES:
        raise MtclarError(f"unknown pipeline '{name}'{nearest(name, NAMES)}.")
    if name == "labelling":
        return {"videos": f"{data}/videos", "anchors": f"{data}/anchors.csv"}
    return {"data": data}


def _runs(root: Path, name: str) -> Iterator[Path]:
    """Folders of the runs of that pipeline."""
    return root.glob(f"{PIPELINES[name].NAME}-*/")


def _left(root: Path, name: str) -> set[Path]:
    """Folders that runs of that pipeline have left under `root`: bundles of training, labels of labelling."""
    where = {"training": "*/export/bundle/bundle.json", "labelling": "*/merge/labels/summary.json"}[name]
    return {path.parent for path in root.glob(where)}


def _promoted(settings: Settings, bundles: set[Path]) -> str:
    """What the registry says after training; a run that left nothing there did not succeed, whatever it says."""
    name = settings.register_.model_name
    client = tracking.require(settings.register_).MlflowClient()
    challenger, champion = (of_alias(client, name, alias) for alias in (CHALLENGER, CHAMPION))
    made = {Bundle.load(folder).identity for folder in bundles}
    if challenger is None or challenger.bundle_sha not in made:
        raise MtclarError(f"pipeline training: it ended, but the {CHALLENGER} of '{name}' is not the bundle it made.")
    if champion is None:
        raise MtclarError(f"pipeline training: {challenger} did not pass the gate, and '{name}' has no {CHAMPION}.")
    return f"{_praise(challenger, champion)} (models:/{name}@{CHAMPION})"


def _praise(challenger: Version, champion: Version) -> str:
    if champion == challenger:
        return f"{champion} is the champion"
    return f"{challenger} did not pass the gate; {champion} stays the champion"


def _labelled(folders: set[Path]) -> str:
    if not folders:
        raise MtclarError("pipeline labelling: it ended, but it left no labels.")
    return "Labels: " + ", ".join(str(folder) for folder in sorted(folders))


class _Log:
    """The log of the tasks on its way to where it goes; keeps which began, and by which sentence one ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._line = stream, ""
        self._began: list[str] = []
        self._in_trace, self._mistake = False, ""
        self._said: dict[str, str] = {}

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._hear(_COLOUR.sub("", line))
        return self._stream.write(text)

    def why(self, task: str) -> str:
        """The sentence by which the task ended."""
        return self._said.get(task, "its log says why.")

    def without_result(self, runs: set[Path]) -> list[str]:
        """Tasks that began and did not write what every task writes at its end."""
        done = Counter(file.parent.name for run in runs for file in run.glob("**/executor_output.json"))
        return list(Counter(self._began) - done)

    def _hear(self, line: str) -> None:
        if found := _BEGINS.search(line):
            self._began.append(found[1])
            self._in_trace, self._mistake = False, ""
        elif found := _ENDS.search(line):
            if self._mistake:
                self._said.setdefault(found[1], self._mistake)
        elif "Traceback (most recent call last)" in line:
            self._in_trace = True
        elif self._in_trace and (found := _MISTAKE.fullmatch(line)):
            self._mistake = found[2] if found[1].startswith("mtclar.errors.") else f"{found[1]}: {found[2]}"
            self._in_trace = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _watched() -> Iterator[list[str]]:
    """Collects the lines by which kfp tells that it could not read a condition; it then skips the branch."""
    found: list[str] = []

    def look(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if _UNRESOLVED in message:
            found.append(message)
        return True

    root = logging.getLogger()
    root.addFilter(look)
    try:
        yield found
    finally:
        root.removeFilter(look)
