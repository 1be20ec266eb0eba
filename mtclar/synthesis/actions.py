"""Facial actions: the vocabulary both artists understand.

An action vector is float32 `(len(ACTIONS), 2)`: strength on the person's left and right side, 0 none, 1 strong.
Actions of the midline use the mean of both columns. The names follow the Facial Action Coding System where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Actions = NDArray[np.float32]
Strength = float | tuple[float, float]

#: Paired actions, left and right act on their own: units 4, 1, 2, 6, 45, 7, 5, 14, 15, 16, 24, 12, 20, 10, 9.
PAIRED = (
    "brow_down",
    "brow_inner_up",
    "brow_outer_up",
    "cheek_raise",
    "lid_close",
    "lid_tighten",
    "lid_raise",
    "dimple",
    "lip_corner_down",
    "lower_lip_down",
    "lip_press",
    "smile",
    "lip_stretch",
    "upper_lip_up",
    "nose_wrinkle",
)
#: Actions of the midline (27, 18, 22, 28, 28, 17, 10/11, puff).
SINGLE = (
    "jaw_open",
    "pucker",
    "funnel",
    "roll_lower_lip",
    "roll_upper_lip",
    "chin_raise",
    "shrug_upper_lip",
    "puff",
)
ACTIONS = PAIRED + SINGLE
INDEX = {name: i for i, name in enumerate(ACTIONS)}
#: No action goes beyond this strength.
STRONGEST = 1.15


def no_actions() -> Actions:
    """The relaxed face: float32 (actions, 2) of zeros."""
    return np.zeros((len(ACTIONS), 2), np.float32)


def actions_from(strengths: Mapping[str, Strength] | None = None, **more: Strength) -> Actions:
    """Build an action vector from `{name: strength}` or `{name: (left, right)}`, and from keywords of the same kind."""
    vector = no_actions()
    for name, strength in {**(strengths or {}), **more}.items():
        vector[INDEX[name]] = strength
    return vector


def limit(actions: Actions) -> Actions:
    """Keep every strength between 0 and `STRONGEST`."""
    return np.clip(actions, 0.0, STRONGEST).astype(np.float32)
