"""The features of one video, as arrays: everything that labelling asks, so that it never asks the video again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mtclar.errors import MtclarError

LANDMARKS = 68
"""Landmarks that are kept of a face, in the order of the 300-W annotation."""


@dataclass(frozen=True, eq=False)
class Faces:
    """m faces of a video, one row per frame and track, ordered by track and then by frame.

    Attributes:
        frame: int64 (m,), the frame that shows the face.
        track: int64 (m,), the track it belongs to: one person through one shot, counted from 0.
        box: float32 (m, 4), x, y, w, h of the canonical face box in pixels of the displayed frame.
        score: float32 (m,) in [0, 1], of the detector or, between detections, of the landmark model.
        quality: float32 (m,) in (0, 1], see `mtclar.faces.quality`.
        pose: float32 (m, 3), yaw, pitch and roll of the head in degrees; NaN where unknown.
        landmarks: float16 (m, 68, 2), relative to the box: 0, 0 is its upper left corner and 1, 1 its lower right one;
            NaN where unknown.
        embedding: float16 (m, d).
        expression: float16 (m, 8), probabilities of the eight expressions; NaN from a model without that head.
        head: float32 (m, 2), valence and arousal of the supervised head; NaN from a model without one.
        prediction: float32 (m, 2), valence and arousal before any anchor: the supervised head and the pair head
            against fixed reference frames of the same track together.
    """

    frame: np.ndarray
    track: np.ndarray
    box: np.ndarray
    score: np.ndarray
    quality: np.ndarray
    pose: np.ndarray
    landmarks: np.ndarray
    embedding: np.ndarray
    expression: np.ndarray
    head: np.ndarray
    prediction: np.ndarray

    def __post_init__(self) -> None:
        m = len(self.frame)
        shapes = {
            "track": (m,),
            "box": (m, 4),
            "score": (m,),
            "quality": (m,),
            "pose": (m, 3),
            "landmarks": (m, LANDMARKS, 2),
            "expression": (m, 8),
            "head": (m, 2),
            "prediction": (m, 2),
        }
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                raise MtclarError(f"expected {name} {shape} of {m} faces, got {np.shape(getattr(self, name))}.")
        if np.ndim(self.embedding) != 2 or len(self.embedding) != m:
            raise MtclarError(f"expected embeddings ({m}, d), got {np.shape(self.embedding)}.")
        if m and (np.diff(self.track) < 0).any():
            raise MtclarError("expected faces ordered by track and then by frame.")

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: Any) -> Faces:
        """Some of the rows, in their order."""
        return Faces(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


def no_faces(dimensions: int = 0) -> Faces:
    """No face, of a model whose embeddings have so many dimensions."""
    whole, one, two = np.empty(0, np.int64), np.empty(0, np.float32), np.empty((0, 2), np.float32)
    return Faces(
        frame=whole,
        track=whole,
        box=np.empty((0, 4), np.float32),
        score=one,
        quality=one,
        pose=np.empty((0, 3), np.float32),
        landmarks=np.empty((0, LANDMARKS, 2), np.float16),
        embedding=np.empty((0, dimensions), np.float16),
        expression=np.empty((0, 8), np.float16),
        head=two,
        prediction=two,
    )


@dataclass(frozen=True, eq=False)
class Features:
    """All that is kept of a video of n frames.

    Attributes:
        pts: int64 (n,), presentation time stamps in units of the time base, as far as they could be believed.
        time_s: float64 (n,), seconds from the first displayed frame, ascending.
        shot: int64 (n,), the shot each frame belongs to, counted from 0.
        faces: The faces, of all tracks.
        video: Facts of the file: `mtclar.video.VideoFacts.as_dict()`; `sha256` is of its content.
        identity: What the features follow from besides the video: names, versions, sha256 and settings of detector,
            landmark model and model.
        notes: What a reader of the labels should know, one sentence each.
        person: Name of the person each track shows, by track; tracks of unknown people are left out.
        face_pictures: JPEG bytes of small face pictures by (frame, track).
        shot_pictures: JPEG bytes of small pictures of whole frames by frame, the first of each shot.
    """

    pts: np.ndarray
    time_s: np.ndarray
    shot: np.ndarray
    faces: Faces
    video: dict[str, Any]
    identity: dict[str, Any]
    notes: tuple[str, ...] = ()
    person: dict[int, str] = field(default_factory=dict)
    face_pictures: dict[tuple[int, int], bytes] = field(default_factory=dict)
    shot_pictures: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.time_s)
        if np.shape(self.pts) != (n,) or np.shape(self.shot) != (n,):
            raise MtclarError(f"expected pts and shots ({n},), got {np.shape(self.pts)} and {np.shape(self.shot)}.")
        if len(self.faces) and not (self.faces.frame.min() >= 0 and self.faces.frame.max() < n):
            raise MtclarError(f"a face stands on frame {self.faces.frame.max()}, but the video has {n} frames.")

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def tracks(self) -> list[int]:
        """The tracks, ascending."""
        return np.unique(self.faces.track).tolist()
