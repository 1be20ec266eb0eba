"""The versions of a model in the registry: what is known of each, and which alias points where."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mtclar.errors import MtclarError, brief
from mtclar.serving.facts import HEADLINE

CHALLENGER, CHAMPION = "challenger", "champion"
BUNDLE_TAG, DATA_TAG, GIT_TAG = "bundle_sha", "data_rev", "git_sha"
EVALUATION_TAG, TRAINING_TAG, GATE_TAG = "evaluation_set", "training_run", "gate"

_GONE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""MLflow answers an unknown alias of a known model with the second."""


@dataclass(frozen=True)
class Version:
    """One version of the model.

    Attributes:
        name: Of the registered model.
        number: Of the version, as MLflow counts.
        bundle_sha: Identity of its bundle; empty if mtclar did not register it.
        data_rev: Revision of the data it was made from.
        git_sha: Revision of the code it was made by.
        metrics: Its headline metrics.
        evaluation_set: sha256 of what it was judged on; empty if that is not known.
        run: The run that trained it or, where that is not known, the one that registered it; may be empty.
        tags: All tags of the version.
        created_ms: When it was registered, in milliseconds since 1970.
    """

    name: str
    number: int
    bundle_sha: str
    data_rev: str
    git_sha: str
    metrics: dict[str, float] = field(default_factory=dict)
    evaluation_set: str = ""
    run: str = field(default="", compare=False)
    tags: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    created_ms: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"

    @property
    def uri(self) -> str:
        """Its address in the registry."""
        return f"models:/{self.name}/{self.number}"


def of_alias(client: Any, name: str, alias: str) -> Version | None:
    """The version an alias points at; None if there is no such alias or model.

    Raises:
        MtclarError: The registry cannot be asked.
    """
    return _get(client.get_model_version_by_alias, name, alias)


def of_number(client: Any, name: str, number: int) -> Version | None:
    """The version of that number; None if there is none.

    Raises:
        MtclarError: The registry cannot be asked.
    """
    return _get(client.get_model_version, name, str(number))


def of_bundle(client: Any, name: str, bundle_sha: str) -> Version | None:
    """The newest version made from that bundle; None if there is none."""
    found = client.search_model_versions(f"name = {quoted(name)} and tags.{BUNDLE_TAG} = '{bundle_sha}'")
    versions = sorted((_version(item) for item in found), key=lambda version: version.number)
    return versions[-1] if versions else None


def all_versions(client: Any, name: str) -> tuple[list[Version], dict[int, list[str]]]:
    """Every version of a model, the newest first, and the aliases that point at each number.

    Raises:
        MtclarError: The registry cannot be asked.
    """
    with asked(f"read the model '{name}'"):
        models = client.search_registered_models(f"name = {quoted(name)}")
        found: list[Any] = []
        token, more = None, bool(models)
        while more:
            page = client.search_model_versions(f"name = {quoted(name)}", page_token=token)
            found, token = [*found, *page], page.token
            more = bool(token)
    aliases: dict[int, list[str]] = {}
    for alias, number in sorted((models[0].aliases if models else {}).items()):
        aliases.setdefault(int(number), []).append(alias)
    return sorted((_version(item) for item in found), key=lambda version: -version.number), aliases


def tags_of(
    bundle_sha: str,
    data_rev: str,
    git_sha: str,
    metrics: dict[str, float],
    *,
    evaluation_set: str = "",
    training_run: str = "",
) -> dict[str, str]:
    """What a version is tagged with when it is registered; what is not known is left out."""
    numbers = {name: repr(value) for name, value in metrics.items()}
    origin = {EVALUATION_TAG: evaluation_set, TRAINING_TAG: training_run}
    known = {name: value for name, value in origin.items() if value}
    return {BUNDLE_TAG: bundle_sha, DATA_TAG: data_rev, GIT_TAG: git_sha, **known, **numbers}


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Says in one sentence why the registry did not do what the block asks of it.

    Args:
        what: What was to be done, in words that follow "the right to", such as "read the model 'mtclar'".
    """
    try:
        yield
    except MtclarError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"mlflow", "sqlalchemy", "requests", "urllib3"}:
            raise
        raise MtclarError(_why(error, what)) from None


def _why(error: Exception, what: str) -> str:
    code = getattr(error, "error_code", "")
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if code == "PERMISSION_DENIED":
        who = f"user '{user}'" if user else "you"
        return f"the model registry refuses: {who} may not {what}; ask whoever runs it for that right."
    if code == "UNAUTHENTICATED":
        return (
            "the model registry does not take the user name and password; set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD."
        )
    return f"the model registry did not {what} ({brief(error)})."


def _get(ask: Callable[..., Any], *arguments: str) -> Version | None:
    from mlflow.exceptions import MlflowException

    with asked(f"read the model '{arguments[0]}'"):
        try:
            return _version(ask(*arguments))
        except MlflowException as error:
            if error.error_code in _GONE:
                return None
            raise


def quoted(name: str) -> str:
    """A name as MLflow's filters want it; names with a quote in them are not found."""
    return "'" + name.replace("'", "") + "'"


def _version(found: Any) -> Version:
    tags = dict(found.tags)
    metrics = {name: _number(tags[name]) for name in HEADLINE if name in tags}
    return Version(
        name=found.name,
        number=int(found.version),
        bundle_sha=tags.get(BUNDLE_TAG, ""),
        data_rev=tags.get(DATA_TAG, "unknown"),
        git_sha=tags.get(GIT_TAG, "unknown"),
        metrics={name: value for name, value in metrics.items() if math.isfinite(value)},
        evaluation_set=tags.get(EVALUATION_TAG, ""),
        run=tags.get(TRAINING_TAG) or found.run_id or "",
        tags=tags,
        created_ms=int(found.creation_timestamp or 0),
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
