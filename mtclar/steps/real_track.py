"""The face of a clip frame by frame, and its labels by the fusions of `mtclar.labelling.engine`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mtclar.data.anchors import VideoAnchors
from mtclar.data.tables import LABELS
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.labelling import Estimate, bound_krige, confidence, half_bands, label_track
from mtclar.settings import LabelSettings


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
        head: float64 (n, 2), valence and arousal of the supervised head; NaN where there is no face.
    """

    pts: np.ndarray
    times_s: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    quality: np.ndarray
    head: np.ndarray

    @property
    def has_face(self) -> np.ndarray:
        """bool (n,)."""
        return ~np.isnan(self.scores)


def track_of(features: Features) -> Track:
    """The largest face of each shot of a video, frame by frame."""
    faces, n = features.faces, len(features)
    area, shot = faces.box[:, 2] * faces.box[:, 3], features.shot[faces.frame]
    sums = {track: (area[faces.track == track].sum(), shot[faces.track == track][0]) for track in features.tracks}
    best = {shot: max((area, track) for track, (area, other) in sums.items() if other == shot) for shot in set(shot)}
    faces = faces[np.isin(faces.track, [track for _, track in best.values()])]

    def by_frame(values: np.ndarray, kind: type = np.float64) -> np.ndarray:
        out = np.full((n, *values.shape[1:]), np.nan, kind)
        out[faces.frame] = values
        return out

    return Track(
        pts=features.pts,
        times_s=features.time_s,
        boxes=by_frame(faces.box),
        scores=by_frame(faces.score),
        embeddings=by_frame(faces.embedding, np.float32),
        quality=by_frame(faces.quality),
        head=by_frame(faces.head),
    )


def labels_table(
    video_id: str, track: Track, anchors: VideoAnchors, predictor: Predictor, s: LabelSettings
) -> pd.DataFrame:
    """The labels of every frame, with the columns of `tables.LABELS`.

    The band of a frame is its label ± what `mtclar.labelling.half_bands` says, clipped to [-1, 1]; an anchor has none
    of its own. For `confidence` see `mtclar.labelling.confidence`; an anchor's is 1. Without any anchor the labels are
    zero-shot. A frame without a face has a label where it is close enough to frames that have one (`s.bridge_s`), and
    is `interpolated`.

    Raises:
        MtclarError: There are anchors but none is of the face followed.
    """
    own = anchors.own
    if len(own) and not own.any():
        raise MtclarError(f"no anchor of '{video_id}' is of the face followed; label at least one frame of track 0.")
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
        levels=track.head,
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
        "anchor_ids": _anchor_ids(estimate, anchors.frames[own]),
        "face_x": track.boxes[:, 0],
        "face_y": track.boxes[:, 1],
        "face_w": track.boxes[:, 2],
        "face_h": track.boxes[:, 3],
        "face_score": track.scores,
        "quality": track.quality,
        "shot_id": 0,
    }
    return pd.DataFrame(columns, columns=LABELS.names)


def _anchor_ids(estimate: Estimate, frames: np.ndarray) -> list[str]:
    """The frames of the anchors each row used, separated by spaces."""
    names = [str(frame) for frame in frames]
    return [" ".join(names[k] for k in np.flatnonzero(used)) for used in estimate.used]
