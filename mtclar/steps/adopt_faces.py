"""Faces on which an adopted network is tried: drawn people who do not exist, and pictures that are hardly any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtclar.faces import CropSpec, box_from_landmarks, cut

PEOPLE, FRAMES = 10, 4
"""Drawn people, and frames of the clip of each."""
APART = 20
"""Frames of the clip between one that is drawn and the next; they are 1/25 s long."""


@dataclass(frozen=True)
class Trial:
    """Faces to try a network on.

    Attributes:
        crops: uint8 RGB (n, size, size, 3).
        people: Who is seen, (n,).
    """

    crops: np.ndarray
    people: np.ndarray


def drawn_people(spec: CropSpec, seed: int) -> Trial:
    """A short clip of each of some drawn people, cut as `spec` says."""
    from mtclar.synthesis.artists import make_artist
    from mtclar.synthesis.motion import clip_of
    from mtclar.synthesis.plan import generator, person_of
    from mtclar.synthesis.scene import draw_scene, photograph

    artist, crops, people = make_artist("drawn"), [], []
    for index in range(PEOPLE):
        rng, person = generator(seed, index), person_of(seed, index)
        _, performances = clip_of(rng, person, FRAMES * APART, 25.0, None)
        scene = draw_scene(rng, (320, 320), (26.0, 32.0), 0.5, (90, 95))
        for performance in performances[::APART]:
            layer = artist.draw(person, performance, scene.view, scene.lights)
            crops.append(cut(photograph(scene, [layer], rng), box_from_landmarks(layer.landmarks).box, spec))
            people.append(index)
    return Trial(np.stack(crops), np.array(people))


def hardly_pictures(size: int, seed: int) -> np.ndarray:
    """Black, grey, white and noise, uint8 RGB (4, size, size, 3): frames of real videos may be so."""
    plain = [np.full((size, size, 3), level, np.uint8) for level in (0, 128, 255)]
    return np.stack([*plain, np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)])


def median_distance(values: np.ndarray, people: np.ndarray | None = None) -> float:
    """Median distance of two rows of (n, d); with `people` of two of one person, if there are such."""
    first, second = np.triu_indices(len(values), 1)
    if people is not None and (same := people[first] == people[second]).any():
        first, second = first[same], second[same]
    return float(np.median(np.linalg.norm(values[first] - values[second], axis=1)))
