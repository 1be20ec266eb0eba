"""Crops aligned by landmarks: level, of one size and in one place, whatever mouth and brows do.

A head that is average and still (`geometry.mean_mesh`) is laid upon a mesh by the points that no expression moves much:
corners of the eyes, bridge of the nose, forehead and temples. Where that head comes to lie says where to cut, how large
and how far turned. The box around a mesh would grow with every open mouth.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces.crop import CropSpec, cut
from mtclar.faces.detect import Face
from mtclar.faces.geometry import BOX_DOWN, BOX_SIDE, mean_mesh, rotation_between
from mtclar.faces.mesh import Mesh, MeshModel, Region, square_of

STABLE = (33, 133, 362, 263, 168, 6, 197, 195, 5, 10, 151, 338, 109, 127, 356, 234, 454, 21, 251, 54, 284)
"""Points of the mesh that stay where they are: corners of the eyes, bridge of the nose, forehead, temples."""
SURE = 0.5
"""Presence of a mesh from which it is believed; other faces are cut by their box."""


def region_of_head(mesh: Mesh) -> Region:
    """The square around a head, as large as the canonical box of the same face when it is still and looks ahead."""
    points = mesh.points.astype(np.float64) * (1, -1, -1)
    known, mean = points[list(STABLE)], mean_mesh()[list(STABLE)]
    turn = rotation_between(mean, known)
    still = (mean - mean.mean(0)) @ turn.T
    moved = known - known.mean(0)
    scale = float((still * moved).sum() / (still**2).sum())
    x, y, _ = known.mean(0) - scale * turn @ mean.mean(0)  # where the origin of the mean mesh lies
    # The middle of the canonical box lies a little below or above that origin, along the turned head.
    side, down = _still_box()
    angle = -float(np.arctan2(turn[1, 0], turn[0, 0]))  # clockwise as the picture shows it
    x, y = x - np.sin(angle) * down * scale, -y + np.cos(angle) * down * scale
    return Region(float(x), float(y), max(side * scale, 1.0), angle)


@cache
def _still_box() -> tuple[float, float]:
    """Side of the canonical box of the mean mesh, and how far its middle lies below the origin, in the mesh's unit."""
    low, high = mean_mesh()[:, :2].min(0), mean_mesh()[:, :2].max(0)
    mean = float((high - low).mean())
    return BOX_SIDE * mean, float(BOX_DOWN * mean - (low + high)[1] / 2)


def cut_aligned(picture: NDArray[np.uint8], face: Face, mesh: Mesh | None, spec: CropSpec) -> NDArray[np.uint8]:
    """The crop of a face as `spec.align` says.

    Args:
        picture: uint8 RGB (h, w, 3).
        face: Its canonical box.
        mesh: Of the face; None where none could be laid.
        spec: Size, scale and alignment.

    Returns:
        uint8 RGB (size, size, 3), black where the picture ends.

    Raises:
        MtclarError: As `cut`.
    """
    if spec.align == "box" or mesh is None or mesh.presence < SURE:
        return cut(picture, face.box, spec)
    region = region_of_head(mesh)
    around = Region(region.x, region.y, spec.scale * region.side, region.angle)
    return square_of(picture, around, spec.size, border=cv2.BORDER_CONSTANT)


class Aligner:
    """Cuts crops out of single pictures; may be sent to another process."""

    def __init__(self, spec: CropSpec, threads: int = 1) -> None:
        """`threads`: of ONNX Runtime, for the meshes, which are laid only where the spec asks for them."""
        self.spec = spec
        self._meshes = MeshModel(threads) if spec.align == "mesh" else None

    def __call__(self, picture: NDArray[np.uint8], face: Face) -> NDArray[np.uint8]:
        """The crop of a face that a detector has found, uint8 RGB (size, size, 3).

        Raises:
            MtclarError: As `cut`.
        """
        mesh = None if self._meshes is None else self._meshes.fit(picture, face)
        return cut_aligned(picture, face, mesh, self.spec)
