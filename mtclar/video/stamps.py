"""Time stamps judged by their neighbours: what does not fit is mended, and nothing else is touched."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

REACH = 24
"""Stamps on either side that judge one. More than the 16 pictures that any codec of today reorders."""
MOST_WRONG = 8
"""More stamps than this that contradict their neighbours at one place are no errors but another recording."""
END_GAP_S = 3600.0
"""The first or the last stamp, which has one neighbour only, is wrong if it is as far as this from it."""
_IRREGULAR = 10.0


@dataclass(frozen=True, eq=False)
class Mended:
    """The stamps of n frames in the order they are shown.

    Attributes:
        pts: float64 (n,), strictly ascending, in units of the time base; where nothing was wrong, as found.
        wrong: bool (n,), whether a stamp did not fit its neighbours.
        missing: bool (n,), whether there was none.
        moved: float64 (n,), by how much a wrong stamp was moved; 0 elsewhere.
        joins: Where the clock jumps back, as where recordings were joined: the frame, and by how many units.
    """

    pts: np.ndarray
    wrong: np.ndarray
    missing: np.ndarray
    moved: np.ndarray
    joins: tuple[tuple[int, float], ...] = ()

    def sentences(self, name: str, tick_s: float) -> list[str]:
        """What to say of the mending of file `name`: how many, where, and the largest correction."""

        def place(frame: int) -> str:
            return f"frame {frame} at {(self.pts[frame] - self.pts[0]) * tick_s:.3f} s"

        said, n = [], len(self.pts)
        for what, where in (("did not fit their neighbours", self.wrong), ("were missing", self.missing)):
            at = np.flatnonzero(where)
            if len(at) == n:
                said.append(f"{name}: the file holds no time stamps; its times follow from the frame rate it states.")
            elif len(at):
                listed = ", ".join(place(frame) for frame in at[:3].tolist()) + (" ..." if len(at) > 3 else "")
                sentence = f"{name}: {len(at)} of {n} time stamps {what} and were mended from them ({listed})"
                largest = self.moved.max() * tick_s
                said.append(sentence + (f"; the largest correction is {_span(largest)}." if largest else "."))
        if self.joins:
            at_, back = self.joins[0]
            times = f"{len(self.joins)} times, first" if len(self.joins) > 1 else "once,"
            said.append(
                f"{name}: the clock jumps back {times} before {place(at_)} by {_span(back * tick_s)}, as where "
                "recordings were joined; the times go on there one frame later."
            )
        return said


def mend(stamps: Sequence[int | None], step: float, tick_s: float, period: int | None = None) -> Mended:
    """Judges time stamps by their neighbours and replaces those that do not fit.

    As many as possible are believed so that those believed ascend; where two sets are as large, the one with the more
    even steps. The others, and frames without a stamp, are set between the believed ones before and after, in equal
    steps. Where more than `MOST_WRONG` would have to be wrong at one place, the clock jumps back there: what follows is
    moved as a whole to go on one step later. Gaps are kept, however long: only the container knows of a pause.

    Args:
        stamps: In the order the frames are shown; None where a frame has none.
        step: Units of the time base from frame to frame, for where the stamps do not tell.
        tick_s: Seconds of one unit.
        period: Units after which the clock of the container starts anew (2**33 in MPEG), if it does.
    """
    n = len(stamps)
    known = np.array([i for i, stamp in enumerate(stamps) if stamp is not None], int)
    missing = np.ones(n, bool)
    missing[known] = False
    if not len(known):
        return Mended(np.arange(n) * step, np.zeros(n, bool), missing, np.zeros(n))
    base = stamps[known[0]] or 0
    values = np.array([float(stamps[i] - base) for i in known])  # type: ignore[operator]
    if period:
        values = _unwound(values, period)
    starts = [0, *_joins(values)]
    pts, wrong, moved, joins = np.empty(n), np.zeros(n, bool), np.zeros(n), []
    shift = 0.0
    for start, stop in zip(starts, [*starts[1:], len(values)], strict=True):
        part, at = values[start:stop], known[start:stop]
        trusted = _trusted(part, step, tick_s)
        first, last = (known[start] if start else 0), (known[stop] if stop < len(values) else n)
        filled = _filled(at[trusted], part[trusted], np.arange(first, last), step)
        bad = at[~trusted]
        wrong[bad], moved[bad] = True, np.abs(filled[bad - first] - part[~trusted])
        if start:
            back = pts[first - 1] - shift - filled[0]
            shift = pts[first - 1] + _usual(filled, step) - filled[0]
            joins.append((int(first), float(back)))
        pts[first:last] = filled + shift
    return Mended(pts + base, wrong, missing, moved, tuple(joins))


def _unwound(values: np.ndarray, period: int) -> np.ndarray:
    """The stamps as if the clock had not started anew; a jump is the shorter way round."""
    jumps = np.diff(values)
    turns = np.where(np.abs(jumps) > period / 2, np.round(jumps / period), 0)
    return values - period * np.concatenate([[0.0], np.cumsum(turns)])


def _descents(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(values) <= 0) + 1


def _joins(values: np.ndarray) -> list[int]:
    """Where a part begins that contradicts what is before it by more than single stamps."""
    joins: list[int] = []
    descents = _descents(values).tolist()
    while True:
        limits = np.array([0, *joins, len(values)])
        costs: dict[int, int] = {}
        for k in descents:
            if k in joins:
                continue
            after = int(np.searchsorted(limits, k, side="right"))
            left = values[max(limits[after - 1], k - REACH) : k]
            right = values[k : min(limits[after], k + REACH)]
            levels = np.append(-np.inf, left)[:, None]
            contradict = int(((left > levels).sum(axis=1) + (right <= levels).sum(axis=1)).min())
            if contradict > max(1, min(MOST_WRONG, len(left) // 2, len(right) // 2)):
                costs[k] = _disorder(left) + _disorder(right)
        if not costs:
            return joins
        while costs:  # of places close together, the one whose sides are in the best order
            first = min(costs)
            near = [k for k in costs if k < first + REACH]
            joins.append(min(near, key=lambda k: costs[k]))
            costs = {k: cost for k, cost in costs.items() if k not in near}
        joins.sort()


def _disorder(values: np.ndarray) -> int:
    """How many must go so that the others ascend."""
    tails: list[float] = []
    for value in values.tolist():
        place = bisect_left(tails, value)
        tails[place : place + 1] = [value]
    return len(values) - len(tails)


def _trusted(values: np.ndarray, step: float, tick_s: float) -> np.ndarray:
    """bool: the largest set that ascends, less a first or last one that is hours away."""
    trusted = np.ones(len(values), bool)
    spans: list[list[int]] = []
    for k in _descents(values).tolist():
        if spans and k - REACH <= spans[-1][1]:
            spans[-1][1] = k + REACH
        else:
            spans.append([max(0, k - REACH), k + REACH])
    for low, high in spans:
        trusted[low:high] = _longest_ascending(values[low:high], step, low > 0, high < len(values))
    at = np.flatnonzero(trusted)
    if len(at) > 2:
        steps = np.diff(values[at])
        far = max(END_GAP_S / tick_s, 1000 * _usual(values[at], step))
        trusted[at[0]] = steps[0] < far
        trusted[at[-1]] = steps[-1] < far
    return trusted


def _longest_ascending(values: np.ndarray, step: float, first: bool, last: bool) -> np.ndarray:
    """bool: the longest ascending part, of several as long the one with the most even steps.

    `first` and `last`: whether it has to begin with the first and end with the last value.
    """
    n = len(values)
    usual = _usual(values, step)
    score, before = np.full(n, -np.inf), np.full(n, -1)
    for i in range(n):
        if i == 0 or not first:
            score[i] = 1.0
        low = max(0, i - REACH)
        gaps = values[i] - values[low:i]
        uneven = np.minimum(np.abs(gaps / (usual * np.arange(i - low, 0, -1)) - 1), _IRREGULAR)
        scores = np.where(gaps > 0, score[low:i] + 1 - 1e-6 * uneven, -np.inf)
        if len(scores) and scores.max() > score[i]:
            before[i] = low + int(scores.argmax())
            score[i] = scores.max()
    at = n - 1 if last and np.isfinite(score[-1]) else int(score.argmax())
    chosen = np.zeros(n, bool)
    while at >= 0:
        chosen[at] = True
        at = int(before[at])
    return chosen


def _usual(values: np.ndarray, step: float) -> float:
    """The median step, of those that ascend."""
    steps = np.diff(values)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else step


def _filled(at: np.ndarray, values: np.ndarray, frames: np.ndarray, step: float) -> np.ndarray:
    """Stamps of all `frames` from those of the frames `at`: in equal steps between them, in usual steps outside."""
    filled = np.interp(frames, at, values)
    filled += _usual(values[:REACH], step) * np.minimum(frames - at[0], 0)
    filled += _usual(values[-REACH:], step) * np.maximum(frames - at[-1], 0)
    return filled


def _span(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
