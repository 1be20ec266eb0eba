"""A sheet of colour and opacity over a face's picture, on which coverings are painted.

Everything is painted smooth-edged: limbs by their distance from a line, outlines and locks of hair by OpenCV's
anti-aliased drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.synthesis.artists.base import Layer
from mtclar.synthesis.coverings.frame import Points, face_mask

#: What a pattern makes of places in centimetres: factors of the colour (...) or (..., 3).
Pattern = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

#: cv2 draws at a sixteenth of a pixel with this shift.
SHIFT = 4


class Sheet:
    """Colour (RGB, 0..1) and opacity over a picture. Each stroke touches only the rectangle it lies in."""

    def __init__(self, shape: tuple[int, int], side_light: float = 0.0) -> None:
        """Take an empty sheet of a height and width; `side_light` (-1..1) is how far light comes from the right."""
        self.rgb = np.zeros((*shape, 3), np.float32)
        self.alpha = np.zeros(shape, np.float32)
        #: Where light comes from in the picture, x right and y down.
        self.light = np.array([1.2 * side_light, -0.45], np.float32)

    def limb(self, line: Points, radii: Sequence[float], colour: NDArray[Any], gap: float = 0.0) -> None:
        """Paint a round limb.

        Args:
            line: its middle, pixels (k, 2).
            radii: pixels, one for each point.
            colour: RGB.
            gap: width in pixels of the dark edge that it leaves on what lies behind.
        """
        window = self._window(line, max(radii) + gap + 1)
        y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None]
        if not (x.size and y.size):
            return
        depth, lit, radius = self._beside(x, y, line[:2], radii[:2])
        for start in range(1, len(line) - 1):
            others = self._beside(x, y, line[start : start + 2], radii[start : start + 2])
            nearer = others[0] > depth
            for kept, other in zip((depth, lit, radius), others, strict=True):
                np.copyto(kept, other, where=nearer)
        facing = np.sqrt(np.clip(1 - (1 - depth / radius) ** 2, 0, 1))
        shade = np.clip(0.56 + 0.5 * facing + 0.4 * lit / radius, 0.25, 1.25)
        if gap:
            self._over(window, 0.3 * np.asarray(colour, np.float32), 0.75 * np.clip((depth + gap) / gap, 0, 1))
        self._over(window, shade[..., None] * np.asarray(colour, np.float32), np.clip(depth + 0.5, 0, 1))

    def _beside(
        self, x: NDArray[np.float32], y: NDArray[np.float32], ends: Points, radii: Sequence[float]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """For one piece of a limb: how deep pixels lie in it, how far towards the light, and its radius there."""
        (ax, ay), (bx, by) = ends.astype(np.float32)
        along_x, along_y = bx - ax, by - ay
        dx, dy = x - ax, y - ay
        t = np.clip((dx * along_x + dy * along_y) / max(float(along_x**2 + along_y**2), 1e-6), 0, 1)
        dx = dx - t * along_x
        dy = dy - t * along_y
        radius = np.maximum(np.float32(radii[0]) + t * np.float32(radii[1] - radii[0]), np.float32(0.5))
        return radius - np.sqrt(dx * dx + dy * dy), dx * self.light[0] + dy * self.light[1], radius

    def fill(
        self,
        outline: Points,
        colour: NDArray[Any],
        *,
        opacity: float = 1.0,
        rounding: float = 0.0,
        inside: NDArray[np.float32] | None = None,
        pattern: Pattern | None = None,
        places: Callable[[Points], Points] | None = None,
    ) -> None:
        """Fill an outline.

        Args:
            outline: pixels (k, 2).
            colour: RGB.
            opacity: 0..1.
            rounding: pixels over which it darkens towards its edge, as round things do.
            inside: opacity float32 (h, w) of what it may lie on.
            pattern: makes factors of the colour from places.
            places: centimetres (k, 2) of pixels (k, 2), for the pattern.
        """
        window = self._window(outline, rounding + 1)
        mask = np.zeros(self.alpha[window].shape, np.uint8)
        if not mask.size:
            return
        cv2.fillPoly(mask, [_fixed(outline, window)], 255, cv2.LINE_AA, SHIFT)
        weight = mask.astype(np.float32) / 255
        paint = np.broadcast_to(np.asarray(colour, np.float32), (*mask.shape, 3))
        if rounding >= 1 and min(mask.shape) > 1:
            soft = cv2.GaussianBlur(weight, (0, 0), rounding / 2)
            slope_y, slope_x = np.gradient(soft)
            lit = -(slope_x * self.light[0] + slope_y * self.light[1]) * rounding
            paint = paint * np.clip(0.4 + 0.68 * soft + 0.8 * lit, 0.25, 1.25)[..., None]
        if pattern is not None and places is not None:
            y, x = np.mgrid[window]
            cm = places(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)).reshape(*mask.shape, 2)
            factor = pattern(cm[..., 0], cm[..., 1]).astype(np.float32)
            paint = paint * (factor if factor.ndim == 3 else factor[..., None])
        if inside is not None:
            weight = weight * inside[window]
        self._over(window, paint, opacity * weight)

    def line(self, points: Points, colour: NDArray[Any], width: float, *, opacity: float = 1.0) -> None:
        """Draw a line of a width in pixels; one thinner than a pixel is as much fainter."""
        window = self._window(points, width + 2)
        mask = np.zeros(self.alpha[window].shape, np.uint8)
        if not mask.size:
            return
        cv2.polylines(mask, [_fixed(points, window)], False, 255, max(1, round(width)), cv2.LINE_AA, SHIFT)
        faint = opacity * min(1.0, width)
        self._over(window, np.asarray(colour, np.float32), faint / 255 * mask.astype(np.float32))

    def locks(self, lines: Sequence[Points], widths: Sequence[float], colours: NDArray[Any]) -> None:
        """Lay locks of hair one over the other: lines in pixels, widths in pixels, colours (locks, 3)."""
        canvas: NDArray[Any] = np.empty((*self.alpha.shape, 3), np.uint8)
        canvas[:] = np.clip(255 * colours.mean(0), 0, 255)
        mask = np.zeros(self.alpha.shape, np.uint8)
        everywhere = (slice(0, None), slice(0, None))
        thick = np.maximum(1, np.round(widths)).astype(int)
        fixed = [_fixed(line, everywhere) for line in lines]
        for line, px, colour in zip(fixed, thick, np.clip(255 * colours, 0, 255), strict=True):
            cv2.polylines(canvas, [line], False, tuple(map(float, colour)), int(px), cv2.LINE_AA, SHIFT)
        for px in np.unique(thick):
            those = np.zeros_like(mask)
            faint = min(1.0, float(np.mean(np.asarray(widths)[thick == px])))
            chosen = [line for line, p in zip(fixed, thick, strict=True) if p == px]
            cv2.polylines(those, chosen, False, 255 * faint, int(px), cv2.LINE_AA, SHIFT)
            mask = np.maximum(mask, those)
        self._over(everywhere, canvas.astype(np.float32) / 255, mask.astype(np.float32) / 255)

    def laid_on(self, layer: Layer, light: float, shadow: float) -> tuple[Layer, float]:
        """The layer with the sheet on it, and the share of the face's hull that it hides.

        Args:
            layer: a drawn person; landmarks stay as they are.
            light: factor of the sheet's colours.
            shadow: how dark its shadow is on what lies around, 0..1.
        """
        rows, columns = np.flatnonzero(self.alpha.any(1)), np.flatnonzero(self.alpha.any(0))
        if not len(rows):
            return layer, 0.0
        face = face_mask(layer.landmarks, self.alpha.shape)
        margin = 6
        window = (
            slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
            slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
        )
        cover, under = self.alpha[window], layer.alpha[window]
        below = layer.rgb[window].astype(np.float32)
        if shadow:
            below = below * (1 - shadow * cv2.GaussianBlur(cover, (0, 0), margin / 3))[..., None]
        alpha = cover + under * (1 - cover)
        paint = np.clip(255 * light * self.rgb[window], 0, 255)
        share = cover / np.maximum(alpha, 1e-6)
        rgb, opacity = layer.rgb.copy(), layer.alpha.copy()
        rgb[window] = np.clip(below + share[..., None] * (paint - below) + 0.5, 0, 255).astype(np.uint8)
        opacity[window] = np.clip(alpha, 0, 1)
        hidden = float(self.alpha[face].mean()) if face.any() else 0.0
        return replace(layer, rgb=rgb, alpha=opacity), float(np.clip(hidden, 0, 1))

    def _window(self, points: Points, margin: float) -> tuple[slice, slice]:
        """Rows and columns of the sheet that hold some points."""
        low, high = np.floor(points.min(0) - margin).astype(int), np.ceil(points.max(0) + margin).astype(int) + 1
        x, y = (slice(*(int(v) for v in np.clip((low[i], high[i]), 0, self.alpha.shape[1 - i]))) for i in (0, 1))
        return y, x

    def _over(self, window: tuple[slice, slice], colour: NDArray[Any], weight: NDArray[Any]) -> None:
        """Lay colour on the sheet; where the sheet was empty the colour is that of the stroke alone."""
        before = self.alpha[window]
        after = weight + before * (1 - weight)
        share = (weight / np.maximum(after, 1e-6))[..., None]
        self.rgb[window] += share * (colour - self.rgb[window])
        self.alpha[window] = after


def _fixed(points: Points, window: tuple[slice, slice]) -> NDArray[np.int32]:
    """Points in cv2's fixed-point form, relative to a window of the sheet: (k, 1, 2)."""
    local = np.asarray(points) - (window[1].start or 0, window[0].start or 0)
    return np.round(np.clip(local, -4000, 4000) * (1 << SHIFT)).astype(np.int32).reshape(-1, 1, 2)
