"""`annotate`: from the features of a video and a few labelled frames to labels of all; a function of arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtclar.data.anchors import VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.labelling.fitted import Fitted, fit, of_faces
from mtclar.labelling.intervals import confidence
from mtclar.labelling.labels import USED_SHARE, Labels
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
    return labelled(fit(features, anchors, settings, calibration), settings)


def labelled(fitted: Fitted, settings: LabelSettings) -> Labels:
    """The labels that follow from the process, given the anchors; see `annotate`.

    Raises:
        MtclarError: There is neither an anchor nor a model that knows the level of a face.
    """
    features, anchors = fitted.features, fitted.anchors
    rows, here, asked, own_row = fitted.rows, fitted.here, fitted.asked, fitted.own_row
    n, k = len(rows), len(anchors.frames)
    if not here.levelled and not k:
        raise MtclarError(
            "the model at hand has no head that sees valence and arousal in a face alone, so it cannot label without "
            "an anchor; give at least one."
        )
    has_face, is_anchor = fitted.has_face, fitted.is_anchor
    values, sd = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    weights, at = np.zeros((n, k, 2), np.float32), np.flatnonzero(asked)
    for d, found in enumerate(fitted.posteriors):
        values[asked, d], sd[asked, d] = found.at(fitted.places(at, d), weights[:, :, d], at)
    mine = np.flatnonzero(own_row >= 0)
    values[own_row[mine]], sd[own_row[mine]] = anchors.labels[mine], anchors.noise[mine]
    weights[own_row[mine], mine] = 1.0

    half = fitted.calibration.multiples.at(fitted.own_anchors()) * sd
    values = np.clip(values, -1.0, 1.0)
    used = np.zeros(n, bool)
    for column in (weights[:, j, d] for j in range(k) for d in range(2)):
        used |= np.abs(column) >= USED_SHARE
    low_quality = has_face & (fitted.quality < settings.low_quality)
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
        box=of_faces(features.faces.box, here.face),
        score=of_faces(features.faces.score, here.face),
        quality=of_faces(features.faces.quality, here.face),
        anchors=anchors.frames,
        given=anchors.labels,
        weights=weights,
        fitted=fitted,
    )
