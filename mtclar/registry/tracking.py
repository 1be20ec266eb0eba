"""The log of a run in MLflow, and the one place where mlflow is imported and told where its store is."""

from __future__ import annotations

import logging
import math
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from mtclar.errors import MtclarError, brief, public
from mtclar.settings import RegisterSettings

log = logging.getLogger(__name__)

SQLITE = "sqlite:///"
# For the first question to a store alone, where the environment does not say otherwise: mlflow's own patience with an
# address that does not answer is four minutes.
_FIRST_QUESTION = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class Tracking(Protocol):
    """What a step may tell the log of its run."""

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """One value of a curve; `step` is the epoch or iteration."""

    def metrics(self, values: Mapping[str, Any]) -> None:
        """All numbers of a nested dictionary, named by their keys joined with dots."""

    def artifact(self, path: Path) -> None:
        """A file or folder kept with the run."""


class NullTracking:
    """The log of a caller who keeps none."""

    def metric(self, name: str, value: float, step: int | None = None) -> None: ...

    def metrics(self, values: Mapping[str, Any]) -> None: ...

    def artifact(self, path: Path) -> None: ...


class MlflowTracking:
    """The log of a run that MLflow has started."""

    def __init__(self, mlflow: Any) -> None:
        self._mlflow = mlflow

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        self._mlflow.log_metric(name, float(value), step=step)

    def metrics(self, values: Mapping[str, Any]) -> None:
        self._mlflow.log_metrics(numbers(values))

    def artifact(self, path: Path) -> None:
        if path.is_dir():
            self._mlflow.log_artifacts(str(path), artifact_path=path.name)
        else:
            self._mlflow.log_artifact(str(path))


@contextmanager
def start(
    settings: RegisterSettings,
    *,
    run_name: str,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Tracking]:
    """Opens a run and yields what logs into it; the run is marked failed if the block raises.

    The store is the environment's MLFLOW_TRACKING_URI or, where it is not set, `settings.tracking_uri`. A run that the
    environment names (MLFLOW_RUN_ID, as Kubeflow sets it) is resumed. Without mlflow the block runs all the same, with
    a warning and a `NullTracking`.

    Args:
        settings: The section `register` of params.yaml: store and experiment.
        run_name: Name of the run in MLflow's list.
        params: Settings of the step; nested ones are named by their keys joined with dots.
        tags: Facts about the run, such as data_rev and git_sha.

    Raises:
        MtclarError: The store cannot be opened.

    Example:
        with tracking.start(settings.register_, run_name="train", params=settings.train.model_dump()) as run:
            run.metric("loss", 0.3, step=1)
    """
    try:
        mlflow = connect(settings)
    except ModuleNotFoundError:
        log.warning("mlflow is not installed, so this run is not logged; use: pip install 'mtclar[registry]'.")
        yield NullTracking()
        return
    ambient = "MLFLOW_RUN_ID" in os.environ
    given = {} if ambient else {"run_name": run_name, "experiment_id": experiment_id(mlflow, settings)}
    with mlflow.start_run(**given):
        mlflow.log_params({name: value if value != "" else "''" for name, value in _flat(params or {})})
        mlflow.set_tags({name: str(value) for name, value in (tags or {}).items()})
        yield MlflowTracking(mlflow)


def connect(settings: RegisterSettings) -> Any:
    """Imports mlflow, and points it at the store; returns the module.

    Raises:
        ModuleNotFoundError: mlflow is not installed.
        MtclarError: The store cannot be opened.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    # Migrations of a new database and every created entity are otherwise announced on the terminal.
    quiet = ("tracking._model_registry.client", "store.model_registry.abstract_store", "store.db.utils")
    for name in ("alembic", *(f"mlflow.{part}" for part in quiet)):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = store_uri(settings)
    try:
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        if (folder := _artifacts_beside(uri)) is not None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(_sqlite_file(uri))) as database:  # mlflow would try again for minutes
                database.execute("PRAGMA schema_version")
        with _defaults(_FIRST_QUESTION):
            mlflow.MlflowClient().search_experiments(max_results=1)
    except Exception as error:
        if "error code 401" in str(error) or getattr(error, "error_code", "") == "UNAUTHENTICATED":
            raise MtclarError(
                f"{public(uri)}: the MLflow server does not take the user name and password; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
            ) from None
        raise MtclarError(f"{public(uri)}: the MLflow store cannot be opened ({brief(error)}).") from None
    return mlflow


def require(settings: RegisterSettings) -> Any:
    """Like `connect`, for steps that are nothing without mlflow.

    Raises:
        MtclarError: mlflow is not installed, or the store cannot be opened.
    """
    try:
        return connect(settings)
    except ModuleNotFoundError as error:
        raise MtclarError(
            f"the model registry needs {error.name}, which is not installed; use: pip install 'mtclar[registry]'."
        ) from None


def experiment_id(mlflow: Any, settings: RegisterSettings, *, ambient: bool = True) -> str:
    """Id of the experiment that the environment names (MLFLOW_EXPERIMENT_ID), else of the settings', made if need be.

    With `ambient` false the environment does not count.

    `mlflow.set_experiment` is not used: it would write that variable into our own environment.
    """
    if ambient and (given := os.environ.get("MLFLOW_EXPERIMENT_ID")):
        return given
    client, name = mlflow.MlflowClient(), settings.experiment
    if client.get_experiment_by_name(name) is None:
        # A sqlite store would otherwise keep its artifacts wherever the caller happens to stand.
        folder = _artifacts_beside(store_uri(settings))
        try:
            client.create_experiment(name, artifact_location=folder.as_uri() if folder else None)
        except mlflow.MlflowException:
            if client.get_experiment_by_name(name) is None:  # else another process was first
                raise
    return str(client.get_experiment_by_name(name).experiment_id)


def store_uri(settings: RegisterSettings) -> str:
    """The address of the store, a relative sqlite path resolved against the working folder."""
    return absolute_uri(os.environ.get("MLFLOW_TRACKING_URI") or settings.tracking_uri)


def absolute_uri(uri: str) -> str:
    """The absolute form of a sqlite address, whose path is relative to the working folder; others unchanged."""
    if not uri.startswith(SQLITE):
        return uri
    path, question, query = uri.removeprefix(SQLITE).partition("?")
    return f"{SQLITE}{Path(path).absolute()}{question}{query}"


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a nested dictionary by their dotted names; lists and texts are left out."""
    flat: dict[str, float] = {}
    for name, value in _flat(values):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            continue
        flat[name] = float(value)
    return flat


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _artifacts_beside(uri: str) -> Path | None:
    """The folder of artifacts that belongs to a sqlite file."""
    return _sqlite_file(uri).parent / "mlartifacts" if uri.startswith(SQLITE) else None


def _sqlite_file(uri: str) -> Path:
    return Path(uri.removeprefix(SQLITE).partition("?")[0])


@contextmanager
def _defaults(values: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment that are set for the block where they are not set already."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
