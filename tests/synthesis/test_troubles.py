"""Spans of a clip in which the face is hard to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.synthesis.artists.base import Performance
from mtclar.synthesis.draw import CLIP_CM, CLIP_SIZE, QUALITY
from mtclar.synthesis.scene import draw_scene
from mtclar.synthesis.troubles import Trouble, draw_trouble


@given(st.integers(0, 2**32), st.integers(10, 200))
def test_a_trouble_comes_and_goes_and_leaves_most_of_the_clip_alone(seed: int, frames: int) -> None:
    trouble = draw_trouble(np.random.default_rng(seed), frames)
    assert trouble.course.shape == (frames,)
    assert trouble.course.min() >= 0
    assert trouble.course.max() <= 1
    assert np.mean(trouble.course > 0) <= 0.5 + 1 / frames
    assert (trouble.kind == "none") == (trouble.course.max() == 0)


def test_about_half_of_all_clips_have_one_and_every_kind_occurs() -> None:
    kinds = [draw_trouble(np.random.default_rng(seed), 36).kind for seed in range(400)]
    assert 0.4 < 1 - kinds.count("none") / len(kinds) < 0.6
    assert set(kinds) == {"none", "dark", "blurred", "turned"}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_each_kind_spoils_what_its_name_says_and_nothing_else(share: float) -> None:
    scene = draw_scene(np.random.default_rng(0), CLIP_SIZE, CLIP_CM, 0.9, QUALITY)
    still = Performance(head=(1.0, 2.0, 3.0))
    course = np.ones(5)
    dark, blurred, turned = (
        Trouble(kind, strength, course) for kind, strength in (("dark", 0.25), ("blurred", 3.0), ("turned", -20.0))
    )
    assert dark.spoilt(scene, share).gain == pytest.approx(scene.gain * 0.25**share)
    assert blurred.spoilt(scene, share).blur_px == pytest.approx(np.hypot(scene.blur_px, 3 * share))
    assert turned.spoilt(scene, share) is scene
    assert turned.turned(still, share).head == pytest.approx((1 - 20 * share, 2, 3))
    assert dark.turned(still, share) is blurred.turned(still, share) is still
