"""`annotate`: from the features of a video and a few labelled frames to labels of all; a function of arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtclar.data.anchors import VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.labelling.calibration import Calibration
from mtclar.labelling.hyper import DIMENSIONS
from mtclar.labelling.intervals import confidence
from mtclar.labelling.labels import USED_SHARE, Labels
from mtclar.labelling.process import Posterior
from mtclar.labelling.rows import NOBODY, Rows, Seen, bridged, look_up, places, rows_of, typical_distance
from mtclar.settings import LabelSettings


def annotate(
    features: Features, anchors: VideoAnchors, settings: LabelSettings, calibration: Mapping[str, Any] | None
) -> Labels:
    """Labels a video.

    All anchors speak of all rows, as far as their track, time and picture have to do with them. A frame without a face
    is labelled where a face or an anchor of its track stands before and after it no more than `settings.bridge_s`
    apart. An anchor on a frame without a face speaks through time alone. Without any anchor labels are zero-shot: what
    predictions say.

    Args:
        features: Of the video.
        anchors: Labelled frames; there need not be any.
        settings: The section `label` of params.yaml.
        calibration: What the model's evaluation measured; None for a model without, whose labels follow from nominal
            hyper-parameters and have no band.

    Raises:
        MtclarError: The subject is not in the video, an anchor is of no track or twice the same, the calibration is not
            understood, or there is neither an anchor nor a model that knows the level of a face.
    """
    known = Calibration.read(calibration)
    process = known.process
    rows = rows_of(features, settings.subject)
    anchor_track, own_row = _place(features, rows, anchors)
    frames = np.append(rows.frame, anchors.frames)
    tracks = np.append(rows.track, anchor_track)
    seen = look_up(features, process, frames, tracks)
    n, k = len(rows), len(anchors.frames)
    if not seen.levelled and not k:
        raise MtclarError(
            "the model at hand has no head that sees valence and arousal in a face alone, so it cannot label without "
            "an anchor; give at least one."
        )
    here, given = _some(seen, slice(0, n)), _some(seen, slice(n, n + k))
    has_face = here.face >= 0
    is_anchor = np.zeros(n, bool)
    is_anchor[own_row[own_row >= 0]] = True
    asked = rows.wanted & (has_face | bridged(features, rows, has_face | is_anchor, settings.bridge_s)) & ~is_anchor
    typical = process.typical or typical_distance(features, np.unique(here.face[has_face]))

    values, sd = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    weights = np.zeros((n, k, 2), np.float32)
    noise = anchors.noise
    for d in range(len(DIMENSIONS)):
        model = process[d] if seen.levelled else process[d].unlevelled()
        variances = model.noise**2 / anchors.weights + noise[:, d] ** 2
        found = Posterior(model, places(features, given, anchors.frames, typical, d), anchors.labels[:, d], variances)
        some = places(features, _some(here, asked), rows.frame[asked], typical, d)
        values[asked, d], sd[asked, d] = found.at(some, weights[:, :, d], np.flatnonzero(asked))
    mine = np.flatnonzero(own_row >= 0)
    values[own_row[mine]], sd[own_row[mine]], weights[own_row[mine], mine] = anchors.labels[mine], noise[mine], 1.0

    half = known.multiples.at(_own_anchors(here.person, given.person)) * sd
    values = np.clip(values, -1.0, 1.0)
    used = np.zeros(n, bool)
    for column in (weights[:, j, d] for j in range(k) for d in range(len(DIMENSIONS))):
        used |= np.abs(column) >= USED_SHARE
    low_quality = has_face & (_of(features.faces.quality, here.face) < settings.low_quality)
    return Labels(
        frame=rows.frame,
        track=rows.track,
        person=np.array([features.person.get(track) for track in rows.track.tolist()], object),
        pts=features.pts[rows.frame],
        time_s=features.time_s[rows.frame],
        shot=features.shot[rows.frame],
        values=values,
        sd=sd,
        low=np.clip(values - half, -1.0, 1.0),
        high=np.clip(values + half, -1.0, 1.0),
        confidence=np.where(is_anchor, 1.0, confidence(half)),
        source=np.select(
            [is_anchor, ~asked, ~has_face, used], ["anchor", "none", "interpolated", "model"], "zero-shot"
        ),
        status=np.select([~rows.wanted, ~has_face, low_quality], ["out_of_shot", "no_face", "low_quality"], "ok"),
        box=_of(features.faces.box, here.face),
        score=_of(features.faces.score, here.face),
        quality=_of(features.faces.quality, here.face),
        anchors=anchors.frames,
        given=anchors.labels,
        weights=weights,
    )


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


def _own_anchors(person: np.ndarray, given: np.ndarray) -> np.ndarray:
    """How many of the anchors, which show people (k,), are of the person of each row (n,)."""
    known, counts = np.unique(given, return_counts=True)
    if not len(known):
        return np.zeros(len(person), np.int64)
    place = np.minimum(np.searchsorted(known, person), len(known) - 1)
    return np.where(known[place] == person, counts[place], 0)


def _some(seen: Seen, rows: slice | np.ndarray) -> Seen:
    return Seen(seen.face[rows], seen.person[rows], seen.mean[rows], seen.haze[rows], seen.levelled)


def _of(values: np.ndarray, face: np.ndarray) -> np.ndarray:
    """What is known of the faces of rows (n, ...); NaN for a row without one."""
    found = np.full((len(face), *values.shape[1:]), np.nan)
    found[face >= 0] = values[face[face >= 0]]
    return found
