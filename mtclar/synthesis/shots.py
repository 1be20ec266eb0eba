"""Faces in bulk: the pictures of one person or one clip, cut out from where the face is known to be.

Everything that is not affect (speech, blinks, pressed lips, gaze, head, light, camera, what hides the face) is added
after the label is fixed, so it never moves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces import Aligner, CropSpec, Detector, Face, box_from_landmarks, open_detector, overlap
from mtclar.synthesis.actions import ACTIONS, INDEX, Actions, limit
from mtclar.synthesis.artists import Artist, Layer, Performance, make_artist
from mtclar.synthesis.camera import Camera, draw_camera, draw_head, draw_world, filmed, shaded, taken
from mtclar.synthesis.coverings import draw_covering
from mtclar.synthesis.identity import SKIN_TONES, Person
from mtclar.synthesis.motion import blink, drift, glances, sing, speak
from mtclar.synthesis.plan import PEOPLE, generator, person_of
from mtclar.synthesis.repertoire import act, between, draw_manner, draw_point, expression_of
from mtclar.synthesis.scene import Picture, Scene, photograph

if TYPE_CHECKING:
    from mtclar.settings import SynthesizeSettings
    from mtclar.synthesis.bulk_plan import Job

Array = NDArray[np.float64]

FPS = 25.0
#: Standard deviations of a detector's box around the one of the landmarks: of the logarithm of its side, and of its
#: centre in sides. Wider than any of `mtclar.faces`.
BOX_SIZE, BOX_PLACE = 0.09, 0.05
#: Overlap from which a detected box is believed to be the drawn face, as in `mtclar crop`.
MIN_OVERLAP = 0.2
#: How often kinds of coverings come; glasses stay on a face through a clip, so do hair and its owner.
COVERING_SHARES = {"hand": 0.34, "object": 0.16, "hair": 0.22, "glasses": 0.28}
#: Share of single pictures with closed lids.
BLINKING = 0.05
#: What mouths do that says nothing of affect, and how often in single pictures; in a clip somebody speaks or sings.
MOUTH_SHARES = {"none": 0.55, "speech": 0.2, "song": 0.06, "yawn": 0.03, "open": 0.06, "press": 0.05, "pout": 0.05}
SPEAKING, SINGING = 0.3, 0.1
#: A yawn is of somebody no more excited than this.
YAWNS = 0.1
#: Resting faces: most actions are near nothing, as a half-normal of this standard deviation; of some people each is
#: strong now and then, an exponential of this mean, so that lowered corners or brows alone do not mean displeasure.
REST, STRONG_PEOPLE, STRONG_ACTIONS, STRONG_REST = 0.09, 0.4, 0.15, 0.3
RESTING = (
    "smile",
    "lip_corner_down",
    "brow_down",
    "brow_inner_up",
    "brow_outer_up",
    "lid_close",
    "lid_tighten",
    "lid_raise",
    "lip_press",
    "pucker",
    "upper_lip_up",
    "chin_raise",
    "dimple",
    "jaw_open",
)
#: No action rests beyond these strengths: what is more would be an expression to anybody.
MOST_REST = {"smile": 0.4, "jaw_open": 0.25, "lid_close": 0.5}
#: Seconds of an onset, a quick one, an offset, and a hold.
ONSET_S, JUMP_S, OFFSET_S, HOLD_S = (0.2, 0.9), (0.08, 0.2), (0.3, 1.3), (0.15, 1.2)


@dataclass(frozen=True)
class Shot:
    """A face and what is known of it.

    Attributes:
        crop: uint8 RGB (size, size, 3).
        box: where a detector might have seen it, in pixels of the drawn picture.
        landmarks: float32 (68, 2), where they are, in the same pixels.
        affect: valence and arousal, each in [-1, 1].
        expression: AffectNet's, None where none of them is meant.
        facts: the columns of `tables.SYNTHESIS` but face_id.
        picture: the whole picture, where it was asked for.
    """

    crop: Picture
    box: Face
    landmarks: NDArray[np.float32]
    affect: tuple[float, float]
    expression: str | None
    facts: dict[str, Any]
    picture: Picture | None


def subject_of(seed: int, index: int) -> Person:
    """The person of an index: as `plan.person_of`, with more of an own age, resting face and expressiveness."""
    person = person_of(seed, index)
    rng = generator(seed, PEOPLE, index, 1)
    rest = person.rest.copy()
    strong = rng.uniform() < STRONG_PEOPLE
    for name in RESTING:
        side = 1 + rng.normal(0, 0.25, 2)
        more = abs(rng.normal(0.0, REST)) * (rng.uniform() < 0.5)
        if strong and rng.uniform() < STRONG_ACTIONS:
            more += rng.exponential(STRONG_REST)
        rest[INDEX[name]] = (rest[INDEX[name]] + more * side.clip(0, 2)).clip(0, MOST_REST.get(name, 0.8))
    lively = np.exp(rng.normal(0, 0.2))
    uneven = 1 + rng.normal(0, 0.08) * np.array([1, -1])
    return replace(
        person,
        rest=limit(rest),
        gain=(person.gain * lively * uneven).clip(0.45, 1.6).astype(np.float32),
        age=float(rng.uniform()),
    )


def skin_tone(person: Person) -> float:
    """How light a skin is, from 0 for the darkest of `identity.SKIN_TONES` to 1 for the lightest."""
    luma = np.array([0.299, 0.587, 0.114])
    dark, light = SKIN_TONES[0] @ luma, SKIN_TONES[-1] @ luma
    return float(np.clip((person.skin @ luma - dark) / (light - dark), 0, 1))


@cache
def _artist(name: str, face_model: Path | None) -> Artist:
    """The artist of this process: opening the face model takes a second, so it is kept."""
    return make_artist(name, face_model, supersampling=1)


def shots(job: Job, s: SynthesizeSettings, face_model: Path | None, *, pictures: int = 0) -> Iterator[Shot]:
    """Draws the faces of a job, in order; the same job and settings give the same bytes in any process.

    Args:
        job: a person's pictures, or a clip.
        s: the section `synthesize` of params.yaml.
        face_model: for the rendered artist.
        pictures: so many of the first shots bring the whole picture along.
    """
    cv2.setNumThreads(1)
    rng = generator(s.seed, *job.key)
    person = subject_of(s.seed, job.person)
    artist = _artist(s.artist, face_model)
    tries = s.tries if job.split == "train" else 1  # people who are judged on are seen as they come
    if job.kind == "clip":
        drawn = _clip(rng, person, job.count, s, artist)
    else:
        drawn = _stills(rng, person, job.count, s, artist, tries)
    for number, shot in enumerate(drawn):
        yield shot if number < pictures else replace(shot, picture=None)


def _stills(
    rng: np.random.Generator, person: Person, count: int, s: SynthesizeSettings, artist: Artist, tries: int
) -> Iterator[Shot]:
    """Single pictures of a person, each in a world of its own, drawn anew up to `tries` times until a face is found."""
    for _ in range(count):
        for left in reversed(range(tries)):
            shot = _still(rng, person, s, artist)
            if not left or _is_found(shot):
                break
        yield shot


def _still(rng: np.random.Generator, person: Person, s: SynthesizeSettings, artist: Artist) -> Shot:
    affect, manner = draw_point(rng), draw_manner(rng)
    actions = person.show(act(affect, manner))
    facts: dict[str, Any] = {"mouth": _mouth(rng, affect), "blink": bool(rng.uniform() < BLINKING)}
    actions = _disturbed(rng, actions, **facts)
    gaze = rng.normal((0, min(0.0, 12 * affect[1])), (9.0, 6.0))
    head = draw_head(rng, s.pose)
    scene = draw_world(rng, s.camera, s.light)
    layer = artist.draw(person, Performance(actions, _triple(head), _pair(gaze)), scene.view, scene.lights)
    camera = draw_camera(rng, s.camera, s.light, float(np.ptp(layer.landmarks[:, 0])), clip=False)
    layer = replace(layer, rgb=shaded(layer.rgb, layer.landmarks, camera))
    kind, covered = "none", 0.0
    if rng.uniform() < s.covering:
        kind = str(rng.choice(list(COVERING_SHARES), p=list(COVERING_SHARES.values())))
        layer, covered = draw_covering(rng, person, kind).paint(layer, _triple(head), 1.0, rng.uniform(0.75, 1.0))
    picture = taken(photograph(scene, [layer], rng), camera)
    facts |= _facts(person, head, actions, scene, camera, layer)
    facts |= {"covering": kind if covered > 0 else "none", "covered": covered}
    box = _jittered(layer.landmarks, rng.normal(0, 1, 3))
    return _shot(picture, box, layer.landmarks, affect, expression_of(affect, manner), facts, s)


@cache
def _aligner(scale: float, size: int, align: str) -> Aligner:
    return Aligner(CropSpec(scale=scale, size=size, centre=size, input_size=size, align=align))


@cache
def _detector() -> Detector:
    return open_detector("full-range")


def _is_found(shot: Shot) -> bool:
    """Whether the quick detector sees the face: what no detector finds is never labelled."""
    if shot.picture is None:
        return True
    return any(overlap(shot.box, face) >= MIN_OVERLAP for face in _detector().detect(shot.picture))


def _clip(
    rng: np.random.Generator, person: Person, frames: int, s: SynthesizeSettings, artist: Artist
) -> Iterator[Shot]:
    """A clip of a person: one world, one camera, a face that moves."""
    affects, actions, expressions = _course(rng, frames)
    shown = np.stack([person.show(a) for a in actions])
    mouth = str(rng.choice(["speech", "song", "none"], p=[SPEAKING, SINGING, 1 - SPEAKING - SINGING]))
    if mouth != "none":
        shown = (speak if mouth == "speech" else sing)(rng, shown, FPS)
    before = shown[:, INDEX["lid_close"]].mean(1)
    shown = blink(rng, shown, FPS)
    blinking = shown[:, INDEX["lid_close"]].mean(1) > before + 0.3
    head = draw_head(rng, s.pose) + s.pose * drift(rng, frames, FPS, np.array([7.0, 4.0, 3.0]))
    gaze = glances(rng, frames, FPS)
    gaze[:, 1] += np.minimum(0, 12 * affects[:, 1])
    scene = draw_world(rng, s.camera, s.light)
    camera: Camera | None = None
    covering, kind, course = None, "none", np.ones(frames)
    if rng.uniform() < s.covering:
        kind = str(rng.choice(list(COVERING_SHARES), p=list(COVERING_SHARES.values())))
        covering = draw_covering(rng, person, kind)
        course = _visit(rng, frames)
    pictures: list[Picture] = []
    layers: list[Layer] = []
    hidden: list[float] = []
    for i in range(frames):
        performance = Performance(limit(shown[i]), _triple(head[i]), _pair(gaze[i]))
        layer = artist.draw(person, performance, scene.view, scene.lights)
        if camera is None:
            camera = draw_camera(rng, s.camera, s.light, float(np.ptp(layer.landmarks[:, 0])), clip=True)
        layer, covered = replace(layer, rgb=shaded(layer.rgb, layer.landmarks, camera)), 0.0
        if covering is not None:
            layer, covered = covering.paint(layer, _triple(head[i]), 1.0, float(course[i]))
        pictures.append(photograph(scene, [layer], rng))
        layers.append(replace(layer, rgb=layer.rgb[:0], alpha=layer.alpha[:0]))
        hidden.append(covered)
    if camera is None:
        return
    steady, shake = rng.normal(0, 0.8, 3), rng.normal(0, 0.25, (frames, 3))
    for i, picture in enumerate(filmed(pictures, camera)):
        facts = _facts(person, head[i], limit(shown[i]), scene, camera, layers[i]) | {"mouth": mouth}
        facts |= {"blink": bool(blinking[i]), "covering": kind if hidden[i] > 0 else "none", "covered": hidden[i]}
        box = _jittered(layers[i].landmarks, steady + shake[i])
        yield _shot(picture, box, layers[i].landmarks, affects[i], expressions[i], facts, s)


def _course(rng: np.random.Generator, frames: int) -> tuple[Array, Actions, list[str | None]]:
    """Affect (frames, 2), actions (frames, actions, 2) and expressions along a path with onsets, holds and offsets."""
    here, manner = (draw_point(rng) if rng.uniform() < 0.55 else 0.1 * rng.normal(size=2)), draw_manner(rng)
    lead = max(1, round(rng.uniform(0.02, 0.25) * frames))
    affects, actions = [np.repeat(here[None], lead, 0)], [np.repeat(act(here, manner)[None], lead, 0)]
    names = [expression_of(here, manner)] * lead
    while len(names) < frames:
        relaxing = np.hypot(*here) > 0.3 and rng.uniform() < 0.4
        # Many movements are small: film is not made of grimaces.
        far = rng.uniform() < 0.6
        there = 0.1 * rng.normal(size=2) if relaxing else draw_point(rng) if far else here + 0.2 * rng.normal(size=2)
        there = there / max(1.0, float(np.hypot(*there)))
        following = draw_manner(rng) if far or relaxing else manner
        span = JUMP_S if rng.uniform() < 0.15 else OFFSET_S if relaxing else ONSET_S
        steps = max(2, round(rng.uniform(*span) * FPS))
        t = np.arange(1, steps + 1) / steps
        ease = t**3 * (10 - 15 * t + 6 * t**2)  # minimum jerk: still at both ends
        path = here + ease[:, None] * (there - here)
        hold = max(1, round(rng.uniform(*HOLD_S) * FPS))
        affects += [path, np.repeat(there[None], hold, 0)]
        actions += [between(manner, following, path, ease), np.repeat(act(there, following)[None], hold, 0)]
        names += [expression_of(a, manner if e < 0.5 else following) for a, e in zip(path, ease, strict=True)]
        names += [expression_of(there, following)] * hold
        here, manner = there, following
    return np.concatenate(affects)[:frames], np.concatenate(actions)[:frames], names[:frames]


def _visit(rng: np.random.Generator, frames: int) -> Array:
    """How far something has come before the face in each frame: from 0, away, to 1."""
    length, ramp = rng.uniform(0.25, 0.7) * frames, max(2.0, rng.uniform(0.1, 0.4) * FPS)
    start = rng.uniform(-0.1 * frames, frames - 0.8 * length)
    at = np.arange(frames)
    return np.clip(np.minimum(at - start, start + length - at) / ramp, 0, 1)


def _mouth(rng: np.random.Generator, affect: Array) -> str:
    """What a mouth does besides showing affect: one of `tables.MOUTHS`."""
    kind = str(rng.choice(list(MOUTH_SHARES), p=list(MOUTH_SHARES.values())))
    return "none" if kind == "yawn" and affect[1] > YAWNS else kind


def _disturbed(rng: np.random.Generator, actions: Actions, *, mouth: str, blink: bool) -> Actions:
    """Actions with what says nothing of affect: a blink, and a mouth that speaks, sings, yawns, presses or pouts."""
    more = actions + (np.abs(rng.normal(0, 0.035, (len(ACTIONS), 1))) * rng.uniform(0.7, 1.3, (len(ACTIONS), 2)))

    def add(name: str, least: float, most: float) -> None:
        more[INDEX[name]] += rng.uniform(least, most)

    if mouth == "speech":
        add("jaw_open", 0.0, 0.3)
        add("funnel", 0.0, 0.45)
        add("lower_lip_down", 0.0, 0.35)
        more[INDEX["pucker"]] += rng.uniform(0.0, 0.3) * (rng.uniform() < 0.4)
    elif mouth == "song":
        add("jaw_open", 0.2, 0.8)
        add("funnel", 0.0, 0.7)
        add("lid_close", 0.0, 0.6)
        more[INDEX["brow_inner_up"]] += rng.uniform(0.0, 0.6) * (rng.uniform() < 0.4)
    elif mouth == "yawn":
        add("jaw_open", 0.6, 1.1)
        add("lid_close", 0.3, 1.0)
        add("nose_wrinkle", 0.0, 0.3)
    elif mouth == "open":
        add("jaw_open", 0.1, 0.7)
        add("lower_lip_down", 0.0, 0.4)
    elif mouth == "press":
        for name in rng.choice(["lip_press", "roll_lower_lip", "roll_upper_lip", "chin_raise"], 2, replace=False):
            add(str(name), 0.1, 0.7)
    elif mouth == "pout":
        add(str(rng.choice(["pucker", "funnel", "puff"])), 0.2, 0.9)
    if blink:
        more[INDEX["lid_close"]] = np.maximum(more[INDEX["lid_close"]], rng.uniform(0.6, 1.0))
    return limit(more.astype(np.float32))


def _facts(person: Person, head: Array, actions: Actions, scene: Scene, camera: Camera, layer: Layer) -> dict[str, Any]:
    """What is the same for pictures and clips."""
    face = box_from_landmarks(layer.landmarks)
    middle = (face.x + face.w / 2, face.y + face.h / 2)
    return {
        "skin": skin_tone(person),
        "age": person.age,
        "yaw": float(head[0]),
        "pitch": float(head[1]),
        "roll": float(head[2]),
        "lights": len(scene.lights),
        "face_px": float(np.ptp(layer.landmarks[:, 0])) * camera.shrink,
        "blur_px": scene.blur_px,
        "quality": camera.quality,
        "codec": camera.codec,
        "noise": scene.noise,
        "actions": actions.mean(1).tolist(),
        "landmarks": ((layer.landmarks - middle) / face.w).ravel().tolist(),
    }


def _jittered(landmarks: NDArray[np.float32], chance: Array) -> Face:
    """The box of a detector that is off by `chance` standard deviations in size and place."""
    face = box_from_landmarks(landmarks)
    side = face.w * float(np.exp(BOX_SIZE * chance[0]))
    x, y = face.x + face.w / 2 + BOX_PLACE * face.w * chance[1], face.y + face.h / 2 + BOX_PLACE * face.w * chance[2]
    return Face(float(x) - side / 2, float(y) - side / 2, side, side)


def _shot(
    picture: Picture,
    box: Face,
    landmarks: NDArray[np.float32],
    affect: Array,
    expression: str | None,
    facts: dict[str, Any],
    s: SynthesizeSettings,
) -> Shot:
    crop = _aligner(s.scale, s.size, s.align)(picture, box)
    middle = crop[s.size // 4 : -(s.size // 4), s.size // 4 : -(s.size // 4)]
    facts["brightness"] = float(middle.mean() / 255)
    return Shot(crop, box, landmarks, (float(affect[0]), float(affect[1])), expression, facts, picture)


def _triple(head: Array) -> tuple[float, float, float]:
    return float(head[0]), float(head[1]), float(head[2])


def _pair(gaze: Array) -> tuple[float, float]:
    return float(gaze[0]), float(gaze[1])
