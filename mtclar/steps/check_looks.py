"""What `mtclar check` measures: faces in a few frames of a video, and the time that extraction and labelling take."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from mtclar.data.anchors import VideoAnchors
from mtclar.errors import MtclarError
from mtclar.faces.shots import alike
from mtclar.features import Faces, Features
from mtclar.features.extract import Predictor, extract
from mtclar.labelling import annotate
from mtclar.settings import ExtractSettings, LabelSettings
from mtclar.steps.label_video import calibration_of
from mtclar.video import Frame, Video, VideoFacts

LABELLED_ROWS, LABELLED_ANCHORS = 3000, 16
"""Labelling is timed on so many frames with so many anchors."""


class Looks:
    """What a few frames of a video show.

    Attributes:
        faces: How many faces each shows.
        sides: Sides of all face boxes, in pixels.
        shots: How many shots they are from, at least.
    """

    SMALL = 40.0
    """A face of fewer pixels than this on a side shows little: the models see no more than they are given."""

    def __init__(self) -> None:
        self.faces: list[int] = []
        self.sides: list[float] = []
        self.shots = 0
        self._images: dict[int, np.ndarray] = {}
        self._last: np.ndarray | None = None

    def see(self, image: np.ndarray, sides: Sequence[float]) -> None:
        """Takes the next frame and the sides of the face boxes in it."""
        self.shots += self._last is None or not alike(self._last, image)
        self._last = image
        self._images.setdefault(len(sides), image)
        self.faces.append(len(sides))
        self.sides.extend(sides)

    def typical(self) -> tuple[int, np.ndarray]:
        """A frame with as many faces as most of those with any, and how many that is."""
        some = [count for count in self.faces if count] or [0]
        count = max(sorted(set(some)), key=some.count)
        return count, self._images[count]

    def notes(self) -> list[str]:
        """What is odd about the faces."""
        if not self.sides:
            return ["no face was found in any frame that was looked at; labelling needs faces."]
        said = []
        share = float(np.mean([count > 0 for count in self.faces]))
        if share < 0.5:
            said.append(f"only {share:.0%} of the frames looked at show a face.")
        if np.median(self.sides) < self.SMALL:
            said.append(
                f"faces are small ({np.median(self.sides):.0f} pixels); labels of small faces are less certain."
            )
        if max(self.faces) > 1:
            said.append(f"up to {max(self.faces)} faces at a time; say whose to label with --subject.")
        return said


class Speed:
    """How long extraction and labelling take on this machine, measured once for each kind of picture."""

    def __init__(self, predictor: Predictor, s: ExtractSettings, label: LabelSettings, frames: int) -> None:
        self._predictor, self._s, self._label = predictor, s, label
        self._frames = frames
        self._known: dict[tuple[int, ...], float] = {}
        self._label_s: float | None = None

    def seconds(self, typical: tuple[int, np.ndarray], decode_s: float, frames: int) -> tuple[float, float]:
        """Seconds for `extract` and for `annotate`, about.

        Args:
            typical: A frame, and how many faces it shows.
            decode_s: Seconds to decode one frame.
            frames: Of the video.
        """
        count, image = typical
        key = (*image.shape[:2], count)
        if key not in self._known:
            if not self._known:
                self._measure(image)  # the first time, models are loaded
            self._known[key] = self._measure(image)
        return (self._known[key] + decode_s) * frames, (self._label_s or 0.0) * frames

    def _measure(self, image: np.ndarray) -> float:
        """Seconds a frame to find, follow, cut out and embed the faces of a frame that is shown again and again."""
        start = time.perf_counter()
        try:
            features = extract(_Still(image, self._frames), self._predictor, self._s)
        except MtclarError:  # it shows no face
            return (time.perf_counter() - start) / self._frames
        seconds = (time.perf_counter() - start) / self._frames
        if self._label_s is None:
            self._label_s = self._labelling(features)
        return seconds

    def _labelling(self, features: Features) -> float:
        """Seconds a frame to label a video of `LABELLED_ROWS` frames like these from `LABELLED_ANCHORS` anchors."""
        own = features.faces[features.faces.track == features.tracks[0]]
        place = np.resize(np.arange(len(own)), LABELLED_ROWS)
        faces = own[place]
        faces = Faces(
            **{item.name: getattr(faces, item.name) for item in fields(Faces) if item.name != "frame"},
            frame=np.arange(LABELLED_ROWS),
        )
        long = replace(
            features,
            faces=faces,
            pts=np.arange(LABELLED_ROWS),
            time_s=np.arange(LABELLED_ROWS) / 25,
            shot=np.zeros(LABELLED_ROWS, np.int64),
            person={},
            face_pictures={},
            shot_pictures={},
        )
        anchors = VideoAnchors(
            np.linspace(0, LABELLED_ROWS - 1, LABELLED_ANCHORS).astype(int),
            np.zeros((LABELLED_ANCHORS, 2)),
            np.ones(LABELLED_ANCHORS),
            track=np.full(LABELLED_ANCHORS, features.tracks[0]),
        )
        calibration, _ = calibration_of(self._predictor)
        start = time.perf_counter()
        annotate(long, anchors, self._label, calibration)
        return (time.perf_counter() - start) / LABELLED_ROWS


class _Still(Video):
    """One picture, shown again and again: what is left of extraction when nothing has to be decoded."""

    def __init__(self, image: np.ndarray, frames: int) -> None:
        super().__init__(Path("still"))
        self._image, self._frames = image, frames

    @property
    def sha256(self) -> str:  # type: ignore[override]
        return ""

    @property
    def outline(self) -> VideoFacts:
        height, width = self._image.shape[:2]
        return VideoFacts(width, height, 0, False, "1/25", 0, 25.0, False, self._frames, "still", "")

    def timeline(self) -> np.ndarray:
        return np.arange(self._frames) / 25

    def sampled(self, count: int) -> Iterator[Frame]:
        return itertools.islice(self._read(), count)

    def _read(self) -> Iterator[Frame]:
        for k in range(self._frames):
            yield Frame(k, k, k / 25, self._image)

    def files(self) -> list[Path]:
        return []
