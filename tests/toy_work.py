"""Work for the tests of a batch: a module of its own, since other processes import it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from mtclar.data.out_folder import OutFolder
from mtclar.errors import MtclarError


class LibraryError(Exception):
    """What a library raises that cannot even be pickled back: it wants two arguments."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(f"{words} ({code})")


@dataclass
class Toy:
    """Does what it is told; notes every item it begins in `folder`/begun, with its process."""

    folder: Path

    def __call__(self, value, progress):
        with (self.folder / "begun").open("a") as file:
            file.write(f"{value} {os.getpid()}\n")
        match str(value).split("-")[0]:
            case "library":
                raise LibraryError(7, "the codec has fallen over")
            case "known":
                raise MtclarError(f"{value}: is no video; give one.")
            case "leave":
                raise SystemExit(0)
            case "segfault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "memory":
                os.kill(os.getpid(), signal.SIGKILL)
            case "lambda":
                return lambda: None
            case "sleep":
                time.sleep(600)
            case "interrupt":
                os.kill(os.getppid(), signal.SIGINT)
                time.sleep(600)
        for step in range(10):
            progress(step + 1, 10)
        return f"{value}!"


@dataclass
class Writing:
    """Writes two files for every item that is not finished, slowly, and notes every one it wrote."""

    folder: Path
    pause_s: float = 0.02

    def __call__(self, value, progress):
        inputs = {"value": value}
        with OutFolder(self.folder / "out", "label") as out:
            if out.finished(value, inputs) is not None:
                return "skipped"
            time.sleep(self.pause_s)
            with out.stage(value) as stage:
                for ending in ("csv", "html"):
                    (stage.path / f"{value}.{ending}").write_text(value)
                    time.sleep(self.pause_s)
                stage.inputs, stage.row = inputs, {"value": value}
        with (self.folder / "written").open("a") as file:
            file.write(f"{value}\n")
        return "written"
