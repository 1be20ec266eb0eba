"""Faces of a frame, by a quick detector or a careful one, in the picture as it stands or, if need be, turned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import Face, overlap
from mtclar.faces.mesh import EYES, Mesh

Picture = NDArray[np.uint8]

UNSURE = 0.3
"""Score of the quick detector from which a box keeps a track alive; below it lie more walls than faces."""
SAME = 0.3
"""Overlap from which two boxes of one frame mean the same face."""
PRESENT = 0.5
"""Presence from which a mesh lies on a face."""
WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Nothing must be found for so long before the picture is turned; the wait doubles with every vain try, up to this."""
SIDEWAYS = 60.0
"""Degrees by which a head must be tilted away from where it counts as upright before another quarter turn counts."""


class Detects(Protocol):
    """A detector of `mtclar.faces.models`."""

    @property
    def identity(self) -> dict[str, Any]: ...

    def detect(self, picture: Picture) -> list[Face]: ...


class Proposes(Detects, Protocol):
    """A detector that also tells of boxes it is not sure of; `mtclar.faces.blaze.BlazeDetector` is one."""

    threshold: float

    def proposals(self, picture: Picture, threshold: float) -> list[Face]: ...


class Meshes(Protocol):
    """`mtclar.faces.mesh.MeshModel`."""

    @property
    def identity(self) -> dict[str, Any]: ...

    def fit_all(self, picture: Picture, faces: Sequence[Face]) -> list[Mesh]: ...

    def follow_all(self, picture: Picture, meshes: Sequence[Mesh]) -> list[Mesh]: ...


@dataclass(frozen=True)
class Found:
    """A box of a detector.

    Attributes:
        face: In pixels of the picture as it stands.
        sure: Whether it counts as a face by itself; one that does not may still be a face that was there before.
        careful: Whether the careful detector has seen it, and `quick` whether the quick one has.
    """

    face: Face
    sure: bool
    careful: bool = False
    quick: bool = True


class Finder:
    """Looks for faces, in the picture turned by `turn` degrees clockwise; 0 until nothing is found so."""

    def __init__(self, quick: Proposes, careful: Detects, meshes: Meshes) -> None:
        """`quick` is the detector that looks often, `careful` the one that looks where it matters."""
        self._quick, self._careful, self._meshes = quick, careful, meshes
        self.turn = 0
        self._wait_s, self._since_s = WAIT_S, 0.0

    @property
    def identity(self) -> dict[str, Any]:
        """Those of both detectors and of the mesh."""
        return {
            "quick": self._quick.identity,
            "careful": self._careful.identity,
            "mesh": self._meshes.identity,
        }

    def look(self, picture: Picture) -> list[Found]:
        """The faces that the quick detector sees, also those of which it is unsure."""
        faces = self._quick.proposals(turned(picture, self.turn), UNSURE)
        return [Found(self._back(face, picture), face.score >= self._quick.threshold) for face in faces]

    def look_closely(self, picture: Picture, found: Sequence[Found]) -> list[Found]:
        """The faces that the careful detector sees, and what the quick one has `found` besides."""
        faces = [self._back(face, picture) for face in self._careful.detect(turned(picture, self.turn))]
        seen = [
            Found(face, True, careful=True, quick=any(overlap(face, one.face) >= SAME for one in found))
            for face in faces
        ]
        return seen + [one for one in found if all(overlap(one.face, face) < SAME for face in faces)]

    def lay(self, picture: Picture, faces: Sequence[Face]) -> list[Mesh]:
        """Meshes on faces that were found, in pixels of the picture as it stands."""
        if not faces:
            return []
        upright, size = turned(picture, self.turn), (picture.shape[1], picture.shape[0])
        meshes = self._meshes.fit_all(upright, [turned_face(face, self.turn, size) for face in faces])
        return [turned_mesh(mesh, -self.turn, (upright.shape[1], upright.shape[0])) for mesh in meshes]

    def follow(self, picture: Picture, meshes: Sequence[Mesh]) -> list[Mesh]:
        """Meshes of the frame before, followed on to this one, however their heads are turned."""
        return self._meshes.follow_all(picture, meshes) if meshes else []

    def seen(self, time_s: float) -> None:
        """Tells that there are faces as the picture is turned now."""
        self._wait_s, self._since_s = WAIT_S, time_s

    def turn_on(self, picture: Picture, time_s: float) -> list[Found]:
        """What is found in the picture turned otherwise, where nothing was found for a while.

        Another turn is kept if both the careful detector and the mesh see a face in it.
        """
        if time_s - self._since_s < self._wait_s:
            return []
        self._wait_s, self._since_s = min(2 * self._wait_s, LONGEST_WAIT_S), time_s
        now = self.turn
        for quarter in (90, 270, 180):
            self.turn = (now + quarter) % 360
            found = [one for one in self.look_closely(picture, self.look(picture)) if one.careful]
            meshes = self.lay(picture, [one.face for one in found])
            found = [one for one, mesh in zip(found, meshes, strict=True) if mesh.presence >= PRESENT]
            if found:
                self.seen(time_s)
                return found
        self.turn = now
        return []

    def _back(self, face: Face, picture: Picture) -> Face:
        height, width = picture.shape[:2]
        return turned_face(face, -self.turn, (width, height) if self.turn % 180 == 0 else (height, width))


def turned(picture: Picture, turn: int) -> Picture:
    """A picture turned by 0, 90, 180 or 270 degrees clockwise."""
    return np.ascontiguousarray(np.rot90(picture, -turn // 90)) if turn else picture


def turned_points(points: NDArray[np.floating], turn: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """Points (n, 2) of a picture of `size` (width, height) as they lie after `turned`."""
    width, height = size
    x, y = np.asarray(points, np.float64).T
    return np.stack({0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[turn % 360], 1)


def turned_face(face: Face, turn: int, size: tuple[int, int]) -> Face:
    """A box of a picture of `size` (width, height) as it lies after `turned`."""
    x, y = turned_points(np.array([[face.x + face.w / 2, face.y + face.h / 2]]), turn, size)[0].tolist()
    w, h = (face.w, face.h) if turn % 180 == 0 else (face.h, face.w)
    return replace(face, x=x - w / 2, y=y - h / 2, w=w, h=h)


def turned_mesh(mesh: Mesh, turn: int, size: tuple[int, int]) -> Mesh:
    """A mesh of a picture of `size` (width, height) as it lies after `turned`."""
    if turn % 360 == 0:
        return mesh
    flat = turned_points(mesh.points[:, :2], turn, size)
    return replace(mesh, points=np.column_stack([flat, mesh.points[:, 2]]).astype(np.float32))


def turn_of(mesh: Mesh, before: int) -> int:
    """Degrees clockwise, in quarters, by which the picture is to be turned for a head to stand upright.

    Args:
        mesh: Of the head.
        before: The turn in the frame before, which holds until the head is tilted from it by more than `SIDEWAYS`.
    """
    across = mesh.points[EYES[1], :2] - mesh.points[EYES[0], :2]
    tilt = math.degrees(math.atan2(float(across[1]), float(across[0])))
    left = (tilt + before + 180) % 360 - 180
    return before if abs(left) <= SIDEWAYS else round(-tilt / 90) * 90 % 360
