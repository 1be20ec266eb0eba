"""The artist who draws in two dimensions: shaded ellipses and polygons over moving landmarks. Needs no data."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Layer, Light, Performance, View
from mtclar.synthesis.artists.template import BROWS, EYES, HEAD_CENTRE, HEAD_RADII, Points, express, personal, to_space
from mtclar.synthesis.identity import Person

SUPERSAMPLING = 2
CAMERA_CM = 90.0
AMBIENT, DIFFUSE = 0.42, 0.66
#: cv2 draws at a sixteenth of a pixel with this shift.
SHIFT = 4
AIM = np.array([0.0, 0.0, 8.0])


class DrawnArtist:
    """Draws people as a cartoonist would, well enough for a detector of faces."""

    name = "drawn"

    def draw(self, person: Person, performance: Performance, view: View, lights: tuple[Light, ...]) -> Layer:
        """Draw a person on nothing (transparent background)."""
        turn = _rotation(*performance.head)
        landmarks = _project(to_space(express(personal(person), performance.actions)) @ turn.T - AIM, view)
        sheet = _Sheet(view)
        head = _head_outline(person, turn, view)
        _draw_body(sheet, person, view)
        sheet.fill(_ears(turn, view), person.skin * 0.9)
        if person.hair_volume > 0:
            # Lifted, so that it frames the brow and not the chin.
            lift = (0.9 + 0.5 * person.hair_volume) * view.height / view.height_cm
            sheet.fill(_grow(head, 1.02 + 0.04 * person.hair_volume) - [0, lift], person.hair)
        sheet.fill(head, person.skin)
        sheet.line(head, person.skin * 0.5, 1.5)
        _draw_hairline(sheet, person, turn, view)
        _draw_nose(sheet, person, landmarks)
        for part in EYES:
            _draw_eye(sheet, person, landmarks[part], performance.gaze)
        thickness = person.brow[0] * 1.5 * view.height / view.height_cm
        for part in BROWS:
            colour = person.skin + person.brow[1] * (np.minimum(person.hair, person.skin * 0.7) - person.skin)
            sheet.line(landmarks[part], colour, thickness)
        _draw_mouth(sheet, person, landmarks)
        rgb, alpha = sheet.shrink()
        lit = np.clip(rgb * _shading(turn, view, lights)[..., None], 0, 1)
        return Layer((lit * 255).astype(np.uint8), alpha, landmarks.astype(np.float32))


class _Sheet:
    """A canvas of floats (h * s, w * s), with opacity. Each stroke touches only the rectangle it lies in."""

    def __init__(self, view: View) -> None:
        size = (view.height * SUPERSAMPLING, view.width * SUPERSAMPLING)
        self.rgb = np.zeros((*size, 3), np.float32)
        self.alpha = np.zeros(size, np.float32)

    def fill(self, outline: Points, colour: NDArray[np.float64], inside: Points | None = None) -> None:
        """Fill a polygon given in picture pixels, only inside another if there is one."""
        window = self._window(outline, 2.0)
        weight = self._mask(outline, window)
        if inside is not None:
            weight = weight * self._mask(inside, window)
        self._cover(weight, colour, window)

    def line(self, points: Points, colour: NDArray[np.float64], width_px: float) -> None:
        """Draw a line of a width in picture pixels."""
        window = self._window(points, width_px + 2)
        mask = np.zeros(self.alpha[window].shape, np.uint8)
        fixed = _fixed(points, window)
        if not mask.size:
            return
        cv2.polylines(mask, [fixed], False, 255, max(1, round(width_px * SUPERSAMPLING)), cv2.LINE_AA, SHIFT)
        self._cover((mask / 255).astype(np.float32), colour, window)

    def _window(self, points: Points, margin_px: float) -> tuple[slice, slice]:
        """Rows and columns of the canvas that hold some points."""
        low = np.floor((points.min(0) - margin_px) * SUPERSAMPLING).astype(int)
        high = np.ceil((points.max(0) + margin_px) * SUPERSAMPLING).astype(int)
        x, y = (slice(*np.clip((low[i], high[i]), 0, self.alpha.shape[1 - i])) for i in (0, 1))
        return y, x

    def _mask(self, outline: Points, window: tuple[slice, slice]) -> NDArray[np.float32]:
        mask = np.zeros(self.alpha[window].shape, np.uint8)
        if mask.size:
            cv2.fillPoly(mask, [_fixed(outline, window)], 255, cv2.LINE_AA, SHIFT)
        return (mask / 255).astype(np.float32)

    def _cover(self, weight: NDArray[np.float32], colour: NDArray[np.float64], window: tuple[slice, slice]) -> None:
        self.rgb[window] += weight[..., None] * (np.asarray(colour, np.float32) - self.rgb[window])
        self.alpha[window] += weight * (1 - self.alpha[window])

    def shrink(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Average down to the picture's size: RGB (h, w, 3) weighted by opacity, and opacity (h, w)."""
        size = (self.alpha.shape[1] // SUPERSAMPLING, self.alpha.shape[0] // SUPERSAMPLING)
        alpha = cv2.resize(self.alpha, size, interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(self.rgb * self.alpha[..., None], size, interpolation=cv2.INTER_AREA)
        shrunk = rgb / np.maximum(alpha, 1e-6)[..., None]
        return shrunk.astype(np.float32), alpha.astype(np.float32)


def _fixed(points: Points, window: tuple[slice, slice]) -> NDArray[np.int32]:
    """Points in cv2's fixed-point form, relative to a window of the canvas: (k, 1, 2)."""
    local = np.asarray(points) * SUPERSAMPLING - (window[1].start, window[0].start)
    return np.round(local * (1 << SHIFT)).astype(np.int32).reshape(-1, 1, 2)


def _rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, -pitch, roll])) for f in (np.cos, np.sin))
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    return np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]) @ turn @ nod


def _project(points: Points, view: View) -> Points:
    """Pixels (k, 2) of points (k, 3) relative to the aim."""
    scale = view.height / view.height_cm * CAMERA_CM / (CAMERA_CM - points[:, 2])
    x = view.width / 2 + (points[:, 0] + view.offset_cm[0]) * scale
    return np.stack([x, view.height / 2 - (points[:, 1] + view.offset_cm[1]) * scale], 1)


def _ellipse(centre: Points, radii: Points, turn: NDArray[np.float64], view: View, arc: tuple[float, float]) -> Points:
    """An ellipse in the head's frontal plane, seen by the camera."""
    t = np.radians(np.linspace(*arc, 48))
    ring = np.stack([centre[0] + radii[0] * np.cos(t), centre[1] + radii[1] * np.sin(t), np.full(48, centre[2])], 1)
    return _project(ring @ turn.T - AIM, view)


def _head_outline(person: Person, turn: NDArray[np.float64], view: View) -> Points:
    wide, long = np.clip(person.shape[:2], -2, 2)
    radii = HEAD_RADII[:2] * (1 + 0.03 * np.array([wide, long]))
    return _ellipse(HEAD_CENTRE + np.array([0, 0, 2.0]), radii, turn, view, (0, 360))


def _grow(outline: Points, factor: float) -> Points:
    centre = outline.mean(0)
    return centre + (outline - centre) * factor


def _ears(turn: NDArray[np.float64], view: View) -> Points:
    left = _ellipse(np.array([-7.7, 2.0, 0.0]), np.array([1.1, 2.0]), turn, view, (0, 360))
    right = _ellipse(np.array([7.7, 2.0, 0.0]), np.array([1.1, 2.0]), turn, view, (0, 360))
    return np.concatenate([left, right])


def _draw_body(sheet: _Sheet, person: Person, view: View) -> None:
    still = np.eye(3)
    neck = np.array([(-4.6, -2.0, 0), (4.6, -2.0, 0), (4.8, -14, 0), (-4.8, -14, 0)])
    sheet.fill(_project(neck - AIM, view), person.skin * 0.78)
    sheet.fill(_ellipse(np.array([0, -22.0, 0]), np.array([20.0, 9.5]), still, view, (0, 360)), person.clothes)


def _draw_hairline(sheet: _Sheet, person: Person, turn: NDArray[np.float64], view: View) -> None:
    if person.hair_volume == 0:
        return
    top = _ellipse(HEAD_CENTRE + np.array([0, 0, 3.0]), HEAD_RADII[:2] * 1.0, turn, view, (25, 155))
    edge = _ellipse(np.array([0, 5.5 + 0.4 * person.hairline, 5]), np.array([6.8, 3.6]), turn, view, (155, 25))
    sheet.fill(np.concatenate([top, edge]), person.hair)


def _draw_nose(sheet: _Sheet, person: Person, marks: Points) -> None:
    wing = marks[31:36]
    bridge = np.concatenate([marks[27:31] - np.array([1.5, 0]), wing[::-1][:3]])
    sheet.fill(bridge, person.skin * 0.9)
    sheet.line(wing, person.skin * 0.6, 1.6)
    for side in (32, 34):
        sheet.line(marks[side][None] + [[-1, 0], [1, 0]], person.skin * 0.35, 2)


def _draw_eye(sheet: _Sheet, person: Person, eye: Points, gaze: tuple[float, float]) -> None:
    width = float(np.linalg.norm(eye[3] - eye[0]))
    sheet.fill(_grow(eye, 1.5), person.skin * 0.86)
    sheet.fill(eye, np.array([0.88, 0.87, 0.85]))
    # The iris belongs to the ball, so it stays where it is when a lid moves over it.
    corner_line = (eye[0] + eye[3]) / 2
    centre = corner_line + width * np.array([gaze[0] / 60, -gaze[1] / 75 - 0.04])
    around = np.radians(np.arange(0, 360, 12))
    disc = np.stack([np.cos(around), np.sin(around)], 1)
    sheet.fill(centre + disc * width * 0.24, person.iris, eye)
    sheet.fill(centre + disc * width * 0.11, np.full(3, 0.03), eye)
    sheet.line(eye[:4], np.minimum(person.hair, person.skin) * 0.4, 0.09 * width)
    sheet.line(eye[[3, 4, 5, 0]], person.skin * 0.65, 0.04 * width)


def _draw_mouth(sheet: _Sheet, person: Person, marks: Points) -> None:
    sheet.fill(marks[48:60], person.lips)
    inner = marks[60:68]
    height = float(inner[6, 1] - inner[2, 1])
    sheet.fill(inner, np.array([0.2, 0.06, 0.06]))
    if height > 2:
        upper = inner[[0, 1, 2, 3, 4]]
        teeth = np.concatenate([upper, upper[::-1] + np.array([0, min(0.5 * height, 5.0)])])
        sheet.fill(teeth, np.array([0.9, 0.88, 0.82]), inner)
    sheet.line(inner[[0, 1, 2, 3, 4]], person.lips * 0.55, 1.2)
    # The fold beside the mouth's corner, as far as it is drawn up or down.
    for corner in (48, 54):
        sheet.line(marks[corner][None] + [[0, -2.0], [0, 2.0]], person.skin * 0.7, 1.2)


def _shading(turn: NDArray[np.float64], view: View, lights: tuple[Light, ...]) -> NDArray[np.float32]:
    """Light on the head's ellipsoid, float32 (h, w)."""
    centre = _project((HEAD_CENTRE @ turn.T - AIM)[None], view)[0]
    radii = HEAD_RADII[:2] * 1.15 * view.height / view.height_cm
    nx = ((np.arange(view.width, dtype=np.float32) - centre[0]) / radii[0])[None, :]
    ny = ((centre[1] - np.arange(view.height, dtype=np.float32)) / radii[1])[:, None]
    nz = np.sqrt(np.maximum(0.02, 1 - nx**2 - ny**2))
    norm = np.sqrt(nx**2 + ny**2 + nz**2)
    light = np.full(norm.shape, AMBIENT, np.float32)
    for lamp in lights:
        d = np.array(lamp.direction) / np.linalg.norm(lamp.direction)
        light += DIFFUSE * float(np.mean(lamp.colour)) * np.maximum(0, (nx * d[0] + ny * d[1] + nz * d[2]) / norm)
    return light
