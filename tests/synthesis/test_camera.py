"""What the camera makes of pictures, it makes again."""

from __future__ import annotations

import cv2
import numpy as np

from mtclar.synthesis.camera import Camera, filmed


def test_a_clip_through_h264_is_the_same_whatever_the_process_has_done_before() -> None:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)
    large = cv2.resize(coarse, (162, 162), interpolation=cv2.INTER_CUBIC).astype(int)
    moving = [np.roll(large, int(6 * np.sin(i / 3)), 1) + rng.integers(-6, 7, large.shape) for i in range(40)]
    pictures = [picture.clip(0, 255).astype(np.uint8) for picture in moving]
    camera = Camera(shrink=1.0, motion=(0.0, 0.0), codec="h264", quality=70, shade=None)
    first = np.stack(filmed(pictures, camera))
    kept: list[np.ndarray] = []
    for _ in range(12):
        # Memory that is not all zeros any more is what the next encoder gets.
        kept = [np.full(int(rng.integers(1, 4_000_000)), 171, np.uint8), *kept[: rng.integers(1, 20)]]
        assert np.array_equal(np.stack(filmed(pictures, camera)), first)
