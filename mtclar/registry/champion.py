"""The alias champion follows the history: an entry is written first, then the alias is set, then the entry is settled.

The entry decides, because only one of several processes can write it. Whoever finds an entry that is not settled waits
for its writer and, if that does not come to an end, does the rest itself: it is the same whoever does it. So a process
that is killed in between delays others by `PATIENCE_S` seconds and no more. The time is measured by whoever waits: no
two clocks need to agree.
"""

from __future__ import annotations

import getpass
import os
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mtclar.errors import MtclarError
from mtclar.registry.history import MAX_REASON, Entry, History, patient
from mtclar.registry.versions import CHAMPION, Version, asked, of_alias, of_number

PATIENCE_S = 20.0
"""How long the writer of an entry may take to set the alias before somebody else does it."""
_GRACE_S = 1.0
_POLL_S = 0.1


@dataclass(frozen=True)
class State:
    """What is true of a model at one moment.

    Attributes:
        champion: The version the alias points at; None if there is none.
        entries: The history, the oldest first, up to that moment.
    """

    champion: Version | None
    entries: tuple[Entry, ...]

    def reign(self, number: int) -> Entry | None:
        """The last entry by which a version became champion; None if it never was."""
        return next((entry for entry in reversed(self.entries) if entry.version == number), None)

    def left(self, number: int) -> Entry | None:
        """The last entry by which a version ceased to be champion; None if it never was, or still is."""
        if self.champion and self.champion.number == number:
            return None
        return next((entry for entry in reversed(self.entries) if entry.over == number), None)

    def earlier(self) -> list[int]:
        """Champions before this one, the latest first; what came between a version and its return does not count."""
        stack: list[int] = []
        for entry in self.entries:
            if entry.version is None:
                continue
            if entry.version in stack:
                del stack[stack.index(entry.version) :]
            stack.append(entry.version)
        if self.champion and self.champion.number in stack:
            stack.remove(self.champion.number)
        return stack[::-1]


def look(client: Any, name: str) -> State:
    """What is true of a model, without changing anything: an entry that is not settled counts as if it were.

    Raises:
        MtclarError: The registry cannot be asked.
    """
    history = History.find(client, name)
    entries = history.entries() if history else []
    champion = of_alias(client, name, CHAMPION)
    if entries and not entries[-1].settled:
        number = entries[-1].version
        champion = None if number is None else of_number(client, name, number)
    return State(champion, tuple(entries))


def settled(client: Any, name: str, history: History, *, patience_s: float = PATIENCE_S) -> State:
    """What is true of a model once no change is under way; a change that was broken off is brought to its end.

    An alias that was moved by other means than mtclar gets an entry of its own: it is what is served.

    Raises:
        MtclarError: The registry cannot be asked, or does not allow it.
    """
    waiting: tuple[int, float] | None = None
    while True:
        entries = history.entries()
        head = entries[-1] if entries else None
        if head is not None and not head.settled:
            if waiting is None or waiting[0] != head.number:
                waiting = (head.number, time.monotonic() + patience_s)
            if time.monotonic() < waiting[1]:
                time.sleep(random.uniform(0.5, 1.5) * _POLL_S)  # noqa: S311 - spreads attempts, hides nothing
            else:
                follow(client, name, history, head)
            continue
        champion = of_alias(client, name, CHAMPION)  # after the history: what is newer than it has an entry of its own
        stands, should = champion.number if champion else None, head.version if head else None
        if stands == should:
            return State(champion, tuple(entries))
        if head is not None:  # a process that was held up may be about to set it right
            time.sleep(min(_GRACE_S, patience_s))
            again = of_alias(client, name, CHAMPION)
            if (again.number if again else None) != stands or len(history.entries()) != len(entries):
                continue
        found = entry_of(champion, action="found", number=len(entries) + 1, over=should, by="unknown", reason="")
        if history.add(found):
            history.settle(found)


def follow(client: Any, name: str, history: History, entry: Entry) -> None:
    """Sets the alias and the tags of the version as an entry says, and settles it.

    A process that was held up for longer than others wait may set the alias after a later entry was settled. So each
    looks at the alias once more when it is done; of a later entry that is not settled, its writer does so.

    Raises:
        MtclarError: The registry cannot be asked, or does not allow it.
    """
    _write(client, name, entry)
    history.settle(entry)
    while True:
        head = history.entries()[-1]
        champion = of_alias(client, name, CHAMPION)
        if not head.settled or (champion.number if champion else None) == head.version:
            return
        if not _write(client, name, head):
            return


def _write(client: Any, name: str, entry: Entry) -> bool:
    """Sets alias and tags; returns whether there is still such a version."""
    if entry.version is None or of_number(client, name, entry.version) is None:
        return False
    with asked(f"change versions and aliases of the model '{name}'"):
        patient(client.set_registered_model_alias, name, CHAMPION, str(entry.version))
        for key, value in _tags(entry).items():
            patient(client.set_model_version_tag, name, str(entry.version), key, value)
    return True


def entry_of(version: Version | None, **facts: Any) -> Entry:
    """An entry about a version, of now; `facts` are the other fields of `Entry`."""
    known: dict[str, Any] = {"by": who(), "at": datetime.now(UTC).isoformat(timespec="seconds")}
    if version is not None:
        known |= {"run": version.run, "metrics": version.metrics, "evaluation_set": version.evaluation_set}
    return Entry(version=version.number if version else None, **(known | facts))


def who() -> str:
    """Who acts: the user name given to the registry, else that of this machine."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


def check_reason(reason: str) -> str:
    """A reason as it is kept, in one line.

    Raises:
        MtclarError: It is too long.
    """
    reason = " ".join(reason.split())
    if len(reason) > MAX_REASON:
        raise MtclarError(f"the reason has {len(reason)} characters, but at most {MAX_REASON} are kept; shorten it.")
    return reason


def _tags(entry: Entry) -> dict[str, str]:
    """What a version is tagged with when it becomes champion."""
    over = "none" if entry.over is None else str(entry.over)
    known = {"how": entry.action, "by": entry.by, "at": entry.at, "over": over, "run": entry.run, "why": entry.reason}
    return {f"{CHAMPION}_{name}": value or "not said" for name, value in known.items()}
