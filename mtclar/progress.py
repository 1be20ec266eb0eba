"""How long work tells how far it is: a callable that the caller gives and a step calls."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what is done, what there is in all, and optionally a word on what it is."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None: ...


def silent(done: int, total: int, what: str = "", /) -> None:
    """The progress of a caller who does not want to see any."""
