"""How wide a band must be to hold the truth: split-conformal half widths, calibrated on whole clips.

Frames of a clip are not exchangeable with those of another, but clips are. So each clip gets the same weight whatever
its length, and a further unit of weight lies at infinity (hierarchical conformal prediction, Lee, Barber and Willett
2023, arXiv 2306.06342): with m clips of n_c errors e_c,j the half width is the smallest h with

    1 / (m + 1) * sum_c mean_j 1[|e_c,j| <= h]  >=  coverage,

and a frame of a new clip lies within its label +- h with at least that probability. That needs at least
coverage / (1 - coverage) clips, 9 for 0.9; with fewer the weight at infinity is left out and nothing is guaranteed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class HalfWidth:
    """Half of a band's width.

    Attributes:
        value: In the units of the labels; NaN without a clip.
        clips: Clips it was calibrated on.
        guaranteed: Whether there were enough of them for the coverage to be guaranteed.
    """

    value: float
    clips: int
    guaranteed: bool


def half_width(errors: Sequence[np.ndarray], coverage: float) -> HalfWidth:
    """Calibrates one dimension.

    Args:
        errors: One array (n_c,) of signed or absolute errors a clip; clips without frames are passed over.
        coverage: In (0, 1).
    """
    clips = [np.abs(np.asarray(clip, np.float64)) for clip in errors if len(clip)]
    m = len(clips)
    if m == 0:
        return HalfWidth(float("nan"), 0, False)
    guaranteed = m >= coverage * (m + 1) - 1e-9
    values = np.concatenate(clips)
    weights = np.concatenate([np.full(len(clip), 1 / ((m + 1 if guaranteed else m) * len(clip))) for clip in clips])
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= coverage - 1e-9
    return HalfWidth(float(values[order][np.argmax(reached)]), m, guaranteed)
