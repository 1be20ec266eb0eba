"""Drawing one job of a plan: files as bytes, and a record of what is in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces import Detector, open_detector
from mtclar.synthesis.affect import EXPRESSIONS
from mtclar.synthesis.artists import Artist, Layer, make_artist
from mtclar.synthesis.layouts import Files, afew_va_files, affectnet_files, mp4_bytes
from mtclar.synthesis.motion import clip_of, still_of
from mtclar.synthesis.plan import TROUBLES, Job, affectnet_folder, generator, person_id, person_of
from mtclar.synthesis.scene import Scene, draw_scene, photograph, to_jpeg
from mtclar.synthesis.troubles import draw_trouble

#: Picture sizes (width, height) in pixels, and the height of the field at the face in centimetres.
PICTURE_SIZE, PICTURE_CM = (176, 176), (22.0, 24.5)
CLIP_SIZE, CLIP_CM = (192, 160), (20.8, 23.2)
VIDEO_SIZE, VIDEO_CM = (320, 240), (27.0, 30.0)
PAIR_SIZE, PAIR_CM = (432, 240), (28.5, 29.5)
QUALITY = (44, 60)
#: Two people stand this far to the sides; the second is farther away, so smaller, and clearly so to a detector.
PAIR_SIDES_CM, SECOND_FARTHER = 13.5, 1.3
#: A face is in view while at least this share of its landmarks' box lies inside the picture.
IN_VIEW = 0.5


@dataclass(frozen=True)
class Drawn:
    """What a job gives.

    Attributes:
        files: path below the sample's folder to bytes.
        index: what sample.json says about it.
        labels: rows of videos/labels.csv.
        anchors: rows of anchors.csv.
        faces, found: whole faces drawn, and how many of them the detector found.
    """

    files: Files
    index: dict[str, Any]
    labels: list[dict[str, Any]]
    anchors: list[dict[str, Any]]
    faces: int
    found: int


@cache
def _artist(name: str, face_model: Path | None) -> Artist:
    """The artist of this process: opening the face model takes a second, so it is kept."""
    return make_artist(name, face_model)


@cache
def _detector() -> Detector:
    """The detector of this process, which opens its weights once."""
    return open_detector()


def count_faces(picture: NDArray[np.uint8]) -> int:
    """Number of faces the detector finds in an RGB picture."""
    return len(_detector().detect(picture))


def draw_job(job: Job, seed: int, artist: str, face_model: Path | None) -> Drawn:
    """Draw a job; the same job and seed give the same bytes in any process."""
    # Threads of OpenCV beside several processes only get in each other's way.
    cv2.setNumThreads(1)
    draw = {"pictures": _draw_pictures, "clip": _draw_clip, "video": _draw_video}[job.kind]
    return draw(job, seed, _artist(artist, face_model))


def _found(jpeg: bytes) -> int:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError("a JPEG just encoded cannot be decoded")
    return int(count_faces(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)) > 0)


def _draw_pictures(job: Job, seed: int, artist: Artist) -> Drawn:
    """A person once in each of AffectNet's eight expressions, each in a scene of its own."""
    rng = generator(seed, *job.key)
    person = person_of(seed, job.people[0])
    folder = affectnet_folder(job.split)
    files: Files = {}
    found = 0
    order = rng.permutation(len(EXPRESSIONS))
    for number, expression in zip(job.numbers, order, strict=True):
        still = still_of(rng, person, int(expression))
        scene = draw_scene(rng, PICTURE_SIZE, PICTURE_CM, 0.8, QUALITY)
        layer = artist.draw(person, still.performance, scene.view, scene.lights)
        jpeg = to_jpeg(photograph(scene, [layer], rng), scene.quality)
        found += _found(jpeg)
        made = affectnet_files(folder, number, jpeg, int(expression), still.affect, layer.landmarks)
        files |= {f"affectnet/{path}": data for path, data in made.items()}
    pictures = {f"{folder}/{number}": job.name for number in job.numbers}
    return Drawn(files, {"pictures": pictures}, [], [], len(job.numbers), found)


def _draw_clip(job: Job, seed: int, artist: Artist) -> Drawn:
    """A clip in AFEW-VA's layout. Every ninth counts its frames from 1, every eleventh has one more key.

    In some the face is hard to see for a while (`troubles`).
    """
    rng = generator(seed, *job.key)
    person = person_of(seed, job.people[0])
    affect, performances = clip_of(rng, person, job.frames, float(job.rate), 0.1)
    scene = draw_scene(rng, CLIP_SIZE, CLIP_CM, 0.9, QUALITY)
    trouble = draw_trouble(generator(seed, TROUBLES, job.key[1]), job.frames)
    jpegs, layers = [], []
    for performance, share in zip(performances, trouble.course, strict=True):
        layers.append(artist.draw(person, trouble.turned(performance, share), scene.view, scene.lights))
        jpegs.append(to_jpeg(photograph(trouble.spoilt(scene, share), layers[-1:], rng), scene.quality))
    number = int(job.name)
    made = afew_va_files(
        number,
        person.person_id,
        jpegs,
        affect,
        [layer.landmarks for layer in layers],
        first_key=1 if number % 9 == 5 else 0,
        emotion="unknown" if number % 11 == 7 else None,
    )
    index = {"clips": {job.name: {"person_id": person_id(job.people[0]), "fps": float(job.rate)}}}
    files = {f"afew-va/{path}": data for path, data in made.items()}
    return Drawn(files, index, [], [], len(jpegs), sum(_found(jpeg) for jpeg in jpegs))


def _draw_video(job: Job, seed: int, artist: Artist) -> Drawn:
    """An MP4 with its labels and a few anchors."""
    rng = generator(seed, *job.key)
    pair = len(job.people) == 2
    scene = draw_scene(rng, PAIR_SIZE if pair else VIDEO_SIZE, PAIR_CM if pair else VIDEO_CM, 0.7, QUALITY)
    scene = replace(scene, grey=False, noise=min(scene.noise, 2.0))
    shown: list[list[Layer]] = [[] for _ in range(job.frames)]
    affects = []
    for track, person_index in enumerate(job.people):
        person = person_of(seed, person_index)
        affect, performances = clip_of(rng, person, job.frames, float(job.rate), None)
        affects.append(affect)
        for i, performance in enumerate(performances):
            view = _placed(scene, job, track, i)
            shown[i].append(artist.draw(person, performance, view, scene.lights))
    pictures = [photograph(scene, layers[::-1], rng) for layers in shown]
    labels, clear, faces, found = [], [], 0, 0
    for i, (picture, layers) in enumerate(zip(pictures, shown, strict=True)):
        boxes = [_box(layer.landmarks) for layer in layers]
        whole = sum(_visible(box, scene) == 1 for box in boxes)
        faces += whole
        found += min(whole, count_faces(picture)) if whole else 0
        for track, box in enumerate(boxes):
            seen = _visible(box, scene) >= IN_VIEW
            row = {"video_id": job.name, "frame": i, "time_s": round(float(i / job.rate), 6)}
            row |= {"person_id": person_id(job.people[track]), "track_id": track}
            values = [*affects[track][i].round(3), *(round(float(b), 1) for b in box)] if seen else [""] * 6
            labels.append(row | dict(zip(("valence", "arousal", "x", "y", "w", "h"), values, strict=True)))
            if track == 0 and _visible(box, scene) == 1:
                clear.append(labels[-1])
    anchors = [_anchor(row, pair) for row in _anchor_rows(clear)]
    index = {
        "videos": {
            job.name: {
                "people": [person_id(i) for i in job.people],
                "frames": job.frames,
                "fps": f"{job.rate.numerator}/{job.rate.denominator}",
                "width": scene.view.width,
                "height": scene.view.height,
            }
        }
    }
    return Drawn({f"videos/{job.name}.mp4": mp4_bytes(pictures, job.rate)}, index, labels, anchors, faces, found)


def _anchor_rows(seen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first frame in view, one about the middle and one near the end."""
    return [seen[0], seen[len(seen) // 2], seen[round(0.9 * (len(seen) - 1))]]


def _anchor(row: dict[str, Any], pair: bool) -> dict[str, Any]:
    """A row of labels.csv as an anchor; of two people it says by the middle of the face of whom it is."""
    anchor = {key: row[key] for key in ("video_id", "frame", "valence", "arousal")}
    middle = (row["x"] + row["w"] / 2, row["y"] + row["h"] / 2)
    return anchor | {
        key: round(value, 1) if pair else "" for key, value in zip(("face_x", "face_y"), middle, strict=True)
    }


def _placed(scene: Scene, job: Job, track: int, frame: int) -> Any:
    """Where a person of a video stands in one frame."""
    x, y = scene.view.offset_cm
    view = scene.view
    if len(job.people) == 2:
        side = -1 if track == 0 else 1
        farther = 1.0 if track == 0 else SECOND_FARTHER
        return replace(view, height_cm=view.height_cm * farther, offset_cm=(x + side * PAIR_SIDES_CM * farther, y))
    if job.name == "leaves_frame":
        # Out of the picture to the right in the second third, and back.
        t = frame / (job.frames - 1)
        away = np.clip((t - 0.3) / 0.1, 0, 1) * np.clip((0.72 - t) / 0.1, 0, 1)
        return replace(view, offset_cm=(x + 42 * float(away), y))
    return view


def _box(landmarks: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Box x, y, w, h around landmarks."""
    (x0, y0), (x1, y1) = landmarks.min(0), landmarks.max(0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def _visible(box: tuple[float, float, float, float], scene: Scene) -> float:
    """Share of a box that lies inside the picture."""
    x, y, w, h = box
    inside_w = max(0.0, min(x + w, scene.view.width) - max(x, 0))
    inside_h = max(0.0, min(y + h, scene.view.height) - max(y, 0))
    return round(inside_w * inside_h / (w * h), 6)
