"""Each part of the strong augmentation does what it says, and nothing of a part that is left out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from mtclar.learning.augment_strong import Strong
from mtclar.learning.pixels import blocky, small, softened

PARTS = ("place", "covering", "light", "blur", "compression")
SIDE = 64


@pytest.fixture
def faces() -> torch.Tensor:
    """Sixty-four times one smooth picture of 80 pixels, mid-grey on average."""
    x = np.linspace(0, 3 * np.pi, 80)
    picture = 128 + 50 * np.sin(x)[None] * np.cos(1.3 * x)[:, None]
    return torch.from_numpy(picture.astype(np.uint8))[None, None].repeat(64, 1, 1, 1)


def _strong(faces: torch.Tensor, *parts: str, strength: float = 1.0) -> torch.Tensor:
    without = [part for part in PARTS if part not in parts]
    return Strong(SIDE, strength, without)(faces, torch.Generator().manual_seed(1))


def _middle(faces: torch.Tensor) -> torch.Tensor:
    return faces[..., 8:72, 8:72].float() / 255


def test_with_all_parts_left_out_the_middle_stays(faces):
    torch.testing.assert_close(_strong(faces), _middle(faces))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_part_alone_changes_some_pictures_and_stays_in_range(faces, part, channels):
    out = _strong(faces.expand(-1, channels, -1, -1), part)
    assert out.shape == (64, channels, SIDE, SIDE)
    assert out.min() >= 0
    assert out.max() <= 1
    torch.testing.assert_close(out, (out * 255).round() / 255)
    changed = ((out - _middle(faces)).abs() > 2 / 255).flatten(1).any(1)
    assert changed.float().mean() > 0.15


def test_what_covers_leaves_the_rest_of_the_face_as_it_was(faces):
    out = _strong(faces, "covering")
    kept = ((out - _middle(faces)).abs() < 2 / 255).flatten(1).float().mean(1)
    assert 0.3 < (kept == 1).float().mean() < 0.8  # faces with nothing before them
    assert kept.min() > 0.05
    assert 0.02 < 1 - kept.mean() < 0.35


def test_light_makes_some_pictures_very_dark_and_none_black(faces):
    mean = _strong(faces, "light").mean((1, 2, 3)) / _middle(faces).mean()
    assert mean.min() < 0.35
    assert mean.min() > 0.02
    assert mean.max() > 1.2


def test_strength_two_is_wilder_than_one_and_weak_is_mild(faces):
    spread = [float((_strong(faces, *PARTS, strength=s) - _middle(faces)).abs().mean()) for s in (0.1, 1.0, 2.0)]
    assert spread[0] < 0.6 * spread[1] < spread[1] < spread[2]


def test_place_takes_pixels_from_where_the_matrices_say(faces):
    """Against OpenCV's perspective warp, far from the border."""
    strong = Strong(SIDE, 1.0, [part for part in PARTS if part != "place"])
    out = strong(faces[:8], torch.Generator().manual_seed(5))
    matrices = strong.homographies(80, 8, torch.Generator().manual_seed(5)).double().numpy()

    def to_pixels(side: int) -> np.ndarray:
        """From half sides to OpenCV's pixels, whose centres are whole numbers."""
        return np.array([[side / 2, 0, side / 2 - 0.5], [0, side / 2, side / 2 - 0.5], [0, 0, 1]])

    for picture, matrix in zip(out, matrices, strict=True):
        back = to_pixels(80) @ matrix @ np.linalg.inv(to_pixels(SIDE))
        source = faces[0, 0].numpy().astype(np.float32) / 255
        expected = cv2.warpPerspective(source, back, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        difference = np.abs(picture[0].numpy() - expected)
        assert np.quantile(difference, 0.9) < 0.01


def test_softening_is_a_gaussian_along_an_angle():
    """A point becomes a Gaussian whose covariance has the deviations asked for along and across the angle."""
    x = torch.zeros(3, 1, 65, 65)
    x[:, :, 32, 32] = 1
    along, across, angle = torch.tensor([2.0, 4.0, 3.0]), torch.tensor([2.0, 1.5, 1.5]), torch.tensor([0.0, 0.6, -1.2])
    soft = softened(x, along, across, angle)[:, 0].double()
    at = torch.arange(65, dtype=torch.float64) - 32
    torch.testing.assert_close(soft.sum((1, 2)), torch.ones(3, dtype=torch.float64), atol=1e-3, rtol=0)
    for picture, a, b, turn in zip(soft, along, across, angle, strict=True):
        u = torch.cos(turn) * at[None] + torch.sin(turn) * at[:, None]
        v = torch.cos(turn) * at[:, None] - torch.sin(turn) * at[None]
        assert float((picture * u * u).sum()) == pytest.approx(float(a) ** 2, rel=0.02)
        assert float((picture * v * v).sum()) == pytest.approx(float(b) ** 2, rel=0.02)
        assert abs(float((picture * u * v).sum())) < 0.02


def test_no_softening_leaves_a_picture_and_borders_are_not_darkened(faces):
    middle = _middle(faces)[:2]
    none = torch.zeros(2)
    torch.testing.assert_close(softened(middle, none, none, none), middle, atol=1e-5, rtol=0)
    flat = torch.full((2, 1, 64, 64), 0.7)
    torch.testing.assert_close(softened(flat, none + 4, none + 2, none), flat, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cells", [8, 16, 20, 64])
def test_a_face_taken_small_is_opencvs_area_and_linear_scaling(cells):
    """Also where a pixel lies in two cells."""
    column = np.random.default_rng(0).random((SIDE, 1)).astype(np.float32)
    down = cv2.resize(np.repeat(column, 2, 1), (2, cells), interpolation=cv2.INTER_AREA)
    up = cv2.resize(down, (2, SIDE), interpolation=cv2.INTER_LINEAR)[:, 0]
    ours = small(SIDE, torch.tensor([float(cells)]))[0] @ torch.from_numpy(column[:, 0])
    np.testing.assert_allclose(ours, up, atol=1e-5)


def test_any_number_of_cells_keeps_a_flat_column_flat():
    matrices = small(96, torch.linspace(2.0, 96.0, 50))
    torch.testing.assert_close(matrices.sum(2), torch.ones(50, 96))
    assert matrices.min() >= 0
    torch.testing.assert_close(matrices[-1], torch.eye(96), atol=1e-5, rtol=0)


def test_blocks_are_quantised_as_a_jpeg_of_that_quality_does(faces):
    """Against libjpeg, whose integer transform may round a coefficient the other way."""
    noise = torch.randint(-20, 20, (1, 1, 64, 64), generator=torch.Generator().manual_seed(0))
    picture = (faces[:1, :, 8:72, 8:72].int() + noise).clamp(0, 255).byte()
    for quality in (10, 30, 80):
        ok, data = cv2.imencode(".jpg", picture[0, 0].numpy(), [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert ok
        expected = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        ours = blocky(picture.float() / 255, torch.tensor([float(quality)]), (0, 0))[0, 0].clamp(0, 1).numpy()
        error = np.abs(ours - expected)
        assert error.mean() < 0.01
        assert error.mean() < 0.5 * np.abs(expected - picture[0, 0].numpy() / 255.0).mean()


@pytest.mark.parametrize("side", [60, 64])
def test_blocks_may_begin_anywhere_and_a_picture_need_not_be_whole_blocks(side):
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    out = blocky(x, torch.tensor([100.0, 5.0]), (3, 6))
    assert out.shape == x.shape
    assert (out[0] - x[0]).abs().max() < 0.03
    assert (out[1] - x[1]).abs().mean() > 0.05
