"""What can hardly be seen has a lower quality, and the worse the lower."""

import cv2
import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.faces.quality import CLEAR_SCORE, CLEAR_SIDE, quality


def pattern() -> np.ndarray:
    """A sharp, bright picture of blobs as large as an eye."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.uniform(60, 220, (32, 32)).astype(np.float32), (288, 288), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(coarse, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def of(crop: np.ndarray, side: float = 120.0, score: float = 1.5) -> float:
    return float(quality(crop[None], np.array([side]), np.array([score]))[0])


def test_a_bright_sharp_frontal_large_face_has_full_quality():
    assert of(pattern()) == 1.0


@pytest.mark.parametrize("factors", [(0.3, 0.2, 0.1, 0.05)])
def test_the_darker_the_lower(factors):
    found = [of((pattern() * factor).astype(np.uint8)) for factor in factors]
    assert found[0] < 1
    assert (np.diff(found) < 0).all()


def test_the_more_blurred_the_lower():
    found = [of(cv2.GaussianBlur(pattern(), (0, 0), sigma)) for sigma in (10, 14, 20)]
    assert found[0] < 1
    assert (np.diff(found) < 0).all()


def test_the_smaller_the_lower_by_as_much_as_the_side():
    assert of(pattern(), side=CLEAR_SIDE / 2) == pytest.approx(0.5)
    assert of(pattern(), side=CLEAR_SIDE / 4) == pytest.approx(0.25)


def test_a_turned_face_has_a_low_score_and_so_a_low_quality_and_a_box_that_was_given_tells_nothing():
    assert of(pattern(), score=0.0) < of(pattern(), score=0.4) < of(pattern(), score=CLEAR_SCORE) == 1.0
    assert of(pattern(), score=float("nan")) == 1.0


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_picture_is_the_worst_of_its_light_and_never_without_a_number(level):
    found = of(np.full((288, 288, 3), level, np.uint8))
    assert 0 < found < 0.1


def test_no_faces_have_no_quality():
    assert quality(np.empty((0, 288, 288, 3), np.uint8), np.empty(0), np.empty(0)).shape == (0,)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(MtclarError, match="expected crops"):
        quality(pattern(), np.array([1.0]), np.array([1.0]))
