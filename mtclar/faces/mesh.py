"""A mesh of 468 points laid on a face: where its parts are, in pixels, and how deep they lie.

Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", 2019. The network looks at
a square around the face that is turned until the eyes are level. A face whose points are known from the frame before
needs no detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import Face, check_picture
from mtclar.faces.graphs import Graph

POINTS = 468
SIDE = 192
"""Side of the network's input in pixels."""
MARGIN = 1.5
"""Side of the square that the network sees over that of the face, as in MediaPipe."""
EYES = (33, 263)
"""Points of the outer corners of the eyes, the one on the picture's left in an upright face first."""


@dataclass(frozen=True, eq=False)
class Mesh:
    """The points of a face.

    Attributes:
        points: float32 (468, 3): x and y in pixels of the picture, right and down; z in the same unit, negative towards
            the viewer, from a depth of its own.
        presence: How sure the network is that it looks at a face, in [0, 1].
    """

    points: NDArray[np.float32]
    presence: float


@dataclass(frozen=True)
class Region:
    """A square of a picture: its centre and side in pixels, and by how much it is turned clockwise, in radians."""

    x: float
    y: float
    side: float
    angle: float


class MeshModel:
    """Lays meshes on faces; may be sent to another process.

    Example:
        model = MeshModel()
        mesh = model.fit(picture, face)
        mesh = model.follow(next_picture, mesh)
    """

    def __init__(self, threads: int = 1) -> None:
        """`threads`: of ONNX Runtime."""
        self._graph = Graph("mesh", threads)

    @property
    def identity(self) -> dict[str, Any]:
        """Name and sha256 of the weights."""
        return {"name": "mesh", "weights": self._graph.sha256}

    def fit(self, picture: NDArray[np.uint8], face: Face, *, twice: bool = True) -> Mesh:
        """The mesh of a face that a detector has found.

        Args:
            picture: uint8 RGB (h, w, 3).
            face: Its canonical box.
            twice: Look a second time, at the square that the first mesh gives, which is turned as the face is.
        """
        return self.fit_all(picture, [face], twice=twice)[0]

    def fit_all(self, picture: NDArray[np.uint8], faces: Sequence[Face], *, twice: bool = True) -> list[Mesh]:
        """As `fit`, for several faces of one picture at once."""
        meshes = self.look(picture, [region_of_face(face) for face in faces])
        return self.follow_all(picture, meshes) if twice else meshes

    def follow(self, picture: NDArray[np.uint8], mesh: Mesh) -> Mesh:
        """The mesh of a face that lay at `mesh` in the picture before."""
        return self.follow_all(picture, [mesh])[0]

    def follow_all(self, picture: NDArray[np.uint8], meshes: Sequence[Mesh]) -> list[Mesh]:
        """As `follow`, for several faces of one picture at once."""
        return self.look(picture, [region_of_mesh(mesh) for mesh in meshes])

    def look(self, picture: NDArray[np.uint8], regions: Sequence[Region]) -> list[Mesh]:
        """The meshes that the network sees in squares of a picture.

        Raises:
            MtclarError: The picture is not uint8 RGB.
        """
        check_picture(picture)
        if not regions:
            return []
        points, presence = self.ask(np.stack([square_of(picture, region) for region in regions]))
        return [
            Mesh(placed(mesh, region), float(sure))
            for mesh, region, sure in zip(points, regions, presence, strict=True)
        ]

    def ask(self, squares: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """What the network says of squares uint8 RGB (n, SIDE, SIDE, 3).

        Returns:
            Points (n, 468, 3) in pixels of the squares, and presences (n,).
        """
        answers = self._graph.run(squares.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
        presence = 1 / (1 + np.exp(-answers[1].reshape(-1).clip(-80, 80).astype(np.float64)))
        return answers[0].reshape(-1, POINTS, 3), presence


def region_of_face(face: Face) -> Region:
    """The upright square around a face box."""
    return Region(face.x + face.w / 2, face.y + face.h / 2, MARGIN * (face.w + face.h) / 2, 0.0)


def region_of_mesh(mesh: Mesh) -> Region:
    """The square around a mesh in which the outer corners of the eyes are level."""
    points = mesh.points[:, :2].astype(np.float64)
    across = points[EYES[1]] - points[EYES[0]]
    angle = float(np.arctan2(across[1], across[0]))
    turned = points @ _turn(angle)  # in axes along and across the eyes
    low, high = turned.min(0), turned.max(0)
    x, y = _turn(angle) @ ((low + high) / 2)
    return Region(float(x), float(y), MARGIN * float((high - low).max()), angle)


def _turn(angle: float) -> NDArray[np.float64]:
    """The matrix whose columns are the axes of a region that is turned by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def square_of(
    picture: NDArray[np.uint8], region: Region, size: int = SIDE, *, border: int = cv2.BORDER_REPLICATE
) -> NDArray[np.uint8]:
    """The region as a network sees it, uint8 (size, size, 3); `border` is OpenCV's for what lies beyond the picture."""
    side = max(region.side, 1.0)
    axes = _turn(region.angle) * side / size
    shift = np.array([region.x, region.y]) - axes @ np.full(2, size / 2)
    shrink = int(side / size)
    if shrink >= 2:  # to read a fine picture at single points would let noise through
        reach = side * 0.75
        height, width = picture.shape[:2]
        x0, y0 = (int(np.clip(value - reach, 0, end - 1)) for value, end in ((region.x, width), (region.y, height)))
        x1 = int(np.clip(np.ceil(region.x + reach), x0 + 1, width))
        y1 = int(np.clip(np.ceil(region.y + reach), y0 + 1, height))
        w, h = max(1, (x1 - x0) // shrink), max(1, (y1 - y0) // shrink)
        small = cv2.resize(picture[y0:y1, x0:x1], (w, h), interpolation=cv2.INTER_AREA)
        scale = np.array([w / (x1 - x0), h / (y1 - y0)])
        picture = np.asarray(small, np.uint8)
        axes, shift = scale[:, None] * axes, scale * (shift - (x0, y0))
    # Centres of pixels lie at i + 0.5 here and at i in OpenCV.
    shift = shift + axes @ np.full(2, 0.5) - 0.5
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(
            np.ascontiguousarray(picture),
            np.column_stack([axes, shift]),
            (size, size),
            flags=how,
            borderMode=border,
        ),
        np.uint8,
    )


def placed(points: NDArray[np.float32], region: Region) -> NDArray[np.float32]:
    """Points of the network (468, 3), in pixels of its input, in pixels of the picture."""
    scale = region.side / SIDE
    flat = (points[:, :2].astype(np.float64) - SIDE / 2) * scale @ _turn(region.angle).T + (region.x, region.y)
    return np.column_stack([flat, points[:, 2] * scale]).astype(np.float32)
