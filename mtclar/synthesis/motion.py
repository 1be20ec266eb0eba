"""How a face moves: affect along paths with onset, apex and offset, and everything that is not affect.

Blinks, speech, gaze and head motion are added after the label is fixed, so they never move it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.actions import INDEX, Actions, limit
from mtclar.synthesis.affect import CLASS_SPREADS, EXPRESSIONS, actions_of, affect_of, draw_affect, split_affect
from mtclar.synthesis.artists.base import Performance
from mtclar.synthesis.identity import Person

Array = NDArray[np.float64]

#: Standard deviations of a head's yaw, pitch and roll and of the gaze's yaw and pitch, degrees.
HEAD_SPREAD = np.array([8.0, 5.0, 4.0])
HEAD_LIMIT = np.array([17.0, 10.0, 9.0])
GAZE_SPREAD = np.array([7.0, 4.0])
#: Seconds of an onset, a quick onset, an offset, and a hold.
ONSET_S, JUMP_S, OFFSET_S, HOLD_S = (0.25, 0.8), (0.12, 0.2), (0.4, 1.1), (0.2, 1.0)
JUMP_SHARE = 0.15


@dataclass(frozen=True)
class Still:
    """One instant of a person: its affect (valence, arousal) and its performance."""

    affect: Array
    performance: Performance


def still_of(rng: np.random.Generator, person: Person, expression: int) -> Still:
    """Draw a person's picture of one expression, with a head pose, a gaze and at times a speaking mouth or a blink."""
    affect = draw_affect(rng, expression)
    strength, residual = split_affect(expression, affect)
    weights = np.zeros(len(EXPRESSIONS))
    weights[expression] = strength
    actions = person.show(actions_of(weights, residual, person.displays))
    if rng.uniform() < 0.12:
        actions = _add(
            actions, jaw_open=rng.uniform(0.05, 0.2), funnel=rng.uniform(0, 0.4), lower_lip_down=rng.uniform(0, 0.3)
        )
    if rng.uniform() < 0.03:
        actions = _add(actions, lid_close=1.0)
    gaze = rng.normal((0, min(0.0, 10 * affect[1])), GAZE_SPREAD)
    head = _draw_head(rng)
    return Still(affect, Performance(actions, _triple(head), (float(gaze[0]), float(gaze[1]))))


def clip_of(
    rng: np.random.Generator, person: Person, frames: int, fps: float, label_step: float | None
) -> tuple[Array, list[Performance]]:
    """Draw a person's clip.

    Args:
        rng: where chance comes from.
        person: who.
        frames: how many frames.
        fps: frames a second.
        label_step: the face moves so that its affect lies near a grid of this step; None leaves it free.

    Returns:
        Affect shown in each frame, (frames, 2), on the grid if there is one, and the performances.
    """
    weights, residual = _path(rng, frames, fps)
    affect = affect_of(weights, residual)
    if label_step is not None:
        affect = np.round(affect / label_step) * label_step
    actions = actions_of(weights, residual, person.displays)
    shown = np.stack([person.show(a) for a in actions])
    shown = speak(rng, shown, fps) if rng.uniform() < 0.3 else shown
    shown = blink(rng, shown, fps)
    head = _draw_head(rng) + drift(rng, frames, fps, HEAD_SPREAD / 3)
    head = np.clip(head, -HEAD_LIMIT, HEAD_LIMIT)
    gaze = glances(rng, frames, fps)
    gaze[:, 1] += np.minimum(0, 10 * affect[:, 1])
    performances = [
        Performance(limit(a), _triple(h), (float(g[0]), float(g[1]))) for a, h, g in zip(shown, head, gaze, strict=True)
    ]
    return affect, performances


def _path(rng: np.random.Generator, frames: int, fps: float) -> tuple[Array, Array]:
    """Expression weights (frames, 8) and residuals (frames, 2) along a path of states."""
    expression = 0 if rng.uniform() < 0.45 else int(rng.integers(1, len(EXPRESSIONS)))
    state = _state(rng, expression)
    # The first hold is short, so that most frames of most clips are not like the first.
    hold = rng.uniform(0.05, 0.4) * frames / fps * 0.5
    pieces = [np.repeat(state[None], max(1, round(hold * fps)), axis=0)]
    total = len(pieces[0])
    while total < frames:
        relaxing = expression != 0 and rng.uniform() < 0.45
        choices = [e for e in range(1, len(EXPRESSIONS)) if e != expression]
        expression = 0 if relaxing else int(rng.choice(choices))
        target = _state(rng, expression)
        span = JUMP_S if rng.uniform() < JUMP_SHARE else OFFSET_S if relaxing else ONSET_S
        steps = max(2, round(rng.uniform(*span) * fps))
        t = np.arange(1, steps + 1)[:, None] / steps
        # Minimum-jerk time course: still at both ends, quickest in the middle.
        ease = t**3 * (10 - 15 * t + 6 * t**2)
        pieces.append(state + ease * (target - state))
        state = target
        pieces.append(np.repeat(state[None], max(1, round(rng.uniform(*HOLD_S) * fps)), axis=0))
        total += len(pieces[-2]) + len(pieces[-1])
    path = np.concatenate(pieces)[:frames]
    return path[:, :-2], path[:, -2:]


def _state(rng: np.random.Generator, expression: int) -> Array:
    """Weights and residual (10,) of an expression at some strength."""
    strength = 1.0 if expression == 0 else rng.uniform(0.6, 1.2)
    state = np.zeros(len(EXPRESSIONS) + 2)
    state[expression] = strength
    state[-2:] = rng.normal(0, 0.7 * CLASS_SPREADS[expression])
    return state


def _add(actions: Actions, **strengths: float) -> Actions:
    """Actions with more of some of them."""
    more = actions.copy()
    for name, strength in strengths.items():
        more[INDEX[name]] += strength
    return limit(more)


def _draw_head(rng: np.random.Generator) -> Array:
    return np.clip(rng.normal(0, HEAD_SPREAD), -HEAD_LIMIT, HEAD_LIMIT)


def drift(rng: np.random.Generator, frames: int, fps: float, spread: Array) -> Array:
    """Slow wandering around zero (frames, len(spread)): three sines below 0.8 Hz."""
    t = np.arange(frames)[:, None, None] / fps
    rates = rng.uniform(0.1, 0.8, (3, len(spread)))
    phases = rng.uniform(0, 2 * np.pi, (3, len(spread)))
    return np.sin(2 * np.pi * rates * t + phases).mean(1) * spread * 1.4


def glances(rng: np.random.Generator, frames: int, fps: float) -> Array:
    """Gaze that rests and jumps (frames, 2), degrees."""
    gaze = np.empty((frames, 2))
    start = 0
    while start < frames:
        end = start + max(3, round(rng.exponential(0.9) * fps))
        gaze[start:end] = rng.normal(0, GAZE_SPREAD)
        start = end
    return gaze


def blink(rng: np.random.Generator, shown: Actions, fps: float) -> Actions:
    """Add blinks of about 0.2 s, one every three seconds or so."""
    closed = np.zeros(len(shown))
    start = rng.exponential(3.0)
    while start * fps < len(shown):
        distance = np.abs(np.arange(len(shown)) / fps - start)
        closed = np.maximum(closed, np.clip(1.5 - distance / 0.08, 0, 1))
        start += 0.4 + rng.exponential(3.0)
    shown = shown.copy()
    shown[:, INDEX["lid_close"]] = np.maximum(shown[:, INDEX["lid_close"]], closed[:, None])
    return shown


def speak(rng: np.random.Generator, shown: Actions, fps: float) -> Actions:
    """Add a burst of speech: syllables at 3 to 5.5 Hz that open the jaw and round the lips a little."""
    t = np.arange(len(shown)) / fps
    start = rng.uniform(0, 0.6) * len(shown) / fps
    burst = np.clip((t - start) / 0.15, 0, 1) * np.clip((start + rng.uniform(0.5, 1.5) - t) / 0.15, 0, 1)
    syllables = burst * (0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(3, 5.5) * (t - start)))
    rounding = burst * (0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 2.5) * t))
    shown = shown.copy()
    shown[:, INDEX["jaw_open"]] += (rng.uniform(0.08, 0.2) * syllables)[:, None]
    shown[:, INDEX["funnel"]] += (rng.uniform(0.1, 0.35) * rounding)[:, None]
    shown[:, INDEX["lower_lip_down"]] += (rng.uniform(0.1, 0.3) * syllables)[:, None]
    return shown


def sing(rng: np.random.Generator, shown: Actions, fps: float) -> Actions:
    """Add song all along: tones of 0.4 to 2 s that open the mouth wide and round it, with breaths in between."""
    jaw, round_, t = np.zeros(len(shown)), np.zeros(len(shown)), np.arange(len(shown)) / fps
    start = -rng.uniform(0, 0.5)
    while start < t[-1]:
        length = rng.uniform(0.4, 2.0)
        tone = np.clip(np.minimum(t - start, start + length - t) / 0.12, 0, 1)
        jaw, round_ = jaw + rng.uniform(0.1, 0.7) * tone, round_ + rng.uniform(0.0, 0.7) * tone
        start += length + rng.uniform(0.0, 0.3)
    shown = shown.copy()
    shown[:, INDEX["jaw_open"]] += jaw[:, None]
    shown[:, INDEX["funnel"]] += round_[:, None]
    shown[:, INDEX["lid_close"]] += (rng.uniform(0, 0.5) * (rng.uniform() < 0.5) * np.clip(jaw * 2, 0, 1))[:, None]
    return shown


def _triple(head: Array) -> tuple[float, float, float]:
    return float(head[0]), float(head[1]), float(head[2])
