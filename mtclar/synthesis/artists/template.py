"""A face of 68 landmarks that moves: the drawn artist's model, in centimetres (x right, y up, z to the viewer)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import INDEX, Actions
from mtclar.synthesis.identity import Person

Points = NDArray[np.float64]

#: Picture-left (the person's right) and picture-right landmarks: brows, eyes, mouth corners.
BROWS = (slice(17, 22), slice(22, 27))
EYES = (slice(36, 42), slice(42, 48))
#: Half axes of the head as an ellipsoid, and its centre.
HEAD_RADII = np.array([7.6, 10.6, 9.0])
HEAD_CENTRE = np.array([0.0, 2.2, 0.0])


def _mirror(points: Points) -> Points:
    return points * [-1, 1]


def _template() -> Points:
    """The relaxed average face in two dimensions (68, 2)."""
    angles = np.radians(np.linspace(180, 360, 17))
    jaw = np.stack([7.3 * np.cos(angles), 2.6 + 10.2 * np.sin(angles)], 1)
    brow = np.array([(-5.7, 5.0), (-4.8, 5.7), (-3.7, 6.0), (-2.5, 5.9), (-1.3, 5.5)])
    bridge = np.array([(0, 3.6), (0, 2.5), (0, 1.4), (0, 0.3)])
    wings = np.array([(-1.4, -0.9), (-0.7, -1.1), (0, -1.2), (0.7, -1.1), (1.4, -0.9)])
    eye = np.array([(-4.5, 3.3), (-3.7, 3.95), (-2.8, 3.95), (-1.9, 3.2), (-2.8, 2.8), (-3.7, 2.85)])
    eye = eye.mean(0) + (eye - eye.mean(0)) * (1.1, 1.3)
    left_eye = _mirror(eye)[[3, 2, 1, 0, 5, 4]]
    upper = np.array([(-2.5, -3.7), (-1.6, -3.1), (-0.6, -2.8), (0, -2.95), (0.6, -2.8), (1.6, -3.1), (2.5, -3.7)])
    lower = np.array([(1.6, -4.4), (0.7, -4.75), (0, -4.8), (-0.7, -4.75), (-1.6, -4.4)])
    seam_top = np.array([(-2.2, -3.7), (-0.9, -3.6), (0, -3.6), (0.9, -3.6), (2.2, -3.7)])
    seam_low = np.array([(0.9, -3.7), (0, -3.75), (-0.9, -3.7)])
    return np.concatenate(
        [jaw, brow, _mirror(brow)[::-1], bridge, wings, eye, left_eye, upper, lower, seam_top, seam_low]
    )


def personal(person: Person) -> Points:
    """A person's relaxed landmarks (68, 2), from the first shape coefficients."""
    points = _template()
    wide, long, jaw, eyes, mouth, nose, brow = np.clip(person.shape[:7], -2, 2)
    points *= 1 + 0.03 * np.array([wide, long])
    points[3:14, 0] *= 1 + 0.03 * jaw
    for side, part in zip((-1, 1), EYES, strict=True):
        points[part, 0] += 0.15 * side * eyes
    points[48:, 0] *= 1 + 0.05 * mouth
    points[30:36, 1] -= 0.15 * nose
    points[17:27, 1] += 0.2 * brow
    return points


def express(points: Points, actions: Actions) -> Points:
    """Move landmarks (68, 2) by facial actions; column 0 of the actions is the person's left, the picture's right."""
    p = points.copy()
    middle = {name: float(actions[i].mean()) for name, i in INDEX.items()}
    for column, side in ((1, -1), (0, 1)):
        act = {name: float(actions[i, column]) for name, i in INDEX.items()}
        _move_brow(p, BROWS[0 if side < 0 else 1], act, side)
        _move_eye(p, EYES[0 if side < 0 else 1], act, side)
        corner, lip_side = (48, 60) if side < 0 else (54, 64), side * p[48:, 0] > 0.3
        lift = 1.25 * act["smile"] - 0.95 * act["lip_corner_down"] + 0.15 * act["dimple"]
        spread = 0.95 * act["smile"] + 0.7 * act["lip_stretch"] + 0.45 * act["dimple"] - 0.9 * middle["pucker"]
        reach = np.clip(np.abs(p[48:, 0]) / abs(p[corner[0], 0]), 0, 1) ** 2 * lip_side
        p[48:] += reach[:, None] * [side * (spread - 0.6 * middle["funnel"]), lift]
        upper = [i for i in (49, 50, 52, 53, 61, 63) if side * points[i, 0] > 0]
        p[upper, 1] += 0.75 * act["upper_lip_up"] + 0.45 * act["nose_wrinkle"]
        lower = [i for i in (55, 56, 58, 59, 65, 67) if side * points[i, 0] > 0]
        p[lower, 1] -= 0.7 * act["lower_lip_down"]
    p[[51, 62], 1] += 0.6 * middle["upper_lip_up"] + 0.4 * middle["nose_wrinkle"]
    p[[57, 66], 1] -= 0.7 * middle["lower_lip_down"]
    drop = 3.4 * middle["jaw_open"]
    p[[55, 56, 57, 58, 59, 65, 66, 67], 1] -= drop
    p[[48, 54, 60, 64], 1] -= 0.35 * drop
    p[4:13, 1] -= drop * np.sin(np.linspace(0, np.pi, 9))
    thin = 1 - 0.45 * np.clip(middle["lip_press"] + middle["roll_lower_lip"] + middle["roll_upper_lip"], 0, 1.2)
    seam = p[60:68, 1].mean()
    outer = slice(48, 60)
    p[outer, 1] = seam + (p[outer, 1] - seam) * (thin if middle["jaw_open"] < 0.1 else 1.0)
    p[[55, 56, 57, 58, 59, 65, 66, 67], 1] += 0.45 * middle["chin_raise"]
    p[31:36, 1] += 0.4 * middle["nose_wrinkle"]
    return p


def _move_brow(p: Points, part: slice, act: dict[str, float], side: int) -> None:
    """Inner end by AU1 and AU4, outer end by AU2."""
    inner = np.linspace(0, 1, 5) if side < 0 else np.linspace(1, 0, 5)
    lift = 1.2 * act["brow_inner_up"] * inner + 1.2 * act["brow_outer_up"] * (1 - 0.7 * inner)
    p[part, 1] += lift - act["brow_down"] * (0.35 + 0.75 * inner)
    p[part, 0] -= side * 0.35 * act["brow_down"] * inner


def _move_eye(p: Points, part: slice, act: dict[str, float], side: int) -> None:
    """Upper lid by AU5, 43 and 45; lower lid by AU6 and AU7."""
    eye = p[part]
    top, low = ([1, 2], [5, 4])
    close = min(1.0, act["lid_close"])
    raised = 0.5 * act["lid_raise"] * (1 - close)
    narrow = min(0.75, 0.45 * act["lid_tighten"] + 0.4 * act["cheek_raise"])
    height = eye[top, 1] - eye[low, 1]
    eye[top, 1] += raised - close * height - 0.25 * act["lid_tighten"] * height * (1 - close)
    eye[low, 1] += np.minimum(narrow * 0.45, 0.8 * np.maximum(eye[top, 1] - eye[low, 1], 0))
    p[part] = eye


def to_space(points: Points) -> Points:
    """Lay landmarks (68, 2) on the head's ellipsoid, nose and mouth a little before it: (68, 3)."""
    flat = np.clip((points - HEAD_CENTRE[:2]) / (HEAD_RADII[:2] * 1.08), -0.97, 0.97)
    depth = HEAD_RADII[2] * np.sqrt(np.maximum(0.05, 1 - (flat**2).sum(1)))
    depth[27:31] += np.linspace(0.8, 2.8, 4)
    depth[31:36] += (0.9, 1.6, 2.0, 1.6, 0.9)
    depth[48:] += 0.5
    return np.concatenate([points, depth[:, None]], 1)
