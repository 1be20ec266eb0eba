"""The versions of a model in the registry: what is known of each, and which alias points where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mtclar.errors import MtclarError, brief
from mtclar.serving.facts import HEADLINE

CHALLENGER, CHAMPION = "challenger", "champion"
BUNDLE_TAG, DATA_TAG, GIT_TAG = "bundle_sha", "data_rev", "git_sha"


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
    """

    name: str
    number: int
    bundle_sha: str
    data_rev: str
    git_sha: str
    metrics: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


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
    quoted = name.replace("'", "")
    found = client.search_model_versions(f"name = '{quoted}' and tags.{BUNDLE_TAG} = '{bundle_sha}'")
    versions = sorted((_version(item) for item in found), key=lambda version: version.number)
    return versions[-1] if versions else None


def tags_of(bundle_sha: str, data_rev: str, git_sha: str, metrics: dict[str, float]) -> dict[str, str]:
    """What a version is tagged with."""
    numbers = {name: repr(value) for name, value in metrics.items()}
    return {BUNDLE_TAG: bundle_sha, DATA_TAG: data_rev, GIT_TAG: git_sha, **numbers}


def _get(ask: Any, *arguments: str) -> Version | None:
    from mlflow.exceptions import MlflowException

    try:
        return _version(ask(*arguments))
    except MlflowException as error:
        # MLflow answers an unknown alias of a known model with INVALID_PARAMETER_VALUE.
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise MtclarError(f"the model registry does not answer ({brief(error)}).") from error


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
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
