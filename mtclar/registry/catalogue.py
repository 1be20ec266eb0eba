"""What the registry has: its versions, one of them by name, and who was champion when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mtclar.errors import MtclarError, public
from mtclar.registry import tracking
from mtclar.registry.fetch import find_version, is_address
from mtclar.registry.history import Entry, History
from mtclar.registry.versions import CHAMPION, GATE_TAG, Version, all_versions
from mtclar.revision import UNKNOWN
from mtclar.serving import Bundle
from mtclar.serving.facts import HEADLINE
from mtclar.settings import RegisterSettings

_METRICS = ("valence_ccc", "arousal_ccc")
COLUMNS = ["version", "aliases", "registered", *_METRICS, "evaluation set", "data", "code", "gate"]
HISTORY_COLUMNS = ["", "when (UTC)", "what", "version", "over", "by", "run", "why"]

_SHOWN = 12
"""Digits of a revision or of a sha256 in a table."""


@dataclass(frozen=True)
class Side:
    """One of two models that are compared.

    Attributes:
        name: What it is called in the table.
        metrics: Its headline metrics.
        evaluation_set: What they were measured on; empty or "unknown" if that is not known.
        facts: Where it comes from, by name.
    """

    name: str
    metrics: dict[str, float]
    evaluation_set: str
    facts: dict[str, str]

    @classmethod
    def of_version(cls, version: Version) -> Side:
        """A version of the registry, as its tags say."""
        facts = {"data revision": version.data_rev, "code revision": version.git_sha, "training run": version.run}
        return cls(str(version), version.metrics, version.evaluation_set, facts)

    @classmethod
    def of_bundle(cls, name: str, bundle: Bundle) -> Side:
        """A bundle on this machine, as bundle.json says."""
        said = bundle.facts
        metrics = {key: float(said["metrics"][key]) for key in HEADLINE if key in said["metrics"]}
        facts = {"data revision": said["data_revision"], "code revision": said["git_revision"]}
        facts |= {"training run": said.get("training_run", "")}
        return cls(name, metrics, said.get("evaluation_set", ""), facts)


def is_there(settings: RegisterSettings) -> bool:
    """Whether there is a registry to ask; a sqlite file that is not there is none, and is not made by asking."""
    uri = tracking.store_uri(settings)
    return not uri.startswith(tracking.SQLITE) or Path(uri.removeprefix(tracking.SQLITE).partition("?")[0]).is_file()


def versions(settings: RegisterSettings) -> list[list[str]]:
    """Rows for `COLUMNS`, the newest version first.

    Raises:
        MtclarError: mlflow is not installed, or the registry cannot be asked.
    """
    client = tracking.require(settings).MlflowClient()
    found, aliases = all_versions(client, settings.model_name)
    return [_row(version, aliases.get(version.number, [])) for version in found]


def find(text: str, settings: RegisterSettings) -> Version:
    """The version that a user names.

    Args:
        text: `models:/NAME@ALIAS`, `models:/NAME/VERSION`, either without `models:/`; the number of a version or an
            alias of the model that `settings` name, or the name of a model: its champion or, where there is none, its
            newest version.
        settings: The section `register` of params.yaml.

    Raises:
        MtclarError: There is no such version, mlflow is not installed, or the registry cannot be asked.
    """
    client = tracking.require(settings).MlflowClient()
    if is_address(text):
        return find_version(client, f"models:/{text.removeprefix('models:/')}")
    if text.isdecimal():
        return find_version(client, f"models:/{settings.model_name}/{text}")
    found, aliases = all_versions(client, text)
    if not found:  # the name of a model goes before an alias of the one that is meant by default
        found, aliases = all_versions(client, settings.model_name)
        wanted = text
    else:
        wanted = CHAMPION if any(CHAMPION in names for names in aliases.values()) else ""
    for version in found:
        if not wanted or wanted in aliases.get(version.number, []):
            return version
    raise MtclarError(
        f"{text}: no such folder, and {public(tracking.store_uri(settings))} knows no model and no alias of that name; "
        "see 'mtclar models list'."
    )


def told(version: Version, settings: RegisterSettings) -> list[list[str]]:
    """Names and values of what the registry knows of a version, and of what became of it.

    Raises:
        MtclarError: The registry cannot be asked.
    """
    client = tracking.require(settings).MlflowClient()
    aliases = all_versions(client, version.name)[1].get(version.number, [])
    return [
        ["version", str(version)],
        ["aliases", ", ".join(aliases) or "none"],
        ["registered", _when(version.created_ms)],
        *([name, value] for name, value in Side.of_version(version).facts.items() if value),
        ["evaluation set", version.evaluation_set or UNKNOWN],
        ["sha256 of bundle.json", version.bundle_sha],
        *([key.replace("_", " "), value] for key, value in sorted(version.tags.items()) if _told(key)),
    ]


def nested(metrics: dict[str, float]) -> dict[str, Any]:
    """Headline metrics as metrics.json of an evaluation holds them."""
    found: dict[str, Any] = {}
    for name, value in metrics.items():
        place = found
        for key in HEADLINE[name][:-1]:
            place = place.setdefault(key, {})
        place[HEADLINE[name][-1]] = value
    return found


def comparison(one: Side, other: Side) -> tuple[list[str], list[list[str]], str]:
    """Header and rows of the table of two models, and a sentence on whether their numbers may be compared."""
    sets = {one.evaluation_set, other.evaluation_set}
    if unknown := bool(sets & {"", UNKNOWN}):
        said = "What they were judged on is not known of both: the numbers must not be compared."
    elif len(sets) > 1:
        said = "The evaluation sets differ: the numbers must not be compared."
    else:
        said = "Both were judged on the same evaluation set."
    rows = []
    for name in HEADLINE:
        old, new = one.metrics.get(name), other.metrics.get(name)
        if old is None and new is None:
            continue
        gain = "–" if unknown or len(sets) > 1 or old is None or new is None else f"{new - old:+.3f}"
        rows.append([name, *("–" if value is None else f"{value:.3f}" for value in (old, new)), gain])
    for name in one.facts:
        rows.append([name, *(side.facts[name][:_SHOWN] or "–" for side in (one, other)), ""])
    rows.append(["evaluation set", *(side.evaluation_set[:_SHOWN] or UNKNOWN for side in (one, other)), ""])
    return ["", one.name, other.name, "difference"], rows, said


def history(settings: RegisterSettings) -> list[Entry]:
    """Who was champion when, the oldest first.

    Raises:
        MtclarError: mlflow is not installed, or the registry cannot be asked.
    """
    found = History.find(tracking.require(settings).MlflowClient(), settings.model_name)
    return found.entries() if found else []


def history_rows(entries: list[Entry]) -> list[list[str]]:
    """Rows for `HISTORY_COLUMNS`."""
    return [
        [
            str(entry.number),
            entry.at.removesuffix("+00:00").replace("T", " "),
            entry.action if entry.settled else f"{entry.action} (under way)",
            "none" if entry.version is None else str(entry.version),
            "–" if entry.over is None else str(entry.over),
            entry.by,
            entry.run[:_SHOWN] or "–",
            entry.reason or "–",
        ]
        for entry in entries
    ]


def _row(version: Version, aliases: list[str]) -> list[str]:
    numbers = [version.metrics.get(name) for name in _METRICS]
    return [
        str(version.number),
        ", ".join(aliases) or "–",
        _when(version.created_ms),
        *("–" if value is None else f"{value:.3f}" for value in numbers),
        version.evaluation_set[:_SHOWN] or UNKNOWN,
        version.data_rev[:_SHOWN],
        version.git_sha[:_SHOWN],
        version.tags.get(GATE_TAG, "–").partition(":")[0],
    ]


def _when(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _told(tag: str) -> bool:
    return tag == GATE_TAG or tag.startswith(f"{CHAMPION}_")
