"""A harder world than the sample's: where heads turn, light falls badly and cameras are far away, shaky or cheap.

Each strength in [0, 1] scales how much of it there is; at 0 a face looks straight ahead, in even light, sharp.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Light
from mtclar.synthesis.scene import Picture, Scene, draw_scene

#: Side of the picture that is drawn, in pixels, and the height that it shows, in centimetres. Faces are cut from it
#: at about two thirds of its scale, which is all the smoothing that edges need.
SIDE, FIELD_CM = 216, (26.5, 30.0)
SWAY_CM = 0.8
#: Standard deviations of yaw, pitch and roll in degrees; a share of the heads turns farther.
POSE, TURNED_SHARE, TURNED = np.array([12.0, 8.0, 7.0]), 0.2, np.array([25.0, 13.0, 10.0])
POSE_LIMIT = np.array([50.0, 28.0, 28.0])
#: Width of the face that a camera takes, in pixels, least and greatest.
FACE_PX = (24.0, 150.0)


@dataclass(frozen=True)
class Camera:
    """What a camera does to what it sees.

    Attributes:
        shrink: the side of its picture over the side of the drawn one.
        motion: length and angle (pixels of the drawn picture, radians) of the smear of a movement; 0 for none.
        codec: `none`, `jpeg` or `h264` (which is for clips).
        quality: of the compression, 1 to 100.
        shade: a shadow across the face: angle, place in [-1, 1], softness, and the light that is left in it.
    """

    shrink: float
    motion: tuple[float, float]
    codec: str
    quality: int
    shade: tuple[float, float, float, float] | None


def draw_head(rng: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Yaw, pitch and roll of a head in degrees (3,)."""
    spread = TURNED if rng.uniform() < TURNED_SHARE else POSE
    return strength * np.clip(rng.normal(0, spread), -POSE_LIMIT, POSE_LIMIT)


def draw_world(rng: np.random.Generator, strength: float, light: float) -> Scene:
    """A scene for a picture of `SIDE` pixels: `strength` is that of the camera's faults, `light` that of hard light."""
    scene = draw_scene(rng, (SIDE, SIDE), FIELD_CM, SWAY_CM, (60, 95))
    dark = np.exp(-light * rng.gamma(0.5, 0.55))
    hard = rng.uniform() < 0.45 * light
    return replace(
        scene,
        lights=_hard_lights(rng) if hard else scene.lights,
        gain=float(max(0.07, (1 + light * rng.uniform(-0.1, 0.45)) * dark)),
        gamma=float(np.exp(light * rng.normal(0.0, 0.28))),
        grey=bool(rng.uniform() < 0.1),
        blur_px=float(strength * rng.gamma(0.7, 1.0)),
        noise=float(strength * rng.gamma(1.0, 3.0)),
    )


def _hard_lights(rng: np.random.Generator) -> tuple[Light, ...]:
    """One to three lights from anywhere before the face, or from one side alone."""

    def lamp(azimuth: float, height: float, strength: float) -> Light:
        a, e = np.radians([azimuth, height])
        tint = np.clip(1 + rng.normal(0, 0.08, 3), 0.75, 1.25) * strength
        direction = float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e))
        return Light(direction, (float(tint[0]), float(tint[1]), float(tint[2])))

    side = rng.choice([-1.0, 1.0])
    lights = [lamp(side * rng.uniform(20, 95), rng.uniform(-45, 75), rng.uniform(0.7, 1.3))]
    for _ in range(int(rng.integers(0, 3))):
        lights.append(lamp(rng.uniform(-130, 130), rng.uniform(-40, 60), rng.uniform(0.1, 0.5)))
    return tuple(lights)


def draw_camera(rng: np.random.Generator, strength: float, light: float, face_px: float, *, clip: bool) -> Camera:
    """Draw a camera.

    Args:
        rng: where chance comes from.
        strength: of its faults.
        light: strength of hard light, of which shadows are a part.
        face_px: width of the face in the picture that is drawn, in pixels.
        clip: whether it films, in H.264, or takes single pictures.
    """
    low, high = np.log(FACE_PX)
    small = rng.uniform() < 0.7 * strength
    taken = float(np.exp(rng.uniform(low, high))) if small else FACE_PX[1]
    moving = rng.uniform() < 0.15 * strength
    length, angle = rng.uniform(2, 9), rng.uniform(0, np.pi)
    packed = rng.uniform() < 0.25 + 0.6 * strength
    quality = int(rng.integers(round(90 - 75 * strength), 96))
    shaded = rng.uniform() < 0.25 * light
    shade = (
        float(rng.uniform(0, 2 * np.pi)),
        float(rng.uniform(-0.5, 0.5)),
        float(rng.uniform(0.02, 0.5)),
        float(rng.uniform(0.2, 0.7)),
    )
    return Camera(
        shrink=min(1.0, taken / face_px),
        motion=(float(length), float(angle)) if moving else (0.0, 0.0),
        codec=("h264" if clip else "jpeg") if packed else "none",
        quality=quality,
        shade=shade if shaded else None,
    )


def shaded(rgb: Picture, landmarks: NDArray[np.float32], camera: Camera) -> Picture:
    """A drawn person with the camera's shadow fallen across the face."""
    if camera.shade is None:
        return rgb
    angle, place, softness, left = camera.shade
    centre, radius = landmarks.mean(0), float(np.ptp(landmarks, axis=0).mean()) / 2
    y, x = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]].astype(np.float32)
    along = ((x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)) / radius - place
    light = left + (1 - left) / (1 + np.exp(np.clip(along / softness, -30, 30)))
    return np.clip(rgb * light[..., None], 0, 255).astype(np.uint8)


def smeared(picture: Picture, camera: Camera) -> Picture:
    """The picture smeared by the camera's movement."""
    length, angle = camera.motion
    if length < 1.5:
        return picture
    reach = int(np.ceil(length))
    kernel: NDArray[Any] = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [reach + sign * length / 2 * np.array([np.cos(angle), np.sin(angle)]) for sign in (-1, 1)]
    a, b = (tuple(round(16 * float(v)) for v in end) for end in ends)
    cv2.line(kernel, a, b, 1.0, 1, cv2.LINE_AA, shift=4)
    return cv2.filter2D(picture, -1, kernel / max(float(kernel.sum()), 1e-6)).astype(np.uint8)


def taken(picture: Picture, camera: Camera) -> Picture:
    """One picture as the camera keeps it, at the size at which it was drawn."""
    small = _small(smeared(picture, camera), camera)
    if camera.codec == "jpeg":
        done, data = cv2.imencode(
            ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
        )
        if not done:
            raise RuntimeError("OpenCV could not encode a JPEG")
        small = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.uint8)  # type: ignore[arg-type]
    return _large(small, picture.shape[0])


def filmed(pictures: list[Picture], camera: Camera) -> list[Picture]:
    """A clip as the camera keeps it."""
    small = [_small(smeared(picture, camera), camera) for picture in pictures]
    if camera.codec == "h264":
        small = _through_h264(small, crf=round(44 - 0.22 * camera.quality))
    return [_large(picture, pictures[0].shape[0]) for picture in small]


def _small(picture: Picture, camera: Camera) -> Picture:
    side = 2 * max(12, round(picture.shape[0] * camera.shrink / 2))
    if side >= picture.shape[0]:
        return picture
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _large(picture: Picture, side: int) -> Picture:
    if picture.shape[0] == side:
        return picture
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _through_h264(pictures: list[Picture], crf: int) -> list[Picture]:
    """Pictures of even size, encoded and decoded again."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        # x264's macroblock tree reads memory that nobody has set: with it the same pictures come out in many ways.
        options = {"crf": str(crf), "preset": "veryfast", "x264-params": "mbtree=0"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1  # what threads share out would be left to chance
        for picture in pictures:
            planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer, "r") as film:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in film.decode(video=0)]
