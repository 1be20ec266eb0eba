"""A Kubeflow cluster: named versions of the pipelines, runs, schedules, and how they are.

The client of Kubeflow's own package is not used: it waits for ever, prints, and writes into the user's home. The calls
and their models are `kfp_server_api`'s.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import kfp_server_api as api
from kfp_server_api.exceptions import ApiException
from urllib3 import Retry
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, TimeoutError

from mtclar.data.whole import scratch
from mtclar.errors import MtclarError, brief, public
from mtclar.settings import Settings
from mtclar.storage import is_remote
from pipelines.compiled import version_name, write_ir
from pipelines.run import PIPELINES, arguments

TOKEN_VARIABLE = "KF_TOKEN"  # noqa: S105 - the name of a variable
UI_VARIABLE = "KF_PIPELINES_UI_ENDPOINT"
ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})
_EQUALS = "EQUALS"


@dataclass(frozen=True)
class Submission:
    """A run that was started: its id, the version of the pipeline, and where a browser shows it."""

    run_id: str
    version: str
    link: str


@dataclass(frozen=True)
class Task:
    """A task of a run: its name, its state, the seconds it took (None while it has not begun), and its error."""

    name: str
    state: str
    seconds: float | None
    error: str


@dataclass(frozen=True)
class RunState:
    """How a run is."""

    run_id: str
    state: str
    error: str
    tasks: tuple[Task, ...]
    link: str


class Cluster:
    """The API of Kubeflow Pipelines at an address."""

    def __init__(self, host: str, *, namespace: str, token: str | None = None, timeout_s: float = 60.0) -> None:
        """
        Args:
            host: Address of the API, with its scheme.
            namespace: Profile namespace of runs.
            token: Bearer token; by default the environment's KF_TOKEN. It stands in no message.
            timeout_s: How long an answer may take.

        Raises:
            MtclarError: The address is none.
        """
        if not host.startswith(("http://", "https://")):
            raise MtclarError(
                f"{public(host)}: expected the address of the Kubeflow Pipelines API, with http or https."
            )
        self.host, self.namespace = host.rstrip("/"), namespace
        self._token = token or os.environ.get(TOKEN_VARIABLE) or ""
        configuration = api.Configuration(host=self.host)
        if self._token:
            configuration.api_key = {"authorization": self._token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        # What only reads is asked again; what was begun may have been done. Time-outs are told at once.
        configuration.retries = Retry(
            total=3, read=0, backoff_factor=0.3, status_forcelist=(502, 503, 504), allowed_methods={"GET"}, redirect=0,
            raise_on_status=False,
        )  # fmt: skip
        self._client = client = api.ApiClient(configuration)
        request = client.rest_client.request
        client.rest_client.request = lambda *given, **named: request(
            *given, **{**named, "_request_timeout": (timeout_s, timeout_s)}
        )
        self._pipelines, self._upload = api.PipelineServiceApi(client), api.PipelineUploadServiceApi(client)
        self._runs, self._experiments = api.RunServiceApi(client), api.ExperimentServiceApi(client)
        self._recurring = api.RecurringRunServiceApi(client)

    def submit(
        self, name: str, settings: Settings, *, data: str, experiment: str, out: str = "", service_account: str = ""
    ) -> Submission:
        """Uploads the pipeline as a named version, unless it is there, and starts a run of that version.

        Args:
            name: "training" or "labelling".
            settings: All of params.yaml.
            data: Address on S3: for training the data set, for labelling what holds videos/ and anchors.csv.
            experiment: Experiment of the run.
            out: For labelling, an address on S3 where the labels are put as well.
            service_account: Kubernetes service account of its pods; "" for the cluster's own choice.

        Raises:
            MtclarError: The cluster cannot read the data, refuses, or cannot be reached.
        """
        given = _readable(name, settings, data, out)
        pipeline_id, version, version_id = self._version(name, settings)
        body = api.V2beta1Run(
            display_name=f"{PIPELINES[name].NAME} {version}",
            experiment_id=self._experiment(experiment),
            pipeline_version_reference=api.V2beta1PipelineVersionReference(
                pipeline_id=pipeline_id, pipeline_version_id=version_id
            ),
            runtime_config=api.V2beta1RuntimeConfig(parameters=given),
            service_account=service_account or None,
        )
        run = self._ask("run_id", self._runs.run_service_create_run, run=body)
        return Submission(run.run_id, version, self._link(run.run_id))

    def schedule(
        self, name: str, settings: Settings, *, data: str, experiment: str, cron: str, out: str = "",
        service_account: str = "",
    ) -> str:  # fmt: skip
        """Runs a pipeline again and again, one run at a time, missed times left out; returns the id of the schedule.

        Args:
            cron: Five fields as cron has them, or Kubeflow's six with seconds first; in UTC.

        Raises:
            MtclarError: As `submit`, or the times are none.
        """
        given, times = _readable(name, settings, data, out), _six_fields(cron)
        pipeline_id, version, version_id = self._version(name, settings)
        body = api.V2beta1RecurringRun(
            display_name=f"{PIPELINES[name].NAME} {version} ({cron})",
            experiment_id=self._experiment(experiment),
            namespace=self.namespace,
            pipeline_version_reference=api.V2beta1PipelineVersionReference(
                pipeline_id=pipeline_id, pipeline_version_id=version_id
            ),
            runtime_config=api.V2beta1RuntimeConfig(parameters=given),
            trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=times)),
            mode=api.RecurringRunMode.ENABLE,
            max_concurrency="1",
            no_catchup=True,
            service_account=service_account or None,
        )
        create = self._recurring.recurring_run_service_create_recurring_run
        return str(self._ask("recurring_run_id", create, recurring_run=body).recurring_run_id)

    def schedules(self) -> list[tuple[str, str, str]]:
        """Id, name and state of each schedule of the namespace."""
        found: list[tuple[str, str, str]] = []
        token = ""
        while True:
            page = self._ask(
                "",
                self._recurring.recurring_run_service_list_recurring_runs,
                namespace=self.namespace,
                page_token=token,
            )
            found += [
                (run.recurring_run_id, run.display_name, str(run.status or "")) for run in page.recurring_runs or ()
            ]
            if not (token := page.next_page_token or ""):
                return found

    def stop_schedule(self, identity: str) -> None:
        """Ends a schedule; runs it has started go on."""
        self._ask("", self._recurring.recurring_run_service_delete_recurring_run, identity)

    def status(self, run_id: str) -> RunState:
        """How a run is, task by task."""
        run = self._ask("run_id", self._runs.run_service_get_run, run_id)
        details = run.run_details.task_details if run.run_details else None
        tasks = [
            Task(
                detail.display_name or "",
                str(detail.state or "PENDING"),
                _seconds(detail.start_time, detail.end_time),
                _message(detail.error),
            )
            for detail in details or ()
            if detail.display_name and not detail.display_name.endswith("-driver")
        ]
        return RunState(run_id, str(run.state or "PENDING"), _message(run.error), tuple(tasks), self._link(run_id))

    def wait(self, run_id: str, *, told: Callable[[RunState], None], every_s: float = 10.0) -> RunState:
        """Waits until a run has ended; `told` hears how it is whenever that has changed."""
        last = None
        while True:
            now = self.status(run_id)
            if now != last:
                told(now)
            if now.state in ENDED:
                return now
            last = now
            time.sleep(every_s)

    def _version(self, name: str, settings: Settings) -> tuple[str, str, str]:
        """Ids of the pipeline and of the version that `settings` make, and the version's name; uploaded if need be."""
        title = PIPELINES[name].NAME
        with scratch("pipeline") as folder:
            file = write_ir(folder, name, settings)
            version = version_name(file)
            new = api.V2beta1Pipeline(display_name=title, name=title, namespace=self.namespace)
            pipeline_id = self._found_or_made(
                "pipeline",
                lambda: (
                    self._ask(
                        "",
                        self._pipelines.pipeline_service_list_pipelines,
                        namespace=self.namespace,
                        filter=_equal("display_name", title),
                    ).pipelines
                ),
                lambda: self._ask("pipeline_id", self._pipelines.pipeline_service_create_pipeline, pipeline=new),
            )
            upload = self._upload.upload_pipeline_version
            version_id = self._found_or_made(
                "pipeline_version",
                lambda: (
                    self._ask(
                        "",
                        self._pipelines.pipeline_service_list_pipeline_versions,
                        pipeline_id,
                        filter=_equal("display_name", version),
                    ).pipeline_versions
                ),
                lambda: self._ask("pipeline_version_id", upload, str(file), name=version, pipelineid=pipeline_id),
            )
            return pipeline_id, version, version_id

    def _experiment(self, name: str) -> str:
        new = api.V2beta1Experiment(display_name=name, namespace=self.namespace)
        create = self._experiments.experiment_service_create_experiment
        return self._found_or_made(
            "experiment",
            lambda: (
                self._ask(
                    "",
                    self._experiments.experiment_service_list_experiments,
                    namespace=self.namespace,
                    filter=_equal("display_name", name),
                ).experiments
            ),
            lambda: self._ask("experiment_id", create, experiment=new),
        )

    def _found_or_made(self, kind: str, find: Callable[[], list[Any] | None], make: Callable[[], Any]) -> str:
        """The id of the first thing of a kind that is found, or of one that is made.

        Where somebody else makes the same thing in the same moment the server refuses the second one (409); then it
        is there to be found.
        """
        for again in (True, False):
            if found := find():
                return str(getattr(found[0], f"{kind}_id"))
            try:
                return str(getattr(make(), f"{kind}_id"))
            except _ExistsError:
                if not again:
                    raise
        raise AssertionError

    def _link(self, run_id: str) -> str:
        return f"{public(os.environ.get(UI_VARIABLE) or self.host).rstrip('/')}/#/runs/details/{run_id}"

    def _ask(self, expected: str, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """The answer of a call, which must have the field `expected`.

        Raises:
            MtclarError: One sentence on what went wrong, without the token.
        """
        place = public(self.host)
        try:
            answer = call(*given, **named)
        except ApiException as error:
            sort = _ExistsError if error.status == 409 else MtclarError
            raise sort(f"{place}: {self._reason(error)}.") from None
        except MaxRetryError as error:
            slow = isinstance(error.reason, TimeoutError) and not isinstance(error.reason, NewConnectionError)
            why = "does not answer in time" if slow else f"cannot be reached ({brief(error.reason or error)})"
            raise MtclarError(f"{place}: the Kubeflow Pipelines API {why}; check the address and --timeout.") from None
        except (HTTPError, OSError) as error:
            reason = self._clean(brief(error))
            raise MtclarError(f"{place}: the Kubeflow Pipelines API cannot be reached ({reason}).") from None
        except ValueError as error:  # an answer that no model of kfp_server_api takes
            raise MtclarError(f"{place}: {_NOT_THE_API} ({self._clean(brief(error))}).") from None
        response = self._client.last_response
        status, kind = response.status, str(response.getheader("Content-Type") or "")
        if status != 200 or "json" not in kind or (expected and not getattr(answer, expected, None)):
            raise MtclarError(f"{place}: {_NOT_THE_API} ({status}, {kind.partition(';')[0] or 'no type'}).")
        return answer

    def _reason(self, error: ApiException) -> str:
        known = {
            401: f"the token was refused (401); set {TOKEN_VARIABLE} to one that is valid now",
            403: f"this is not allowed in the namespace '{self.namespace}' (403); ask who runs the cluster",
            404: "there is no such thing (404); check the id, and that this is the address of the pipelines API",
        }
        if error.status in known:
            return known[error.status]
        try:
            message = json.loads(error.body).get("error") or json.loads(error.body).get("message") or ""
        except (ValueError, AttributeError, TypeError):
            message = ""
        said = f": {self._clean(brief(str(message)))}" if message else ""
        return f"the Kubeflow Pipelines API answered {error.status}{said}"

    def _clean(self, text: str) -> str:
        """The text without the token."""
        return text.replace(self._token, "***") if self._token else text


class _ExistsError(MtclarError):
    """What was to be made is there already."""


_NOT_THE_API = (
    "this is not an answer of the Kubeflow Pipelines API but, it may be, the page of a login; check the address and "
    f"{TOKEN_VARIABLE}"
)


def _readable(name: str, settings: Settings, data: str, out: str) -> dict[str, Any]:
    """The parameters of a run; refuses what a cluster cannot read."""
    for place in (data, *([out] if out else [])):
        if not is_remote(place):
            raise MtclarError(
                f"{place}: a cluster cannot reach this; put it on S3 and give its address, s3://bucket/folder."
            )
    return arguments(name, settings, data.rstrip("/")) | ({"out": out} if out else {})


def _six_fields(cron: str) -> str:
    """Times as Kubeflow wants them, seconds first."""
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise MtclarError(f"--cron '{cron}': expected five fields such as '0 3 * * 1' (minute hour day month weekday).")
    return " ".join(fields if len(fields) == 6 else ["0", *fields])


def _equal(key: str, value: str) -> str:
    """A filter of the API."""
    return json.dumps({"predicates": [{"operation": _EQUALS, "key": key, "stringValue": value}]})


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Time between two moments; of a task that has not begun none. (The API gives the year 1970 for 'not yet'.)"""
    if start is None or start.year < 2000:
        return None
    if end is None or end.year < 2000:
        end = datetime.now(start.tzinfo)
    return max(0.0, (end - start).total_seconds())


def _message(error: Any) -> str:
    return " ".join(str(error.message).split()) if error is not None and error.message else ""


def read_token(file: Path | None) -> str | None:
    """The token in a file; None without one.

    Raises:
        MtclarError: It cannot be read, or is empty.
    """
    if file is None:
        return None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MtclarError(f"{file}: the token cannot be read ({brief(error)}).") from None
    if not token or any(character.isspace() for character in token):
        raise MtclarError(f"{file}: expected one token and nothing else.")
    return token
