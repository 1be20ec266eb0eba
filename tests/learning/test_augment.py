"""Pictures are changed, each in its own way, and can be changed in the same way again."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.augment import RELEASE_CROP, SHIFT, Release, Robust, augment_strength, augmentation
from mtclar.learning.pixels import sample
from mtclar.settings import TrainSettings, read_params

EACH = pytest.mark.parametrize("name", ["robust", "release", "strong"])


@pytest.fixture
def faces() -> torch.Tensor:
    return (torch.rand(16, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 255).byte()


def _augmented(faces: torch.Tensor, name: str, strength: float, seed: int = 0, size: int = 32) -> torch.Tensor:
    return augmentation(name, size, strength, [])(faces, torch.Generator().manual_seed(seed))


@EACH
def test_no_strength_keeps_the_centre_as_it_is(faces, name):
    torch.testing.assert_close(_augmented(faces, name, 0), faces[..., 4:36, 4:36].float() / 255)


@EACH
def test_a_weak_augmentation_changes_little_but_for_the_mirror(faces, name):
    smooth = torch.nn.functional.avg_pool2d(faces.float(), 9, 1, 4).byte()
    centre = smooth[..., 4:36, 4:36].float() / 255
    out = _augmented(smooth, name, 1e-3)
    error = torch.minimum((out - centre).abs().amax((1, 2, 3)), (out - centre.flip(3)).abs().amax((1, 2, 3)))
    assert error.max() < 0.02
    mirrored = (out - centre.flip(3)).abs().amax((1, 2, 3)) < 0.02
    assert 0 < mirrored.sum() < len(faces)


@EACH
def test_the_output_has_the_encoders_size_and_range(faces, name):
    out = _augmented(faces, name, 1)
    assert out.shape == (16, 1, 32, 32)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1
    assert _augmented(faces.expand(-1, 3, -1, -1), name, 1).shape == (16, 3, 32, 32)


@EACH
def test_each_face_is_changed_in_its_own_way(faces, name):
    out = _augmented(faces[:1].expand(16, -1, -1, -1), name, 1)
    assert len(torch.unique(out.flatten(1), dim=0)) == 16


@EACH
def test_the_same_generator_state_gives_the_same_pictures(faces, name):
    assert torch.equal(_augmented(faces, name, 1, seed=4), _augmented(faces, name, 1, seed=4))
    assert not torch.equal(_augmented(faces, name, 1, seed=4), _augmented(faces, name, 1, seed=5))


@EACH
def test_no_global_chance_is_touched(faces, name):
    before = torch.get_rng_state()
    _augmented(faces, name, 1)
    assert torch.equal(before, torch.get_rng_state())


def test_what_is_erased_is_a_rectangle_of_one_shade():
    grey = torch.full((200, 3, 40, 40), 100, dtype=torch.uint8)
    out = Robust(32, 1.0)._erase(grey[..., 4:36, 4:36].float() / 255, torch.Generator().manual_seed(1))
    changed = (out - 100 / 255).abs() > 1e-6
    touched = changed.any(1).flatten(1).any(1)
    assert 0.2 < touched.float().mean() < 0.4
    for picture, where in zip(out[touched], changed[touched], strict=True):
        rows, columns = where[0].any(1).nonzero().squeeze(1), where[0].any(0).nonzero().squeeze(1)
        assert where.all(0).sum() == len(rows) * len(columns)
        assert max(len(rows), len(columns)) <= 0.4 * 32 + 1
        assert len(picture[where].unique()) == 1


def test_a_face_stays_near_the_middle():
    spot = torch.zeros(64, 1, 80, 80, dtype=torch.uint8)
    spot[:, :, 36:44, 36:44] = 255
    robust = Robust(64, 1.0)
    moved = sample(spot.float() / 255, robust.matrices(80, 64, torch.Generator().manual_seed(0)), 64)
    weight = moved.sum((1, 2, 3))
    at = torch.arange(64) + 0.5
    x, y = (moved.sum((1, 2)) * at).sum(1) / weight, (moved.sum((1, 3)) * at).sum(1) / weight
    offset = torch.stack([x, y]) - 32
    assert offset.abs().max() < 80 * SHIFT * 1.5
    assert offset.std() > 1


def _taken_apart(matrices: torch.Tensor, zoom: float) -> dict[str, np.ndarray]:
    """Angle, shear, scale and mirror of the matrices of `Release`, and where the middle of the output comes from."""
    inner = matrices[:, :, :2].double().numpy() / zoom
    mirror = np.sign(np.linalg.det(inner))
    forward = np.linalg.inv(inner * np.stack([mirror, np.ones_like(mirror)], 1)[:, None, :])  # scale * R * H
    scale = np.sqrt(np.linalg.det(forward))
    angle = np.arctan2(forward[:, 1, 0], forward[:, 0, 0])
    rotation = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
    shear = -(np.linalg.inv(rotation) @ forward)[:, 0, 1] / scale
    place = np.squeeze(forward @ matrices[:, :, 2:].double().numpy(), 2)  # crop - shift, in half sides
    return {"angle": angle, "shear": np.arctan(shear), "scale": scale, "mirror": mirror, "place": place}


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_release_moves_within_the_published_ranges_and_fills_them(strength):
    n = 4000
    matrices = Release(256, strength).matrices(288, n, torch.Generator().manual_seed(0))
    found = _taken_apart(matrices, 256 / 288)
    for name, limit in (("angle", math.radians(20)), ("shear", math.radians(0.1))):
        assert np.abs(found[name]).max() <= limit * strength * 1.01
        assert np.abs(found[name]).max() > 0.98 * limit * strength
        assert abs(found[name].mean()) < 0.05 * limit
    assert 1 - 0.2 * strength <= found["scale"].min() < 1 - 0.195 * strength
    assert 1 + 0.195 * strength < found["scale"].max() <= 1 + 0.2 * strength + 1e-6
    assert 0.45 < (found["mirror"] < 0).mean() < 0.55
    most = 2 * (0.2 + 16 / 288) * strength  # half sides: 0.2 of the side by the affine, 16 of 288 pixels by the crop
    assert 0.95 * most < np.abs(found["place"]).max() <= most + 1e-6
    variance = strength**2 * (0.4**2 + (2 * RELEASE_CROP) ** 2) / 3
    assert np.allclose(found["place"].var(0), variance, rtol=0.1)


def test_release_takes_pixels_from_where_affine_mirror_and_crop_would():
    """Against the three steps one after the other, on points: crop, mirror, then the affine backwards."""
    generator = torch.Generator().manual_seed(3)
    matrices = Release(256, 1.0).matrices(288, 1, generator)[0].double().numpy()
    drawn = torch.Generator().manual_seed(3)

    def even(*shape: int) -> np.ndarray:
        return (2 * torch.rand(shape, generator=drawn) - 1).numpy().astype(float)

    angle, shift, scale = math.radians(20) * even(1)[0], 0.2 * 288 * even(1, 2)[0], 1 + 0.2 * even(1)[0]
    shear = math.radians(0.1) * even(1)[0]
    mirror = -1.0 if float(torch.rand(1, generator=drawn)) < 0.5 else 1.0
    crop = 16 * even(1, 2)[0]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    affine = scale * turn @ np.array([[1, -math.tan(shear)], [0, 1]])
    for point in ([0.0, 0.0], [100.0, -30.0], [-128.0, 128.0]):  # pixels from the middle of the output
        canvas = np.array(point) * [mirror, 1] + crop
        source = np.linalg.inv(affine) @ (canvas - shift)
        ours = matrices @ [point[0] / 128, point[1] / 128, 1] * 144
        np.testing.assert_allclose(ours, source, atol=1e-3)


def test_only_the_strong_augmentation_has_parts_to_leave_out():
    with pytest.raises(MtclarError, match=r"augmentation=robust has no such parts; set train\.augmentation=strong"):
        augmentation("robust", 32, 1.0, ["light"])


def test_the_strength_rises_evenly_from_a_quarter_and_then_stays():
    settings = TrainSettings.model_validate({**read_params()["train"], "epochs": 8, "augment": 0.8})
    assert {augment_strength(settings, epoch) for epoch in range(1, 9)} == {0.8}
    rising = settings.model_copy(update={"augment_rise": 0.5})
    found = [augment_strength(rising, epoch) for epoch in range(1, 9)]
    assert found == pytest.approx([0.2, 0.35, 0.5, 0.65, 0.8, 0.8, 0.8, 0.8])
