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
from mtclar.faces.models import DOUBTFUL, PRESENT, SAME

Picture = NDArray[np.uint8]

CERTAIN = 0.9999
"""Presence from which a mesh is taken without trying others.

On 572 detected faces of generated films (tests/faces/footage.py, people of the validation split) turned by 0, 90, 180
and 270 degrees the mesh of the right one of four turns was always the most present, and more than this but for three in
1,000; upside down it was above 0.99 for 17 in 100, and above this for one in 140."""
WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""Nothing must be found for so long before the picture is turned; the wait doubles with every vain try, up to this."""
SIDEWAYS = 60.0
"""Degrees by which a head must be tilted away from where it counts as upright before another quarter turn counts."""


class Proposes(Protocol):
    """A detector that also tells of boxes it is not sure of, such as `BlazeDetector` and `CenterFaceDetector`."""

    threshold: float

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> dict[str, Any]: ...

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
    """Looks for faces, in the picture turned by `turn` degrees clockwise; 0 at first."""

    def __init__(self, quick: Proposes, careful: Proposes, meshes: Meshes) -> None:
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
        return [Found(face, sure) for face, sure in self._proposed(self._quick, picture)]

    def look_closely(self, picture: Picture, found: Sequence[Found]) -> list[Found]:
        """The faces that the careful detector sees, and what the quick one has `found` besides."""
        proposed = self._proposed(self._careful, picture)
        rest, doubled = [], set()
        for one in found:
            twins = [i for i, (face, _) in enumerate(proposed) if overlap(one.face, face) >= SAME]
            if not twins:
                rest.append(one)
            elif one.sure and not any(proposed[i][1] for i in twins):
                rest.append(replace(one, careful=True))
                doubled.update(twins)
        seen = [
            Found(face, sure, careful=True, quick=any(overlap(face, one.face) >= SAME for one in found))
            for i, (face, sure) in enumerate(proposed)
            if i not in doubled
        ]
        return seen + rest

    def lay(self, picture: Picture, face: Face, turns: Sequence[int]) -> Mesh:
        """The mesh of a face that was found, in pixels of the picture as it stands.

        Args:
            picture: As it stands.
            face: Its box.
            turns: How the picture may have to be turned for the face to stand upright, the likeliest first; of several
                the mesh is taken that is most sure of a face.
        """
        size, laid = (picture.shape[1], picture.shape[0]), []
        for turn in turns:
            upright = turned(picture, turn)
            mesh = self._meshes.fit_all(upright, [turned_face(face, turn, size)])[0]
            laid.append(turned_mesh(mesh, -turn, (upright.shape[1], upright.shape[0])))
            if mesh.presence >= CERTAIN:
                break
        return max(laid, key=lambda mesh: mesh.presence)

    def follow(self, picture: Picture, meshes: Sequence[Mesh]) -> list[Mesh]:
        """Meshes of the frame before, followed on to this one, however their heads are turned."""
        return self._meshes.follow_all(picture, meshes) if meshes else []

    def seen(self, time_s: float) -> None:
        """Tells that there are faces as the picture is turned now."""
        self._wait_s, self._since_s = WAIT_S, time_s

    def any_turn(self) -> tuple[int, ...]:
        """All turns, that of the picture first."""
        return tuple((self.turn + quarter) % 360 for quarter in (0, 90, 270, 180))

    def turn_on(self, picture: Picture, time_s: float) -> list[Found]:
        """What is found in the picture turned otherwise, where nothing was found for a while.

        Another turn is kept if both the careful detector and the mesh see a face in it.
        """
        if time_s - self._since_s < self._wait_s:
            return []
        self._wait_s, self._since_s = min(2 * self._wait_s, LONGEST_WAIT_S), time_s
        now, *others = self.any_turn()
        for self.turn in others:
            found = [
                one
                for one in self.look_closely(picture, self.look(picture))
                if one.careful and self.lay(picture, one.face, (self.turn,)).presence >= PRESENT
            ]
            if found:
                self.seen(time_s)
                return found
        self.turn = now
        return []

    def _proposed(self, detector: Proposes, picture: Picture) -> list[tuple[Face, bool]]:
        """The boxes of a detector in pixels of the picture as it stands, and whether it is sure of each."""
        height, width = picture.shape[:2]
        size = (width, height) if self.turn % 180 == 0 else (height, width)
        lowest = min(DOUBTFUL.get(detector.name, detector.threshold), detector.threshold)
        faces = detector.proposals(turned(picture, self.turn), lowest)
        return [(turned_face(face, -self.turn, size), face.score >= detector.threshold) for face in faces]


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
