"""How fast a video is labelled again once it has been read: from its features and its anchors alone.

    python bench/relabel.py

A clip made of the sample is extracted, which gives the seconds a frame takes to be read. Its features, repeated with a
little noise, are then those of longer videos, which are labelled from anchors on some of their frames. The last column
is the time of that over what extraction of as many frames takes in the same run. Each video is labelled in a process of
its own, so that its peak of memory is known; the growth is what labelling needs beside the features.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from people_clip import SAMPLE, make_clip

from mtclar.data.anchors import VideoAnchors
from mtclar.features import Faces, Features
from mtclar.features.extract import extract
from mtclar.labelling import annotate
from mtclar.settings import load_settings
from mtclar.steps.label_video import calibration_of
from mtclar.steps.models import open_predictor
from mtclar.video import open_video

ROOT = Path(__file__).parents[1]
CASES = ((3_000, 20), (100_000, 200))
"""Frames and anchors."""


def longer(features: Features, frames: int) -> Features:
    """Features of so many frames with a face in each, the faces of a clip over and over."""
    rng, some = np.random.default_rng(0), features.faces
    own = np.flatnonzero(some.track == np.bincount(some.track).argmax())
    faces: Faces = some[own[np.arange(frames) % len(own)]]
    embedding = faces.embedding
    for start in range(0, frames, 10_000):
        part = embedding[start : start + 10_000]
        part += (0.02 * rng.normal(size=part.shape)).astype(np.float16)
    faces = replace(faces, frame=np.arange(frames), track=np.zeros(frames, np.int64), embedding=embedding)
    return Features(
        pts=np.arange(frames),
        time_s=np.arange(frames) / 25,
        shot=np.zeros(frames, np.int64),
        faces=faces,
        video=features.video,
        identity=features.identity,
    )


def relabel(features: Features, frames: int, anchors: int, answers: multiprocessing.Queue) -> None:
    """Labels a long video from anchors that say what is predicted, and tells seconds and megabytes."""
    settings, predictor = load_settings(ROOT / "params.yaml").label, open_predictor("default", None)
    calibration, _ = calibration_of(predictor)
    video = longer(features, frames)
    at = np.sort(np.random.default_rng(1).choice(frames, anchors, replace=False))
    said = np.clip(video.faces.prediction[at].astype(np.float64), -1, 1).round(1)
    before, start, busy = peak_mb(), time.perf_counter(), time.process_time()
    annotate(video, VideoAnchors(at, said, np.ones(anchors)), settings, calibration)
    answers.put((time.perf_counter() - start, time.process_time() - busy, before, peak_mb()))


def peak_mb() -> float:
    """The most memory this process has had, in megabytes of 10^6 bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage tells of the process that started this one, too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=250, help="of the clip that is extracted")
    parser.add_argument("--cases", default=",".join(f"{n}x{k}" for n, k in CASES), help="frames x anchors")
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="folder of the sample's videos")
    options = parser.parse_args()
    settings = load_settings(ROOT / "params.yaml").extract
    with tempfile.TemporaryDirectory() as scratch:
        clip = make_clip(Path(scratch) / "clip.mp4", options.frames, options.sample)
        predictor = open_predictor("default", None)
        start, busy = time.perf_counter(), time.process_time()
        with open_video(clip) as video:
            features = extract(video, predictor, settings)
        each, each_busy = (
            (end - begin) / options.frames for begin, end in ((start, time.perf_counter()), (busy, time.process_time()))
        )
    print("| frames | anchors | s | s of all cores | peak MB | growth MB | over extraction | of all cores |")
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for case in options.cases.split(","):
        frames, anchors = (int(number) for number in case.split("x"))
        answers: multiprocessing.Queue = context.Queue()
        process = context.Process(target=relabel, args=(features, frames, anchors, answers))
        process.start()
        wall, cpu, before, peak = answers.get()
        process.join()
        ratios = f"{wall / (each * frames):.4f} | {cpu / (each_busy * frames):.4f}"
        print(f"| {frames} | {anchors} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {peak - before:.0f} | {ratios} |")


if __name__ == "__main__":
    main()
