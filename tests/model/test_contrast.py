"""Local contrast against its definition, window by window, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtclar.model.contrast import LocalContrast


def _by_hand(grey: np.ndarray) -> np.ndarray:
    """float64 (s, s): less the mean of 17 of 96 parts around a pixel, over the deviation of that in 25 parts + 0.03."""
    side = len(grey)

    def means(values: np.ndarray, share: float) -> np.ndarray:
        reach = round((share * side - 1) / 2)
        out = np.empty_like(values)
        for y in range(side):
            for x in range(side):
                rows, columns = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
                out[y, x] = values[rows, columns].mean()
        return out

    relief = grey - means(grey, 17 / 96)
    return relief / (np.sqrt(means(relief**2, 25 / 96)) + 0.03)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0.1, 0.9])
def test_it_is_the_relief_over_its_deviation_to_the_last_digits_however_bright(channels, level):
    faces = (level + 0.02 * torch.randn(2, channels, 32, 32, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.ones(1)
    found = LocalContrast(32)(faces).double().numpy()[:, 0]
    for picture, face in zip(found, faces.double().numpy(), strict=True):
        np.testing.assert_allclose(picture, _by_hand(np.tensordot(weights, face, 1)), atol=4e-6)


def test_light_that_is_the_same_everywhere_is_taken_out():
    faces = 0.3 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    contrast = LocalContrast(32)
    torch.testing.assert_close(contrast(faces + 0.6), contrast(faces), atol=1e-5, rtol=0)
    assert contrast(torch.full((1, 1, 32, 32), 0.8)).abs().max() < 1e-4


def test_it_keeps_all_its_digits_where_the_rest_runs_in_half_of_them():
    faces, front = torch.rand(2, 3, 64, 64), LocalContrast(64)
    with torch.autocast("cpu", torch.bfloat16):
        halved = front(faces)
    assert halved.dtype == torch.float32
    assert torch.equal(halved, front(faces))
