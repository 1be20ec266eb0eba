"""How sure a label is: the half-width that the evaluation measured on held-out people, and a confidence from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtclar.errors import MtclarError

DIMENSIONS = ("valence", "arousal")


def half_widths(calibration: Mapping[str, Any] | None) -> np.ndarray:
    """The half-widths (2,) of valence and arousal that a bundle's calibration holds; NaN where it holds none.

    Raises:
        MtclarError: A half-width is no number or is below 0.
    """
    widths = []
    for name in DIMENSIONS:
        value = (calibration or {}).get(name)
        try:
            width = float("nan") if value is None else float(value)
        except (TypeError, ValueError):
            width = -1.0
        if width < 0:
            raise MtclarError(f"the model's calibration gives {value!r} as half-width of {name}; export it again.")
        widths.append(width)
    return np.array(widths)


def confidence(half: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """One number for how far a label may be trusted: 1 for what a person set, 0 for anything goes.

    confidence = clip(1 - mean over valence and arousal of max(half-width, spread), 0, 1), where the spread is how far
    the anchors disagree on the frame (`Estimate.spread`). A half-width of 1 covers the whole range from its middle.

    Args:
        half: Half-widths (2,) of the calibrated band; NaN where unknown.
        spread: Standard deviation of the anchors' votes (n, 2); NaN where there is no estimate.

    Returns:
        Confidence (n,) in [0, 1], NaN where band or estimate are unknown.
    """
    return np.clip(1.0 - np.maximum(half, spread).mean(axis=1), 0.0, 1.0)
