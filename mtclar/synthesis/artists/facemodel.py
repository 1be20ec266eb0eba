"""Reading the ICT face model (ICT-FaceKit, MIT licence): the packed .npz or the toolkit's own FaceXModel/ folder."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtclar.errors import MtclarError

#: Environment variable that names the face model where no option does.
FACE_MODEL_VARIABLE = "MTCLAR_FACE_MODEL"
NEUTRAL_OBJ = "generic_neutral_mesh.obj"
INDICES_JSON = "vertex_indices.json"
_ARRAYS = (
    "vertices",
    "faces",
    "face_material",
    "materials",
    "identity",
    "expression",
    "expression_names",
    "landmarks68",
)


@dataclass(frozen=True)
class FaceModel:
    """A linear face model. n vertices, f faces.

    Attributes:
        vertices: neutral mesh, float32 (n, 3), centimetres, y up, z to the viewer.
        faces: int32 (f, 4) vertex indices; a triangle has -1 last.
        face_material: index into `materials` of each face, (f,).
        materials: names.
        identity: float32 (modes, n, 3), displacement of one standard deviation.
        expression: float32 (shapes, n, 3), displacement at weight 1.
        expression_names: name of each shape.
        landmarks68: vertex indices of the 68 Multi-PIE points.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_material: NDArray[np.uint8]
    materials: tuple[str, ...]
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    expression_names: tuple[str, ...]
    landmarks68: NDArray[np.int64]


def find_face_model(path: Path | None) -> Path:
    """Where the face model lies: the path given, or the one $MTCLAR_FACE_MODEL names.

    Raises:
        MtclarError: no path is known, or nothing lies there.
    """
    if path is None and os.environ.get(FACE_MODEL_VARIABLE):
        path = Path(os.environ[FACE_MODEL_VARIABLE])
    if path is None:
        raise MtclarError(
            "the rendered artist needs the ICT face model: give --face-model PATH (ICT-FaceKit's FaceXModel folder or "
            f"a packed .npz) or set {FACE_MODEL_VARIABLE}, or use --artist drawn, which needs none"
        )
    if not path.exists():
        raise MtclarError(f"no face model at {path}: expected a .npz file or ICT-FaceKit's FaceXModel folder")
    return path


def load_face_model(path: Path | None) -> FaceModel:
    """Read a face model from a packed .npz file or a FaceXModel/ folder, found as `find_face_model` does.

    Raises:
        MtclarError: no path is known, or what lies there is no face model.
    """
    path = find_face_model(path)
    return _read_folder(path) if path.is_dir() else _read_packed(path)


def _read_packed(path: Path) -> FaceModel:
    try:
        with np.load(path, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in _ARRAYS}
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise MtclarError(f"{path} is not a packed face model: {error}") from error
    return FaceModel(
        vertices=arrays["vertices"].astype(np.float32),
        faces=arrays["faces"].astype(np.int32),
        face_material=arrays["face_material"].astype(np.uint8),
        materials=tuple(str(name) for name in arrays["materials"]),
        identity=arrays["identity"].astype(np.float32),
        expression=arrays["expression"].astype(np.float32),
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        landmarks68=arrays["landmarks68"].astype(np.int64),
    )


def _read_folder(folder: Path) -> FaceModel:
    for name in (NEUTRAL_OBJ, INDICES_JSON):
        if not (folder / name).is_file():
            raise MtclarError(f"{folder} is not ICT-FaceKit's FaceXModel folder: {name} is missing")
    try:
        indices = json.loads((folder / INDICES_JSON).read_text(encoding="utf-8"))
        landmarks = np.asarray(indices["idx_to_landmark_verts"], np.int64)
        names = tuple(str(name) for name in indices["expressions"])
    except (ValueError, KeyError) as error:
        raise MtclarError(f"{folder / INDICES_JSON} cannot be understood: {error}") from error
    if landmarks.shape != (68,):
        raise MtclarError(f"{folder / INDICES_JSON} lists {landmarks.size} landmarks: 68 expected")
    vertices, faces, face_material, materials = read_obj(folder / NEUTRAL_OBJ)
    modes = sorted(folder.glob("identity[0-9][0-9][0-9].obj"))
    if not modes:
        raise MtclarError(f"{folder} has no identity000.obj, identity001.obj, ...: is the copy complete?")

    def displacements(paths: list[Path]) -> NDArray[np.float32]:
        shapes = np.empty((len(paths), *vertices.shape), np.float32)
        for i, path in enumerate(paths):
            moved = read_obj_vertices(path)
            if moved.shape != vertices.shape:
                raise MtclarError(f"{path} has {len(moved)} vertices: {len(vertices)} expected, as in {NEUTRAL_OBJ}")
            shapes[i] = moved - vertices
        return shapes

    return FaceModel(
        vertices=vertices,
        faces=faces,
        face_material=face_material,
        materials=materials,
        identity=displacements(modes),
        expression=displacements([folder / f"{name}.obj" for name in names]),
        expression_names=names,
        landmarks68=landmarks,
    )


def read_obj_vertices(path: Path) -> NDArray[np.float32]:
    """Read only the `v` lines of an OBJ file: float32 (n, 3)."""
    try:
        with path.open(encoding="utf-8") as lines:
            rows = [line.split()[1:4] for line in lines if line.startswith("v ")]
        return np.array(rows, np.float64).astype(np.float32).reshape(-1, 3)
    except (OSError, ValueError) as error:
        raise MtclarError(f"{path} cannot be read as an OBJ file: {error}") from error


def read_obj(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.uint8], tuple[str, ...]]:
    """Read an OBJ mesh of triangles and quads.

    Returns:
        vertices float32 (n, 3), faces int32 (f, 4) with -1 last for triangles, material index (f,), sorted materials.

    Raises:
        MtclarError: the file is missing or not such a mesh.
    """
    vertices = read_obj_vertices(path)
    faces: list[list[int]] = []
    used: list[str] = []
    material = ""
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("usemtl "):
                material = line.split(maxsplit=1)[1].strip()
            elif line.startswith("f "):
                corners = [int(corner.split("/")[0]) for corner in line.split()[1:]]
                if len(corners) not in (3, 4):
                    raise ValueError(f"a face of {len(corners)} corners")
                # OBJ counts from 1; negative numbers count back from the last vertex read.
                resolved = [c - 1 if c > 0 else len(vertices) + c for c in corners]
                faces.append(resolved + [-1] * (4 - len(corners)))
                used.append(material)
    except ValueError as error:
        raise MtclarError(f"{path} cannot be read as an OBJ file: {error}") from error
    materials = tuple(sorted(set(used)))
    index = {name: i for i, name in enumerate(materials)}
    return vertices, np.array(faces, np.int32).reshape(-1, 4), np.array([index[m] for m in used], np.uint8), materials
