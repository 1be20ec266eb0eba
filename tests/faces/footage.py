"""Generated footage: people of the sample before drawn rooms, under a camera that pans, shakes, zooms and cuts."""

from __future__ import annotations

import functools
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mtclar.data.tracked import tracked_files

ROOT = Path(__file__).parents[2]
FPS = 25.0


@functools.cache
def people(split: str, limit: int = 40) -> tuple[tuple[np.ndarray, ...], ...]:
    """Clips of people of a split of the sample: frames uint8 RGBA, the head in an ellipse with a soft edge."""
    kept = tracked_files(ROOT / "data.dvc", ROOT / "dvc-remote")  # as they lie in a clone, whether pulled or not
    told = json.loads(kept["sample/sample.json"].read_text())
    chosen = [name for name, clip in told["clips"].items() if told["people"][clip["person_id"]]["split"] == split]
    found = []
    for name in sorted(kept):
        if not re.fullmatch(r"sample/afew-va/[^/]+\.zip", name):
            continue
        with zipfile.ZipFile(kept[name]) as archive:
            for clip in chosen[: limit - len(found)]:
                folder = f"{Path(name).stem}/{clip}/"
                names = sorted(n for n in archive.namelist() if n.startswith(folder) and n.endswith(".jpg"))
                if names:
                    marks = json.loads(archive.read(f"{folder}{clip}.json"))["frames"]
                    found.append(tuple(_head(archive.read(n), marks[Path(n).stem]["landmarks"]) for n in names))
    return tuple(found)


def _head(data: bytes, landmarks: list[list[float]]) -> np.ndarray:
    """A head of one height, cut out: uint8 RGBA (160, 128, 4); the 68 landmarks' box is 64 wide, in its middle."""
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    points = np.array(landmarks, float)
    (x, y), scale = (points.min(0) + points.max(0)) / 2, 64 / np.ptp(points, 0).max()
    move = np.array([[scale, 0, 64 - scale * x], [0, scale, 84 - scale * y]])
    head = cv2.warpAffine(picture, move, (128, 160), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = np.zeros((160, 128), np.uint8)
    cv2.ellipse(alpha, (64, 78), (46, 66), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return np.dstack([head, cv2.GaussianBlur(alpha, (0, 0), 2)])


def room(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A drawn background: a wall, things on it, grain; float32 RGB (height, width, 3)."""
    wall = rng.uniform(20, 230, 3).astype(np.float32)
    slope = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None] * rng.uniform(-40, 40, 3).astype(np.float32)
    picture = np.broadcast_to(wall + slope, (height, width, 3)).astype(np.float32).copy()
    for _ in range(int(rng.integers(2, 30))):
        colour = [float(v) for v in rng.uniform(0, 255, 3)]
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        size = rng.uniform(0.02, 0.25, 2) * height
        if rng.random() < 0.5:
            a, b = (np.array(centre) + s * size for s in (-1, 1))
            cv2.rectangle(picture, tuple(map(int, a)), tuple(map(int, b)), colour, -1)
        else:
            cv2.ellipse(picture, centre, tuple(map(int, size)), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 6)))
    return np.clip(picture + rng.normal(0, rng.uniform(0, 6), picture.shape), 0, 255).astype(np.float32)


def paste(picture: np.ndarray, head: np.ndarray, x: float, y: float, size: float) -> None:
    """Draws a head of `_head` into a float32 picture, its face box (64 of 128 wide) of `size` pixels around (x, y)."""
    scale = size / 64
    height, width = picture.shape[:2]
    move = np.array([[scale, 0, x - scale * 64], [0, scale, y - scale * 84]])
    low = np.floor(move @ [0, 0, 1]).clip(0, [width, height]).astype(int)
    high = np.ceil(move @ [128, 160, 1]).clip(0, [width, height]).astype(int)
    if (high <= low).any():
        return
    move[:, 2] -= low
    drawn = cv2.warpAffine(head, move, tuple(int(v) for v in high - low), flags=cv2.INTER_LINEAR).astype(np.float32)
    part, alpha = picture[low[1] : high[1], low[0] : high[0]], drawn[..., 3:] / 255
    part += alpha * (drawn[..., :3] - part)


@dataclass(frozen=True)
class Shown:
    """A frame as the shot finder takes it."""

    image: np.ndarray
    time_s: float


def timed(pictures: Sequence[np.ndarray], fps: float = FPS) -> list[Shown]:
    """Pictures as frames at a steady rate."""
    return [Shown(picture, index / fps) for index, picture in enumerate(pictures)]


def scene(seed: int, frames: int, *, speed: float = 0.0, noise: float = 2.0) -> list[np.ndarray]:
    """A shot of two people in a room: uint8 RGB (180, 320, 3) each.

    Args:
        seed: Of room, people and noise.
        frames: Number of them.
        speed: Of the camera's pan, in pixels a frame.
        noise: Standard deviation of the grain.
    """
    rng = np.random.default_rng(seed)
    wall = room(rng, 640, 180)
    cast = people("test")
    heads = [cast[int(i)] for i in rng.choice(len(cast), 2, replace=False)]
    places = rng.uniform([90, 60], [400, 130], (2, 2))
    shown = []
    for index in range(frames):
        picture = wall.copy()
        for clip, (x, y) in zip(heads, places, strict=True):
            paste(picture, clip[index % len(clip)], x + np.sin(index / 7) * 5, y, 50)
        left = int(np.clip(40 + speed * index, 0, 320))
        part = picture[:, left : left + 320] + rng.normal(0, noise, (180, 320, 3))
        shown.append(np.clip(part, 0, 255).astype(np.uint8))
    return shown


@dataclass(frozen=True)
class Truth:
    """Where people are in a film.

    Attributes:
        shot: The shot of each frame, int (n,).
        box: x, y, w, h of the canonical face box, float (n, people, 4).
        shown: Share of the face that nobody stands before, float (n, people).
    """

    shot: np.ndarray
    box: np.ndarray
    shown: np.ndarray


def film(
    seed: int, seconds: float, *, shots: int = 4, cast: int = 2, size: tuple[int, int] = (426, 240), split: str = "test"
) -> tuple[list[np.ndarray], Truth]:
    """A film of people who walk about before each other, in so many shots of equal length.

    In every shot the people are in another room and in other places, of other sizes and at other depths; each goes to
    and fro, so that everybody passes everybody else every few seconds, before or behind.

    Returns:
        The frames, uint8 RGB (h, w, 3) at `FPS`, and the truth.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    total = round(seconds * FPS)
    clips = [people(split)[int(i)] for i in rng.choice(len(people(split)), cast, replace=False)]
    frames, boxes, shown = [], np.zeros((total, cast, 4)), np.ones((total, cast))
    of_shot = np.arange(total) * shots // total
    for shot in range(shots):
        at = np.flatnonzero(of_shot == shot)
        time_s = (at - at[0]) / FPS
        wall = room(rng, width, height)
        sides = height * np.exp(rng.uniform(np.log(0.2), np.log(0.32), cast))
        period, begin = rng.uniform(4, 9, cast), np.arange(cast) / cast + rng.uniform(0, 0.3)
        x = width / 2 + (width / 2 - 50) * np.sin(2 * np.pi * (time_s[:, None] / period + begin))
        y = height * (0.5 + rng.uniform(-0.1, 0.1, cast)) + 3 * np.sin(time_s[:, None] * rng.uniform(1, 3, cast))
        depth = rng.permutation(cast)  # the last stands before all others
        for row, index in enumerate(at):
            picture = wall.copy()
            covered = []
            for person in depth:
                clip = clips[person]
                step = index % (2 * len(clip) - 2)  # to and fro, lest the face jump
                paste(picture, clip[min(step, 2 * len(clip) - 2 - step)], x[row, person], y[row, person], sides[person])
                side = 1.1 * sides[person]
                middle = np.array([x[row, person], y[row, person] - 0.09 * sides[person]])
                boxes[index, person] = [*(middle - side / 2), side, side]
                covered.append(person)
            for i, person in enumerate(covered):
                shown[index, person] = min(
                    (1 - _hidden(boxes[index, person], boxes[index, other]) for other in covered[i + 1 :]), default=1.0
                )
            frames.append(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8))
    return frames, Truth(of_shot, boxes, shown)


def _hidden(box: np.ndarray, before: np.ndarray) -> float:
    """The share of a face box that lies behind the head of another."""
    head = before + np.array([-0.15, -0.35, 0.3, 0.7]) * before[2]
    reach = np.minimum(box[:2] + box[2:], head[:2] + head[2:]) - np.maximum(box[:2], head[:2])
    return float(np.prod(reach.clip(0)) / np.prod(box[2:]))
