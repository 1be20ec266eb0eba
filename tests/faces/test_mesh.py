"""The mesh of a face: that it lies on the face, follows it, and tells landmarks, box and pose."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from make_video import with_face

from mtclar.errors import MtclarError
from mtclar.faces.detect import Face, box_from_landmarks, overlap
from mtclar.faces.geometry import box_of_mesh, head_pose, landmarks68, mean_mesh, rotation_between
from mtclar.faces.mesh import POINTS, Mesh, MeshModel, Region, placed, region_of_mesh, square_of


@pytest.fixture(scope="module")
def model() -> MeshModel:
    return MeshModel()


@pytest.fixture(scope="module")
def fitted(model, sample_faces):
    """Pictures, known landmarks, and meshes laid from a box that is off by a tenth of its side."""
    rng, out = np.random.default_rng(0), []
    for picture, landmarks in sample_faces:
        box = box_from_landmarks(landmarks)
        shift = 0.1 * box.w * rng.uniform(-1, 1, 2)
        out.append((picture, landmarks, model.fit(picture, Face(box.x + shift[0], box.y + shift[1], box.w, box.h))))
    return out


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """As `head_pose` says it: Rz(roll) Ry(yaw) Rx(-pitch)."""
    y, p, r = np.radians([yaw, -pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def drawn(yaw: float, pitch: float, roll: float, scale: float = 50.0, at: tuple[float, float] = (100.0, 80.0)) -> Mesh:
    """The mean mesh, turned, as it would lie in a picture."""
    points = mean_mesh() @ rotation(yaw, pitch, roll).T * scale * (1, -1, -1) + (*at, 7.0)
    return Mesh(points.astype(np.float32), 0.9)


def test_the_mesh_lies_on_faces_whose_landmarks_are_known(fitted):
    apart = [
        np.linalg.norm(landmarks68(mesh) - landmarks, axis=1).mean() / box_from_landmarks(landmarks).w
        for _, landmarks, mesh in fitted
    ]
    assert np.median(apart) < 0.04
    assert np.mean([mesh.presence > 0.5 for *_, mesh in fitted]) > 0.9


def test_its_box_is_the_canonical_one_and_steadier_than_what_it_started_from(fitted):
    same = [overlap(box_of_mesh(mesh), box_from_landmarks(landmarks)) for _, landmarks, mesh in fitted]
    assert np.median(same) > 0.92
    assert box_of_mesh(fitted[0][2]).score == fitted[0][2].presence


def test_where_there_is_no_face_the_network_says_so(model):
    for picture in (
        np.full((100, 120, 3), 120, np.uint8),
        np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8),
    ):
        assert model.fit(picture, Face(20, 20, 50, 50)).presence < 0.1


def test_a_mesh_is_followed_to_where_the_face_has_moved(model):
    start = model.fit(with_face(left=60), Face(94, 62, 93, 93))
    for left in (66, 72, 78):
        start = model.follow(with_face(left=left), start)
    again = model.fit(with_face(left=78), Face(112, 62, 93, 93))
    assert start.presence > 0.9
    assert np.abs(start.points - again.points)[:, :2].mean() < 2


def test_several_faces_at_once_get_the_meshes_that_each_gets_alone(model, sample_faces):
    picture, landmarks = sample_faces[0]
    box = box_from_landmarks(landmarks)
    boxes = [box, Face(box.x + 3, box.y, box.w, box.h), Face(0, 0, 30, 30)]
    for mesh, face in zip(model.fit_all(picture, boxes), boxes, strict=True):
        alone = model.fit(picture, face)
        np.testing.assert_allclose(mesh.points, alone.points, atol=0.02)
        assert mesh.presence == pytest.approx(alone.presence, abs=1e-3)
    assert model.fit_all(picture, []) == []


def test_a_picture_turned_has_its_mesh_turned(model, sample_faces):
    picture, landmarks = sample_faces[3]
    upright = model.fit(picture, box_from_landmarks(landmarks))
    height, width = picture.shape[:2]
    middle = np.array([width / 2, height / 2])
    for degrees in (-30, 20):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[c, -s], [s, c]])
        matrix = np.column_stack([turn, middle - turn @ middle + turn @ np.full(2, 0.5) - 0.5])
        turned = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        mesh = model.fit(turned, box_from_landmarks((landmarks - middle) @ turn.T + middle))
        expected = (upright.points[:, :2] - middle) @ turn.T + middle
        assert np.abs(mesh.points[:, :2] - expected).mean() < 0.02 * box_from_landmarks(landmarks).w
        # The picture is turned with the clock, roll counts against it.
        assert head_pose(mesh)[2] == pytest.approx(head_pose(upright)[2] - degrees, abs=3)


def test_the_mirror_image_of_a_face_has_yaw_and_roll_of_the_other_sign(model, sample_faces):
    poses = []
    for picture, landmarks in sample_faces[:12]:
        other = np.array([picture.shape[1], 0]) + landmarks * (-1, 1)
        one = model.fit(picture, box_from_landmarks(landmarks))
        two = model.fit(np.ascontiguousarray(picture[:, ::-1]), box_from_landmarks(other))
        poses.append((head_pose(one), np.array(head_pose(two)) * (-1, 1, -1)))
    one, two = np.array(poses).transpose(1, 0, 2)
    assert np.abs(one - two).mean(0).max() < 2.5


@given(
    st.floats(-50, 50), st.floats(-40, 40), st.floats(-80, 80), st.floats(5, 500),
    st.tuples(st.floats(-50, 900), st.floats(-50, 900)),
)  # fmt: skip
def test_the_pose_of_the_mean_mesh_is_how_it_was_turned(yaw, pitch, roll, scale, at):
    found = np.array(head_pose(drawn(yaw, pitch, roll, scale, at))) * (1.06, 1.03, 0.97)  # less the measured stretch
    np.testing.assert_allclose(found, [yaw, pitch, roll], atol=0.1)


def test_the_mean_mesh_is_symmetric_and_has_the_nose_before_the_eyes():
    mean = mean_mesh()
    assert mean.shape == (POINTS, 3)
    np.testing.assert_allclose(mean.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(mean[33] * (-1, 1, 1), mean[263], atol=2e-3)
    assert mean[1, 2] > mean[33, 2] > mean[234, 2]  # tip of the nose, corner of an eye, edge of the cheek
    assert mean[33, 0] < 0 < mean[263, 0]
    assert mean[10, 1] > mean[33, 1] > mean[61, 1] > mean[152, 1]  # forehead, eye, mouth, chin


def test_the_best_rotation_is_found_among_random_ones():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(30, 3))
    turn = rotation(*rng.uniform(-60, 60, 3))
    others = 3 * points @ turn.T + rng.normal(size=3) + 0.01 * rng.normal(size=(30, 3))
    np.testing.assert_allclose(rotation_between(points, others), turn, atol=0.01)


@given(st.floats(-3, 3), st.floats(10, 400), st.floats(-100, 500), st.floats(-100, 500))
def test_points_come_back_to_where_the_square_was_cut(angle, side, x, y):
    points = np.array([[96, 96, 0], [0, 0, 5], [192, 0, -5]], np.float32)
    region = Region(x, y, side, angle)
    found = placed(points, region)
    np.testing.assert_allclose(found[0], [x, y, 0], atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found[2] - found[1], axis=0), side * np.hypot(1, 10 / 192), rtol=1e-4)
    np.testing.assert_allclose(
        np.arctan2(*(found[2] - found[1])[1::-1]), np.arctan2(np.sin(angle), np.cos(angle)), atol=1e-2
    )


@pytest.mark.parametrize("side", [60, 150, 430])
def test_the_square_that_is_cut_shows_what_lies_at_its_place(side):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (900, 675), interpolation=cv2.INTER_CUBIC)
    region = Region(430.0, 300.0, side, 0.4)
    square = square_of(picture, region)
    for u, v in ((20, 30), (96, 96), (150, 70)):
        x, y, _ = placed(np.array([[u + 0.5, v + 0.5, 0]], np.float32), region)[0]
        np.testing.assert_allclose(square[v, u], picture[int(y), int(x)], atol=10)


def test_the_square_around_a_mesh_is_turned_with_its_eyes():
    region = region_of_mesh(drawn(0, 0, -25))
    assert np.degrees(region.angle) == pytest.approx(25, abs=0.5)
    upright = region_of_mesh(drawn(0, 0, 0))
    assert region.side == pytest.approx(upright.side, rel=1e-3)


def test_a_model_can_be_sent_to_another_process(model):
    picture = with_face()
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(
        copy.fit(picture, Face(94, 62, 93, 93)).points, model.fit(picture, Face(94, 62, 93, 93)).points
    )
    assert len(model.identity["weights"]) == 64


def test_what_is_no_picture_is_refused(model):
    with pytest.raises(MtclarError, match="expected a picture uint8 RGB"):
        model.fit(np.zeros((20, 20, 3)), Face(0, 0, 10, 10))
