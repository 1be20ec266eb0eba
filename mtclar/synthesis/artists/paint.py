"""Painting a face model: where lips, brows, lids, hair, irises and cloth lie, and a person's colours on them.

The model comes without textures. Masks are found once on the neutral mesh, by distance to the landmarks' polylines.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.age import brow_of, hair_colour, hairline_of
from mtclar.synthesis.artists.facemodel import FaceModel
from mtclar.synthesis.identity import Person

Mask = NDArray[np.float32]

#: Irises and pupils on the front of the sclera shell, centimetres from its axis.
IRIS_RADIUS_CM = 0.62
PUPIL_RADIUS_CM = 0.27
MOUTH_RED = np.array([0.3, 0.1, 0.1])
GUM_RED = np.array([0.62, 0.3, 0.3])
TOOTH_WHITE = np.array([0.88, 0.85, 0.78])
EYE_WHITE = np.array([0.86, 0.84, 0.82])


@dataclass(frozen=True)
class Eyeball:
    """One eye: its vertices (k,), and the radial distance of each from the axis it looks along, centimetres (k,)."""

    vertices: NDArray[np.int64]
    radial_cm: Mask


@dataclass(frozen=True)
class Masks:
    """Where things are, each float32 (n,) over the vertices, 0..1 but for distances (centimetres)."""

    skin: Mask
    lips: Mask
    cheeks: Mask
    beard: Mask
    cloth: Mask
    brow_distance: Mask
    lash_distance: Mask
    hair_height: Mask
    mouth: Mask
    gums: Mask
    teeth: Mask
    eyes: tuple[Eyeball, ...]


def _segment_distance(points: NDArray[np.float32], line: NDArray[np.float32]) -> Mask:
    """Distance of each point (n, 3) from a polyline (m, 3)."""
    best = np.full(len(points), np.inf, np.float32)
    for a, b in pairwise(line):
        along = b - a
        t = np.clip((points - a) @ along / max(float(along @ along), 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - t[:, None] * along, axis=1))
    return best


def _smooth(low: float, high: float, x: Mask) -> Mask:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def vertices_of(model: FaceModel, *materials: str) -> NDArray[np.int64]:
    """Vertices that belong to faces of these materials."""
    wanted = [i for i, name in enumerate(model.materials) if name in materials]
    used = np.unique(model.faces[np.isin(model.face_material, wanted)])
    return used[used >= 0].astype(np.int64)


def find_masks(model: FaceModel) -> Masks:
    """Find where things are on a face model's neutral mesh."""
    points = model.vertices
    marks = points[model.landmarks68]

    def on(*materials: str) -> Mask:
        mask = np.zeros(len(points), np.float32)
        mask[vertices_of(model, *materials)] = 1
        return mask

    face, head, teeth = on("M_Face"), on("M_BackHead"), on("M_Teeth")
    outer = np.ascontiguousarray(marks[48:60, :2])
    near_mouth = np.flatnonzero((face > 0) & (points[:, 2] > 8) & (np.abs(points[:, 0]) < 3.5))
    inside = np.full(len(points), -1.0, np.float32)
    inside[near_mouth] = [cv2.pointPolygonTest(outer, tuple(map(float, points[i, :2])), True) for i in near_mouth]
    brows = np.minimum(_segment_distance(points, marks[17:22]), _segment_distance(points, marks[22:27]))
    lashes = np.minimum(_segment_distance(points, marks[36:40]), _segment_distance(points, marks[42:46]))
    x, y, z = points.T
    # The mouth's lining shares the back head's material; it lies inside the head, in front and low.
    lining = head * ((np.abs(x) < 4) & (z > 0) & (y > -7.5) & (y < 1) & (np.hypot(x, z) < 11.5))
    beard = _smooth(-1.2, -2.4, y) * _smooth(-9.5, -7.0, y) * _smooth(2.0, 5.0, z) * (1 - np.clip(inside * 5 + 1, 0, 1))
    eyes = []
    for side in ("Left", "Right"):
        ball = vertices_of(model, f"M_Sclera{side}")
        centre = (points[ball].min(0) + points[ball].max(0)) / 2
        offset = points[ball] - centre
        radial = np.where(offset[:, 2] > 0, np.hypot(offset[:, 0], offset[:, 1]), 9).astype(np.float32)
        eyes.append(Eyeball(ball, radial))
    return Masks(
        skin=np.maximum(face, head),
        lips=_smooth(-0.1, 0.06, inside),
        cheeks=np.exp(-((np.abs(x) - 5) ** 2 + y**2) / 5).astype(np.float32) * face,
        beard=(beard * face).astype(np.float32),
        cloth=_smooth(-13.2, -13.8, y - 0.12 * x**2 * (z > 0) * 0.2),
        brow_distance=np.where(face > 0, brows, 9).astype(np.float32),
        lash_distance=np.where(face > 0, lashes, 9).astype(np.float32),
        hair_height=(y - 10.3 + 0.72 * np.maximum(5.5 - z, 0) - 9 * (np.maximum(face, head) == 0)).astype(np.float32),
        mouth=lining.astype(np.float32),
        gums=on("M_GumsTongue"),
        teeth=teeth,
        eyes=tuple(eyes),
    )


def hair_of(masks: Masks, person: Person) -> Mask:
    """How much each vertex is hair, 0..1."""
    if person.hair_volume == 0:
        return np.zeros_like(masks.skin)
    return _smooth(-0.3, 0.4, masks.hair_height - hairline_of(person)) * (1 - masks.mouth)


def paint(model: FaceModel, masks: Masks, lines: Mask, person: Person) -> NDArray[np.uint8]:
    """Colour every vertex for a person: uint8 RGB (n, 3).

    Args:
        model: the face model.
        masks: where things are on it.
        lines: depth of the lines in an old skin, float32 (n,).
        person: whose colours.
    """
    points = model.vertices
    rng = np.random.default_rng(person.texture)
    # Uneven skin: a few long waves through space, about 3 % deep.
    waves = rng.normal(0, 0.9, (3, 8))
    blotches = np.cos(points @ waves + rng.uniform(0, 6.3, 8)).mean(1, keepdims=True)
    fine = rng.normal(0, 0.018, (len(points), 1))
    uneven = 1 + 0.5 * person.old - 0.6 * person.young
    colour = person.skin * (1 + uneven * (0.09 * blotches + fine))
    own_hair = hair_colour(person)

    def cover(mask: Mask, rgb: NDArray[np.float64]) -> None:
        nonlocal colour
        colour = colour + mask[:, None] * (rgb - colour)

    cover(0.35 * masks.cheeks, person.skin * np.array([1.05, 0.78, 0.76]))
    cover(0.5 * person.old * masks.skin * lines, 0.45 * person.skin)
    dark = np.minimum(own_hair, 0.7 * person.skin)
    cover(person.stubble * (1 - person.young) * masks.beard, dark)
    cover(0.9 * masks.lips, person.lips)
    thickness, darkness = brow_of(person)
    brows = _smooth(thickness + 0.12, thickness - 0.14, masks.brow_distance)
    cover(darkness * brows, dark * 0.6)
    cover(0.85 * _smooth(0.2, 0.06, masks.lash_distance), person.hair * 0.4)
    strands = 1 + 0.25 * np.cos(points @ rng.normal(0, 4, (3, 6)) + rng.uniform(0, 6.3, 6)).mean(1, keepdims=True)
    hair = hair_of(masks, person)[:, None]
    colour = colour + hair * (own_hair * strands - colour)
    cover(masks.cloth * masks.skin, person.clothes)
    cover(masks.mouth, MOUTH_RED)
    cover(masks.gums, GUM_RED)
    # Teeth and gums lose light toward the back of the mouth.
    depth = _smooth(4.0, 10.5, points[:, 2])[:, None]
    cover(masks.teeth, TOOTH_WHITE)
    inner = np.maximum(masks.teeth, np.maximum(masks.gums, masks.mouth))[:, None]
    colour = colour * (1 - inner * (1 - (0.25 + 0.75 * depth)))
    for eye in masks.eyes:
        r = eye.radial_cm[:, None]
        ring = 0.55 + 0.45 * _smooth(IRIS_RADIUS_CM, IRIS_RADIUS_CM - 0.15, eye.radial_cm)[:, None]
        ball = np.where(r < IRIS_RADIUS_CM, person.iris * ring, EYE_WHITE)
        colour[eye.vertices] = np.where(r < PUPIL_RADIUS_CM, 0.03, ball)
    return (np.clip(colour, 0, 1) * 255).astype(np.uint8)
