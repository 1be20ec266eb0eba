"""How much memory a long video takes, and whether its end is read as fast as its beginning.

    python bench/long_video.py --minutes 60

The video, 640 by 360 pixels and 25 frames a second, repeats a clip of people who do not exist. It is labelled by a
process of its own, from nothing to files; that process says how much memory it held at most, and what each tenth of the
frames took: by the clock and, which other work on the machine disturbs less, of all cores together.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from people_clip import FPS, SAMPLE, make_clip

ROOT = Path(__file__).parents[1]
MOST_GB, MOST_SLOWER = 1.2, 1.10
SKIPPED = 250
"""Frames at the beginning that do not count: caches fill and threads start."""


def labelled(video: Path, out: Path, frames: int) -> dict[str, object]:
    """Labels a video in this process; peak memory in GB, and seconds by the clock and of all cores of each tenth."""
    from mtclar.settings import load_settings
    from mtclar.steps import label

    marks = [SKIPPED + round(tenth * (frames - SKIPPED) / 10) for tenth in range(11)]
    seen: list[tuple[float, float, int]] = []

    def watch(done: int, total: int, what: str = "", /) -> None:
        if len(seen) < len(marks) and done >= marks[len(seen)]:
            seen.append((time.perf_counter(), time.process_time(), done))

    settings = load_settings(ROOT / "params.yaml")
    start = time.perf_counter()
    label.run(settings.label, settings.extract, videos=[video], anchors=None, model="default", out=out, progress=watch)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    steps = list(itertools.pairwise(seen))
    return {
        "gb": peak * 1024 / 1e9,
        "wall": [(b[0] - a[0]) / (b[2] - a[2]) for a, b in steps],
        "cpu": [(b[1] - a[1]) / (b[2] - a[2]) for a, b in steps],
        "read_s": seen[-1][0] - start,
        "whole_s": time.perf_counter() - start,
    }


def main() -> None:
    """Prints memory and what the last tenth of the frames took beside the first."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--sample", type=Path, default=SAMPLE, help="folder of the sample's videos")
    arguments.add_argument("--label", nargs=2, type=Path, metavar=("VIDEO", "OUT"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    frames = round(given.minutes * 60 * FPS)
    if given.label:
        print(json.dumps(labelled(*given.label, frames)))
        return
    with tempfile.TemporaryDirectory(prefix="mtclar-bench-") as folder:
        scratch = Path(folder)
        video = make_clip(scratch / "long.mp4", frames, given.sample)
        command = [sys.executable, __file__, "--minutes", str(given.minutes), "--label", video, scratch / "out"]
        environment = {**os.environ, "MTCLAR_CACHE": str(scratch / "cache"), "PYTHONPATH": str(ROOT)}
        told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
        made = sum(file.stat().st_size for file in (scratch / "out").rglob("*") if file.is_file())
        kept = sum(file.stat().st_size for file in (scratch / "cache").rglob("*") if file.is_file())
    found = json.loads(told)
    slower = {kind: found[kind][-1] / found[kind][0] for kind in ("wall", "cpu")}
    after = (found["whole_s"] - found["read_s"]) / found["read_s"]
    print(f"{frames} frames, {given.minutes:g} minutes: {made / 1e6:.0f} MB of files, {kept / 1e6:.0f} MB of features")
    print(f"memory at most {found['gb']:.2f} GB (aim: {MOST_GB})")
    print(
        f"last tenth over first: {slower['wall']:.2f} by the clock, {slower['cpu']:.2f} of all cores "
        f"(aim: {MOST_SLOWER:.2f})"
    )
    print(f"after the last frame {after:.1%} of the time until then")


if __name__ == "__main__":
    main()
