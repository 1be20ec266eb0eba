"""One video on its way to a table of labels: decode, find the face, cut, embed, then fuse the anchors.

Frames stream by one at a time; what stays is an embedding and a box each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mtclar.data.anchors import VideoAnchors
from mtclar.data.tables import LABELS
from mtclar.errors import MtclarError
from mtclar.faces import CropSpec, Face, HogDetector, Steady, cut, overlap, pick
from mtclar.faces.quality import quality
from mtclar.labelling import Estimate, Support, bound_krige, confidence, half_bands, label_track
from mtclar.progress import Progress
from mtclar.report.thumbnails import Thumbnails
from mtclar.settings import LabelSettings
from mtclar.steps.label_others import Others
from mtclar.video import Video


class Predictor(Protocol):
    """What labelling asks of a model; `mtclar.serving.Bundle` is one."""

    crop_spec: CropSpec
    calibration: dict[str, Any] | None
    facts: dict[str, Any]
    identity: str

    @property
    def card(self) -> str | None: ...

    def embed(self, crops: np.ndarray) -> np.ndarray: ...

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


@dataclass(frozen=True)
class Track:
    """One face through a video of n frames.

    Attributes:
        pts: int64 (n,), as the container gives them.
        times_s: float64 (n,), seconds from the first displayed frame.
        boxes: float64 (n, 4): x, y, w, h in pixels of the upright frame; NaN where there is no face.
        scores: float64 (n,), the detector's; NaN where there is no face.
        embeddings: float32 (n, d); NaN where there is no face.
        quality: float64 (n,), see `mtclar.faces.quality`; NaN where there is no face.
        others: int (n,), how many other faces were found.
        strangers: float32 (d,) by frame: the embedding of the one other face of a frame that was asked for.
    """

    pts: np.ndarray
    times_s: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray
    others: np.ndarray
    strangers: dict[int, np.ndarray]

    @property
    def has_face(self) -> np.ndarray:
        """bool (n,)."""
        return ~np.isnan(self.scores)


class Follower:
    """Follows one face: the largest at first, then the one that overlaps it.

    While it is away for up to `lost_after_s` no other face is taken for it; after that, the largest is followed.
    """

    def __init__(self, lost_after_s: float) -> None:
        self._lost_after_s = lost_after_s
        self._last: Face | None = None
        self._seen_s = 0.0

    def followed(self, time_s: float) -> Face | None:
        """The face that is followed, unless it has been away too long by the time of the next frame."""
        return self._last if time_s - self._seen_s <= self._lost_after_s else None

    def next(self, faces: list[Face], time_s: float) -> Face | None:
        """The face to take among those of the next frame, if any."""
        self._last = self.followed(time_s)
        if self._last is not None:
            last = self._last
            faces = [face for face in faces if overlap(face, last) > 0]
        face = pick(faces, self._last)
        if face is not None:
            self._last, self._seen_s = face, time_s
        return face


def read_track(
    video: Video,
    predictor: Predictor,
    s: LabelSettings,
    thumbnails: Thumbnails,
    strangers: Others,
    progress: Progress,
    what: str,
) -> Track:
    """Reads a video to its end and follows one face through it.

    `strangers` keeps another face of the frames where one is asked for.

    Raises:
        MtclarError: The video cannot be read, or there is no face in it.
    """
    detector = HogDetector(threshold=s.threshold, long_side=s.long_side, keep_threshold=s.keep_threshold)
    follower, steady, spec = Follower(s.lost_after_s), Steady(s.steady_s), predictor.crop_spec
    pts: list[int] = []
    times_s: list[float] = []
    others: list[int] = []
    found: dict[int, Face] = {}
    crops: list[np.ndarray] = []
    embedded: list[np.ndarray] = []
    clear: list[np.ndarray] = []

    def embed() -> None:
        faces = list(found.values())[-len(crops) :]
        sides, score = np.array([(face.w + face.h) / 2 for face in faces]), np.array([face.score for face in faces])
        embedded.append(predictor.embed(np.stack(crops)))
        clear.append(quality(np.stack(crops), sides, score))
        crops.clear()

    for frame in video:
        pts.append(frame.pts)
        times_s.append(frame.time_s)
        detected = detector.detect(frame.image, follower.followed(frame.time_s))
        face = follower.next(detected, frame.time_s)
        rest = [other for other in detected if other is not face]
        others.append(len(rest))
        strangers.offer(frame.index, frame.time_s, frame.image, rest, spec)
        shown = frame.image
        if face is not None:
            face = steady(face, frame.time_s)
            shown = cut(frame.image, face.box, spec)
            found[frame.index] = face
            crops.append(shown)
        if len(crops) == s.batch:
            embed()
        thumbnails.offer(frame.index, frame.time_s, shown)
        progress(frame.index + 1, max(video.expected_frames or 0, frame.index + 1), what)
    if crops:
        embed()
    n = len(pts)
    if not embedded:
        raise MtclarError(f"{video.path}: no face was found in any of its {n} frames, so there is nothing to label.")
    embeddings = np.full((n, embedded[0].shape[1]), np.nan, np.float32)
    boxes, scores, seen = np.full((n, 4), np.nan), np.full(n, np.nan), np.full(n, np.nan)
    rows = np.array(list(found))
    embeddings[rows], seen[rows] = np.concatenate(embedded), np.concatenate(clear)
    for index, face in found.items():
        boxes[index], scores[index] = face.box, face.score
    kept = strangers.kept()
    known = predictor.embed(np.stack(list(kept.values()))) if kept else ()
    return Track(
        pts=np.array(pts, np.int64),
        times_s=np.array(times_s),
        boxes=boxes,
        scores=scores,
        embeddings=embeddings,
        quality=seen,
        others=np.array(others),
        strangers=dict(zip(kept, known, strict=True)),
    )


def labels_table(
    video_id: str, track: Track, anchors: VideoAnchors, predictor: Predictor, s: LabelSettings
) -> pd.DataFrame:
    """The labels of every frame, with the columns of `tables.LABELS`.

    The band of a frame is its label ± what `mtclar.labelling.half_bands` says, clipped to [-1, 1]; an anchor has none
    of its own. For `confidence` see `mtclar.labelling.confidence`; an anchor's is 1. Anchors of another face speak
    where that face was the only other one in its frame. Without any anchor the labels are zero-shot. A frame without a
    face has a label where it is close enough to frames that have one (`s.bridge_s`), and is `interpolated`.

    Raises:
        MtclarError: There are anchors but none shows a face, or all are of other faces and it is not clear which.
    """
    own = anchors.own
    foreign = heard(track, anchors)
    if len(own) and not own.any() and not len(foreign):
        raise MtclarError(
            f"no anchor of '{video_id}' is of the face followed, and it is not clear which other faces they mean; "
            "label at least one frame of track 0."
        )
    levels = np.full((len(track.pts), 2), np.nan)
    levels[track.has_face] = _levels(predictor, track.embeddings[track.has_face])
    estimate = label_track(
        track.embeddings,
        track.times_s,
        anchors.frames[own],
        anchors.labels[own],
        predictor.compare,
        method=s.fusion,
        time_scale_s=s.time_scale_s,
        anchor_weights=anchors.weights[own],
        quality=track.quality,
        levels=levels,
        others=_foreign_support(track, anchors, foreign, predictor) if len(foreign) else None,
        krige=bound_krige(predictor.calibration),
        bridge_s=s.bridge_s,
    )
    half = half_bands(predictor.calibration, estimate.sd, zero_shot=estimate.zero_shot)
    # A standard deviation tells all there is to tell; only a fixed band takes notice of anchors that disagree.
    spread = np.where(np.isfinite(estimate.sd), 0.0, estimate.spread)
    at_anchor = estimate.is_anchor
    reach = np.where(at_anchor[:, None], 0.0, half)
    low, high = (np.clip(estimate.labels + sign * reach, -1, 1) for sign in (-1, 1))
    n, has_face = len(track.pts), track.has_face
    source = "zero-shot" if estimate.zero_shot else "model"
    columns = {
        "video_id": video_id,
        "track_id": 0,
        "person_id": pd.Series([None] * n, dtype=object),
        "frame": np.arange(n),
        "pts": track.pts,
        "time_s": track.times_s,
        "valence": estimate.valence,
        "arousal": estimate.arousal,
        "valence_lo": low[:, 0],
        "valence_hi": high[:, 0],
        "arousal_lo": low[:, 1],
        "arousal_hi": high[:, 1],
        "confidence": np.where(at_anchor, 1.0, confidence(half, spread)),
        "source": np.select(
            [at_anchor, has_face, ~np.isnan(estimate.valence)], ["anchor", source, "interpolated"], "none"
        ),
        "status": np.where(has_face, "ok", "no_face"),
        "anchor_ids": _anchor_ids(estimate, np.append(anchors.frames[own], anchors.frames[foreign])),
        "face_x": track.boxes[:, 0],
        "face_y": track.boxes[:, 1],
        "face_w": track.boxes[:, 2],
        "face_h": track.boxes[:, 3],
        "face_score": track.scores,
        "quality": track.quality,
        "shot_id": 0,
    }
    return pd.DataFrame(columns, columns=LABELS.names)


def heard(track: Track, anchors: VideoAnchors) -> np.ndarray:
    """Positions of the anchors of another face that can speak: alone on their frame, which shows one other face."""
    foreign = np.flatnonzero(~anchors.own)
    frames = anchors.frames[foreign].tolist()
    known = [frame in track.strangers and frames.count(frame) == 1 for frame in frames]
    return foreign[np.array(known, bool)]


def _levels(predictor: Predictor, embeddings: np.ndarray) -> np.ndarray:
    """Valence and arousal (n, 2) as the supervised head sees them without an anchor."""
    _, valence, arousal = predictor.single(embeddings)
    return np.stack([valence, arousal], axis=1).astype(np.float64)


def _foreign_support(track: Track, anchors: VideoAnchors, foreign: np.ndarray, predictor: Predictor) -> Support:
    """Anchors of other faces. Their time says nothing of this face's course, so they have none."""
    apart = np.zeros(len(foreign), bool)
    embeddings = np.stack([track.strangers[frame] for frame in anchors.frames[foreign].tolist()])
    return Support(
        embeddings=embeddings,
        labels=anchors.labels[foreign],
        times_s=np.full(len(foreign), np.nan),
        own_track=apart,
        own_person=apart,
        weights=anchors.weights[foreign],
        quality=np.full(len(foreign), np.nan),
        levels=_levels(predictor, embeddings),
    )


def _anchor_ids(estimate: Estimate, frames: np.ndarray) -> list[str]:
    """The frames of the anchors each row used, separated by spaces."""
    names = [str(frame) for frame in frames]
    return [" ".join(names[k] for k in np.flatnonzero(used)) for used in estimate.used]
