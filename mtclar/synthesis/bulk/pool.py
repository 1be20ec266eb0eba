"""Many processes that draw parts, and end when their parent does."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from mtclar.errors import MtclarError


def each_done(draw: Callable[..., int], tasks: Sequence[tuple[object, ...]], workers: int) -> Iterator[int]:
    """Calls `draw(*task)` for every task, in this process or in several; gives what each returns as it ends.

    Args:
        draw: A function that can be sent to another process.
        tasks: Its arguments, call by call.
        workers: Processes; 0 for one a core.

    Raises:
        MtclarError: A process was killed from outside. An error of `draw` comes through, and no task is begun after it.
    """
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count <= 1:
        for task in tasks:
            yield draw(*task)
        return
    # Spawned, not forked: a rendering library that was opened before a fork does not survive it.
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        for future in as_completed([pool.submit(draw, *task) for task in tasks]):
            yield future.result()
    except BrokenProcessPool as error:
        raise MtclarError(
            "a process that draws was killed, perhaps for want of memory; run the same command again to go on, "
            "with a smaller synthesize.workers if it happens again."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Leaves Ctrl-C to the parent, and ends this process when the parent is gone, even one that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
