"""Measures how mesh and detectors lie on faces whose landmarks and poses are known: `python -m tools.face_geometry`.

Draws training people of `mtclar synthesize`, writes mtclar/faces/weights/mean_mesh.csv and prints what the constants of
mtclar/faces/geometry.py, blaze.py and centerface.py say. The face model must be named by MTCLAR_FACE_MODEL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mtclar.faces.blaze import BLAZES, BlazeDetector
from mtclar.faces.centerface import CenterFaceDetector
from mtclar.faces.detect import Canonical, Face, box_from_landmarks, overlap
from mtclar.faces.geometry import rotation_between
from mtclar.faces.graphs import WEIGHTS
from mtclar.faces.mesh import MeshModel
from mtclar.settings import SynthesizeSettings, load_settings
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.bulk_plan import bulk_jobs
from mtclar.synthesis.shots import Shot, shots

Array = NDArray[np.float64]

PEOPLE, PICTURES = 240, 2
FRONTAL = 8.0
"""Yaw, pitch and roll in degrees up to which a head counts as looking straight ahead."""
MIRROR68 = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), *range(45, 41, -1), 47, 46,
    *range(39, 35, -1), 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
)  # fmt: skip
"""The landmark on the other side of the face."""


def main() -> None:
    """Measures everything."""
    clean = list(drawn(light=0.0, covering=0.0, camera=0.0))
    points, truth = meshes(clean)
    landmarks = np.stack([shot.landmarks for shot in clean]).astype(np.float64)
    poses = np.array([[shot.facts[name] for name in ("yaw", "pitch", "roll")] for shot in clean])
    mean, mirror = mean_mesh(points, poses)
    table = "\n".join(",".join(f"{value:.5f}" for value in row) for row in mean.tolist())
    (WEIGHTS / "mean_mesh.csv").write_text(f"x,y,z\n{table}\n", encoding="utf-8")
    print("LANDMARKS", nearest_points(points, landmarks, mirror))
    report_box(points, truth)
    report_pose(mean, points, poses)
    hard = list(drawn(light=1.0, covering=0.35, camera=1.0))
    boxes = [box_from_landmarks(shot.landmarks) for shot in hard]
    for name in BLAZES:
        report_detector(name, BlazeDetector(name, threshold=0.5), hard, boxes)
    report_detector("centerface", CenterFaceDetector(threshold=0.5), hard, boxes)


def drawn(light: float, covering: float, camera: float) -> Iterator[Shot]:
    """Pictures of training people, whole."""
    chosen = {"people": round(PEOPLE * 1.25), "clips": 1, "stills": PICTURES, "seed": 2027, "pose": 1.0}
    chosen |= {"light": light, "covering": covering, "camera": camera, "artist": "rendered"}
    settings = load_settings().synthesize.model_dump() | chosen
    s = SynthesizeSettings(**settings)
    model = find_face_model(None)
    for job in bulk_jobs(s):
        if job.kind == "stills" and job.split == "train":
            yield from shots(job, s, model, pictures=PICTURES)


def meshes(pictures: Sequence[Shot]) -> tuple[Array, list[Face]]:
    """The mesh (n, 468, 3) of each picture and the canonical box of its face."""
    model, truth, points = MeshModel(), [], []
    for shot in pictures:
        assert shot.picture is not None
        truth.append(box_from_landmarks(shot.landmarks))
        points.append(model.fit(shot.picture, truth[-1]).points)
    return np.stack(points).astype(np.float64), truth


def mean_mesh(points: Array, poses: Array) -> tuple[Array, NDArray[np.int64]]:
    """The mean of frontal meshes, symmetric and upright, and for each point the one on the other side."""
    up = points * (1, -1, -1)
    frontal = up[(np.abs(poses) < FRONTAL).all(1)]
    mean = scaled(frontal[0])
    for _ in range(5):
        mean = scaled(np.mean([laid_on(mesh, mean) for mesh in frontal], axis=0))
    flipped = mean * (-1, 1, 1)
    for _ in range(10):
        mirror = linear_sum_assignment(((flipped[:, None] - mean[None]) ** 2).sum(-1))[1]
        flipped = laid_on(flipped, mean[mirror])
    mean = (mean + flipped[np.argsort(mirror)]) / 2
    # The plane of symmetry becomes x = 0.
    normal = np.linalg.svd(mean - mean[mirror])[2][0]
    normal *= np.sign(normal[0])
    mean = scaled(mean @ minimal_turn(normal, np.array([1.0, 0.0, 0.0])).T)
    mean = (mean + mean[mirror] * (-1, 1, 1)) / 2
    # What is left to choose is the nod: such that pitch has no error on average.
    pitch = np.mean([angles(mean, mesh)[1] for mesh in up] - poses[:, 1])
    c, s = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    return mean @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]]).T, mirror


def scaled(mesh: Array) -> Array:
    """Mean 0, mean square distance from it 1."""
    mesh = mesh - mesh.mean(0)
    return mesh / np.sqrt((mesh**2).sum(1).mean())


def laid_on(mesh: Array, other: Array) -> Array:
    """A mesh turned, scaled and shifted to lie on another."""
    turned = (mesh - mesh.mean(0)) @ rotation_between(mesh, other).T
    centred = other - other.mean(0)
    return turned * (turned * centred).sum() / (turned**2).sum() + other.mean(0)


def minimal_turn(a: Array, b: Array) -> Array:
    """The smallest rotation from one direction to another (Rodrigues' formula)."""
    x, y, z = np.cross(a, b)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + k + k @ k / (1 + a @ b)


def angles(mean: Array, mesh: Array) -> Array:
    """Yaw, pitch and roll in degrees of a mesh with y up, unstretched."""
    turn = rotation_between(mean, mesh)
    yaw, pitch, roll = np.arcsin(-turn[2, 0]), -np.arctan2(turn[2, 1], turn[2, 2]), np.arctan2(turn[1, 0], turn[0, 0])
    return np.degrees([yaw, pitch, roll])


def nearest_points(points: Array, landmarks: Array, mirror: NDArray[np.int64]) -> list[int]:
    """A point of the mesh for each landmark, none twice: the closest on average over both halves of the face."""
    side = np.array([box_from_landmarks(face).w for face in landmarks])
    apart = np.stack(
        [((points[:, :, :2] - landmarks[:, i, None]) ** 2).sum(-1) for i in range(68)], axis=1
    ) / side[:, None, None] ** 2  # fmt: skip
    cost = apart.mean(0)
    cost = (cost + cost[np.array(MIRROR68)][:, mirror]) / 2
    chosen = linear_sum_assignment(cost)[1]
    print("landmarks: rms distance over side", np.sqrt(cost[np.arange(68), chosen]).round(3).tolist())
    print("landmarks: mean distance over side", np.sqrt(apart[:, np.arange(68), chosen]).mean().round(4))
    print("landmarks: symmetric", bool((mirror[chosen] == chosen[np.array(MIRROR68)]).all()))
    return chosen.tolist()


def report_box(points: Array, truth: Sequence[Face]) -> None:
    """Prints the canonical box beside the box around the mesh."""
    low, high = points[:, :, :2].min(1), points[:, :, :2].max(1)
    print("BOX", beside((low + high) / 2, (high - low).mean(1), truth))


def report_detector(
    name: str, detector: BlazeDetector | CenterFaceDetector, pictures: Sequence[Shot], truth: Sequence[Face]
) -> None:
    """Prints the canonical box beside the detector's own."""
    found, boxes = [], []
    for shot, box in zip(pictures, truth, strict=True):
        assert shot.picture is not None
        face = max(detector.detect(shot.picture), key=lambda face: overlap(face, box), default=None)
        if face is not None and overlap(face, box) >= 0.2:
            found.append(face)
            boxes.append(box)
    canonical = detector.canonical
    side = np.array([face.w for face in found]) / canonical.side
    centre = np.array([(face.x + face.w / 2, face.y + face.h / 2) for face in found])
    centre -= np.stack([canonical.right * side, canonical.down * side], axis=1)
    print(name, f"{len(found)} of {len(pictures)}", beside(centre, side, boxes))


def beside(centre: Array, side: Array, truth: Sequence[Face]) -> str:
    """Median scale and offset of the true boxes, and standard deviations."""
    true_side = np.array([face.w for face in truth])
    true_centre = np.array([(face.x + face.w / 2, face.y + face.h / 2) for face in truth])
    ratio, offset = np.log(true_side / side), (true_centre - centre) / side[:, None]
    median = Canonical(float(np.exp(np.median(ratio))), *np.median(offset, 0).tolist())
    return f"{median}, sd {ratio.std():.3f} {offset.std(0).round(3).tolist()}"


def report_pose(mean: Array, points: Array, poses: Array) -> None:
    """Prints slopes and errors of the angles."""
    seen = np.array([angles(mean, mesh) for mesh in points * (1, -1, -1)])
    for i, name in enumerate(("yaw", "pitch", "roll")):
        slope, shift = np.polyfit(poses[:, i], seen[:, i], 1)
        error = np.sqrt(((seen[:, i] / slope - poses[:, i]) ** 2).mean())
        print(f"{name}: slope {slope:.3f}, shift {shift:.2f}, error {error:.2f} degrees (root mean square)")


if __name__ == "__main__":
    main()
