"""Processes that promote versions at the same time, and what they need: models of few bytes, in no time.

Run as a program this is one promoter: it reads a task a line from standard input and answers with a line.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toy_bundle import toy_bundle

from mtclar.errors import MtclarError
from mtclar.registry import champion, tracking
from mtclar.registry.promote import promote_challenger, roll_back
from mtclar.registry.register import register_bundle
from mtclar.registry.versions import of_number, tags_of
from mtclar.serving import Bundle
from mtclar.settings import PromoteSettings, RegisterSettings

GATE = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": 0.5, "margin": 0.0}}})
SET = "e" * 64


class Stock:
    """Bundles that lie in a store once, to be registered as versions of any model by a row in its database.

    Attributes:
        store: The section `register`; its model is never promoted.
    """

    def __init__(self, store: RegisterSettings, folder: Path, valences: list[float]) -> None:
        self.store = store
        self.client = tracking.connect(self.store).MlflowClient()
        self._known: dict[float, tuple[str, dict[str, Any]]] = {}
        for valence in valences:
            bundle = Bundle.load(toy_bundle(folder / f"{valence}", metrics={"valence_ccc": valence}))
            version = register_bundle(bundle, self.store, [])[0]
            found = self.client.get_model_version(store.model_name, str(version.number))
            logged = re.search(r"m-[0-9a-f]{32}", found.source)
            where = {"source": found.source, "run_id": found.run_id or None, "model_id": logged[0]}
            self._known[valence] = (bundle.identity, where)

    def register(self, name: str, valence: float, *, evaluation_set: str = SET) -> int:
        """Makes a version of the model `name`, and the model if need be; returns its number."""
        sha, where = self._known[valence]
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        tags = tags_of(sha, "d", "g", {"valence_ccc": valence}, evaluation_set=evaluation_set)
        made = self.client.create_model_version(name, tags=tags, **where)
        assert of_number(self.client, name, int(made.version)).bundle_sha == sha
        return int(made.version)


class Promoter:
    """A promoter in a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, __file__]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
        )

    def ask(self, store: RegisterSettings, verb: str, version: int | None, **task: Any) -> None:
        """Gives it a task.

        Args:
            store: The section `register`, with the name of the model.
            verb: `promote` or `roll back`.
            version: The version that is meant.
            task: `at`, a time of `time.time()` to begin at; `patience_s`; `before_alias`, what happens once the history
                has its entry and the alias does not follow yet: `die`, or the seconds that it is held up.
        """
        self.process.stdin.write(json.dumps({"store": store.model_dump(), "verb": verb, "version": version, **task}))
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Waits for the outcome; "" if it was killed."""
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> None:
        """Kills it."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextmanager
def promoters(number: int, environment: Mapping[str, str]) -> Iterator[list[Promoter]]:
    """So many promoters, which end with the block."""
    crowd = [Promoter(environment) for _ in range(number)]
    try:
        for promoter in crowd:
            assert promoter.answer() == "ready"
        yield crowd
    finally:
        for promoter in crowd:
            promoter.end()


def _main() -> None:
    import mlflow  # noqa: F401 - takes seconds, which are over before there is a task

    write = champion._write
    _say("ready")
    for line in sys.stdin:
        task = json.loads(line)
        os.environ.pop("MLFLOW_TRACKING_URI", None)  # mlflow sets it, to the store of the task before
        store = RegisterSettings.model_validate(task["store"])
        champion._write = _delayed(write, task.get("before_alias"))
        patience_s, number = task.get("patience_s", champion.PATIENCE_S), task["version"]
        time.sleep(max(0.0, task.get("at", 0.0) - time.time()))
        try:
            if task["verb"] == "promote":
                done = promote_challenger(GATE, store, version=number, reason="race", patience_s=patience_s)
            else:
                done = roll_back(store, to=number, reason="race", patience_s=patience_s)
            outcome = done.outcome
        except MtclarError as error:
            outcome = f"error: {error}"
        _say(outcome.replace("\n", " "))


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def _delayed(write: Callable[..., bool], how: str | float | None) -> Callable[..., bool]:
    """`champion._write`, before whose first call something happens."""
    if how is None:
        return write
    left = [how]

    def late(*arguments: Any) -> bool:
        if left:
            what = left.pop()
            if what == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(what)
        return write(*arguments)

    return late


if __name__ == "__main__":
    _main()
