"""Reading a face model from OBJ files, as ICT-FaceKit ships it, and from a packed file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.synthesis.artists import make_artist
from mtclar.synthesis.artists.facemodel import load_face_model, read_obj

CORNERS = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0.5, 2, 0)], float)
FACES = "usemtl M_Face\nf 1/1/1 2/2/1 3/3/1 4/4/1\nusemtl M_Teeth\nf 4//1 3//1 -1\n"


def write_obj(path: Path, vertices: np.ndarray) -> None:
    lines = "".join(f"v {x} {y} {z}\n" for x, y, z in vertices)
    path.write_text(f"# made by a test\nmtllib x.mtl\n{lines}vt 0 0\nvn 0 0 1\n{FACES}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_obj(tmp_path / "generic_neutral_mesh.obj", CORNERS)
    for mode in range(3):
        write_obj(tmp_path / f"identity{mode:03d}.obj", CORNERS + mode)
    write_obj(tmp_path / "jawOpen.obj", CORNERS - [0, 2, 0])
    write_obj(tmp_path / "not_listed.obj", CORNERS)
    indices = {"expressions": ["jawOpen"], "idx_to_landmark_verts": [i % 5 for i in range(68)]}
    (tmp_path / "vertex_indices.json").write_text(json.dumps(indices))
    return tmp_path


def test_a_folder_of_obj_files_gives_neutral_modes_and_shapes_as_displacements(folder: Path) -> None:
    model = load_face_model(folder)
    assert model.vertices == pytest.approx(CORNERS)
    assert model.faces.tolist() == [[0, 1, 2, 3], [3, 2, 4, -1]]
    assert [model.materials[i] for i in model.face_material] == ["M_Face", "M_Teeth"]
    assert [float(mode.mean()) for mode in model.identity] == [0, 1, 2]
    assert model.expression_names == ("jawOpen",)
    assert model.expression[0] == pytest.approx(np.tile([0, -2, 0], (5, 1)))
    assert model.landmarks68.shape == (68,)


def test_a_packed_model_is_the_same_as_its_folder(folder: Path, tmp_path: Path) -> None:
    model = load_face_model(folder)
    fields = {name: np.asarray(getattr(model, name)) for name in model.__dataclass_fields__}
    np.savez(tmp_path / "packed.npz", **fields)
    packed = load_face_model(tmp_path / "packed.npz")
    for name in model.__dataclass_fields__:
        assert np.array_equal(np.asarray(getattr(packed, name)), fields[name]), name


def test_without_a_path_the_environment_names_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_FACE_MODEL", str(folder))
    assert len(load_face_model(None).vertices) == 5
    monkeypatch.delenv("MTCLAR_FACE_MODEL")
    with pytest.raises(MtclarError, match="--artist drawn"):
        make_artist("rendered")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("generic_neutral_mesh.obj", "generic_neutral_mesh.obj is missing"),
        ("vertex_indices.json", "vertex_indices.json is missing"),
        ("jawOpen.obj", "jawOpen.obj cannot be read"),
    ],
)
def test_an_incomplete_folder_is_refused_by_the_name_of_what_is_missing(folder: Path, missing: str, said: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(MtclarError, match=said):
        load_face_model(folder)


def test_a_shape_of_another_mesh_is_refused(folder: Path) -> None:
    write_obj(folder / "identity001.obj", CORNERS[:4])
    with pytest.raises(MtclarError, match="4 vertices: 5 expected"):
        load_face_model(folder)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_text("hello")
    with pytest.raises(MtclarError, match="not a packed face model"):
        load_face_model(tmp_path / "model.npz")


def test_a_polygon_of_five_corners_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "five.obj"
    path.write_text("v 0 0 0\nf 1 1 1 1 1\n")
    with pytest.raises(MtclarError, match="5 corners"):
        read_obj(path)
