"""Compile the pipelines, run one on this machine, or send one to a cluster."""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

from components.image import check_image
from mtclar.errors import MtclarError, brief, nearest, public
from mtclar.registry import tracking
from mtclar.registry.versions import CHALLENGER, CHAMPION, Version, of_alias
from mtclar.serving import Bundle
from mtclar.settings import Settings
from pipelines import labelling, training

NAMES = ("training", "labelling")
TOKEN_VARIABLE = "KF_TOKEN"  # noqa: S105 - the name of a variable
_UNRESOLVED = "Could not resolve CEL parameter"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_MISTAKE = re.compile(r"\s*mtclar\.errors\.\w+: (.+)")


def compile_all(out: Path, settings: Settings, *, gpus: int = 0) -> list[Path]:
    """Writes every pipeline as IR YAML.

    Args:
        out: Folder for training.yaml and labelling.yaml.
        settings: All of params.yaml, the defaults of the compiled pipelines.
        gpus: GPUs for train and evaluate.

    Returns:
        The files.

    Raises:
        MtclarError: The image could change under its name, or `out` cannot be written.
    """
    from kfp import compiler

    check_image()
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths = []
        for name in NAMES:
            paths.append(out / f"{name}.yaml")
            compiler.Compiler().compile(_build(name, settings, gpus), str(paths[-1]))
    except OSError as error:
        raise MtclarError(f"{out}: cannot be written ({error.strerror}); choose another --out.") from error
    return paths


def run_local(name: str, *, settings: Settings, data: Path, root: Path) -> str:
    """Runs a whole pipeline on this machine, its tasks as processes of this interpreter, and checks what it changed.

    Args:
        name: "training" or "labelling".
        settings: All of params.yaml.
        data: For training the data set; for labelling a folder with videos/ and anchors.csv.
        root: Folder of the tasks' outputs.

    Returns:
        A sentence on what the run has left.

    Raises:
        MtclarError: A task failed, a branch was skipped because its condition could not be read, the registry does not
            hold what the run should have put there, or there are no labels.
    """
    from kfp import local

    arguments = _arguments(name, settings, data)
    uri = tracking.store_uri(settings.register_)
    register = settings.register_.model_copy(update={"tracking_uri": uri})
    settings = settings.model_copy(update={"register_": register})
    run_root = Path(root).absolute()
    with _environment(MLFLOW_TRACKING_URI=uri), _watched() as unresolved, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*non-Python base image.*")
        pipeline = _build(name, settings, gpus=0, cluster=False)
        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(run_root),
            workspace_root=str(run_root / "workspace"),
            raise_on_error=True,
        )
        before = _left(run_root, name)
        log = _Log(sys.stdout)
        try:
            with redirect_stdout(cast(TextIO, log)):
                pipeline(**arguments)
        except RuntimeError as error:
            reason = _COLOUR.sub("", " ".join(str(error).split())).rstrip(".")
            raise MtclarError(f"pipeline {name}: {reason}; {log.mistake or 'its log says why.'}") from error
        if unresolved:
            raise MtclarError(f"pipeline {name}: a branch was skipped in silence ({unresolved[0]}).")
        made = _left(run_root, name) - before
        return _promoted(settings, made) if name == "training" else _labelled(made)


def submit(
    name: str,
    *,
    settings: Settings,
    data: str,
    host: str,
    namespace: str,
    token: str | None = None,
    experiment: str = "mtclar",
    gpus: int = 0,
) -> str:
    """Sends a pipeline to a Kubeflow cluster and starts a run.

    Args:
        name: "training" or "labelling".
        settings: All of params.yaml.
        data: As for `run_local`; a path or URI that the cluster can read.
        host: Address of the Kubeflow Pipelines API.
        namespace: Profile namespace of the run.
        token: Bearer token; by default the environment's KF_TOKEN. It is never logged.
        experiment: Experiment of the run.
        gpus: GPUs for train and evaluate.

    Returns:
        Id of the run.

    Raises:
        MtclarError: The image could change under its name, or the cluster refuses or cannot be reached.
    """
    check_image()
    pipeline = _build(name, settings, gpus)
    arguments = _arguments(name, settings, data)
    token = token or os.environ.get(TOKEN_VARIABLE) or None
    import kfp

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that servers before 2.0 are not served
            client = kfp.Client(host=host, namespace=namespace, existing_token=token)
        run = client.create_run_from_pipeline_func(
            pipeline, arguments=arguments, experiment_name=experiment, namespace=namespace
        )
    except Exception as error:  # kfp lets through the errors of several HTTP libraries
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = brief(reason.replace(token, "***") if token else reason)
        raise MtclarError(f"{public(host)}: the pipeline cannot be submitted ({reason}).") from None
    return str(run.run_id)


def _build(name: str, settings: Settings, gpus: int, *, cluster: bool = True) -> Any:
    section = settings.pipeline.model_copy(update={"gpus": gpus})
    settings = settings.model_copy(update={"pipeline": section})
    return {"training": training, "labelling": labelling}[name].build(settings, cluster=cluster)


def _arguments(name: str, settings: Settings, data: Path | str) -> dict[str, Any]:
    """The run's own parameters; every section keeps its default, which is `settings`."""
    if name not in NAMES:
        raise MtclarError(f"unknown pipeline '{name}'{nearest(name, NAMES)}.")
    if isinstance(data, Path):
        if not data.exists():
            raise MtclarError(f"{data}: no such data; give a folder with --data.")
        data = str(data.absolute())
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
