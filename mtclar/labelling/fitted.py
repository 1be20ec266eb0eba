"""What labelling makes of a video and its anchors before it writes a label: rows, and the process given the anchors.

`annotate` makes labels of it, `suggest` asks where the next anchor would tell most, `suspects` which anchors contradict
the others, and `why` what a label is made of; so all of them speak of the same process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.data.anchors import VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.labelling.calibration import Calibration
from mtclar.labelling.process import Places, Posterior
from mtclar.labelling.rows import NOBODY, Rows, Seen, bridged, look_up, places, rows_of, typical_distance
from mtclar.settings import LabelSettings


@dataclass(frozen=True, eq=False)
class Fitted:
    """The process of both dimensions for n rows of a video, given its k anchors.

    Attributes:
        features: Of the video.
        anchors: The labelled frames.
        calibration: How the model is believed, and how wide bands are.
        rows: The rows.
        here, given: What is known of the rows and of the anchors' faces.
        track: int64 (k,), the track of each anchor.
        own_row: int64 (k,), the row that each anchor labels; -1 where none is.
        asked: bool (n,), the rows that get a label and are no anchors.
        typical: The distance of embeddings that counts as 1.
        low_quality: The quality below which a face counts as hardly seen.
        posteriors: The process of valence and of arousal.
    """

    features: Features
    anchors: VideoAnchors
    calibration: Calibration
    rows: Rows
    here: Seen
    given: Seen
    track: np.ndarray
    own_row: np.ndarray
    asked: np.ndarray
    typical: float
    low_quality: float
    posteriors: tuple[Posterior, Posterior]

    def places(self, rows: np.ndarray, dimension: int) -> Places:
        """What the process is told of some rows in one dimension."""
        return places(self.features, some(self.here, rows), self.rows.frame[rows], self.typical, dimension)

    @property
    def has_face(self) -> np.ndarray:
        """bool (n,), the rows that show a face."""
        return self.here.face >= 0

    @property
    def is_anchor(self) -> np.ndarray:
        """bool (n,), the rows that are anchors."""
        found = np.zeros(len(self.rows), bool)
        found[self.own_row[self.own_row >= 0]] = True
        return found

    @property
    def quality(self) -> np.ndarray:
        """float64 (n,), of the face of each row; NaN without one."""
        return of_faces(self.features.faces.quality, self.here.face)

    def own_anchors(self) -> np.ndarray:
        """How many of the anchors are of the person of each row, int (n,)."""
        known, counts = np.unique(self.given.person, return_counts=True)
        if not len(known):
            return np.zeros(len(self.rows), np.int64)
        place = np.minimum(np.searchsorted(known, self.here.person), len(known) - 1)
        return np.where(known[place] == self.here.person, counts[place], 0)


def fit(
    features: Features, anchors: VideoAnchors, settings: LabelSettings, calibration: Mapping[str, Any] | None
) -> Fitted:
    """Lays the anchors on the rows and weighs the process by them.

    Args:
        features: Of the video.
        anchors: Labelled frames; there need not be any.
        settings: The section `label` of params.yaml.
        calibration: What the model's evaluation measured; None for nominal hyper-parameters.

    Raises:
        MtclarError: The subject is not in the video, an anchor is of no track or twice the same, or the calibration is
            not understood.
    """
    known = Calibration.read(calibration)
    process = known.process
    rows = rows_of(features, settings.subject)
    anchor_track, own_row = _place(features, rows, anchors)
    frames = np.append(rows.frame, anchors.frames)
    tracks = np.append(rows.track, anchor_track)
    seen = look_up(features, process, frames, tracks)
    n, k = len(rows), len(anchors.frames)
    here, given = some(seen, slice(0, n)), some(seen, slice(n, n + k))
    has_face, is_anchor = here.face >= 0, np.zeros(n, bool)
    is_anchor[own_row[own_row >= 0]] = True
    asked = rows.wanted & (has_face | bridged(features, rows, has_face | is_anchor, settings.bridge_s)) & ~is_anchor
    typical = process.typical or typical_distance(features, np.unique(here.face[has_face]))

    def weighed(d: int) -> Posterior:
        model = process[d] if seen.levelled else process[d].unlevelled()
        variances = model.noise**2 / anchors.weights + anchors.noise[:, d] ** 2
        return Posterior(model, places(features, given, anchors.frames, typical, d), anchors.labels[:, d], variances)

    both = (weighed(0), weighed(1))
    return Fitted(
        features, anchors, known, rows, here, given, anchor_track, own_row, asked, typical, settings.low_quality, both
    )


def some(seen: Seen, rows: slice | np.ndarray) -> Seen:
    """What is known of some of the rows."""
    return Seen(seen.face[rows], seen.person[rows], seen.mean[rows], seen.haze[rows], seen.levelled)


def of_faces(values: np.ndarray, face: np.ndarray) -> np.ndarray:
    """What is known of the faces of rows (n, ...); NaN for a row without one."""
    found = np.full((len(face), *values.shape[1:]), np.nan)
    found[face >= 0] = values[face[face >= 0]]
    return found


def _place(features: Features, rows: Rows, anchors: VideoAnchors) -> tuple[np.ndarray, np.ndarray]:
    """The track of each anchor (k,), and the row that is labelled by it, -1 where none is.

    An anchor without a track is of the subject, or of the only face of its frame where there are several subjects.

    Raises:
        MtclarError: It is not clear of which face an anchor is, there is no such track, or two are of one face and
            frame.
    """
    named = anchors.track
    by_key = {key: row for row, key in enumerate(zip(rows.frame.tolist(), rows.track.tolist(), strict=True))}
    by_frame: dict[int, list[int]] = {}
    for frame, track in by_key:
        by_frame.setdefault(frame, []).append(track)
    tracks, row = np.full(len(named), NOBODY, np.int64), np.full(len(named), -1, np.int64)
    for k, (frame, track) in enumerate(zip(anchors.frames.tolist(), named.tolist(), strict=True)):
        if track == NOBODY:
            candidates = by_frame.get(frame, [])
            if len(candidates) > 1:
                shown = set(features.faces.track[features.faces.frame == frame].tolist())
                candidates = [each for each in candidates if each in shown] or candidates
            if len(candidates) > 1:
                listed = ", ".join(map(str, candidates))
                raise MtclarError(f"the anchor on frame {frame} may be of track {listed}; give its track_id.")
            track = candidates[0] if candidates else NOBODY
        elif track not in features.tracks:
            raise MtclarError(
                f"the anchor on frame {frame} is of track {track}, but the video's tracks are: "
                f"{', '.join(map(str, features.tracks)) or 'none'}."
            )
        tracks[k], row[k] = track, by_key.get((frame, track), -1)
    keys = list(zip(anchors.frames.tolist(), tracks.tolist(), strict=True))
    twice = next((key for k, key in enumerate(keys) if key in keys[:k]), None) if len(set(keys)) < len(keys) else None
    if twice is not None:
        raise MtclarError(f"two anchors label the same face of frame {twice[0]}; keep one of them.")
    return tracks, row
