"""Makes a faces store in children that are killed at odd moments, then once to the end; run by test_synthesize.py.

`python killing_synthesis.py FOLDER`: FOLDER holds settings.json. `whole` is made without a kill; `killed` by children
that are killed before the n-th thing they do to a file of it or of its parts. The children are forks, so one is at work
at once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import matplotlib.figure  # noqa: F401 - loaded once, for all children

from mtclar.settings import SynthesizeSettings
from mtclar.steps import synthesize

TOUCHING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}


def child(folder: Path, out: Path, *, at_touch: int = -1) -> int:
    """Starts a run into `out`, which kills itself before it touches a file of it for that many-th time."""
    pid = os.fork()
    if pid:
        return pid
    touched = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal touched
        if event in TOUCHING and f"{out.name}." in f"{arguments[0]}.":
            touched += 1
            if touched == at_touch:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    settings = SynthesizeSettings.model_validate_json((folder / "settings.json").read_text())
    synthesize.run(settings, out=out)
    (folder / "touched").write_text(str(touched))
    os._exit(0)


def ended(pid: int) -> int:
    """Waits for a child; its exit code, or the negative signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(folder: Path) -> None:
    if ended(child(folder, folder / "whole")):
        raise SystemExit("the run that nobody killed failed")
    touches = int((folder / "touched").read_text())
    rng, kills, out = random.Random(0), 0, folder / "killed"
    # While it draws, again and again.
    for _ in range(4):
        code = ended(child(folder, out, at_touch=rng.randrange(2, touches // 5)))
        if code > 0:
            raise SystemExit(f"a resumed run failed with code {code}")
        kills += code == -signal.SIGKILL
    if ended(child(folder, out)):
        raise SystemExit("the last run failed")
    # While the store is put together, and when it is in its place and the parts go.
    for back in (12, 3):
        late = folder / f"late-{back}"
        kills += ended(child(folder, late, at_touch=touches - back)) == -signal.SIGKILL
        if ended(child(folder, late)):
            raise SystemExit(f"a run killed {back} touches before its end does not go on")
    sys.stdout.write(f"{kills} kills, {touches} touches\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
