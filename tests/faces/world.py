"""A world of boxes in which detectors and meshes are told the truth, for tests of what is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mtclar.faces.detect import Face, overlap
from mtclar.faces.finder import turned_face, turned_mesh
from mtclar.faces.geometry import BOX_DOWN, BOX_SIDE
from mtclar.faces.mesh import EYES, POINTS, Mesh

FPS = 25.0
SIZE = (320, 240)


@dataclass(frozen=True)
class Settings:
    """What the tracker asks of params.yaml."""

    detect_every: int = 5
    lost_after_s: float = 2.0
    steady_s: float = 0.0
    identity: bool = False


@dataclass
class World:
    """People by frame: `people[frame][person]` is the box, or None where the person cannot be seen.

    Heads stand upright in the picture turned by `turn` degrees clockwise.
    """

    people: list[list[Face | None]]
    blind: set[tuple[str, int, int]] = field(default_factory=set)  # detector, frame, person
    unsure: set[tuple[int, int]] = field(default_factory=set)  # frame, person
    meshless: set[int] = field(default_factory=set)  # people on whom no mesh can be laid
    false: dict[tuple[str, int], list[Face]] = field(default_factory=dict)
    backwards: bool = False
    turn: int = 0
    any_turn: bool = False  # whether detectors see faces that lie
    calls: dict[str, int] = field(default_factory=lambda: {"quick": 0, "careful": 0, "fit": 0, "follow": 0})

    def picture(self, frame: int) -> np.ndarray:
        """A picture that shows the number of its frame and a colour for each person."""
        picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
        for person, face in enumerate(self.people[frame]):
            if face is not None:
                x0, y0, x1, y1 = (round(max(0.0, v)) for v in (face.x, face.y, face.x + face.w, face.y + face.h))
                picture[y0:y1, x0:x1] = ((60 + 97 * person) % 256, (150 + 57 * person) % 256, (90 + 131 * person) % 256)
        for corner, (y, x) in enumerate(((0, 0), (-1, 0), (-1, -1), (0, -1))):
            picture[y, x] = frame // 256, frame % 256, corner
        return picture

    def faces(self, picture: np.ndarray, name: str) -> list[tuple[int, Face]]:
        """Person and box of everybody on a picture, however it is turned."""
        frame, by = frame_and_turn(picture)
        return [
            (person, turned_face(face, by, SIZE))
            for person, face in enumerate(self.people[frame])
            if face is not None and (name, frame, person) not in self.blind
        ]

    def detector(self, name: str) -> Sees:
        """The detector `quick` or `careful`."""
        return Sees(self, name, {"quick": "full-range", "careful": "centerface"}[name])


@dataclass
class Sees:
    """A detector of a world."""

    world: World
    part: str
    name: str
    threshold: float = 0.6

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": self.name}

    def proposals(self, picture: np.ndarray, threshold: float) -> list[Face]:
        self.world.calls[self.part] += 1
        frame, by = frame_and_turn(picture)
        found = [
            Face(*face.box, 0.4 if (frame, person) in self.world.unsure else 0.9)
            for person, face in self.world.faces(picture, self.part)
            if by == self.world.turn or self.world.any_turn
        ]
        found += self.world.false.get((self.part, frame), [])
        found = [face for face in found if face.score >= threshold]
        return found[::-1] if self.world.backwards else found


@dataclass
class Lays:
    """The mesh model of a world: it finds the face on which it is laid, if there is one."""

    world: World

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": "mesh"}

    def fit_all(self, picture: np.ndarray, faces: Sequence[Face]) -> list[Mesh]:
        self.world.calls["fit"] += len(faces)
        upright = frame_and_turn(picture)[1] == self.world.turn
        meshes = [self._on(picture, face) for face in faces]
        return meshes if upright else [replace(mesh, presence=0.6 * mesh.presence) for mesh in meshes]

    def follow_all(self, picture: np.ndarray, meshes: Sequence[Mesh]) -> list[Mesh]:
        self.world.calls["follow"] += len(meshes)
        return [self._on(picture, face_of(mesh)) for mesh in meshes]

    def _on(self, picture: np.ndarray, face: Face) -> Mesh:
        there = [f for person, f in self.world.faces(picture, "mesh") if person not in self.world.meshless]
        best = max(there, key=lambda f: overlap(f, face), default=None)
        found = best is not None and overlap(best, face) > 0.2
        left = (self.world.turn - frame_and_turn(picture)[1]) % 360  # by which the heads still lie
        size = picture.shape[1], picture.shape[0]
        upright = turned_face(best if found and best is not None else face, left, size)
        mesh = mesh_of(upright, 1.0 if found else 0.0)
        return turned_mesh(mesh, -left, size if left % 180 == 0 else size[::-1])


def frame_and_turn(picture: np.ndarray) -> tuple[int, int]:
    """The number of the frame that a picture shows, and by how many degrees clockwise it has been turned."""
    high, low, corner = (int(value) for value in picture[0, 0])
    return 256 * high + low, 90 * corner


def mesh_of(face: Face, presence: float = 1.0) -> Mesh:
    """An upright mesh whose canonical box is that of a face."""
    side = face.w / BOX_SIDE
    middle = np.array([face.x + face.w / 2, face.y + face.h / 2 - BOX_DOWN * side])
    points = np.zeros((POINTS, 3), np.float32)
    points[:, :2] = middle
    points[0, :2], points[1, :2] = middle - side / 2, middle + side / 2
    points[EYES[0], :2] = middle - np.array([side / 4, side / 6])
    points[EYES[1], :2] = middle + np.array([side / 4, -side / 6])
    return Mesh(points, presence)


def face_of(mesh: Mesh) -> Face:
    """The box around a mesh."""
    low, high = mesh.points[:, :2].min(0), mesh.points[:, :2].max(0)
    return Face(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
