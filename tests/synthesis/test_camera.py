"""What a camera does to a picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.synthesis.camera import SIDE, Camera, draw_camera, draw_head, draw_world, filmed, shaded, smeared, taken

PLAIN = Camera(shrink=1.0, motion=(0.0, 0.0), codec="none", quality=90, shade=None)


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).uniform(0, 255, (36, 36, 3)).astype(np.uint8)
    return cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def lost(picture: np.ndarray, **fault: object) -> float:
    """How far a camera with a fault is from what it saw, on average."""
    return float(np.abs(taken(picture, replace(PLAIN, **fault)).astype(float) - picture).mean())


def test_a_camera_without_faults_leaves_the_picture_alone(picture):
    np.testing.assert_array_equal(taken(picture, PLAIN), picture)
    np.testing.assert_array_equal(filmed([picture], PLAIN)[0], picture)


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=25, deadline=None)
def test_every_camera_gives_a_picture_of_the_same_size(seed, clip):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    camera = draw_camera(rng, 1.0, 1.0, 100.0, clip=clip)
    found = filmed([picture, picture], camera)[1] if clip else taken(picture, camera)
    assert found.shape == picture.shape
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    ("mild", "bad"),
    [
        ({"shrink": 0.6}, {"shrink": 0.15}),
        ({"motion": (3.0, 0.5)}, {"motion": (9.0, 0.5)}),
        ({"codec": "jpeg", "quality": 90}, {"codec": "jpeg", "quality": 8}),
    ],
    ids=["far", "shaky", "cheap"],
)
def test_a_worse_camera_keeps_less_of_what_it_saw(picture, mild, bad):
    assert 0 < 1.5 * lost(picture, **mild) < lost(picture, **bad)


def test_a_movement_smears_along_its_direction_alone():
    bars = np.zeros((SIDE, SIDE, 3), np.uint8)
    bars[:, ::8] = bars[:, 1::8] = 255
    across, along = (smeared(bars, replace(PLAIN, motion=(8.0, angle))) for angle in (0.0, np.pi / 2))
    assert across.std() < 0.5 * bars.std()
    assert along[20:-20].std() > 0.95 * bars.std()


def test_a_clip_through_h264_is_the_same_every_time_and_near_what_went_in(picture):
    clip = [np.roll(picture, i, 1) for i in range(6)]
    camera = replace(PLAIN, codec="h264", quality=95)
    first, second = filmed(clip, camera), filmed(clip, camera)
    assert len(first) == 6
    for a, b, was in zip(first, second, clip, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a.mean(2) - was.mean(2)).mean() < 25


def test_a_shadow_darkens_one_side_of_a_face_and_leaves_the_other():
    rgb, landmarks = np.full((SIDE, SIDE, 3), 200, np.uint8), np.random.default_rng(1).uniform(60, 150, (68, 2))
    dark = shaded(rgb, landmarks.astype(np.float32), replace(PLAIN, shade=(0.0, 0.0, 0.05, 0.3)))
    assert dark[:, 30].mean() > 195
    assert dark[:, 180].mean() < 65


def test_without_strength_heads_look_ahead_and_the_light_is_even():
    rng = np.random.default_rng(5)
    assert np.abs(draw_head(rng, 0.0)).max() == 0
    scene = draw_world(rng, 0.0, 0.0)
    assert scene.blur_px == scene.noise == 0
    assert scene.gamma == pytest.approx(1.0)
    heads = np.array([draw_head(rng, 1.0) for _ in range(2000)])
    assert 10 < heads[:, 0].std() < 20
    assert np.abs(heads[:, 0]).max() > 35
