"""Spoilt copies are spoilt for a while, in one span, and the original stays as it is."""

import numpy as np
import pytest

from mtclar.faces.spoil import KINDS, SPAN, spoil


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_one_span_of_a_clip_is_harder_to_see_and_the_rest_untouched(kind, seed):
    rng = np.random.default_rng(seed)
    crops = np.repeat(rng.integers(60, 200, (1, 12, 12, 3)).astype(np.uint8), 40, axis=0).repeat(8, 1).repeat(8, 2)
    before = crops.copy()
    worse = spoil(crops, kind, rng)
    np.testing.assert_array_equal(crops, before)
    changed = np.flatnonzero((worse != crops).any(axis=(1, 2, 3)))
    assert (np.diff(changed) == 1).all()
    assert SPAN[0] * 40 - 2 <= len(changed) <= SPAN[1] * 40 + 2
    middle = changed[len(changed) // 2]
    light, edges = (
        [measure(some[middle].astype(float)) for some in (worse, crops)]
        for measure in (np.mean, lambda crop: np.abs(np.diff(crop, axis=0)).max())
    )
    if kind == "dark":
        assert light[0] < 0.5 * light[1]
    if kind in ("blurred", "small"):
        assert edges[0] < 0.7 * edges[1]


def test_the_same_seed_spoils_alike():
    crops = np.random.default_rng(0).integers(0, 255, (10, 30, 30, 3)).astype(np.uint8)
    one, other = (spoil(crops, "blurred", np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_what_covers_a_face_hides_a_part_of_it_and_leaves_the_rest_as_it_is():
    crops = np.random.default_rng(0).integers(0, 255, (20, 90, 90, 3)).astype(np.uint8)
    worse = spoil(crops, "covered", np.random.default_rng(3))
    hidden = (worse != crops).any(axis=3).mean(axis=(1, 2))
    assert hidden.max() < 0.5**2
    assert hidden.max() > 0.2 * (2 / 3) ** 2 * 0.25
