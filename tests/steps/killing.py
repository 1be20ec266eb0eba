"""Trains in children that are killed at odd moments, then once to the end; run by test_train_killed.py.

`python killing.py FOLDER`: FOLDER holds faces/, pairs/ and settings.json. `whole/` is trained without a kill; `killed/`
by children that are killed before the n-th thing they do to a file below it, or after some time. What was imported
is shared with the children, which are forks, so a child is at work at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from mtclar.settings import TrainSettings
from mtclar.steps import train

TOUCHING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def child(folder: Path, out: Path, *, at_touch: int = -1) -> int:
    """Starts a training into `out`, which kills itself before it touches a file below `out` for that many-th time."""
    pid = os.fork()
    if pid:
        return pid
    touched = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal touched
        if event in TOUCHING and str(out) in str(arguments[0]):
            touched += 1
            if touched == at_touch:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    settings = TrainSettings.model_validate_json((folder / "settings.json").read_text())
    train.run(settings, faces=folder / "faces", pairs=folder / "pairs", out=out)
    (folder / "touched").write_text(str(touched))
    os._exit(0)


def ended(pid: int) -> int:
    """Waits for a child; its exit code, or the negative signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: Path) -> None:
    rng = random.Random(0)
    start = time.monotonic()
    if ended(child(folder, folder / "whole")):
        raise SystemExit("the training that nobody killed failed")
    whole_s, touches = time.monotonic() - start, int((folder / "touched").read_text())
    kills = 0
    for i in range(9):
        if i % 3 == 2:
            pid = child(folder, folder / "killed")
            time.sleep(rng.uniform(0.1, 0.9) * whole_s / 2)
            os.kill(pid, signal.SIGKILL)
        else:
            pid = child(folder, folder / "killed", at_touch=rng.randrange(1, touches // 2))
        code = ended(pid)
        if code > 0:
            raise SystemExit(f"a resumed training failed with code {code}")
        kills += code == -signal.SIGKILL
        if code == 0:
            break
    if ended(child(folder, folder / "killed")):
        raise SystemExit("the last training failed")
    sys.stdout.write(f"{kills} kills, {touches} touches, {whole_s:.1f} s\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
