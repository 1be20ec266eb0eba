"""From affect to the face: which facial actions show a given valence and arousal.

The map is many-to-one, as in life: a negative, excited face may be angry, afraid, disgusted, contemptuous, and each of
those looks different from person to person. A face is a blend of expressions plus two residuals, so that the label
is a linear function of what is shown: `affect = sum(weight * class mean) + residual`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import Actions, actions_from, no_actions

#: AffectNet's codes 0..7.
EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
#: Mean (valence, arousal) of each class in AffectNet-8's validation set (3,999 pictures).
CLASS_MEANS = np.array(
    [
        (-0.025, -0.019),
        (0.672, 0.081),
        (-0.628, -0.267),
        (0.183, 0.701),
        (-0.117, 0.760),
        (-0.684, 0.446),
        (-0.426, 0.554),
        (-0.510, 0.576),
    ]
)
#: Standard deviation (valence, arousal) of each class in the same set.
CLASS_SPREADS = np.array(
    [
        (0.144, 0.118),
        (0.168, 0.150),
        (0.231, 0.132),
        (0.179, 0.149),
        (0.072, 0.159),
        (0.164, 0.103),
        (0.165, 0.208),
        (0.190, 0.121),
    ]
)

#: Several ways to show each expression at full strength, in the order of `EXPRESSIONS`.
DISPLAYS: tuple[tuple[Actions, ...], ...] = (
    (no_actions(),),
    (
        actions_from({"smile": 0.85, "cheek_raise": 0.6, "upper_lip_up": 0.25}),
        actions_from({"smile": 0.9, "cheek_raise": 0.5, "dimple": 0.25}),
        actions_from({"smile": 0.85, "cheek_raise": 0.75, "upper_lip_up": 0.3, "jaw_open": 0.14}),
    ),
    (
        actions_from({"brow_inner_up": 0.85, "lip_corner_down": 0.95, "chin_raise": 0.4, "lid_close": 0.34}),
        actions_from(
            {"brow_inner_up": 0.8, "brow_down": 0.3, "lid_tighten": 0.6, "lip_corner_down": 0.8, "lip_stretch": 0.35}
            | {"lid_close": 0.36, "chin_raise": 0.5}
        ),
        actions_from({"lip_corner_down": 1.0, "lid_close": 0.42, "brow_inner_up": 0.55, "roll_lower_lip": 0.15}),
    ),
    (
        actions_from({"brow_inner_up": 0.9, "brow_outer_up": 0.95, "lid_raise": 0.9, "jaw_open": 0.42}),
        actions_from({"brow_inner_up": 1.0, "brow_outer_up": 1.0, "lid_raise": 0.9, "jaw_open": 0.12, "funnel": 0.3}),
        actions_from({"brow_inner_up": 0.85, "brow_outer_up": 0.9, "lid_raise": 0.9, "jaw_open": 0.25, "smile": 0.15}),
    ),
    (
        actions_from(
            {"brow_inner_up": 1.0, "brow_outer_up": 0.4, "brow_down": 0.4, "lid_raise": 1.0}
            | {"lip_stretch": 0.8, "jaw_open": 0.2, "lower_lip_down": 0.4}
        ),
        actions_from(
            {"brow_inner_up": 1.0, "brow_down": 0.3, "lid_raise": 1.0, "lip_stretch": 0.85, "chin_raise": 0.2}
        ),
        actions_from(
            {"brow_inner_up": 0.9, "brow_outer_up": 0.5, "brow_down": 0.4, "lid_raise": 0.95}
            | {"lip_stretch": 0.55, "jaw_open": 0.34, "lip_corner_down": 0.2}
        ),
    ),
    (
        actions_from(
            {"nose_wrinkle": 1.0, "upper_lip_up": 0.65, "brow_down": 0.6, "lid_tighten": 0.55}
            | {"lip_corner_down": 0.45, "chin_raise": 0.3}
        ),
        actions_from(
            {"nose_wrinkle": 0.9, "upper_lip_up": 0.85, "brow_down": 0.5, "lid_tighten": 0.5}
            | {"jaw_open": 0.16, "lower_lip_down": 0.3, "lip_corner_down": 0.3}
        ),
    ),
    (
        actions_from(
            {"brow_down": 1.05, "lid_raise": 0.4, "lip_press": 0.8, "lip_corner_down": 0.45, "nose_wrinkle": 0.2}
        ),
        actions_from(
            {"brow_down": 1.05, "lid_raise": 0.45, "upper_lip_up": 0.5, "lower_lip_down": 0.6}
            | {"jaw_open": 0.16, "nose_wrinkle": 0.4}
        ),
        actions_from(
            {"brow_down": 1.0, "lid_raise": 0.35, "roll_upper_lip": 0.4, "chin_raise": 0.6, "lip_corner_down": 0.5}
        ),
    ),
    (
        actions_from(
            {"brow_down": (0.75, 0.25), "brow_outer_up": (0.0, 0.75), "lid_raise": 0.55, "dimple": (0.0, 0.75)},
            upper_lip_up=(0.0, 0.5),
            nose_wrinkle=(0.1, 0.7),
            lip_corner_down=(0.6, 0.2),
        ),
        actions_from(
            {"brow_down": (0.3, 0.8), "brow_outer_up": (0.7, 0.0), "lid_raise": 0.55, "dimple": (0.8, 0.1)},
            upper_lip_up=(0.45, 0.0),
            nose_wrinkle=(0.65, 0.1),
            lip_corner_down=(0.2, 0.6),
        ),
    ),
)
#: What a unit of residual adds: more pleasant, less pleasant, more excited, calmer.
BRIGHTER = actions_from({"smile": 1.5, "cheek_raise": 1.0})
GLOOMIER = actions_from({"lip_corner_down": 1.6, "brow_down": 0.8, "chin_raise": 0.4})
LIVELIER = actions_from({"lid_raise": 2.0, "brow_outer_up": 1.2, "brow_inner_up": 0.9, "jaw_open": 0.7})
CALMER = actions_from({"lid_close": 1.45})


def keep_in_disc(affect: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pull (valence, arousal) rows that lie outside the unit disc back onto its rim."""
    radius = np.linalg.norm(affect, axis=-1, keepdims=True)
    return affect / np.maximum(radius, 1.0)


def draw_affect(rng: np.random.Generator, expression: int) -> NDArray[np.float64]:
    """Draw (valence, arousal) of a picture of one expression, like AffectNet's classes."""
    return keep_in_disc(rng.normal(CLASS_MEANS[expression], CLASS_SPREADS[expression]))


def split_affect(expression: int, affect: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Explain an affect as an expression's strength (0.35..1.25) and a residual (valence, arousal)."""
    mean = CLASS_MEANS[expression]
    strength = 1.0 if expression == 0 else float(np.clip(affect @ mean / (mean @ mean), 0.35, 1.25))
    return strength, affect - strength * mean


def affect_of(weights: NDArray[np.float64], residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Affect (..., 2) shown by expression weights (..., 8) and residuals (..., 2)."""
    return keep_in_disc(weights @ CLASS_MEANS + residual)


def actions_of(weights: NDArray[np.float64], residual: NDArray[np.float64], displays: Sequence[int]) -> Actions:
    """Facial actions, float32 (..., actions, 2), that show the same thing.

    Args:
        weights: expression weights (..., 8).
        residual: valence and arousal beyond the weighted class means (..., 2).
        displays: which of an expression's `DISPLAYS` this person uses, one index for each expression.
    """
    basis = np.stack([DISPLAYS[e][displays[e]] for e in range(len(EXPRESSIONS))])
    valence, arousal = residual[..., 0, None, None], residual[..., 1, None, None]
    shown = np.tensordot(weights, basis, axes=1)
    shown = shown + np.maximum(valence, 0) * BRIGHTER + np.maximum(-valence, 0) * GLOOMIER
    shown = shown + np.maximum(arousal, 0) * LIVELIER + np.maximum(-arousal, 0) * CALMER
    return shown.astype(np.float32)
