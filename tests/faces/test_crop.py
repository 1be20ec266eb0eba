"""Crop geometry: golden crops, symmetry, borders, and the way into the network."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, crop_box, cut, resize, to_input


def spec(size: int = 288, scale: float = 1.0, centre: int | None = None, input_size: int = 64) -> CropSpec:
    return CropSpec(size=size, scale=scale, centre=centre or size, input_size=input_size)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def slow_cut(picture: np.ndarray, box: tuple[float, float, float, float], size: int, scale: float) -> np.ndarray:
    """The definition, pixel by pixel: mean of the picture (black outside) over a square around each output pixel."""
    left, top, side, _ = crop_box(box, scale)
    step, reach = side / size, max(1.0, side / size)
    out = np.zeros((size, size, 3))
    for j in range(size):
        for i in range(size):
            x, y = left + (i + 0.5) * step, top + (j + 0.5) * step
            for v in range(int(np.floor(y - reach)), int(np.ceil(y + reach)) + 1):
                for u in range(int(np.floor(x - reach)), int(np.ceil(x + reach)) + 1):
                    if 0 <= v < picture.shape[0] and 0 <= u < picture.shape[1]:
                        w = max(0.0, min(x + reach / 2, u + 1) - max(x - reach / 2, u))
                        h = max(0.0, min(y + reach / 2, v + 1) - max(y - reach / 2, v))
                        out[j, i] += w * h * picture[v, u] / reach**2
    return out


def test_a_crop_of_its_own_size_at_whole_pixels_copies_the_picture():
    picture = noise(40, 60)
    assert np.array_equal(cut(picture, (7, 5, 32, 32), spec(32)), picture[5:37, 7:39])


def test_halving_averages_four_pixels():
    picture = noise(64, 64)
    expected = np.rint(picture.reshape(32, 2, 32, 2, 3).mean((1, 3)))
    assert np.array_equal(cut(picture, (0, 0, 64, 64), spec(32)), expected)


def test_half_a_pixel_to_the_right_averages_neighbours():
    picture = noise(16, 17)
    expected = np.rint((picture[:, :-1].astype(float) + picture[:, 1:]) / 2)
    assert np.array_equal(cut(picture, (0.5, 0, 16, 16), spec(16)), expected)


def test_doubling_interpolates_bilinearly_as_opencv_does_away_from_the_border():
    picture = noise(20, 20)
    expected = cv2.resize(picture, (40, 40), interpolation=cv2.INTER_LINEAR)
    got = cut(picture, (0, 0, 20, 20), spec(40))
    assert np.abs(got.astype(int) - expected)[1:-1, 1:-1].max() <= 1


@pytest.mark.parametrize(
    ("box", "size", "scale"),
    [((3.3, 2.7, 11.2, 9.1), 8, 1.5), ((-4.6, 5.2, 9.0, 9.0), 12, 1.3), ((6.1, 6.9, 4.0, 5.0), 20, 1.0)],
    ids=["shrinking", "over the left border", "growing"],
)
def test_a_crop_is_the_mean_over_a_square_around_each_pixel(box, size, scale):
    picture = noise(18, 22, seed=1)
    expected = slow_cut(picture, box, size, scale)
    assert np.abs(cut(picture, box, spec(size, scale)) - expected).max() <= 0.5 + 1e-6


def test_the_side_is_the_scale_times_the_mean_side_around_the_centre_of_the_box():
    assert crop_box((10, 20, 40, 60), 1.5) == (10 + 20 - 37.5, 20 + 30 - 37.5, 75, 75)


def test_what_lies_outside_the_picture_is_black():
    white = np.full((50, 50, 3), 255, np.uint8)
    crop = cut(white, (-25, 0, 50, 50), spec(50))
    assert (crop[:, :25] == 0).all()
    assert (crop[:, 25:] == 255).all()
    assert not cut(white, (500, 500, 20, 20), spec(16)).any()


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-30, 60), st.floats(-30, 60), st.floats(2, 80), st.floats(2, 80), st.floats(0.8, 2.5), st.integers(8, 64)
)
def test_a_mirrored_picture_gives_the_mirrored_crop(x, y, w, h, scale, size):
    picture = noise(48, 64, seed=2)
    there = cut(picture, (x, y, w, h), spec(size, scale))
    back = cut(np.ascontiguousarray(picture[:, ::-1]), (64 - x - w, y, w, h), spec(size, scale))
    assert np.abs(there.astype(int) - back[:, ::-1]).max() <= 1


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 15), st.floats(0, 15), st.floats(20, 200))
def test_a_flat_picture_stays_flat_wherever_it_is_cut(x, y, side):
    flat = np.full((256, 256, 3), 137, np.uint8)
    assert (cut(flat, (x + 1, y + 1, side, side), spec(48)) == 137).all()


def test_a_picture_that_is_twice_as_large_gives_the_same_crop():
    small = cv2.GaussianBlur(noise(80, 80), (0, 0), 3)
    large = small.repeat(2, 0).repeat(2, 1)
    a, b = cut(small, (20, 22, 40, 40), spec(24, 1.2)), cut(large, (40, 44, 80, 80), spec(24, 1.2))
    assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (0, 0, -3, 5), (0, float("nan"), 5, 5)])
def test_an_impossible_box_is_refused(box):
    with pytest.raises(MtclarError, match="positive sides"):
        cut(noise(8, 8), box, spec(8))


def test_a_grey_picture_is_refused():
    with pytest.raises(MtclarError, match=r"\(h, w, 3\)"):
        cut(np.zeros((8, 8), np.uint8), (0, 0, 4, 4), spec(8))


def test_the_input_is_the_middle_of_the_crop_in_planes_of_zero_to_one():
    crops = np.stack([noise(36, 36, seed) for seed in range(3)])
    got = to_input(crops, spec(36, centre=32, input_size=16))
    expected = crops[:, 2:34, 2:34].reshape(3, 16, 2, 16, 2, 3).mean((2, 4)).transpose(0, 3, 1, 2) / 255
    assert got.dtype == np.float32
    assert got.shape == (3, 3, 16, 16)
    assert got.flags.c_contiguous
    assert np.abs(got - expected).max() <= 0.51 / 255


def test_no_resizing_happens_when_the_input_is_as_large_as_the_centre():
    crops = noise(36, 36)[None]
    assert np.array_equal(resize(crops, spec(36, centre=32, input_size=32)), crops[:, 2:34, 2:34])


def test_no_crops_at_all_give_an_empty_input():
    assert to_input(np.empty((0, 36, 36, 3), np.uint8), spec(36, input_size=16)).shape == (0, 3, 16, 16)


def test_crops_of_another_size_than_the_specs_are_refused():
    with pytest.raises(MtclarError, match="288"):
        to_input(np.zeros((1, 64, 64, 3), np.uint8), spec())


def test_a_spec_survives_the_bundle():
    before = spec(size=288, scale=1.5, centre=256, input_size=96)
    assert CropSpec.from_dict(before.to_dict()) == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"input_sise": 3}, "did you mean 'input_size'"),
        ({"centre": 257}, "equal margins"),
        ({"centre": 300}, "equal margins"),
        ({"scale": 0}, "positive"),
        ({"scale": "wide"}, "not a number"),
        ({"colour": "BGR"}, "only RGB"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(change, sentence):
    with pytest.raises(MtclarError, match=sentence):
        CropSpec.from_dict({**spec().to_dict(), "centre": 256, **change})


def test_a_spec_without_a_scale_is_refused():
    with pytest.raises(MtclarError, match="'scale' is missing"):
        CropSpec.from_dict({"input_size": 64})
