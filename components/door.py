"""What every component does before it calls its step: open its settings, say what it works on, log how far it is."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtclar.revision import STAMP
from mtclar.settings import load_section

EVERY_S = 15.0

log = logging.getLogger("mtclar")


def opened(section: str, values: Mapping[str, Any]) -> Any:
    """Checks a section of params.yaml that came as a parameter; logs from here on go to the task's log.

    Args:
        section: Its name.
        values: Its content; Kubeflow turns whole numbers into 3.0, which is understood.

    Raises:
        MtclarError: Says which key is unknown, missing or out of range.
    """
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    return load_section(section, values)


def stamp(artifact: Any, folder: Path, **more: str) -> None:
    """Writes into the metadata of an artifact, which Kubeflow shows, from which data and by which code it was made.

    Args:
        artifact: The output of a task.
        folder: What was written: a faces store, a checkpoint or a bundle.
        more: Other facts.
    """
    artifact.metadata.update(more)
    for name in ("store.json", "model.json", "bundle.json"):
        try:
            facts = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found = {key: facts.get(key) for key in (STAMP, "git_revision", "run_id", "training_run")}
        artifact.metadata.update({key: value for key, value in found.items() if value})


class Logged:
    """Progress as lines in the log, the last one and otherwise at most one each `EVERY_S` seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        now = time.monotonic()
        if now >= self._next or done >= total:
            log.info("%s %d of %d", what or "done", done, total)
            self._next = now + EVERY_S


def told(result: object) -> None:
    """Writes what a step has to say into the task's log."""
    for line in str(result).splitlines():
        log.info("%s", line)
