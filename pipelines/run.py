"""A pipeline on this machine: its tasks as processes or in containers, and whether it did what it should."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

from components.image import check_images
from mtclar.errors import MtclarError, brief, nearest
from mtclar.registry import tracking
from mtclar.registry.versions import CHALLENGER, CHAMPION, Version, of_alias
from mtclar.serving import Bundle
from mtclar.settings import Settings
from pipelines import labelling, training
from pipelines.placing import USER

log = logging.getLogger(__name__)

NAMES = ("training", "labelling")
_UNRESOLVED = "Could not resolve CEL parameter"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MISTAKE = re.compile(r"\s*mtclar\.errors\.\w+: (.+)")


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
    if containers:
        check_images()
        uri = _store_below(run_root, uri)
    given = arguments(name, settings, str(_brought(data, run_root / "data") if containers else data))
    register = settings.register_.model_copy(update={"tracking_uri": uri})
    settings = settings.model_copy(update={"register_": register})
    with _watched() as unresolved, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*non-Python base image.*")
        pipeline = build(name, settings, environment={"MLFLOW_TRACKING_URI": uri})
        local.init(
            _containers(run_root) if containers else local.SubprocessRunner(use_venv=False),
            pipeline_root=str(run_root),
            workspace_root=str(run_root / "workspace"),
            raise_on_error=True,
        )
        before = _left(run_root, name)
        heard = _Log(sys.stdout)
        try:
            with redirect_stdout(cast(TextIO, heard)):
                pipeline(**given)
        except RuntimeError as error:
            reason = _COLOUR.sub("", " ".join(str(error).split())).rstrip(".")
            raise MtclarError(f"pipeline {name}: {reason}; {heard.mistake or 'its log says why.'}") from error
        if unresolved:
            raise MtclarError(f"pipeline {name}: a branch was skipped in silence ({unresolved[0]}).")
        made = _left(run_root, name) - before
        with _environment(MLFLOW_TRACKING_URI=uri):
            return _promoted(settings, made) if name == "training" else _labelled(made)


def _containers(root: Path) -> Any:
    """Runs tasks in containers, as the user who calls, or as the images' own where root calls.

    Raises:
        MtclarError: No container engine answers.
    """
    from kfp import local

    try:
        import docker

        docker.from_env().ping()
    except Exception as error:  # docker's own, requests' and the missing package
        raise MtclarError(f"no container engine answers ({brief(error)}); start Docker, or use --local.") from None
    root.mkdir(parents=True, exist_ok=True)
    (root / "workspace").mkdir(exist_ok=True)
    user, group = os.getuid(), os.getgid()
    if user == 0:
        user = group = USER
        for folder in (root, root / "workspace"):
            os.chown(folder, user, group)
    return local.DockerRunner(user=f"{user}:{group}", network_mode="host")


def _brought(data: Path, folder: Path) -> Path:
    """The data below the folder that containers see: linked where that goes, else copied."""
    place = folder / data.name
    if place.exists():
        shutil.rmtree(place)

    def bring(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)

    if data.is_dir():
        shutil.copytree(data, place, copy_function=bring)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        bring(str(data), str(place))
    return place


def _store_below(root: Path, uri: str) -> str:
    """The registry's address as containers reach it: a file elsewhere than below `root` gives way to one there."""
    if not uri.startswith(tracking.SQLITE) or Path(uri.removeprefix(tracking.SQLITE)).is_relative_to(root):
        return uri
    log.warning("containers do not see %s; this run keeps its registry in %s.", uri, root / "mlflow.db")
    return f"{tracking.SQLITE}{root / 'mlflow.db'}"


def build(name: str, settings: Settings, *, environment: Mapping[str, str] | None = None) -> Any:
    """A pipeline by its name.

    Args:
        name: "training" or "labelling".
        settings: All of params.yaml.
        environment: For a run on this machine, variables of its tasks; None for one on a cluster.
    """
    return {"training": training, "labelling": labelling}[name].build(settings, environment=environment)


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
    """The log of the tasks on its way to where it goes; keeps the sentence by which the last one ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.mistake = stream, ""

    def write(self, text: str) -> int:
        if found := _MISTAKE.match(text):
            self.mistake = found[1].strip()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Sets variables for the tasks, which inherit them, and puts back what was there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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
