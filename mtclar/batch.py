"""Many videos, several processes: every video is done, or fails alone and says why.

Each process takes one item after the other through a pipe of its own, so one that dies (a segmentation fault in a
library, no memory left, `kill -9`) takes its item with it and nothing else. Processes are started anew (spawn) and
end when the one that started them does.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar

from mtclar.errors import MtclarError, brief
from mtclar.progress import Progress, silent

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)

REPORT_S = 0.1
"""A process tells how far it is at most this often."""
PATIENCE_S = 3.0
"""A process that is told to end has this long until it is killed."""
NOT_BEGUN = (
    "a process that was to work ended before it began; a script that uses several jobs must do so below "
    "'if __name__ == \"__main__\":', or use one job."
)


@dataclass(frozen=True)
class Item(Generic[T]):
    """One piece of work.

    Attributes:
        name: What messages call it.
        value: What the work is given; between processes it is pickled.
        steps: How many steps (frames) it is expected to take, if that is known.
    """

    name: str
    value: T
    steps: int | None = None


class Work(Protocol[T_contra, R_co]):
    """What is done with each item.

    With several processes it is pickled once for each. What is costly to open (a model) it opens at its first item and
    keeps. `progress` is told the steps of this item alone.
    """

    def __call__(self, value: T_contra, progress: Progress, /) -> R_co: ...


@dataclass(frozen=True)
class Failure(Generic[T]):
    """An item that could not be done.

    Attributes:
        item: The item.
        sentence: Why, in one sentence.
        trace: The traceback, where the error was not one that we know.
    """

    item: Item[T]
    sentence: str
    trace: str | None = None


@dataclass(frozen=True)
class BatchResult(Generic[T, R]):
    """What became of the items, both in their order."""

    done: tuple[tuple[Item[T], R], ...]
    failed: tuple[Failure[T], ...]


def run_batch(
    items: Sequence[Item[T]],
    work: Work[T, R],
    *,
    jobs: int = 1,
    isolated: bool = False,
    progress: Progress = silent,
    on_done: Callable[[Item[T], R], None] | None = None,
    on_failed: Callable[[Failure[T]], None] | None = None,
) -> BatchResult[T, R]:
    """Does `work` with every item; whatever it raises is that item's failure alone.

    Args:
        items: The items.
        work: What to do; with `jobs` > 1 it, the items and the results can be pickled.
        jobs: How many processes; 1 works in this one.
        isolated: Work in other processes though there is one job, so that none can end this one.
        progress: Told the steps done and expected of all items together.
        on_done: Called in this process when an item is done.
        on_failed: Called in this process when an item has failed.

    Raises:
        KeyboardInterrupt: Ctrl-C; the processes have been ended.
        MtclarError: `jobs` is less than 1, or processes cannot be started.
    """
    if jobs < 1:
        raise MtclarError(f"expected --jobs of 1 or more, got {jobs}.")
    told = _Told(items, progress)
    results: dict[int, R] = {}
    failures: dict[int, Failure[T]] = {}

    def end(index: int, result: R | None, failure: Failure[T] | None) -> None:
        told.end(index)
        if failure is not None:
            failures[index] = failure
            if on_failed is not None:
                on_failed(failure)
        else:
            results[index] = result  # type: ignore[assignment]
            if on_done is not None:
                on_done(items[index], results[index])

    if min(jobs, len(items)) <= 1 and not isolated:
        for index, item in enumerate(items):
            end(index, *_attempt(item, work, told.of(index)))
    else:
        _in_processes(items, work, min(jobs, len(items)), told, end)
    return BatchResult(
        tuple((items[index], results[index]) for index in sorted(results)),
        tuple(failures[index] for index in sorted(failures)),
    )


def _attempt(item: Item[T], work: Work[T, R], progress: Progress) -> tuple[R | None, Failure[T] | None]:
    """The result of one item, or why there is none."""
    try:
        return work(item.value, progress), None
    except MtclarError as error:
        return None, Failure(item, str(error))
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {words}" if (words := brief(error)) != type(error).__name__ else words
        return None, Failure(item, f"{item.name}: failed unexpectedly ({reason}).", traceback.format_exc())


class _Told:
    """Adds up how far the items are: what is done, and what all take if those not begun take what others do."""

    def __init__(self, items: Sequence[Item[Any]], progress: Progress) -> None:
        self._items, self._progress = items, progress
        self._done = [0] * len(items)
        self._expected = [item.steps for item in items]
        self._all_done, self._ended = 0, 0
        self._all_expected = sum(steps or 0 for steps in self._expected)
        self._open = sum(steps is None for steps in self._expected)
        self._known = sum(bool(steps) for steps in self._expected)

    def of(self, index: int) -> Progress:
        """The progress of one item."""

        def tell(done: int, total: int, what: str = "", /) -> None:
            self._set(index, done, total)
            self._tell(what or self._items[index].name)

        return tell

    def end(self, index: int) -> None:
        """An item has ended; what it did not do (it was there already, it failed) is not to be waited for."""
        self._ended += 1
        self._set(index, self._done[index], self._done[index])
        if len(self._items) > 1:
            self._tell(self._items[index].name)

    def _set(self, index: int, done: int, expected: int) -> None:
        before = self._expected[index]
        self._open -= before is None
        self._known += bool(expected) - bool(before)  # one that was there already says nothing of the others
        self._all_expected += expected - (before or 0)
        self._all_done += done - self._done[index]
        self._done[index], self._expected[index] = done, expected

    def _tell(self, what: str) -> None:
        total = self._all_expected + (self._open * self._all_expected // self._known if self._known else 0)
        if len(self._items) > 1:
            what = f"{what} ({min(self._ended + 1, len(self._items))}/{len(self._items)})"
        self._progress(self._all_done, max(total, self._all_done), what)


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    index: int = -1
    """The item it is at; -1: none."""
    began: bool = False
    """Whether it has said that it is there."""


def _in_processes(
    items: Sequence[Item[T]],
    work: Work[T, R],
    jobs: int,
    told: _Told,
    end: Callable[[int, R | None, Failure[T] | None], None],
) -> None:
    waiting = deque(range(len(items)))
    workers: list[_Worker] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(work))
                _give(workers[-1], items, waiting)
            heard = wait([worker.pipe for worker in workers])
            for worker in [worker for worker in workers if worker.pipe in heard]:
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, OSError):
                    _close(worker)
                    workers.remove(worker)
                    if not worker.began and (worker.process.exitcode or 0) > 0:
                        raise MtclarError(NOT_BEGUN) from None
                    if worker.index >= 0:
                        item = items[worker.index]
                        end(worker.index, None, Failure(item, _obituary(item.name, worker.process.exitcode)))
                    continue
                worker.began = True
                if kind == "began":
                    continue
                if kind == "progress":
                    told.of(worker.index)(*content)
                    continue
                index, worker.index = worker.index, -1
                if kind == "failed":
                    end(index, None, Failure(items[index], *content))
                else:
                    end(index, pickle.loads(content), None)  # noqa: S301 (our own process wrote it)
                if waiting:
                    _give(worker, items, waiting)
                else:
                    _close(worker)
                    workers.remove(worker)
    finally:
        _stop(workers)


def _start(work: Work[Any, Any]) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    # Ctrl-C reaches all processes of a terminal; the first one ends the others, which inherit that they are not told.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return _Worker(process, ours)


def _give(worker: _Worker, items: Sequence[Item[Any]], waiting: deque[int]) -> None:
    worker.index = waiting.popleft()
    with suppress(OSError):  # dead already, which is seen when it is listened to
        worker.pipe.send(items[worker.index])


def _close(worker: _Worker) -> None:
    """Lets a worker go that has no more to do or has died."""
    worker.pipe.close()
    worker.process.join(PATIENCE_S)
    _stop([worker])


def _stop(workers: Iterable[_Worker]) -> None:
    """Ends workers whatever they are at."""
    workers = list(workers)
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + PATIENCE_S
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()


def _obituary(name: str, code: int | None) -> str:
    """Why a process is no more, in a sentence."""
    if code is not None and code < 0:
        try:
            way = f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            way = f"was ended by signal {-code}"
        if -code == signal.SIGKILL:
            way += ", as happens when memory runs out; try fewer --jobs"
    else:
        way = f"ended by itself with exit code {code}"
    return f"{name}: the process that worked on it {way}."


@dataclass
class _Teller:
    """The progress of a worker: at most one message every `REPORT_S`."""

    pipe: Connection
    _last: float = field(default=float("-inf"))

    def __call__(self, done: int, total: int, what: str = "", /) -> None:
        if time.monotonic() - self._last >= REPORT_S or done == total:
            self._last = time.monotonic()
            self.pipe.send(("progress", (done, total, what)))


def _serve(pipe: Connection, work: Work[Any, Any]) -> None:
    """A worker: takes items until there are no more, or nobody is there to give them."""
    pipe.send(("began", None))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        result, failure = _attempt(item, lambda value, tell: pickle.dumps(work(value, tell)), _Teller(pipe))
        try:
            pipe.send(("done", result) if failure is None else ("failed", (failure.sentence, failure.trace)))
        except OSError:
            return


def _end_with_parent() -> None:
    """Ends this process, whatever it is at, when the one that started it is no more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
