"""Many ways to the same label: how a person shows any valence and arousal of the disc.

What a face does for an affect is a sum of three parts, each with several forms (a `Manner` chooses among them): a smile
that grows with positive valence and opens with arousal; one of anger, fear, disgust, contempt, pain and loud crying
for unpleasant excitement and of grief, dejection, weariness and quiet crying for unpleasant calm, which pass into one
another around mid arousal; and eyes, brows and jaw that open with arousal and sink without it. Action units by affect
after Grammer and Oberzaucher (2006), Boukricha et al. (ACII 2009) and McDuff et al. (valence from action units).

Unlike `affect`, which blends AffectNet's class means, labels here are what is asked for, exactly, anywhere in the disc.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import ACTIONS, INDEX, Actions, actions_from, no_actions
from mtclar.synthesis.affect import keep_in_disc

Array = NDArray[np.float64]

#: Unpleasant and excited, at full strength: several forms each.
EXCITED: dict[str, tuple[Actions, ...]] = {
    "anger": (
        actions_from({"brow_down": 1.05, "lid_tighten": 0.6, "lip_press": 0.8, "nose_wrinkle": 0.25}),
        actions_from(
            {"brow_down": 1.0, "lid_raise": 0.4, "upper_lip_up": 0.55, "lower_lip_down": 0.6, "jaw_open": 0.25}
            | {"nose_wrinkle": 0.4}
        ),
        actions_from({"brow_down": 1.1, "lid_raise": 0.45, "lip_corner_down": 0.5, "chin_raise": 0.5}),
        actions_from({"brow_down": 1.0, "lid_tighten": 0.4, "pucker": 0.65, "chin_raise": 0.45}),
        actions_from(
            {"brow_down": 0.95, "nose_wrinkle": 0.5, "upper_lip_up": 0.6, "lower_lip_down": 0.7, "jaw_open": 0.8}
            | {"lid_tighten": 0.35}
        ),
    ),
    "fear": (
        actions_from(
            {"brow_inner_up": 1.0, "brow_outer_up": 0.5, "brow_down": 0.4, "lid_raise": 1.0, "lip_stretch": 0.85}
            | {"jaw_open": 0.22, "lower_lip_down": 0.4}
        ),
        actions_from({"brow_inner_up": 1.0, "brow_down": 0.35, "lid_raise": 0.9, "lip_stretch": 0.7}),
        actions_from({"brow_inner_up": 0.9, "brow_outer_up": 0.5, "lid_raise": 0.9, "jaw_open": 0.45}),
        actions_from({"brow_inner_up": 1.0, "brow_outer_up": 0.6, "lid_raise": 1.0, "jaw_open": 0.85})
        + actions_from({"brow_down": 0.3, "lip_stretch": 0.5}),
    ),
    "disgust": (
        actions_from(
            {"nose_wrinkle": 1.0, "upper_lip_up": 0.7, "brow_down": 0.55, "lid_tighten": 0.5, "lip_corner_down": 0.4}
        ),
        actions_from(
            {"nose_wrinkle": 0.8, "upper_lip_up": 0.9, "brow_down": 0.45, "jaw_open": 0.2, "lower_lip_down": 0.35}
        ),
        actions_from(
            {"nose_wrinkle": 0.9, "brow_down": 0.6, "lip_press": 0.5, "lip_corner_down": 0.6, "chin_raise": 0.4}
        ),
    ),
    "contempt": (
        actions_from(
            {"dimple": (0.0, 0.9), "upper_lip_up": (0.0, 0.5), "nose_wrinkle": (0.1, 0.6), "brow_down": (0.7, 0.3)}
            | {"brow_outer_up": (0.0, 0.6), "lid_tighten": 0.4}
        ),
        actions_from(
            {"dimple": (0.9, 0.1), "upper_lip_up": (0.5, 0.0), "nose_wrinkle": (0.6, 0.1), "brow_down": (0.3, 0.7)}
            | {"brow_outer_up": (0.6, 0.0), "lid_tighten": 0.4}
        ),
    ),
    "pain": (
        actions_from(
            {"brow_down": 0.9, "cheek_raise": 0.8, "lid_close": 0.75, "nose_wrinkle": 0.6, "lip_stretch": 0.6}
            | {"upper_lip_up": 0.4}
        ),
    ),
    "crying": (
        actions_from(
            {"brow_inner_up": 0.8, "brow_down": 0.5, "lid_close": 0.6, "lip_stretch": 0.8, "lip_corner_down": 0.8}
            | {"jaw_open": 0.35, "lower_lip_down": 0.5, "cheek_raise": 0.5}
        ),
        actions_from(
            {"brow_inner_up": 0.7, "brow_down": 0.7, "lid_close": 0.9, "lip_stretch": 0.5, "lip_corner_down": 0.9}
            | {"chin_raise": 0.7, "cheek_raise": 0.6, "nose_wrinkle": 0.3}
        ),
        actions_from(
            {"brow_inner_up": 0.6, "brow_down": 0.5, "lid_close": 0.95, "cheek_raise": 0.7, "lip_stretch": 0.6}
            | {"lower_lip_down": 0.6, "jaw_open": 0.75}
        ),
    ),
}
#: Unpleasant and calm, at full strength.
SUBDUED: dict[str, tuple[Actions, ...]] = {
    "grief": (
        actions_from({"brow_inner_up": 0.9, "lip_corner_down": 0.95, "chin_raise": 0.45, "lid_close": 0.2}),
        actions_from({"brow_inner_up": 0.7, "brow_down": 0.3, "lip_corner_down": 0.85, "lip_press": 0.4}),
    ),
    "dejection": (
        actions_from({"lip_corner_down": 1.0, "brow_inner_up": 0.45, "lid_close": 0.3, "roll_lower_lip": 0.2}),
        actions_from({"lip_corner_down": 0.9, "chin_raise": 0.7, "brow_down": 0.35}),
    ),
    "weariness": (actions_from({"lip_corner_down": 0.7, "brow_down": 0.25, "lid_close": 0.35, "lip_press": 0.25}),),
    "weeping": (
        actions_from(
            {"brow_inner_up": 0.8, "brow_down": 0.4, "lid_close": 0.5, "lip_corner_down": 0.9, "chin_raise": 0.6}
            | {"lid_tighten": 0.4}
        ),
    ),
    "displeasure": (
        actions_from({"brow_down": 0.85, "lip_press": 0.5, "lip_corner_down": 0.5}),
        actions_from({"brow_down": 0.7, "pucker": 0.6, "chin_raise": 0.4}),
        actions_from({"brow_down": 0.5, "pucker": 0.4, "lip_corner_down": 0.6, "chin_raise": 0.6, "lid_close": 0.2}),
    ),
}
#: AffectNet's expression of each form; pain and calm displeasure have none.
NAMED = {
    "anger": "anger",
    "fear": "fear",
    "disgust": "disgust",
    "contempt": "contempt",
    "pain": None,
    "crying": "sad",
    "grief": "sad",
    "dejection": "sad",
    "weariness": "sad",
    "weeping": "sad",
    "displeasure": None,
}
#: How often an unpleasant, excited face is which.
EXCITED_SHARES = {"anger": 0.26, "fear": 0.22, "disgust": 0.18, "contempt": 0.12, "pain": 0.05, "crying": 0.17}
#: How often excited laughter shuts the eyes.
SHUT_SHARE = 0.3
#: Faces nearer to the middle of the disc than this are neutral.
NEUTRAL = 0.18
#: Share of faces whose affect is drawn evenly from the disc; the others excite as much as they please or displease.
EVEN_SHARE = 0.4
#: Share of faces that show nothing, and how far their label is from the middle.
STILL_SHARE, STILL_SPREAD = 0.12, 0.05


@dataclass(frozen=True)
class Manner:
    """The form that an affect takes on somebody's face at one time.

    Attributes:
        excited, subdued: keys of `EXCITED` and `SUBDUED`.
        unpleasant: what they do at full strength, float32 (2, actions, 2).
        squint: how far a smile closes the eyes, 0..1.5.
        teeth: how far a smile parts the lips, 0..1.5.
        shut: how far excited laughter shuts the eyes, 0..1.
        eyes, brows, jaw: which of them arousal opens, together about 2.2.
        even: whether a calm face drops its lids (1) or stays as it is (0).
        strengths: what each action makes of what is asked, float32 (actions, 2), around 1.
    """

    excited: str
    subdued: str
    unpleasant: Actions
    squint: float
    teeth: float
    shut: float
    eyes: float
    brows: float
    jaw: float
    even: float
    strengths: Actions


def draw_manner(rng: np.random.Generator) -> Manner:
    """Draw a manner at random."""
    excited = str(rng.choice(list(EXCITED_SHARES), p=list(EXCITED_SHARES.values())))
    subdued = str(rng.choice(list(SUBDUED)))
    forms = [family[int(rng.integers(len(family)))] for family in (EXCITED[excited], SUBDUED[subdued])]
    # Arousal shows in all three together about alike, or it could not be seen.
    eyes, brows, jaw = rng.uniform(1.9, 2.5) * rng.dirichlet((4.0, 4.0, 4.0))
    return Manner(
        excited=excited,
        subdued=subdued,
        unpleasant=np.stack(forms),
        squint=float(rng.uniform(0.3, 1.4)),
        teeth=float(rng.uniform(0.3, 1.4)),
        shut=float(rng.uniform(0.4, 1.0)) if rng.uniform() < SHUT_SHARE else 0.0,
        eyes=float(eyes),
        brows=float(brows),
        jaw=float(jaw),
        even=float(rng.uniform(0.5, 1.0)),
        strengths=np.exp(rng.normal(0, 0.14, (len(ACTIONS), 1)) + rng.normal(0, 0.06, (len(ACTIONS), 2))).astype(
            np.float32
        ),
    )


def draw_point(rng: np.random.Generator) -> Array:
    """Draw (valence, arousal): a still face, evenly from the disc, or as people are found: the more excited, the more
    it means."""
    kind = rng.uniform()
    if kind < STILL_SHARE:
        return keep_in_disc(rng.normal(0, STILL_SPREAD, 2))
    if kind < STILL_SHARE + EVEN_SHARE:
        radius, angle = np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        return radius * np.array([np.cos(angle), np.sin(angle)])
    valence = 0.0 if rng.uniform() < 0.3 else rng.uniform(-0.9, 0.95)
    arousal = -0.1 + 0.55 * abs(valence) + rng.normal(0, 0.16)
    return keep_in_disc(np.array([valence + rng.normal(0, 0.04), arousal]))


def act(affect: Array, manner: Manner) -> Actions:
    """What a face does to show (valence, arousal): float32 (actions, 2), before the person's own strength and rest."""
    valence, arousal = float(affect[0]), float(affect[1])
    pleased, displeased = max(valence, 0.0), max(-valence, 0.0)
    aroused, calm = max(arousal, 0.0), max(-arousal, 0.0)
    shown = no_actions()

    def add(name: str, strength: float) -> None:
        shown[INDEX[name]] += strength

    # A smile: the eyes follow once it is more than polite, the lips part with excitement.
    opening = float(np.clip((arousal + 0.1) / 0.9, 0.0, 1.0))
    add("smile", pleased * (1.0 + 0.35 * opening))
    add("cheek_raise", manner.squint * 0.85 * max(pleased - 0.12, 0.0))
    add("upper_lip_up", manner.teeth * pleased * (0.1 + 0.7 * opening))
    add("lower_lip_down", manner.teeth * 0.5 * pleased * opening)
    add("jaw_open", (0.3 + 0.5 * manner.jaw) * pleased * opening**1.5)
    add("lid_close", manner.shut * pleased * opening)
    # Displeasure: the excited form takes over from the calm one around an arousal of 0.05.
    excited = 1 / (1 + np.exp(-(arousal - 0.05) / 0.1))
    strength = min(1.0, 1.3 * displeased)
    shown += np.float32(strength * excited * (0.55 + 0.45 * aroused)) * manner.unpleasant[0]
    shown += np.float32(strength * (1 - excited)) * manner.unpleasant[1]
    # Arousal opens eyes, brows and jaw, as far as another part does not shut them.
    frown = float(shown[INDEX["brow_down"]].mean())
    shut = float(shown[INDEX["lid_close"]].mean())
    add("lid_raise", manner.eyes * 0.95 * aroused * max(0.0, 1 - shut) * (1 - 0.6 * min(1.0, pleased * manner.squint)))
    add("brow_outer_up", manner.brows * 0.9 * aroused * max(0.0, 1 - frown))
    add("brow_inner_up", manner.brows * 0.8 * aroused * max(0.0, 1 - 0.7 * frown))
    add("jaw_open", manner.jaw * 0.42 * aroused * (1 - 0.4 * displeased))
    add("lid_close", manner.even * 0.6 * calm)
    add("brow_outer_up", -0.1 * calm)
    return (shown * manner.strengths).clip(0.0).astype(np.float32)


def between(start: Manner, end: Manner, affects: Array, eases: Array) -> Actions:
    """Faces on the way from one manner to another: affects (n, 2), eases (n,) in [0, 1] -> float32 (n, actions, 2)."""
    return np.stack([(1 - t) * act(a, start) + t * act(a, end) for a, t in zip(affects, eases, strict=True)]).astype(
        np.float32
    )


def expression_of(affect: Array, manner: Manner) -> str | None:
    """AffectNet's expression that a face shows: None where none of the eight is meant."""
    valence, arousal = float(affect[0]), float(affect[1])
    if np.hypot(valence, arousal) < NEUTRAL:
        return "neutral"
    if valence > 0.2:
        return "happy"
    if valence < -0.2:
        return NAMED[manner.excited if arousal > 0.05 else manner.subdued]
    return "surprise" if arousal > 0.35 else "neutral" if arousal < 0.2 else None
