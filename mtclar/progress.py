"""How long work tells how far it is: a callable that the caller gives and a step calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Called with what is done, what there is in all, and optionally a word on what it is."""

    def __call__(self, done: int, total: int, what: str = "", /) -> None: ...


def silent(done: int, total: int, what: str = "", /) -> None:
    """The progress of a caller who does not want to see any."""


class Pace:
    """How fast work is of late, and how long the rest of it takes at that pace.

    The total may change on the way: only what has been done counts for the pace.
    """

    def __init__(self, *, over_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        """`over_s`: how far back to look."""
        self._over_s, self._clock = over_s, clock
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, done: int) -> None:
        """Takes down how much is done by now."""
        now = self._clock()
        if len(self._seen) > 1 and now - self._seen[-2][0] < self._over_s / 200:
            self._seen.pop()  # as many points as are of use
        self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] <= now - self._over_s:
            self._seen.popleft()

    @property
    def per_s(self) -> float | None:
        """Steps a second; None while that is not known."""
        if len(self._seen) < 2 or self._seen[-1][0] <= self._seen[0][0]:
            return None
        return (self._seen[-1][1] - self._seen[0][1]) / (self._seen[-1][0] - self._seen[0][0])

    def left_s(self, total: int) -> float | None:
        """Seconds until `total` is done; None while that is not known."""
        pace = self.per_s
        return max(total - self._seen[-1][1], 0) / pace if pace else None

    def words(self, total: int, unit: str) -> str:
        """Both for people: `42 frames/s, 0:03:20 left`."""
        pace, left_s = self.per_s, self.left_s(total)
        if not pace or left_s is None:
            return ""
        minutes, seconds = divmod(round(left_s), 60)
        return f"{pace:.{0 if pace >= 10 else 1}f} {unit}/s, {minutes // 60}:{minutes % 60:02}:{seconds:02} left"
