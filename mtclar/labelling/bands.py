"""How sure a label is: the half of a band that the evaluation measured on held-out people, and a confidence from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.kriging import DIMENSIONS, Kriging
from mtclar.labelling.support import Krige
from mtclar.labelling.windows import krige


def half_widths(calibration: Mapping[str, Any] | None) -> np.ndarray:
    """The half-widths (2,) of valence and arousal that a bundle's calibration holds; NaN where it holds none.

    Raises:
        MtclarError: A half-width is no number or is below 0.
    """
    return _two(calibration, "half-width")


def half_bands(calibration: Mapping[str, Any] | None, sd: np.ndarray, *, zero_shot: bool = False) -> np.ndarray:
    """Half of the band of every frame, (n, 2): valence, arousal.

    Where the fusion gives a standard deviation it is the calibrated multiple of it, else the calibrated half-width.

    Args:
        calibration: Of the bundle, or None.
        sd: Standard deviations of the labels (n, 2), NaN where the fusion has none (`Estimate.sd`).
        zero_shot: Whether no anchor had a say: multiples and half-widths for that were measured apart.

    Returns:
        float64 (n, 2), NaN where the calibration does not say.

    Raises:
        MtclarError: What the calibration holds is no number or is below 0.
    """
    known = calibration or {}
    multiples = known.get("multiples_zero_shot" if zero_shot else "multiples")
    widths = known.get("zero_shot") if zero_shot else known
    reach = _two(multiples, "multiple of the standard deviation") * sd
    return np.where(np.isfinite(sd), reach, _two(widths, "half-width"))


def confidence(half: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """One number for how far a label may be trusted: 1 for what a person set, 0 for anything goes.

    confidence = clip(1 - mean over valence and arousal of max(half, spread), 0, 1), where the spread is how far the
    anchors disagree on the frame (`Estimate.spread`), of which a band that varies from frame to frame tells already. A
    half of 1 covers the whole range from its middle.

    Args:
        half: Half of the calibrated band (n, 2) or (2,); NaN where unknown.
        spread: Standard deviation of the anchors' votes (n, 2), 0 for a band that varies; NaN without an estimate.

    Returns:
        Confidence (n,) in [0, 1], NaN where band or estimate are unknown.
    """
    return np.clip(1.0 - np.maximum(half, spread).mean(axis=1), 0.0, 1.0)


def bound_krige(calibration: Mapping[str, Any] | None) -> Krige | None:
    """The fusion `kriging` with the hyper-parameters of a bundle's calibration; None where it holds none.

    Raises:
        MtclarError: They are not what they should be.
    """
    values = (calibration or {}).get("kriging")
    return None if values is None else partial(krige, kriging=Kriging.from_dict(values))


def _two(values: Mapping[str, Any] | None, what: str) -> np.ndarray:
    """The numbers (2,) of valence and arousal in `values`, NaN where there is none."""
    found = []
    for name in DIMENSIONS:
        value = (values or {}).get(name)
        try:
            number = float("nan") if value is None else float(value)
        except (TypeError, ValueError):
            number = -1.0
        if number < 0:
            raise MtclarError(f"the model's calibration gives {value!r} as {what} of {name}; export it again.")
        found.append(number)
    return np.array(found)
