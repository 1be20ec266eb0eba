"""A labelled video with its labels in it: the face's box, curves of valence and arousal, the place on the circumplex.

Frames keep their times, so the rate may vary, and the video keeps its audio.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mtclar.labelling.drawing import COLOURS
from mtclar.progress import Progress, silent
from mtclar.report.label_data import Columns
from mtclar.report.overlay_charts import WHITE, Box, Charts, Pen, Shown, shown_people
from mtclar.video import Video
from mtclar.video.writing import VideoWriter

NARROWEST, LONGEST, MOST = 480, 1920, 4
"""Pictures narrower than this are enlarged by a whole number, up to `MOST`, so that the text can be read; and those
with a longer side than `LONGEST` are made smaller, so that every player keeps up."""
LEAST = 360
"""Curves and circumplex are at least so wide; a narrower picture stands in the middle above them."""
CRF = 20
"""Of x264, see `VideoWriter`."""
_SAID = {"no_face": "no face", "out_of_shot": "out of the shot", "low_quality": "hardly seen"}


class Overlay:
    """Draws the labels of one video into its pictures.

    Attributes:
        size: Width and height of what is drawn.

    Example:
        overlay = Overlay(columns, (640, 480), coverage=0.9)
        shown = overlay.draw(frame.image, frame.index, frame.time_s)
    """

    def __init__(self, columns: Columns, size: tuple[int, int], *, coverage: float | None = None) -> None:
        """Lays out the panel below the picture.

        Args:
            columns: The labels of the video, as `mtclar.data.tables.LABELS` says.
            size: Width and height of its frames.
            coverage: Of the prediction interval, such as 0.9; None for a model without.
        """
        self._people = shown_people(columns)
        self._scale = _scale(*size)
        self._picture = max(2, round(size[0] * self._scale)), max(2, round(size[1] * self._scale))
        width, top = max(LEAST, self._picture[0]), self._picture[1]
        self._left = (width - self._picture[0]) // 2
        pen = self._pen = Pen(width)
        height = max(10 * pen.row, round(0.2 * width))
        height += (top + height) % 2
        self.size = width + width % 2, top + height
        # Below the picture: two charts, each with a row of words above it, a row of times; to the right the plane.
        side = min(height - 2 * pen.row, width // 3)
        plane = (width - side - pen.row, top + (height - side) // 2, side, side)
        left, each = 3 * pen.em + pen.pad, (height - 3 * pen.row - 2 * pen.pad) // 2
        across, first = plane[0] - left - pen.row - pen.pad, top + pen.row + pen.pad
        self._boxes: tuple[Box, Box] = (
            (left, first, across, each),
            (left, first + pen.row + pen.pad + each, across, each),
        )
        kinds = ("prediction interval", "interval")
        self._interval = () if coverage is None else tuple(f"band: {100 * coverage:.0f} % {kind}" for kind in kinds)
        self._charts = Charts(self._people, self._boxes, plane, pen)
        ground = np.full((self.size[1], self.size[0], 3), 255, np.uint8)
        self._charts.draw_ground(ground)
        self._ground = ground[top:].copy()

    def draw(self, image: np.ndarray, frame: int, time_s: float) -> np.ndarray:
        """The picture of a frame with its labels.

        Args:
            image: uint8 RGB (h, w, 3), as the video gives it.
            frame: Its number.
            time_s: Its time.

        Returns:
            uint8 RGB (h, w, 3) of `size`.
        """
        shown = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        width, height = self._picture
        if image.shape[1::-1] != self._picture:
            how = cv2.INTER_CUBIC if self._scale > 1 else cv2.INTER_AREA
            image = cv2.resize(image, self._picture, interpolation=how)
        picture = shown[:height, self._left : self._left + width]
        picture[:] = image
        shown[height:] = self._ground
        self._words(shown, frame, time_s)
        self._charts.draw(shown, frame, time_s)
        for person in self._people:
            self._face(picture, person, frame)
        return shown

    def _words(self, shown: np.ndarray, frame: int, time_s: float) -> None:
        """Above each chart what it is of and, of one person, the label; to the right the time, and what the band is."""
        pen, right = self._pen, ((f"{_stamp(time_s)}  frame {frame}", f"frame {frame}"), self._interval)
        only = self._people[0] if len(self._people) == 1 else None
        row = None if only is None else only.row(frame)
        for d, ((x, y, w, _), name) in enumerate(zip(self._boxes, COLOURS, strict=True)):
            middle, said = y - pen.pad - pen.row // 2, name.capitalize()
            if only is not None and row is not None:
                values = (only.course.values, only.course.low, only.course.high)
                value, low, high = (float(part[row, d]) for part in values)
                said += f"  {value:+.2f}" if np.isfinite(value) else "  no label"
                if high > low:
                    said += f"  [{low:+.2f}, {high:+.2f}]"
            colour = None if only is None else only.colours[1 + d]
            left = pen.text(shown, said, (x, middle), colour=colour, align=(0.0, 0.5))
            fitting = [words for words in right[d] if pen.width(words) < w - left - 2 * pen.em]
            if fitting:
                pen.text(shown, fitting[0], (x + w, middle), align=(1.0, 0.5))

    def _face(self, picture: np.ndarray, person: Shown, frame: int) -> None:
        """The box of the face; above it whose it is and the label, where there are several, and what is odd."""
        row = person.row(frame)
        if row is None:
            return
        course, pen = person.course, self._pen
        words = [person.name] if person.name else []
        if person.name and np.isfinite(course.values[row]).all():
            words.append(f"V {course.values[row, 0]:+.2f}  A {course.values[row, 1]:+.2f}")
        words += ["anchor"] if course.anchor[row] else []
        words += [_SAID[status]] if (status := str(course.status[row])) in _SAID else []
        words += ["interpolated"] if person.source[row] == "interpolated" else []
        place = (pen.pad, pen.pad + pen.row)
        if np.isfinite(person.box[row]).all():
            x, y, w, h = (round(float(value) * self._scale) for value in person.box[row])
            cv2.rectangle(picture, (x, y), (x + w, y + h), WHITE, pen.thick + 3, cv2.LINE_AA)
            cv2.rectangle(picture, (x, y), (x + w, y + h), person.colours[0], pen.thick + 1, cv2.LINE_AA)
            place = (x, y)
        elif person.name:
            return  # whose face is away is not known from where the words stand
        if words:
            said = "  ".join(words)
            pen.text(picture, said, place, colour=WHITE, align=(0.0, 1.0), ground=person.colours[0])


def write_overlay(
    path: Path,
    video: Video,
    columns: Columns,
    *,
    coverage: float | None = None,
    progress: Progress = silent,
    what: str = "",
) -> tuple[str, ...]:
    """Writes a video with its labels in it, whole or not at all, one frame in memory at a time.

    Args:
        path: Where to, H.264 in MP4.
        video: The video.
        columns: Its labels, as `mtclar.data.tables.LABELS` says.
        coverage: Of the prediction interval, such as 0.9; None for a model without.
        progress: Called once a frame.
        what: What `progress` calls the video.

    Returns:
        What became of the audio, if it is not there: one sentence each.

    Raises:
        MtclarError: The video cannot be read, or the file cannot be written.
    """
    expected = max(int(columns["frame"].max(initial=-1)) + 1, video.expected_frames or 0)
    facts = video.outline
    overlay = Overlay(columns, (facts.width, facts.height), coverage=coverage)
    shift_s = -facts.media_offset_s
    with VideoWriter(path, overlay.size, crf=CRF, audio_of=video.path, audio_shift_s=shift_s) as writer:
        for frame in video:
            writer.write(overlay.draw(frame.image, frame.index, frame.time_s), frame.time_s)
            progress(frame.index + 1, max(expected, frame.index + 1), what)
    return writer.notes


def _scale(width: int, height: int) -> float:
    """By how much a picture is enlarged."""
    if width < NARROWEST:
        return float(min(MOST, -(-NARROWEST // max(1, width)), max(1, LONGEST // max(1, height))))
    return min(1.0, LONGEST / max(width, height))


def _stamp(time_s: float) -> str:
    """A time to the hundredth of a second."""
    minutes, hundredths = divmod(round(100 * time_s), 6000)
    seconds = f"{hundredths / 100:05.2f}"
    return f"{minutes // 60}:{minutes % 60:02}:{seconds}" if minutes >= 60 else f"{minutes}:{seconds}"
