"""The world around a face and the camera that sees it: lights, background, distance, blur, noise, compression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Layer, Light, View

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """Where and how somebody is filmed.

    Attributes:
        lights: one to three far lights.
        background: float32 (h, w, 3), RGB 0..255.
        view: picture size, distance and framing.
        gain, gamma: exposure.
        tint: white balance, RGB factors.
        grey: the picture has no colour.
        blur_px: defocus, standard deviation in pixels.
        noise: standard deviation of the grain, 0..255.
        quality: JPEG quality.
    """

    lights: tuple[Light, ...]
    background: NDArray[np.float32]
    view: View
    gain: float
    gamma: float
    tint: tuple[float, float, float]
    grey: bool
    blur_px: float
    noise: float
    quality: int


def draw_scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    height_cm: tuple[float, float],
    sway_cm: float,
    quality: tuple[int, int],
) -> Scene:
    """Draw a scene at random.

    Args:
        rng: where chance comes from.
        size: width and height in pixels.
        height_cm: least and greatest height of the field at the face.
        sway_cm: standard deviation of the face's place in the picture.
        quality: least and greatest JPEG quality.
    """
    width, height = size
    x, y = np.clip(rng.normal(0, sway_cm, 2), -1.6 * sway_cm, 1.6 * sway_cm)
    view = View(width, height, float(rng.uniform(*height_cm)), (float(x), float(y) - 1.2))
    tint = 1 + rng.normal(0, 0.025, 3)
    return Scene(
        lights=_draw_lights(rng),
        background=_draw_background(rng, width, height),
        view=view,
        gain=float(rng.uniform(0.88, 1.12)),
        gamma=float(np.exp(rng.normal(0, 0.14))),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        grey=bool(rng.uniform() < 0.06),
        blur_px=float(rng.uniform(0, 0.8) if rng.uniform() < 0.5 else 0.0),
        noise=float(rng.uniform(0, 2.5)),
        quality=int(rng.integers(quality[0], quality[1] + 1)),
    )


def _draw_lights(rng: np.random.Generator) -> tuple[Light, ...]:
    """A key light from the front quarter, mostly with a fill, sometimes with a coloured rim."""
    warmth = rng.uniform(-0.05, 0.05)
    hue = np.array([1 + warmth, 1.0, 1 - warmth])

    def lamp(azimuth: float, height: float, strength: float) -> Light:
        a, e = np.radians([azimuth, height])
        direction = (float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e)))
        colour = np.clip(hue * strength, 0, 1.4)
        return Light(direction, (float(colour[0]), float(colour[1]), float(colour[2])))

    side = rng.choice([-1.0, 1.0])
    lights = [lamp(side * rng.uniform(0, 50), rng.uniform(0, 50), rng.uniform(0.8, 1.1))]
    if rng.uniform() < 0.75:
        lights.append(lamp(-side * rng.uniform(20, 75), rng.uniform(-15, 30), rng.uniform(0.1, 0.45)))
    if rng.uniform() < 0.2:
        lights.append(lamp(rng.choice([-1.0, 1.0]) * rng.uniform(95, 130), rng.uniform(0, 30), rng.uniform(0.2, 0.6)))
    return tuple(lights)


def _draw_background(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """A plain wall, a gradient, soft blobs or a room's edges, all out of focus."""
    base, other = np.clip(rng.uniform(35, 215, (2, 1)) + rng.normal(0, 13, (2, 3)), 5, 245)
    kind = rng.integers(4)
    canvas: NDArray[Any] = np.empty((height, width, 3), np.float32)
    canvas[:] = base
    if kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        ys, xs = np.mgrid[0:height, 0:width]
        t = (xs / width - 0.5) * np.cos(angle) + (ys / height - 0.5) * np.sin(angle) + 0.5
        canvas[:] = base + np.clip(t, 0, 1)[..., None] * (other - base)
    elif kind == 2:
        coarse = rng.normal(0, 1, (5, 6, 1)) * rng.uniform(8, 26) + rng.normal(0, 5, (5, 6, 3))
        canvas += cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    elif kind == 3:
        for _ in range(int(rng.integers(2, 6))):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            w, h = rng.uniform(0.1, 0.5, 2) * (width, height)
            shade = np.clip(base + rng.normal(0, 24, 3), 0, 255)
            cv2.rectangle(canvas, (int(x), int(y)), (int(x + w), int(y + h)), tuple(map(float, shade)), -1)
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(2, 5))
    return canvas


def photograph(scene: Scene, layers: Sequence[Layer], rng: np.random.Generator) -> Picture:
    """Put people before the background and take the picture: RGB uint8 (h, w, 3)."""
    picture: NDArray[Any] = scene.background
    for layer in layers:
        alpha = layer.alpha[..., None]
        lit = 255 * (layer.rgb / 255.0) ** scene.gamma * scene.gain * np.array(scene.tint)
        picture = picture * (1 - alpha) + alpha * lit
    if scene.blur_px > 0.2:
        picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), scene.blur_px)
    picture = picture + scene.noise * rng.standard_normal((*picture.shape[:2], 1), np.float32)
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    if scene.grey:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return picture.astype(np.uint8)


def to_jpeg(picture: Picture, quality: int) -> bytes:
    """Encode an RGB picture as JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return bytes(data.tobytes())
