"""Pictures without a face, as many as one likes: what a detector must be silent about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from mtclar.synthesis.camera import SIDE, draw_camera, draw_world, taken
from mtclar.synthesis.scene import photograph

KINDS = ("wall", "texture", "shapes")
FACE_PX = 140.0
"""Width in pixels that the camera takes a face to have, had there been one."""


def faceless(rng: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Walls, textures and shapes in turn, taken by cameras as good and as bad as those of `mtclar synthesize`."""
    for number in range(count):
        scene, camera = draw_world(rng, 1.0, 1.0), draw_camera(rng, 1.0, 1.0, FACE_PX, clip=False)
        kind = KINDS[number % len(KINDS)]
        picture = _texture(rng) if kind == "texture" else photograph(scene, [], rng)
        yield taken(_with_shapes(rng, picture) if kind == "shapes" else picture, camera)


def tiles(rng: np.random.Generator, count: int, faces: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Pictures of faces cut into tiles that are turned and put together in another order: eyes and mouths, no face."""
    for _ in range(count):
        picture, across = faces[rng.integers(len(faces))], int(rng.integers(4, 8))
        side = len(picture) // across
        parts = [
            np.rot90(picture[y : y + side, x : x + side], rng.integers(4))
            for y in range(0, across * side, side)
            for x in range(0, across * side, side)
        ]
        order = rng.permutation(len(parts))
        rows = [np.concatenate([parts[k] for k in order[i::across]], axis=1) for i in range(across)]
        yield np.ascontiguousarray(np.concatenate(rows, axis=0))


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Coloured noise whose strength falls with frequency, as in pictures of nature."""
    down, right = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    frequency = np.hypot(down, right)
    frequency[0, 0] = 1.0
    fall = frequency ** -rng.uniform(0.7, 1.6)
    planes = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) * fall).real for _ in range(3)]
    noise = np.stack(planes, -1)
    noise = (noise - noise.mean()) / noise.std()
    grey = 1.7 * noise.mean(-1, keepdims=True)
    noise = grey + rng.uniform(0, 0.5) * (noise - grey)
    shade = 128 + rng.uniform(20, 60) * noise + rng.normal(0, 20, 3)
    return np.clip(shade, 0, 255).astype(np.uint8)


def _with_shapes(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """A picture with 3 to 14 ellipses and rectangles of any colour."""
    picture, side = picture.copy(), len(picture)
    for _ in range(int(rng.integers(3, 15))):
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        x, y = (int(value) for value in rng.integers(0, side, 2))
        w, h = (int(value) for value in rng.integers(3, side // 3, 2))
        line = -1 if rng.uniform() < 0.7 else 3
        if rng.uniform() < 0.5:
            cv2.ellipse(picture, (x, y), (w, h), float(rng.uniform(0, 180)), 0, 360, colour, line)
        else:
            cv2.rectangle(picture, (x, y), (x + w, y + h), colour, line)
    return picture
