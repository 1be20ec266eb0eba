"""Which faces a detector finds, what else it takes for one, and how long it looks, beside dlib's HOG in one run.

    python bench/detect.py                # held-out people and, where they are at hand, real pictures
    python bench/detect.py --thresholds   # training people: what the thresholds of mtclar.faces.models were chosen on

`hard` is the share of faces found in pictures of `mtclar synthesize` with everything hard at 1, whose truth is known:
a box counts that overlaps the true one by 0.2 of their union. `false` are pictures without a face in which one is
found, of 1,000. `real` is the share of faces in ../shared/real, counted by hand. Times are beside HOG's on the same
pictures; `video` is a clip in which shots are found and faces followed as `mtclar extract` does it, beside HOG in every
frame. The rendered artist needs MTCLAR_FACE_MODEL; without it people are drawn, which are easier.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from faceless import faceless, tiles

from mtclar.errors import MtclarError
from mtclar.faces import Detector, Face, box_from_landmarks, by_shot, open_detector, open_tracker, overlap
from mtclar.faces.mesh import MeshModel
from mtclar.faces.models import DOUBTFUL, PRESENT, THRESHOLDS
from mtclar.settings import load_settings
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.bulk_plan import bulk_jobs
from mtclar.synthesis.plan import generator
from mtclar.synthesis.shots import shots
from mtclar.video import open_video

DETECTORS = ("hog", "full-range", "back", "short-range", "centerface", "ladder")
REAL = Path(__file__).parents[1].parent / "shared" / "real"
STILLS = {"multi_face.jpg": 5, "portrait_a.jpg": 1, "portrait_b.jpg": 1, "partial_face.jpg": 1, "two_people.jpg": 2}
CLIPS = {"single_face.mp4": 72, "face_noface.mov": 75}
"""Frames that show one face, from the first on."""
UNCLEAR = 8
"""Frames around the last that shows a face that count for neither."""
FOUND = 0.2
SAMPLE = Path("data/sample/videos/solo_1.mp4")
GRID = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8)


def hard_pictures(split: str, count: int) -> tuple[list[np.ndarray], list[Face]]:
    """`count` hard pictures of people of a split, two each, and the canonical boxes of their faces."""
    chosen = {"people": 10 * count, "stills": 2, "stills_held_out": 2, "clips": 1, "seed": 2027}
    chosen |= dict.fromkeys(("pose", "light", "camera"), 1.0) | {"covering": 0.35}
    try:
        model: Path | None = find_face_model(None)
    except MtclarError:
        model = None
    s = load_settings().synthesize.model_copy(update=chosen | {"artist": "drawn" if model is None else "rendered"})
    jobs = [job for job in bulk_jobs(s) if job.kind == "stills" and job.split == split]
    shown = [shot for job in jobs[: count // 2] for shot in shots(job, s, model, pictures=2)]
    pictures = [shot.picture for shot in shown if shot.picture is not None]
    return pictures, [box_from_landmarks(shot.landmarks) for shot in shown]


def timed(detector: Detector, pictures: Sequence[np.ndarray]) -> tuple[list[list[Face]], float]:
    """The faces of each picture, and what it took in seconds."""
    start = time.perf_counter()
    found = [detector.detect(picture) for picture in pictures]
    return found, time.perf_counter() - start


def best(found: Sequence[Sequence[Face]], truth: Sequence[Face | None]) -> np.ndarray:
    """For each picture the highest score of a box on its face, of any box where it has none; 0 where there is none."""
    return np.array(
        [
            max((face.score for face in faces if box is None or overlap(face, box) >= FOUND), default=0.0)
            for faces, box in zip(found, truth, strict=True)
        ]
    )


def real_pictures() -> tuple[list[tuple[np.ndarray, int]], list[np.ndarray]]:
    """Real pictures with the number of their faces, and real frames without any; empty where they are not at hand."""
    some, none = [], []
    if not REAL.is_dir():
        return [], []
    for name, faces in STILLS.items():
        some.append((cv2.cvtColor(cv2.imread(str(REAL / name)), cv2.COLOR_BGR2RGB), faces))
    for name, shown in CLIPS.items():
        for frame in open_video(REAL / name):
            if frame.index < shown - UNCLEAR:
                some.append((frame.image, 1))
            elif frame.index >= shown + UNCLEAR:
                none.append(frame.image)
    return some, none


def compare(pictures: int, empty: int) -> None:
    """Prints the table."""
    hard, truth = hard_pictures("test", pictures)
    rng = generator(2027, 900)
    walls, parts = list(faceless(rng, empty)), list(tiles(rng, empty // 4, hard))
    real, nothing = real_pictures()
    walls += nothing[: empty // 10]
    known = np.array([faces for _, faces in real], int)
    print(f"{len(hard)} hard pictures, {len(walls)} without a face, {len(parts)} of tiles, {len(real)} real ones")
    print("detector      hard  false  tiles   real  extra  time/HOG: hard  empty   real")
    base: tuple[float, ...] = ()
    for name in DETECTORS:
        detector = open_detector(name)
        detector.detect(hard[0])
        groups = hard, walls, [picture for picture, _ in real]
        (found, wrong, seen), spent = zip(*(timed(detector, group) for group in groups), strict=True)
        hit = np.mean([any(overlap(face, box) >= FOUND for face in f) for f, box in zip(found, truth, strict=True)])
        false, in_tiles = (1000 * np.mean([bool(f) for f in group]) for group in (wrong, timed(detector, parts)[0]))
        counts = np.array([len(faces) for faces in seen], int)
        share = np.minimum(counts, known).sum() / known.sum() if real else float("nan")
        extra = np.maximum(counts - known, 0).sum()
        base = base or spent
        ratios = "".join(f"{part / whole:7.2f}" for part, whole in zip(spent, base, strict=True))
        print(f"{name:11}{hit:7.3f}{false:7.1f}{in_tiles:7.1f}{share:7.3f}{extra:7d}          {ratios}")
    follow_clips()


def follow_clips() -> None:
    """Prints what finding shots and following faces takes, beside HOG in every frame, and what one look costs."""
    clips = [path for path in (*(REAL / name for name in CLIPS), SAMPLE) if path.is_file()]
    extract = load_settings().extract
    for clip in clips:
        frames = list(open_video(clip))
        _, whole = timed(open_detector("hog"), [frame.image for frame in frames])
        open_tracker(extract).push(0, 0.0, frames[0].image, True)  # weights are read
        tracker, start = open_tracker(extract), time.perf_counter()
        told = [
            bool(tracker.push(frame.index, frame.time_s, frame.image, new_shot)) for frame, new_shot in by_shot(frames)
        ]
        ratio = (time.perf_counter() - start) / whole
        tracks = len(tracker.finish().number)
        print(f"video {clip.name}: {sum(told)} of {len(frames)} frames, tracks {tracks}, time/HOG {ratio:.2f}")
    if clips:
        cost(next(iter(open_video(clips[0]))).image)


def cost(picture: np.ndarray, calls: int = 30) -> None:
    """Prints what one look costs."""
    model = MeshModel()
    mesh = model.fit(picture, open_detector("full-range").detect(picture)[0])
    looks: dict[str, Callable[[], object]] = {
        name: partial(open_detector(name).detect, picture) for name in ("hog", "full-range", "centerface")
    }
    looks |= {f"mesh of {n}": partial(model.follow_all, picture, [mesh] * n) for n in (1, 4)}
    for name, look in looks.items():
        spent = []
        for _ in range(calls):
            start = time.perf_counter()
            look()
            spent.append(time.perf_counter() - start)
        print(f"{name:11}{1000 * min(spent):7.2f} ms a picture of {picture.shape[1]} x {picture.shape[0]}")


def thresholds(pictures: int, empty: int) -> None:
    """Prints found and false shares by threshold on training people, and what the mesh says of doubtful boxes."""
    hard, truth = hard_pictures("train", pictures)
    rng = generator(2027, 901)
    walls, parts = list(faceless(rng, empty)), list(tiles(rng, empty // 3, hard))
    print(f"{len(hard)} hard pictures of training people, {len(walls)} without a face, {len(parts)} of tiles")
    empty_ones = [*walls, *parts]
    for name in DETECTORS[1:]:
        detector = open_detector(name, threshold=None if name == "ladder" else min(GRID))
        found, wrong = timed(detector, hard)[0], timed(detector, empty_ones)[0]
        sure, false = best(found, truth), best(wrong, [None] * len(wrong))
        for threshold in (0.0,) if name == "ladder" else GRID:
            shares = (np.mean(part > threshold) for part in (sure, false[: len(walls)], false[len(walls) :]))
            print(f"{name:12}{threshold:5.2f}:" + "{:8.3f} found{:8.3f} false{:8.3f} in tiles".format(*shares))
        if name in ("full-range", "centerface"):
            confirm(name, list(zip(hard, found, truth, strict=True)), list(zip(empty_ones, wrong, strict=True)))


def confirm(
    name: str, hard: list[tuple[np.ndarray, list[Face], Face]], empty: list[tuple[np.ndarray, list[Face]]]
) -> None:
    """Prints of how many doubtful boxes, on faces and elsewhere, the mesh says that they are faces."""
    low, high, mesh_model = DOUBTFUL[name], THRESHOLDS[name], MeshModel()
    boxes = {"on faces": [(p, f) for p, faces, box in hard for f in faces if overlap(f, box) >= FOUND]}
    boxes["elsewhere"] = [(p, f) for p, faces in empty for f in faces]
    for where, pairs in boxes.items():
        sure = [mesh_model.fit(p, f).presence >= PRESENT for p, f in pairs if low <= f.score < high]
        print(f"{name:12} from {low} to {high}: the mesh confirms {sum(sure)} of {len(sure)} {where}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=400, help="hard pictures")
    parser.add_argument("--empty", type=int, default=1000, help="pictures without a face")
    parser.add_argument("--thresholds", action="store_true", help="what the thresholds were chosen on")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    (thresholds if given.thresholds else compare)(given.pictures, given.empty)


if __name__ == "__main__":
    main()
