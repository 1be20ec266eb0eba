import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from toy_work import Toy

from mtclar.batch import Item, run_batch
from mtclar.data.out_folder import OutFolder
from mtclar.errors import MtclarError

BATCH = """
import sys
from pathlib import Path
from toy_work import Toy, Writing
from mtclar.batch import Item, run_batch
if __name__ == "__main__":
    kind, folder, jobs, *names = sys.argv[1:]
    work = {"toy": Toy, "writing": Writing}[kind](Path(folder))
    run_batch([Item(name, name) for name in names], work, jobs=int(jobs))
"""


def items(*names):
    return [Item(name, name) for name in names]


def begun(folder: Path) -> list[list[str]]:
    path = folder / "begun"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def start(kind: str, folder: Path, jobs: int, *names: str) -> subprocess.Popen:
    script = folder / "batch.py"
    script.write_text(BATCH)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, script, kind, folder, str(jobs), *names],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        # Where the parent ignores SIGINT (a job in the background), so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_until(true, timeout_s=30.0):
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def children(parent: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_is_done_or_fails_alone_and_both_are_told_in_order(tmp_path, jobs):
    names = ("a", "library-1", "b", "known-1", "leave-1", "c")
    result = run_batch(items(*names), Toy(tmp_path), jobs=jobs)
    assert [(item.name, made) for item, made in result.done] == [("a", "a!"), ("b", "b!"), ("c", "c!")]
    assert [failure.item.name for failure in result.failed] == ["library-1", "known-1", "leave-1"]
    library, known, leave = result.failed
    assert library.sentence == ("library-1: failed unexpectedly (LibraryError: the codec has fallen over (7)).")
    assert "in __call__" in library.trace
    assert (known.sentence, known.trace) == ("known-1: is no video; give one.", None)
    assert "SystemExit" in leave.sentence


def test_a_process_that_dies_fails_its_item_alone_and_says_how_it_ended(tmp_path):
    result = run_batch(items("a", "segfault-1", "b", "memory-1", "c", "lambda-1", "d"), Toy(tmp_path), jobs=2)
    assert [item.name for item, _ in result.done] == ["a", "b", "c", "d"]
    segfault, memory, unsendable = [failure.sentence for failure in result.failed]
    assert segfault == "segfault-1: the process that worked on it was ended by SIGSEGV."
    assert memory.startswith("memory-1: the process that worked on it was ended by SIGKILL, as happens when memory")
    assert unsendable.startswith("lambda-1: failed unexpectedly")
    assert Counter(name for name, _ in begun(tmp_path)).most_common(1)[0][1] == 1


def test_one_process_does_many_items_and_one_job_is_done_in_this_process(tmp_path):
    run_batch(items(*map(str, range(8))), Toy(tmp_path), jobs=2)
    assert len({pid for _, pid in begun(tmp_path)}) <= 2
    (tmp_path / "begun").unlink()
    run_batch(items("a", "b"), Toy(tmp_path), jobs=1)
    assert {int(pid) for _, pid in begun(tmp_path)} == {os.getpid()}


def test_progress_adds_up_all_items_and_waits_for_no_steps_that_never_come(tmp_path):
    seen = []
    names = [Item("a", "a", steps=10), Item("known-1", "known-1", steps=1000), Item("b", "b")]
    run_batch(names, Toy(tmp_path), progress=lambda *told: seen.append(told))
    assert seen[0] == (1, 10 + 1000 + 505, "a (1/3)")
    assert seen[-1][:2] == (20, 20)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


def test_jobs_tell_their_progress_too(tmp_path):
    seen = []
    run_batch(items("a", "b", "c"), Toy(tmp_path), jobs=3, progress=lambda *told: seen.append(told))
    assert seen[-1][:2] == (30, 30)


def test_less_than_one_job_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="expected --jobs of 1 or more, got 0"):
        run_batch(items("a"), Toy(tmp_path), jobs=0)


@pytest.mark.parametrize("jobs", [1, 3])
def test_ctrl_c_ends_all_processes_at_once(tmp_path, jobs):
    names = ["sleep-1", "sleep-2", "sleep-3"]
    parent = start("toy", tmp_path, jobs, *names)
    wait_until(lambda: len(begun(tmp_path)) == jobs)
    pids = [int(pid) for _, pid in begun(tmp_path)]
    asked = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    words = parent.communicate(timeout=10)[1]
    assert words.rstrip().endswith("KeyboardInterrupt")
    assert words.count("Traceback") == 1
    assert time.monotonic() - asked < 5
    assert not any(map(running, pids))


def test_ctrl_c_while_processes_start_is_no_noise(tmp_path):
    parent = start("toy", tmp_path, 3, "sleep-1", "sleep-2", "sleep-3")
    wait_until(lambda: children(parent.pid))
    os.killpg(parent.pid, signal.SIGINT)
    words = parent.communicate(timeout=10)[1]
    assert words.count("Traceback") == 1, words


def test_a_script_that_is_not_guarded_is_told_so_and_starts_no_processes_without_end(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(BATCH.replace('if __name__ == "__main__":', "if True:"))
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    answer = subprocess.run(
        [sys.executable, script, "toy", tmp_path, "2", "a", "b"],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert answer.returncode == 1
    assert "must do so below" in answer.stderr
    assert not begun(tmp_path)


def test_of_one_job_that_is_isolated_an_item_that_kills_its_process_fails_alone(tmp_path):
    result = run_batch(items("memory-1", "fine-2"), Toy(tmp_path), jobs=1, isolated=True)
    assert [item.name for item, _ in result.done] == ["fine-2"]
    assert [failure.item.name for failure in result.failed] == ["memory-1"]


def test_when_the_first_process_is_killed_the_others_end_too(tmp_path):
    parent = start("toy", tmp_path, 2, "sleep-1", "sleep-2")
    wait_until(lambda: len(begun(tmp_path)) == 2)
    pids = [int(pid) for _, pid in begun(tmp_path)]
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(map(running, pids)), timeout_s=10)


def test_killed_again_and_again_a_batch_loses_and_repeats_nothing_finished(tmp_path):
    """The whole batch or one of its processes is killed at odd moments until a call comes to its end."""
    rng, names = random.Random(0), [f"v{number}" for number in range(12)]
    finished: set[str] = set()
    kills = 0
    for turn in range(30):
        parent = start("writing", tmp_path, 2, *names)
        if turn < 6:
            manifests = tmp_path / "out" / ".mtclar" / "label"
            before = len(list(manifests.glob("*.json"))) if manifests.is_dir() else 0
            wait_until(lambda: parent.poll() is not None or len(list(manifests.glob("*.json"))) > before)  # noqa: B023
            time.sleep(rng.uniform(0, 0.05))
            parent.kill()
            kills += 1
        assert parent.wait() in (0, -signal.SIGKILL), parent.stderr.read()
        with OutFolder(tmp_path / "out", "label") as folder:
            now = {name for name in names if folder.finished(name, {"value": name}) is not None}
            assert finished <= now, "something finished was lost"
            finished = now
        if turn >= 6:
            break
    assert kills == 6
    assert finished == set(names)
    assert max(Counter((tmp_path / "written").read_text().split()).values()) == 1
    for name in names:
        assert (tmp_path / "out" / f"{name}.csv").read_text() == (tmp_path / "out" / f"{name}.html").read_text() == name
