"""What stands below the pictures of an overlay: curves of valence and arousal around a frame, and the circumplex."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mtclar.labelling.drawing import COLOURS
from mtclar.report.curves import GREY, GRID, INK, SHADES, Course, clock, round_times, spans
from mtclar.report.label_data import Columns, people_of
from mtclar.report.label_page import course_of

WINDOW_S = 20.0
"""Seconds that the curves show; of a shorter video all of it."""
TRAIL_S = 1.0
"""Seconds that the way to the point on the circumplex shows."""
PEOPLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Colours of several people, of Okabe and Ito's set, in turn."""
ONE = "#009e73"
"""Colour of the only person's box and point."""
BAND = 0.22
"""How much of a band's colour is seen."""
FINE = 4
"""Coordinates are drawn to 1/16 of a pixel, so that curves run smoothly."""
WHITE = (255, 255, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""
Colour = tuple[int, ...]
"""Red, green and blue."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One person, n rows in the order of frames.

    Attributes:
        name: For people; empty where there is one person only.
        frame: int64 (n,), ascending.
        course: What the curves show.
        source: str (n,).
        box: float64 (n, 4), x, y, w, h of the face in pixels of the displayed frame; NaN without one.
        colours: Of the box and the point, of valence, and of arousal.
    """

    name: str
    frame: np.ndarray
    course: Course
    source: np.ndarray
    box: np.ndarray
    colours: tuple[Colour, Colour, Colour]

    def row(self, frame: int) -> int | None:
        """The row of a frame, if the person has one."""
        at = int(np.searchsorted(self.frame, frame))
        return at if at < len(self.frame) and self.frame[at] == frame else None

    def within(self, start_s: float, span_s: float) -> tuple[int, int]:
        """Rows from the last before a window of time to the first after it, so that curves reach its edges."""
        time_s = self.course.time_s
        first = int(np.searchsorted(time_s, start_s, side="right")) - 1
        return max(0, first), min(len(time_s), int(np.searchsorted(time_s, start_s + span_s)) + 1)

    def runs(self, known: np.ndarray, first: int) -> list[tuple[int, int]]:
        """Stretches of rows, from `first` on, that are known (bool (m,)) and whose frames follow one another."""
        frames = self.frame[first : first + len(known)]
        cuts = (np.flatnonzero(np.diff(frames) > 1) + 1).tolist()
        ends = zip([0, *cuts], [*cuts, len(known)], strict=True)
        return [(first + a + i, first + a + j) for a, b in ends for i, j in spans(known[a:b])]


def shown_people(columns: Columns) -> list[Shown]:
    """Who is labelled, with their colours."""
    found = []
    for number, person in enumerate(people_of(columns)):
        own = rgb(PEOPLE[number % len(PEOPLE)])
        valence, arousal = (rgb(colour) for colour in COLOURS.values())
        colours = (own, own, own) if person.name else (rgb(ONE), valence, arousal)
        box = np.stack([columns[f"face_{name}"][person.rows].astype(float) for name in "xywh"], axis=1)
        rows = person.rows
        found.append(
            Shown(person.name, columns["frame"][rows], course_of(columns, rows), columns["source"][rows], box, colours)
        )
    return found


class Pen:
    """Writes words and draws dots of a size that goes with the width of the picture.

    Attributes:
        em, line, pad, row: Width of a digit, height of one, room around words, and height of a row of words, in pixels.
        thick: Of the curves.
        dot: Radius of an anchor.
    """

    def __init__(self, width: int) -> None:
        self._scale = max(0.4, 0.56 * width / 1280)
        self._weight = 1 if self._scale < 0.75 else 2
        (self.em, self.line), _ = cv2.getTextSize("0", _FONT, self._scale, self._weight)
        self.pad = max(4, self.line // 2)
        self.row = self.line + 2 * self.pad
        self.thick = 1 if width < 900 else 2
        self.dot = max(3, self.line // 3)

    def width(self, words: str) -> int:
        """Of words, in pixels."""
        return int(cv2.getTextSize(_plain(words), _FONT, self._scale, self._weight)[0][0])

    def text(
        self,
        image: np.ndarray,
        words: str,
        at: tuple[int, int],
        *,
        colour: Colour | None = None,
        align: tuple[float, float],
        ground: Colour | None = None,
    ) -> int:
        """Writes words and returns their width; `align` is where `at` lies in them, from left and from above.

        With a `ground` they stand on that colour, and are moved to where they can be seen.
        """
        w, h, pad = self.width(words), self.line, 0 if ground is None else self.pad
        x, y = round(at[0] - align[0] * (w + 2 * pad)), round(at[1] - align[1] * (h + 2 * pad))
        if ground is not None:
            x = max(0, min(x, image.shape[1] - w - 2 * pad))
            y = max(0, min(y, image.shape[0] - h - 2 * pad))
            cv2.rectangle(image, (x, y), (x + w + 2 * pad, y + h + 2 * pad), ground, -1)
        ink, foot = rgb(INK) if colour is None else colour, (x + pad, y + h + pad)
        cv2.putText(image, _plain(words), foot, _FONT, self._scale, ink, self._weight, cv2.LINE_AA)
        return w


class Charts:
    """Valence and arousal over time, one chart above the other, and the plane of both beside them."""

    def __init__(self, people: Sequence[Shown], charts: tuple[Box, Box], plane: Box, pen: Pen) -> None:
        """`charts` and `plane` are where they stand in what is drawn."""
        self._people, self._charts, self._plane, self._pen = people, charts, plane, pen
        self._last_s = max((float(person.course.time_s.max(initial=0.0)) for person in people), default=0.0)
        self._cuts_s = _cuts(people[0].course) if len(people) == 1 else np.empty(0)

    def draw_ground(self, image: np.ndarray) -> None:
        """What is the same on all frames."""
        pen = self._pen
        for x, y, w, h in self._charts:
            for tick in (-1, 0, 1):
                down = round(y + (1 - tick) / 2 * (h - 1))
                cv2.line(image, (x, down), (x + w, down), rgb(GREY if tick == 0 else GRID), 1)
                pen.text(image, f"{tick:+d}" if tick else "0", (x - pen.pad, down), align=(1.0, 0.5))
        x, y, side, _ = self._plane
        right, low, middle = x + side, y + side, (x + side // 2, y + side // 2)
        cv2.rectangle(image, (x, y), (right, low), rgb(GRID), 1)
        cv2.circle(image, middle, side // 2, rgb(GRID), 1, cv2.LINE_AA)
        cv2.line(image, (x, middle[1]), (right, middle[1]), rgb(GREY), 1)
        cv2.line(image, (middle[0], y), (middle[0], low), rgb(GREY), 1)
        valence, arousal = (rgb(colour) for colour in COLOURS.values())
        pen.text(image, "V", (right + pen.pad, middle[1]), colour=valence, align=(0.0, 0.5))
        pen.text(image, "A", (middle[0] + pen.pad, y + pen.pad), colour=arousal, align=(0.0, 0.0))

    def draw(self, image: np.ndarray, frame: int, time_s: float) -> None:
        """Draws what belongs to a frame."""
        span = max(min(WINDOW_S, self._last_s), 1e-3)
        start = min(max(time_s - span / 2, 0.0), max(self._last_s - span, 0.0))  # the frame in the middle, not at ends
        for dimension, chart in enumerate(self._charts):
            self._curves(image, chart, dimension, frame, time_s, (start, span))
        self._times(image, start, span)
        self._points(image, frame, (start, span))

    def _curves(
        self, image: np.ndarray, chart: Box, dimension: int, frame: int, time_s: float, window: tuple[float, float]
    ) -> None:
        """Bands, curves and anchors of one dimension, and where the frame is."""
        (x, y, w, h), (start, span), pen = chart, window, self._pen
        area = image[y - pen.pad : y + h + pen.pad, x : x + w + 1]

        def across(times_s: float) -> int:
            return round((times_s - start) / span * w)

        def place(times_s: np.ndarray, values: np.ndarray) -> np.ndarray:
            return _fine((times_s - start) / span * w, pen.pad + (1 - values) / 2 * (h - 1))

        here = [(person, *person.within(start, span)) for person in self._people]
        for at_s in self._cuts_s[(self._cuts_s > start) & (self._cuts_s < start + span)].tolist():
            cv2.line(area, (across(at_s), pen.pad), (across(at_s), h + pen.pad), rgb(GREY), 1)
        if len(here) == 1:
            _shade(area[pen.pad : -pen.pad], *here[0], across)
        for person, first, end in here:
            low, high = person.course.low[:, dimension], person.course.high[:, dimension]
            edges = [
                np.concatenate(
                    [place(person.course.time_s[a:b], high[a:b]), place(person.course.time_s[a:b], low[a:b])[::-1]]
                )
                for a, b in person.runs(np.isfinite(low[first:end] + high[first:end]), first)
            ]
            _blend(area, edges, person.colours[1 + dimension])
        for person, first, end in here:
            values, colour = person.course.values[:, dimension], person.colours[1 + dimension]
            for a, b in person.runs(np.isfinite(values[first:end]), first):
                line = place(person.course.time_s[a:b], values[a:b])
                cv2.polylines(area, [line], False, colour, pen.thick, cv2.LINE_AA, FINE)
        cv2.line(area, (across(time_s), pen.pad), (across(time_s), h + pen.pad), rgb(INK), 1)
        for person, first, end in here:
            values, colour = person.course.values[:, dimension], person.colours[1 + dimension]
            anchors = first + np.flatnonzero(person.course.anchor[first:end] & np.isfinite(values[first:end]))
            for at in place(person.course.time_s[anchors], values[anchors]).tolist():
                _dot(area, at, pen.dot, colour)
            row = person.row(frame)
            if row is not None and np.isfinite(values[row]):
                _dot(area, place(person.course.time_s[row], values[row]).tolist(), pen.dot - 1, colour, rgb(INK))

    def _times(self, image: np.ndarray, start: float, span: float) -> None:
        """Round times below the curves, as many as there is room for."""
        x, y, w, h = self._charts[1]
        times_s = round_times(start, start + span)
        step = times_s[1] - times_s[0] if len(times_s) > 1 else 1.0
        every = max(1, -(-len(times_s) * 7 * self._pen.em // max(w, 1)))
        for time_s in times_s:
            if round(time_s / step) % every == 0:
                at = round(x + (time_s - start) / span * w), y + h + self._pen.pad
                self._pen.text(image, clock(time_s), at, align=(0.5, 0.0))

    def _points(self, image: np.ndarray, frame: int, window: tuple[float, float]) -> None:
        """The plane: anchors as rings, the way of the last second, the interval and the point."""
        (x, y, side, _), dot = self._plane, self._pen.dot

        def place(values: np.ndarray) -> np.ndarray:
            return _fine(x + (values[..., 0] + 1) / 2 * side, y + (1 - values[..., 1]) / 2 * side)

        rows = [(person, row) for person in self._people if (row := person.row(frame)) is not None]
        for person, row in rows:
            low, high = person.course.low[row], person.course.high[row]
            if np.isfinite(low + high).all():
                corners = np.stack([low, [high[0], low[1]], high, [low[0], high[1]]])
                _blend(image, [place(corners)], person.colours[0], self._plane)
        for person, row in rows:
            course, colour = person.course, person.colours[0]
            first, end = person.within(*window)
            known = np.isfinite(course.values[first:end]).all(axis=1)
            anchors = first + np.flatnonzero(course.anchor[first:end] & known)
            for at in place(course.values[anchors]).tolist():
                cv2.circle(image, at, dot << FINE, colour, 1, cv2.LINE_AA, FINE)
            before = int(np.searchsorted(course.time_s, course.time_s[row] - TRAIL_S))
            for a, b in person.runs(np.isfinite(course.values[before : row + 1]).all(axis=1), before):
                cv2.polylines(image, [place(course.values[a:b])], False, colour, 1, cv2.LINE_AA, FINE)
            if np.isfinite(course.values[row]).all():
                _dot(image, place(course.values[row]).tolist(), dot + 1, colour)


def _shade(area: np.ndarray, person: Shown, first: int, end: int, across: Callable[[float], int]) -> None:
    """Grey or yellow behind rows whose frames do not show the face well."""
    time_s, status = person.course.time_s[first:end], person.course.status[first:end]
    edges = np.concatenate([time_s[:1], (time_s[1:] + time_s[:-1]) / 2, time_s[-1:]])
    for name, colour in SHADES.items():
        for a, b in spans(status == name):
            left, right = (max(0, across(float(edges[k]))) for k in (a, b))
            np.minimum(area[:, left:right], np.array(rgb(colour), np.uint8), out=area[:, left:right])


def _cuts(course: Course) -> np.ndarray:
    """float (k,): seconds in the middle between shots."""
    at = np.flatnonzero(np.diff(course.shot) != 0)
    return (course.time_s[at] + course.time_s[at + 1]) / 2


def _blend(image: np.ndarray, shapes: Sequence[np.ndarray], colour: Colour, within: Box | None = None) -> None:
    """Fills shapes so that what is below is seen."""
    x, y, w, h = within or (0, 0, image.shape[1], image.shape[0])
    area = image[y : y + h + 1, x : x + w + 1]
    layer = area.copy()
    for shape in shapes:
        cv2.fillPoly(layer, [shape - np.array([x, y], np.int32) * (1 << FINE)], colour, cv2.LINE_AA, FINE)
    cv2.addWeighted(layer, BAND, area, 1 - BAND, 0, dst=area)


def _dot(image: np.ndarray, at: Sequence[int], radius: int, colour: Colour, edge: Colour = WHITE) -> None:
    cv2.circle(image, at, (radius + 1) << FINE, edge, -1, cv2.LINE_AA, FINE)
    cv2.circle(image, at, radius << FINE, colour, -1, cv2.LINE_AA, FINE)


def _fine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """int32 (..., 2): places in pixels as OpenCV takes them, see `FINE`."""
    return np.rint(np.stack([x, y], axis=-1) * (1 << FINE)).astype(np.int32)


def _plain(words: str) -> str:
    """Words in the letters that OpenCV can write."""
    return unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()


def rgb(colour: str) -> Colour:
    """`#0072b2` as numbers."""
    return tuple(bytes.fromhex(colour[1:]))
