"""Who was champion when: a list in the registry to which anybody may add, and from which nothing can be taken.

It stands in the parameters of one MLflow run, `000001`, `000002` and so on. MLflow never changes a parameter once it is
logged: the database holds each name of a run once, and a second value for it is refused. So of several processes that
write the entry of the same number at once exactly one succeeds, over a server's REST API as in a database directly, and
an attempt that is repeated because its answer was lost is no second entry.

The run is in the experiment `mtclar history`, whose right to edit is the right to promote. Which run it is stands in a
tag of another experiment, named after the model: MLflow allows one of each name, and creates it and its tag together.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal
from uuid import uuid4

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.versions import asked
from mtclar.settings import RegisterSettings

Action = Literal["promoted", "rolled back", "found"]

EXPERIMENT = "mtclar history"
RUN_TAG = "mtclar.history_run"
MAX_REASON = 500
"""Characters; MLflow keeps 6000 of a parameter."""

_SETTLED = "settled"
_TRIES = 8


@dataclass(frozen=True)
class Entry:
    """One change of champion.

    Attributes:
        number: Its place in the list, from 1.
        action: "promoted", "rolled back", or "found": the alias was moved by other means than mtclar.
        version: The champion from then on; None if there is none any more.
        over: The champion before; None if there was none.
        by: Who did it.
        at: When, in UTC, as ISO 8601 with seconds.
        reason: Why, in the words of who did it.
        run: The run that trained the version.
        metrics: The version's headline metrics.
        over_metrics: Those of the champion before on the same data, where they were compared.
        evaluation_set: What both were judged on.
        id: Unlike that of any other entry.
        settled: Whether the alias has followed.
    """

    number: int
    action: Action
    version: int | None
    over: int | None
    by: str
    at: str
    reason: str = ""
    run: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    over_metrics: dict[str, float] = field(default_factory=dict)
    evaluation_set: str = ""
    id: str = field(default_factory=lambda: uuid4().hex)
    settled: bool = False

    def told(self) -> dict[str, Any]:
        """Everything that is written of it."""
        return {name: value for name, value in asdict(self).items() if name != "settled"}


class History:
    """The list of one model.

    Example:
        history = History.find(client, "mtclar")
        for entry in history.entries() if history else []:
            print(entry.at, entry.action, entry.version)
    """

    def __init__(self, client: Any, name: str, run_id: str) -> None:
        """Use `find` or `open`."""
        self._client, self._name, self.run_id = client, name, run_id

    @classmethod
    def find(cls, client: Any, name: str) -> History | None:
        """The list of a model; None if there is none yet.

        Raises:
            MtclarError: The registry cannot be asked.
        """
        with asked(f"read the experiment '{experiment_name(name)}'"):
            found = patient(client.get_experiment_by_name, experiment_name(name))
        if found is None:
            return None
        if RUN_TAG not in found.tags:
            raise MtclarError(
                f"experiment '{experiment_name(name)}': expected the tag {RUN_TAG}, which names the run with the "
                f"history of {name}; rename that experiment if it is yours."
            )
        return cls(client, name, found.tags[RUN_TAG])

    @classmethod
    def open(cls, mlflow: Any, settings: RegisterSettings) -> History:
        """The list of the model that `settings` name, made if there is none.

        Raises:
            MtclarError: The registry cannot be asked, or does not allow it.
        """
        client, name = mlflow.MlflowClient(), settings.model_name
        if (found := cls.find(client, name)) is not None:
            return found
        place = settings.model_copy(update={"experiment": EXPERIMENT})
        with asked(f"create experiments and log into '{EXPERIMENT}'"):
            # The run comes first: whoever finds the other experiment finds a run that is there.
            experiment = tracking.experiment_id(mlflow, place, ambient=False)
            tags = {"mlflow.note.content": f"Who was champion of {name} when; see 'mtclar models history'."}
            run = client.create_run(experiment, run_name=f"history of {name}", tags=tags)
            client.set_terminated(run.info.run_id)
            note = f"Holds no runs: the history of {name} is the run {run.info.run_id} of '{EXPERIMENT}'."
            try:
                client.create_experiment(
                    experiment_name(name), tags={RUN_TAG: run.info.run_id, "mlflow.note.content": note}
                )
            except mlflow.MlflowException:
                winner = cls.find(client, name)
                if winner is None:
                    raise
                if winner.run_id != run.info.run_id:  # else the first answer was lost on the way
                    client.delete_run(run.info.run_id)
                return winner
        return cls(client, name, run.info.run_id)

    def entries(self) -> list[Entry]:
        """All entries, the oldest first.

        Raises:
            MtclarError: The registry cannot be asked, or the run does not hold what mtclar wrote.
        """
        with asked(f"read the history of '{self._name}' (run {self.run_id})"):
            params = patient(self._client.get_run, self.run_id).data.params
        entries: list[Entry] = []
        while (key := _key(len(entries) + 1)) in params:
            entries.append(self._entry(key, params[key], settled=f"{key}.{_SETTLED}" in params))
        return entries

    def add(self, entry: Entry) -> bool:
        """Writes an entry; returns whether its number was still free.

        Raises:
            MtclarError: The registry cannot be asked, does not allow it, or the run was deleted.
        """
        from mlflow.exceptions import MlflowException

        text = json.dumps(entry.told(), sort_keys=True, ensure_ascii=False)
        with asked(f"write the history of '{self._name}' (run {self.run_id} of '{EXPERIMENT}')"):
            try:
                patient(self._client.log_param, self.run_id, _key(entry.number), text)
            except MlflowException:
                # Refused because the number is taken, by somebody or by our own attempt whose answer was lost?
                taken = self.entries()[entry.number - 1 : entry.number]
                if not taken:
                    raise
                return taken[0].id == entry.id
        return True

    def settle(self, entry: Entry) -> None:
        """Notes that the alias has followed an entry.

        Raises:
            MtclarError: The registry cannot be asked or does not allow it.
        """
        with asked(f"write the history of '{self._name}' (run {self.run_id} of '{EXPERIMENT}')"):
            patient(self._client.log_param, self.run_id, f"{_key(entry.number)}.{_SETTLED}", "yes")

    def _entry(self, key: str, text: str, *, settled: bool) -> Entry:
        try:
            values = json.loads(text)
            known = {item.name for item in fields(Entry)}
            return Entry(**{name: value for name, value in values.items() if name in known}, settled=settled)
        except (ValueError, TypeError, AttributeError) as error:
            raise MtclarError(
                f"run {self.run_id}, parameter {key}: expected an entry of the history of {self._name}, got "
                f"{text[:80]!r}."
            ) from error


def experiment_name(name: str) -> str:
    """The experiment that says where the history of a model is."""
    return f"mtclar history of {name}"


def patient(ask: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Asks again where a database says that it is busy; what is asked must be the same if it happens twice."""
    from mlflow.exceptions import MlflowException

    for attempt in range(_TRIES):
        try:
            return ask(*arguments, **named)
        except MlflowException as error:
            if error.error_code != "TEMPORARILY_UNAVAILABLE" or attempt == _TRIES - 1:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads attempts, hides nothing
    raise AssertionError("unreachable")


def _key(number: int) -> str:
    return f"{number:06d}"
