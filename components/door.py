"""What every component does before it calls its step: open its settings, say what it works on, log how far it is."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from mtclar.revision import declare
from mtclar.settings import load_section

EVERY_S = 15.0

log = logging.getLogger("mtclar")


def opened(section: str, values: Mapping[str, Any], *, data_rev: str = "", git_sha: str = "") -> Any:
    """Checks a section of params.yaml that came as a parameter; logs from here on go to the task's log.

    Args:
        section: Its name.
        values: Its content; Kubeflow turns whole numbers into 3.0, which is understood.
        data_rev: Revision of the data, where the pipeline knows it.
        git_sha: Revision of the code, where the pipeline knows it.

    Raises:
        MtclarError: Says which key is unknown, missing or out of range.
    """
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    declare(data_rev=data_rev, git_sha=git_sha)
    return load_section(section, values)


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
