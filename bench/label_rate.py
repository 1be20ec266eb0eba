"""How fast videos are labelled: beside the ideal of its own stages, and beside the labelling of an earlier commit.

    python bench/label_rate.py

The ideal is what the stages take when each runs alone: decoding; finding and following faces; asking the model; and
then, from the features, the labels and their files. No order of work ends before its longest part that must go frame by
frame, nor before all of its work shared by the cores: the ideal is the longer of the two, and the labels after it. The
earlier commit labels the same clip in the same run; both commands are timed
on a short and a long clip, and the difference counts, so starting is not part of it. The best of some rounds counts.

Where other work keeps the cores busy, the clock says little. What all cores took for the stages, over what they took
for the whole, is told too; it is the ratio where no core is ever idle. As root, `chrt --rr 5` before the command keeps
other work away.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from people_clip import SAMPLE, make_clip

from mtclar.features.extract import extract
from mtclar.settings import load_settings
from mtclar.steps import label
from mtclar.steps.models import open_predictor
from mtclar.video import open_video

ROOT = Path(__file__).parents[1]
EARLIER = "4538c4b245c031bfc901ddbbd6836cbe15059e06"
"""The last commit that decoded, detected and embedded one frame after the other at each call."""
CORES = len(os.sched_getaffinity(0))


class Held:
    """A video that is decoded already."""

    def __init__(self, path: Path) -> None:
        with open_video(path) as video:
            self._video, self._frames = video, list(video)
            self.facts = video.facts

    def __iter__(self) -> Iterator[Any]:
        return iter(self._frames)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._video, name)


class Asked:
    """A model that keeps what it is asked, answers at once and knows nothing."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor
        self.batches: list[np.ndarray] = []
        self.pairs: list[tuple[np.ndarray, np.ndarray]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._predictor, name)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.batches.append(crops)
        return np.zeros((len(crops), self._predictor.embedding_size), np.float32)

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, ...]:
        n = len(embedding)
        return np.full((n, 8), 0.125, np.float32), np.zeros(n, np.float32), np.zeros(n, np.float32)

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, ...]:
        self.pairs.append((left, right))
        return tuple(np.zeros(len(left), np.float32) for _ in range(3))


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of all cores together."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def stages(clip: Path, scratch: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Seconds by the clock and of all cores that each stage takes alone, and the whole, by name."""
    both = load_settings(ROOT / "params.yaml")
    settings = both.extract
    predictor = open_predictor("default", None)
    held, asked = Held(clip), Asked(predictor)
    extract(held, asked, settings)
    workers = settings.workers or CORES

    def decode() -> None:
        with open_video(clip) as video:
            for _ in video:
                pass

    def ask() -> None:
        def of(crops: np.ndarray) -> None:
            predictor.single(predictor.embed(crops))

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(of, asked.batches))
            list(pool.map(lambda pair: predictor.compare(*pair), asked.pairs))

    def labels() -> None:
        shutil.rmtree(scratch / "out", ignore_errors=True)
        label.run(both.label, settings, videos=[clip], anchors=None, model=predictor, out=scratch / "out")

    def whole() -> None:
        shutil.rmtree(scratch / "cache" / "features", ignore_errors=True)  # and not the model, if it lies there
        labels()

    calls = {
        "decode": decode,
        "follow": lambda: extract(held, Asked(predictor), settings),
        "ask": ask,
        "whole": whole,
        "labels": labels,
    }
    best = dict.fromkeys(calls, (np.inf, np.inf))
    for _ in range(rounds):
        for name, call in calls.items():
            best[name] = min(best[name], timed(call))
    return best


def command_s(clip: Path, code: Path, scratch: Path) -> float:
    """Seconds that `mtclar label` of the code in a folder takes, with nothing known of the clip before."""
    for folder in ("out", "cache"):
        shutil.rmtree(scratch / folder, ignore_errors=True)
    environment = {**os.environ, "PYTHONPATH": str(code), "MTCLAR_CACHE": str(scratch / "cache")}
    command = [sys.executable, "-m", "mtclar", "label", clip, "--out", scratch / "out", "--quiet"]
    start = time.perf_counter()
    subprocess.run(command, cwd=code, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def rate(short: Path, long: Path, frames: int, code: Path, scratch: Path, rounds: int) -> float:
    """Frames a second of the command, the start not counted."""
    long_s = min(command_s(long, code, scratch) for _ in range(rounds))
    return frames / (long_s - min(command_s(short, code, scratch) for _ in range(rounds)))


def main() -> None:
    """Prints the stages, then both rates and what they are to each other."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--frames", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--earlier", default=EARLIER, help="commit to compare with; empty: none")
    arguments.add_argument("--sample", type=Path, default=SAMPLE, help="folder of the sample's videos")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="mtclar-bench-") as folder:
        scratch = Path(folder)
        clip = make_clip(scratch / "long.mp4", given.frames, given.sample)
        os.environ["MTCLAR_CACHE"] = str(scratch / "cache")
        found = stages(clip, scratch, given.rounds)
        print(f"{given.frames} frames of 640 by 360 pixels, {CORES} cores")
        print(f"{'stage':<10}{'s':>8}{'core s':>8}{'frames/s':>10}")
        for name, (wall, cpu) in found.items():
            print(f"{name:<10}{wall:>8.2f}{cpu:>8.2f}{given.frames / wall:>10.1f}")
        alone = [found[name] for name in ("decode", "follow", "ask")]
        ideal = max(found["decode"][0], found["follow"][0], sum(cpu for _, cpu in alone) / CORES) + found["labels"][0]
        work = sum(cpu for _, cpu in alone) + found["labels"][1]
        print(
            f"whole over ideal {ideal / found['whole'][0]:.2f} (aim: at least 0.85), "
            f"of what all cores took {work / found['whole'][1]:.2f}"
        )
        if given.earlier:
            beside_earlier(clip, given, scratch)


def beside_earlier(clip: Path, given: argparse.Namespace, scratch: Path) -> None:
    """Prints the rate of this code and of an earlier commit, each with the model that came with it."""
    few = max(given.frames // 8, 10)
    short, old = make_clip(scratch / "short.mp4", few, given.sample), scratch / "earlier"
    added = subprocess.run(["git", "worktree", "add", "--quiet", "--detach", old, given.earlier], cwd=ROOT, check=False)
    if added.returncode or importlib.util.find_spec("dlib") is None:
        print("earlier: not measured; that needs the history of the repository and the package dlib-bin")
        return
    try:
        rates = [rate(short, clip, given.frames - few, code, scratch, given.rounds) for code in (old, ROOT)]
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", old], cwd=ROOT, check=True)
    print(f"earlier {rates[0]:.1f} frames/s, now {rates[1]:.1f}: {rates[1] / rates[0]:.2f} times (aim: at least 2.5)")


if __name__ == "__main__":
    main()
