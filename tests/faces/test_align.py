"""Aligned crops are level, of one size and in one place, whatever the head and the mouth do."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.faces import Aligner, CropSpec, Face, cut
from mtclar.faces.align import STABLE, cut_aligned, region_of_head
from mtclar.faces.geometry import box_of_mesh, mean_mesh
from mtclar.faces.mesh import Mesh

SPEC = CropSpec(scale=1.5, input_size=96, size=96, centre=96, align="mesh")


def posed(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0, scale: float = 40.0, at=(200.0, 150.0)) -> Mesh:
    """The mean mesh, turned by degrees (roll against the clock, as the picture shows it), at a place of a picture."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(-p), -np.sin(-p)], [0, np.sin(-p), np.cos(-p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = scale * mean_mesh() @ (about_z @ about_y @ about_x).T * (1, -1, -1)
    return Mesh((points + np.array([*at, 0.0])).astype(np.float32), 0.99)


def test_a_still_face_that_looks_ahead_is_cut_as_by_its_box():
    mesh = posed()
    box, region = box_of_mesh(mesh), region_of_head(mesh)
    assert (region.x, region.y) == pytest.approx((box.x + box.w / 2, box.y + box.h / 2), abs=0.01)
    assert region.side == pytest.approx(box.w, rel=1e-4)
    assert region.angle == pytest.approx(0, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    yaw=st.floats(-40, 40),
    pitch=st.floats(-25, 25),
    roll=st.floats(-170, 170),
    scale=st.floats(5, 200),
    x=st.floats(-50, 900),
)
def test_turning_a_head_changes_neither_its_size_nor_its_level(yaw, pitch, roll, scale, x):
    region = region_of_head(posed(yaw=yaw, pitch=pitch, roll=roll, scale=scale, at=(x, 80.0)))
    still = region_of_head(posed(scale=scale, at=(x, 80.0)))
    assert region.side == pytest.approx(still.side, rel=1e-3)
    assert np.hypot(region.x - still.x, region.y - still.y) < 0.05 * region.side
    if abs(yaw) < 1 and abs(pitch) < 1:
        assert np.degrees(region.angle) == pytest.approx(-roll, abs=1.5)


def test_an_open_mouth_and_raised_brows_leave_the_crop_as_it_is_though_the_box_grows():
    still = posed()
    points = still.points.copy()
    moved = np.setdiff1d(np.arange(len(points)), STABLE)
    below, above = points[:, 1] > points[:, 1].mean() + 30, points[:, 1] < points[:, 1].mean() - 30
    points[np.intersect1d(moved, np.flatnonzero(below)), 1] += 25
    points[np.intersect1d(moved, np.flatnonzero(above)), 1] -= 6
    shouting = Mesh(points, 0.99)
    assert box_of_mesh(shouting).w > 1.05 * box_of_mesh(still).w
    a, b = region_of_head(still), region_of_head(shouting)
    assert (b.x, b.y, b.side, b.angle) == (a.x, a.y, a.side, a.angle)


def test_a_tilted_picture_gives_the_crop_of_the_upright_one():
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (300, 400, 3)).astype(np.uint8), (0, 0), 4)
    upright = cut_aligned(picture, box_of_mesh(posed()), posed(), SPEC)
    turn = cv2.getRotationMatrix2D((200.0 - 0.5, 150.0 - 0.5), 20, 1.0)  # against the clock
    tilted = np.asarray(cv2.warpAffine(picture, turn, (400, 300), flags=cv2.INTER_CUBIC))
    found = cut_aligned(tilted, Face(0, 0, 1, 1), posed(roll=20), SPEC)
    inner = slice(12, -12)
    apart = np.abs(found[inner, inner].astype(int) - upright[inner, inner].astype(int))
    assert apart.mean() < 2
    assert np.abs(tilted[inner, inner].astype(int) - picture[inner, inner].astype(int)).mean() > 5


def test_it_is_the_crop_by_the_box_for_a_face_that_is_level():
    rng = np.random.default_rng(1)
    picture = cv2.GaussianBlur(rng.integers(0, 256, (300, 400, 3)).astype(np.uint8), (0, 0), 3)
    face = box_of_mesh(posed())
    apart = cut_aligned(picture, face, posed(), SPEC).astype(int) - cut(picture, face.box, SPEC).astype(int)
    assert np.abs(apart).mean() < 2.5  # an area mean there, single points here


@pytest.mark.parametrize("mesh", [None, Mesh(posed().points, 0.2)])
def test_without_a_mesh_to_believe_the_box_decides(mesh):
    picture = np.random.default_rng(2).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    face = Face(100.0, 60.0, 80.0, 80.0)
    np.testing.assert_array_equal(cut_aligned(picture, face, mesh, SPEC), cut(picture, face.box, SPEC))


def test_beyond_the_picture_it_is_black():
    picture = np.full((100, 100, 3), 200, np.uint8)
    crop = cut_aligned(picture, Face(0, 0, 1, 1), posed(at=(0.0, 0.0)), SPEC)
    assert (crop[:40, :40] == 0).all()
    assert (crop[60:70, 60:70] == 200).all()


def test_meshes_are_laid_only_where_the_spec_asks_for_them():
    picture = np.random.default_rng(3).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    face = Face(30.0, 30.0, 60.0, 60.0)
    plain = CropSpec(scale=1.5, input_size=96, size=96, centre=96)
    assert Aligner(plain)._meshes is None
    np.testing.assert_array_equal(Aligner(plain)(picture, face), cut(picture, face.box, plain))
    assert Aligner(SPEC)(picture, face).shape == (96, 96, 3)


def test_a_spec_says_how_it_is_aligned_only_where_it_is():
    assert CropSpec.from_dict(SPEC.to_dict()) == SPEC
    assert SPEC.to_dict()["align"] == "mesh"
    plain = CropSpec(scale=1.5, input_size=96)
    assert "align" not in plain.to_dict()  # bundles made before are what they were
    assert CropSpec.from_dict(plain.to_dict()).align == "box"
    with pytest.raises(MtclarError, match="align 'eyes' is not known; it is box or mesh"):
        CropSpec(scale=1.5, input_size=96, align="eyes")
