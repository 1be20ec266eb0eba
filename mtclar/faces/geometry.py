"""What a mesh says of a face: its 68 landmarks, its canonical box, and how far the head is turned.

The constants here were measured on 480 pictures of training people of `mtclar synthesize` (seed 2027, heads turned as
in film, even light, nothing covered), whose landmarks and poses are known; `tools/face_geometry.py` measures them anew.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import Face
from mtclar.faces.graphs import WEIGHTS
from mtclar.faces.mesh import Mesh

LANDMARKS = (
    127,
    234,
    93,
    215,
    172,
    150,
    149,
    148,
    152,
    377,
    378,
    379,
    397,
    435,
    323,
    454,
    356,  # jaw
    70,
    63,
    105,
    66,
    107,
    336,
    296,
    334,
    293,
    300,  # brows
    6,
    197,
    5,
    4,
    240,
    97,
    164,
    326,
    460,  # nose
    7,
    160,
    158,
    112,
    153,
    144,
    341,
    385,
    387,
    249,
    373,
    380,  # eyes
    61,
    74,
    37,
    0,
    267,
    304,
    291,
    335,
    314,
    17,
    84,
    106,  # outer lips
    146,
    81,
    13,
    311,
    375,
    403,
    15,
    179,  # inner lips
)
"""Point of the mesh for each of the 68 landmarks of the 300-W annotation."""
BOX_SIDE = 1.01
"""Side of the canonical box over the mean side of the upright box around the mesh.

The standard deviation of the logarithm of their ratio is 0.02, that of a detector's boxes 0.05 to 0.10."""
BOX_DOWN = 0.004
"""Centre of the canonical box below that of the box around the mesh, in mean sides of the latter; sideways 0."""
POSE_STRETCH = (1.06, 1.03, 0.97)
"""Yaw, pitch and roll of the mesh over those of the head."""


def landmarks68(mesh: Mesh) -> NDArray[np.float32]:
    """The landmarks of the 300-W annotation, float32 (68, 2) in pixels of the picture.

    Each is the point of the mesh that lies closest to it over all faces, the two halves of the face alike; on average
    3 % of the side of the face box away from it.
    """
    return mesh.points[list(LANDMARKS), :2]


def box_of_mesh(mesh: Mesh) -> Face:
    """The canonical face box, which trembles less than a detector's; its score is the mesh's presence."""
    low, high = mesh.points[:, :2].min(0).astype(np.float64), mesh.points[:, :2].max(0).astype(np.float64)
    mean = float((high - low).mean())
    x, y = (low + high) / 2
    side = BOX_SIDE * mean
    return Face(float(x) - side / 2, float(y) + BOX_DOWN * mean - side / 2, side, side, mesh.presence)


def head_pose(mesh: Mesh) -> tuple[float, float, float]:
    """Yaw, pitch and roll of the head in degrees, as `mtclar synthesize` has them.

    Positive yaw turns the nose to the picture's right, positive pitch looks up, positive roll tilts the head against
    the clock as the picture shows it. The head is rolled last: a point p of an upright head comes to
    Rz(roll) Ry(yaw) Rx(-pitch) p, with x right, y up and z towards the viewer.

    On the pictures named above the errors are 1.8, 3.3 and 1.3 degrees (root mean square).
    """
    return pose_of_points(mesh.points)


def pose_of_points(points: NDArray[np.floating]) -> tuple[float, float, float]:
    """As `head_pose`, of points (468, 3) in any unit."""
    turn = rotation_between(mean_mesh(), points.astype(np.float64) * (1, -1, -1))
    yaw = np.arcsin(np.clip(-turn[2, 0], -1, 1))
    pitch = -np.arctan2(turn[2, 1], turn[2, 2])
    roll = np.arctan2(turn[1, 0], turn[0, 0])
    angles = np.degrees([yaw, pitch, roll]) / POSE_STRETCH
    return float(angles[0]), float(angles[1]), float(angles[2])


@cache
def mean_mesh() -> NDArray[np.float64]:
    """The mesh of an average head that looks straight ahead (468, 3): x right, y up, z towards the viewer, mean 0.

    The mean over faces that are turned by less than 8 degrees, laid upon each other, and made symmetric.
    """
    return np.loadtxt(WEIGHTS / "mean_mesh.csv", delimiter=",", skiprows=1)


def rotation_between(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (3, 3) that with a shift and a scale lays points (n, 3) upon others best, in the mean square.

    Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
    """
    u, _, v = np.linalg.svd((others - others.mean(0)).T @ (points - points.mean(0)))
    return u @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ v)))]) @ v
