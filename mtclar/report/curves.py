"""Valence and arousal over time as SVG, written directly: a report is made in a tenth of the time matplotlib takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup, escape

from mtclar.labelling.drawing import COLOURS

GREY, GRID, INK = "#8796a5", "#e6ebf0", "#4a5a6a"
SHADES = {"no_face": "#dfe4e9", "out_of_shot": "#eef1f4", "low_quality": "#f6efdc"}
"""Behind frames whose label is not of a face that can be seen well, by status."""
MAX_POINTS, MAX_DOTS = 2000, 600
"""A curve and a plane are drawn with no more points than these."""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 180, 62, 8, 8, 26
_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_VIRIDIS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], float)


@dataclass(frozen=True)
class Course:
    """What is drawn of one person, n frames in the order of time.

    Attributes:
        time_s: float (n,), ascending.
        values, low, high: float (n, 2): labels of valence and arousal and the edges of their band, NaN for none.
        anchor: bool (n,).
        status: str (n,), see `SHADES`.
        shot: int (n,).
        straight: float (n, 2), straight lines between the anchors; None without any.
    """

    time_s: np.ndarray
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    anchor: np.ndarray
    status: np.ndarray
    shot: np.ndarray
    straight: np.ndarray | None = None


def curves(course: Course, description: str) -> Markup:
    """Two charts, one above the other: label, band, anchors, straight lines; cuts as thin lines, gaps shaded.

    `description` is what a screen reader says in their place.
    """
    start, end = float(course.time_s[0]), float(course.time_s[-1])
    span = max(end - start, 1e-3)

    def across(times_s: np.ndarray) -> np.ndarray:
        return LEFT + (np.asarray(times_s, float) - start + 0.01 * span) / (1.02 * span) * (WIDTH - LEFT - RIGHT)

    x = across(course.time_s)
    some = np.arange(0, len(x), -(-len(x) // MAX_POINTS))
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    behind = [(edges[a], edges[b], SHADES[name]) for name in SHADES for a, b in spans(course.status == name) if b > a]
    cuts = edges[1:-1][np.diff(course.shot) != 0]
    parts: list[str] = []
    for column, (name, colour) in enumerate(COLOURS.items()):
        top = column * (HEIGHT + 8)
        values = course.values[:, column]

        def down(labels: np.ndarray, top: int = top) -> np.ndarray:
            return top + TOP + (1.05 - np.asarray(labels, float)) / 2.1 * (HEIGHT - TOP)

        parts += [
            f'<rect x="{a:.1f}" y="{top + TOP}" width="{b - a:.1f}" height="{HEIGHT - TOP}" fill="{shade}"/>'
            for a, b, shade in behind
        ]
        for tick, y in zip(_TICKS, down(np.array(_TICKS)), strict=True):
            stroke = GREY if tick == 0 else GRID
            parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{stroke}"/>')
            parts.append(_text(LEFT - 6, y + 3.5, f"{tick:g}".replace("-", "−"), "end"))
        parts += [
            f'<path d="M{at:.1f} {top + TOP}V{top + HEIGHT}" stroke="{GREY}" stroke-dasharray="2 3"/>' for at in cuts
        ]
        low, high = course.low[some, column], course.high[some, column]
        for a, b in spans(np.isfinite(low) & np.isfinite(high)):
            upper, lower = _points(x[some][a:b], down(high[a:b])), _points(x[some][a:b], down(low[a:b]))
            parts.append(f'<path d="M{" ".join([*upper, *lower[::-1]])}Z" fill="{colour}" opacity=".16"/>')
        if course.straight is not None:
            line = " ".join(_points(x[some], down(course.straight[some, column])))
            parts.append(f'<path d="M{line}" fill="none" stroke="{GREY}" stroke-width="1.4" stroke-dasharray="1 3"/>')
        for a, b in spans(np.isfinite(values[some])):
            line = " ".join(_points(x[some][a:b], down(values[some][a:b])))
            lone = ' stroke-linecap="round"' if b - a == 1 else ""
            parts.append(
                f'<path d="M{line}{"h0" if lone else ""}" fill="none" stroke="{colour}" stroke-width="1.8"{lone}/>'
            )
        at = np.flatnonzero(course.anchor & np.isfinite(values))
        parts += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}" stroke="#fff"/>'
            for a, b in zip(x[at], down(values[at]), strict=True)
        ]
        middle = top + HEIGHT / 2
        parts.append(
            f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle" fill="{colour}">'
            f"{name.capitalize()}</text>"
        )
    bottom = 2 * HEIGHT + 8
    for time_s in round_times(start, end):
        parts.append(_text(float(across(np.array([time_s]))[0]), bottom + 14, clock(time_s), "middle"))
    return _svg(parts, WIDTH, bottom + BOTTOM, description)


def plane(course: Course, description: str) -> Markup:
    """Labels in the plane of valence and arousal, the colour going with time; anchors as rings."""
    known = np.flatnonzero(np.isfinite(course.values).all(axis=1))
    known = known[:: -(-max(1, len(known)) // MAX_DOTS)]
    side, left, top = 320, 46, 8

    def place(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return left + (values[:, 0] + 1.05) / 2.1 * side, top + (1.05 - values[:, 1]) / 2.1 * side

    parts: list[str] = []
    for tick in _TICKS:
        at = np.array([[tick, tick]])
        (x,), (y,) = place(at)
        stroke, name = GREY if tick == 0 else GRID, f"{tick:g}".replace("-", "−")
        parts.append(f'<path d="M{x:.1f} {top}V{top + side}M{left} {y:.1f}H{left + side}" stroke="{stroke}"/>')
        parts += [_text(x, top + side + 14, name, "middle"), _text(left - 6, y + 3.5, name, "end")]
    share = (course.time_s[known] - course.time_s[0]) / max(float(course.time_s[-1] - course.time_s[0]), 1e-9)
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.2" fill="{colour}"/>'
        for x, y, colour in zip(*place(course.values[known]), _viridis(share), strict=True)
    ]
    anchors = np.flatnonzero(course.anchor & np.isfinite(course.values).all(axis=1))
    parts += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="#1c2733"/>'
        for x, y in zip(*place(course.values[anchors]), strict=True)
    ]
    parts.append(_text(left + side / 2, top + side + 30, "Valence", "middle", COLOURS["valence"]))
    parts.append(
        f'<text transform="translate(12 {top + side / 2}) rotate(-90)" text-anchor="middle" '
        f'fill="{COLOURS["arousal"]}">Arousal</text>'
    )
    for k, colour in enumerate(_viridis(np.linspace(0, 1, 32))):
        parts.append(f'<rect x="{left + side + 20}" y="{top + 4 * k}" width="10" height="4" fill="{colour}"/>')
    parts.append(_text(left + side + 34, top + 10, clock(float(course.time_s[0])), "start"))
    parts.append(_text(left + side + 34, top + 128, clock(float(course.time_s[-1])), "start"))
    return _svg(parts, left + side + 100, top + side + 40, description)


def clock(time_s: float) -> str:
    """A time for people: seconds below two minutes, then minutes or hours."""
    if time_s < 120:
        return f"{time_s:g} s" if time_s == round(time_s) else f"{time_s:.2f} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def round_times(start: float, end: float) -> Sequence[float]:
    """Some four to nine round times from start to end."""
    steps = (
        1e-3,
        2e-3,
        5e-3,
        0.01,
        0.02,
        0.05,
        0.1,
        0.2,
        0.5,
        1,
        2,
        5,
        10,
        20,
        30,
        60,
        120,
        300,
        600,
        1200,
        1800,
        3600,
    )
    step = next((step for step in steps if (end - start) / step <= 8), 7200.0)
    first, last = int(np.ceil(start / step - 1e-9)), int(np.floor(end / step + 1e-9))
    return [round(k * step, 6) for k in range(first, last + 1)]


def spans(which: np.ndarray) -> list[tuple[int, int]]:
    """Runs of True: first position and the one after the last."""
    turns = np.flatnonzero(np.diff(np.concatenate([[0], which.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in list(pairwise(turns))[::2]]


def _points(x: np.ndarray, y: np.ndarray) -> list[str]:
    return [f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]


def _text(x: float, y: float, words: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'


def _viridis(share: np.ndarray) -> list[str]:
    """Colours from dark (0) to light (1)."""
    at = np.clip(share, 0, 1) * (len(_VIRIDIS) - 1)
    channels = [np.interp(at, np.arange(len(_VIRIDIS)), channel) for channel in _VIRIDIS.T]
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in np.rint(np.stack(channels, axis=1)).astype(int).tolist()]


def _svg(parts: Sequence[str], width: float, height: float, description: str) -> Markup:
    head = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}" '
        'font-family="system-ui, sans-serif" font-size="11">'
    ).format(int(width), int(height), int(width), description)
    return head + Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers and our own words
