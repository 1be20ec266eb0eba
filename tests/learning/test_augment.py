"""Pictures are changed, each in its own way, and can be changed in the same way again."""

from __future__ import annotations

import pytest
import torch

from mtclar.learning.augment import SHIFT, Augment


@pytest.fixture
def faces() -> torch.Tensor:
    return (torch.rand(16, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 255).byte()


def _augment(strength: float, seed: int = 0, size: int = 32) -> Augment:
    return Augment(size, strength, torch.Generator().manual_seed(seed))


def test_no_strength_keeps_the_centre_as_it_is(faces):
    torch.testing.assert_close(_augment(0)(faces), faces[..., 4:36, 4:36].float() / 255)


def test_a_weak_augmentation_changes_little_but_for_the_mirror(faces):
    smooth = torch.nn.functional.avg_pool2d(faces.float(), 9, 1, 4).byte()
    centre = smooth[..., 4:36, 4:36].float() / 255
    out = _augment(1e-3)(smooth)
    error = torch.minimum((out - centre).abs().amax((1, 2, 3)), (out - centre.flip(3)).abs().amax((1, 2, 3)))
    assert error.max() < 0.02
    mirrored = (out - centre.flip(3)).abs().amax((1, 2, 3)) < 0.02
    assert 0 < mirrored.sum() < len(faces)


def test_the_output_has_the_encoders_size_and_range(faces):
    out = _augment(1)(faces)
    assert out.shape == (16, 1, 32, 32)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1
    assert _augment(1)(faces.expand(-1, 3, -1, -1)).shape == (16, 3, 32, 32)


def test_each_face_is_changed_in_its_own_way(faces):
    out = _augment(1)(faces[:1].expand(16, -1, -1, -1))
    assert len(torch.unique(out.flatten(1), dim=0)) == 16


def test_the_same_generator_state_gives_the_same_pictures(faces):
    assert torch.equal(_augment(1, seed=4)(faces), _augment(1, seed=4)(faces))
    assert not torch.equal(_augment(1, seed=4)(faces), _augment(1, seed=5)(faces))


def test_no_global_chance_is_touched(faces):
    before = torch.get_rng_state()
    _augment(1)(faces)
    assert torch.equal(before, torch.get_rng_state())


def test_a_face_stays_near_the_middle():
    spot = torch.zeros(64, 1, 80, 80, dtype=torch.uint8)
    spot[:, :, 36:44, 36:44] = 255
    augment = _augment(1, size=64)
    moved = augment._place(spot.float() / 255)
    weight = moved.sum((1, 2, 3))
    at = torch.arange(64) + 0.5
    x, y = (moved.sum((1, 2)) * at).sum(1) / weight, (moved.sum((1, 3)) * at).sum(1) / weight
    offset = torch.stack([x, y]) - 32
    assert offset.abs().max() < 80 * SHIFT * 1.5
    assert offset.std() > 1
