"""Processes that draw: all tasks are done, an error stops them, and none outlives its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar.errors import MtclarError
from mtclar.synthesis.bulk.pool import each_done

SLEEPERS = """
import sys, time
sys.path.insert(0, {here!r})
from mtclar.synthesis.bulk.pool import each_done
from test_bulk_pool import sleep

if __name__ == "__main__":
    for _ in each_done(sleep, [(300,), (300,)], 2):
        pass
"""


def double(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    raise MtclarError(f"not {number}.")


def vanish(number: int) -> int:
    os._exit(number)


def sleep(seconds: int) -> int:
    import time

    sys.stdout.write("asleep\n")
    sys.stdout.flush()
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_once(workers: int) -> None:
    assert sorted(each_done(double, [(i,) for i in range(7)], workers)) == [0, 2, 4, 6, 8, 10, 12]


def test_what_a_task_has_to_say_comes_through() -> None:
    with pytest.raises(MtclarError, match="not 3"):
        list(each_done(refuse, [(3,), (3,)], 2))


def test_a_process_that_is_killed_is_one_sentence() -> None:
    with pytest.raises(MtclarError, match="a process that draws was killed"):
        list(each_done(vanish, [(1,), (1,)], 2))


def test_no_process_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS.format(here=str(Path(__file__).parent)))
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert [parent.stdout.readline() for _ in range(2)] == ["asleep\n", "asleep\n"]
    parent.kill()
    # The pipe has an end only when nobody holds it open any more.
    assert parent.communicate(timeout=20) == ("", None)
