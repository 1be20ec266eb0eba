"""The log of a run in MLflow, and the one place where mlflow is imported and told where its store is."""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from mtclar.errors import MtclarError, brief, public
from mtclar.settings import RegisterSettings

log = logging.getLogger(__name__)

SQLITE = "sqlite:///"
RETRY_S = 60.0
"""A store that did not answer is asked again after this time, or ten times as long as it took to find that out."""
DIGEST_LENGTH = 36
"""Characters of a data set's digest that MLflow keeps."""
# For the first question to a store alone, where the environment does not say otherwise: mlflow's own patience with an
# address that does not answer is four minutes.
_FIRST_QUESTION = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
# For what is told while others wait; it is tried again anyway. A file is answered when the server has stored it.
_TOLD = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
_FILE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_REFUSED = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "PERMISSION_DENIED", "RESOURCE_DOES_NOT_EXIST"}
"""MLflow's answers to what it will never take."""
PARENT_TAG = "mlflow.parentRunId"


class Tracking(Protocol):
    """What a step may tell the log of its run."""

    @property
    def run_id(self) -> str:
        """What MLflow calls the run; "" where none is kept."""

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        """One value of a curve; `step` is the epoch or iteration."""

    def metrics(self, values: Mapping[str, Any]) -> None:
        """All numbers of a nested dictionary, named by their keys joined with dots."""

    def artifact(self, path: Path) -> None:
        """A file or folder kept with the run."""

    def dataset(self, name: str, revision: str, *, context: str) -> None:
        """Data the run has used: what they are called, their revision, and for what (training, evaluation)."""


class NullTracking:
    """The log of a caller who keeps none."""

    run_id = ""

    def metric(self, name: str, value: float, step: int | None = None) -> None: ...

    def metrics(self, values: Mapping[str, Any]) -> None: ...

    def artifact(self, path: Path) -> None: ...

    def dataset(self, name: str, revision: str, *, context: str) -> None: ...


class MlflowTracking:
    """The log of a run that MLflow has started.

    A store that is lost meanwhile stops nobody who trains for days: what could not be told is kept and told later, and
    at the end it is said what is missing. What the store refuses is not told again, so it keeps nothing else back.
    """

    def __init__(self, mlflow: Any, run_id: str) -> None:
        self._mlflow, self._run_id = mlflow, run_id
        self._untold: list[tuple[str, Callable[[], Any], Mapping[str, str]]] = []
        self._refused: dict[str, str] = {}
        self._not_before = 0.0
        self._warned = False

    @property
    def run_id(self) -> str:
        return self._run_id

    def metric(self, name: str, value: float, step: int | None = None) -> None:
        now = int(time.time() * 1000)
        self._tell(
            f"metric {name}",
            lambda: self._mlflow.log_metric(name, float(value), step=step, timestamp=now, run_id=self._run_id),
        )

    def metrics(self, values: Mapping[str, Any]) -> None:
        found = numbers(values)
        self._tell("metrics", lambda: self._mlflow.log_metrics(found, run_id=self._run_id))

    def artifact(self, path: Path) -> None:
        if path.is_dir():
            self._tell(path.name, lambda: self._mlflow.log_artifacts(str(path), path.name, run_id=self._run_id), _FILE)
        else:
            self._tell(path.name, lambda: self._mlflow.log_artifact(str(path), run_id=self._run_id), _FILE)

    def dataset(self, name: str, revision: str, *, context: str) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"tags": {"revision": revision}})  # of MLflow's kinds of source the one without a place
        made = Dataset(name, digest=revision[:DIGEST_LENGTH], source_type="code", source=source)
        used = DatasetInput(made, [InputTag("mlflow.data.context", context)])
        client = self._mlflow.MlflowClient()
        self._tell(f"dataset {name}", lambda: client.log_inputs(self._run_id, [used]))

    def finish(self) -> None:
        """Tells what is still untold, and says what is lost."""
        self._not_before = 0.0
        self._retry()
        if self._untold:
            names = ", ".join(dict.fromkeys(what for what, *_ in self._untold))
            log.warning("MLflow does not answer: its run %s lacks %s; all of it is in the output.", self._run_id, names)
        if self._refused:
            names = "; ".join(f"{what} ({why})" for what, why in self._refused.items())
            log.warning("MLflow has not taken for its run %s: %s.", self._run_id, names)

    def _tell(self, what: str, call: Callable[[], Any], patience: Mapping[str, str] = _TOLD) -> None:
        self._untold.append((what, call, patience))
        self._retry()

    def _retry(self) -> None:
        """Tells what is untold, in its order, unless the store was asked in vain a moment ago."""
        if time.monotonic() < self._not_before:
            return
        while self._untold:
            what, call, patience = self._untold[0]
            begun = time.monotonic()
            try:
                with _defaults(patience):
                    call()
            except Exception as error:  # of mlflow, of the HTTP library below it, or of the store's driver
                if getattr(error, "error_code", "") in _REFUSED or isinstance(error, FileNotFoundError):
                    self._refused.setdefault(what, brief(error))
                    self._untold.pop(0)
                    continue
                if not self._warned:
                    log.warning("MLflow could not be told of %s (%s); it is told later.", what, brief(error))
                    self._warned = True
                now = time.monotonic()
                self._not_before = now + max(RETRY_S, 10 * (now - begun))
                return
            self._untold.pop(0)


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
        tags: Facts about the run, such as data_rev and git_sha. A run that the environment names keeps its parent.

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
    with _run(mlflow, given) as active:
        mlflow.log_params({name: value if value != "" else "''" for name, value in _flat(params or {})})
        left_out = {PARENT_TAG} if ambient else set()
        mlflow.set_tags({name: str(value) for name, value in (tags or {}).items() if name not in left_out})
        run = MlflowTracking(mlflow, str(active.info.run_id))
        try:
            yield run
        finally:
            run.finish()


@contextmanager
def _run(mlflow: Any, given: Mapping[str, str]) -> Iterator[Any]:
    """A run, marked finished or failed when the block ends; a store that is lost by then is a warning."""
    active, status = mlflow.start_run(**given), "FAILED"
    try:
        yield active
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        try:
            with _defaults(_TOLD):
                mlflow.end_run(status)
        except Exception as error:  # as above
            log.warning("MLflow could not be told that run %s has ended (%s).", active.info.run_id, brief(error))


def connect(settings: RegisterSettings) -> Any:
    """Imports mlflow, and points it at the store; returns the module.

    Raises:
        ModuleNotFoundError: mlflow is not installed.
        MtclarError: The store cannot be opened.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # Artifacts come through the server alone: it would else give addresses of a store that clients need not reach.
    os.environ.setdefault("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    # Migrations of a new database and every created entity are otherwise announced on the terminal.
    quiet = ("tracking._model_registry.client", "store.model_registry.abstract_store", "store.db.utils")
    for name in ("alembic", *(f"mlflow.{part}" for part in quiet)):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = store_uri(settings)
    try:
        # mlflow sets them, and who comes next has a store of its own.
        with kept_environment("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
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


@contextmanager
def kept_environment(*names: str) -> Iterator[None]:
    """Variables of the environment that are after the block what they were before."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
