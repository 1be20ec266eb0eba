"""Which frames and faces get a label: the rows of a table of labels, and what the process is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mtclar.features import Features
from mtclar.features.subjects import NOBODY, subjects
from mtclar.labelling.course import course
from mtclar.labelling.hyper import DIMENSIONS, Process
from mtclar.labelling.process import Places


@dataclass(frozen=True, eq=False)
class Rows:
    """n rows, by track and then by frame where there are several subjects, else by frame.

    Attributes:
        frame: int64 (n,).
        track: int64 (n,), the track of the frame's shot that is labelled; `NOBODY` where there is none.
        wanted: bool (n,), whether the frame is in a shot of the subject.
    """

    frame: np.ndarray
    track: np.ndarray
    wanted: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)


def rows_of(features: Features, subject: str) -> Rows:
    """The rows for a subject, see `mtclar.features.subjects`.

    One subject gets a row a frame. Of `all`, each has rows for the frames of its shots.

    Raises:
        MtclarError: The subject is not understood, or there is no such track.
    """
    found, frames = subjects(features, subject), np.arange(len(features))
    if subject != "all":
        track = found[0].track
        return Rows(frames, track, track != NOBODY if subject.startswith("track") else np.ones(len(frames), bool))
    here = [np.flatnonzero(each.track != NOBODY) for each in found]
    nothing = np.empty(0, np.int64)
    track = np.concatenate([*(each.track[some] for each, some in zip(found, here, strict=True)), nothing])
    return Rows(np.concatenate([*here, nothing]), track, np.ones(len(track), bool))


def people_of(features: Features) -> dict[int, int]:
    """A number for the person of each track: the same for tracks that are known to show one person."""
    first: dict[str, int] = {}
    return {
        track: first.setdefault(features.person[track], track) if track in features.person else track
        for track in features.tracks
    }


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of some rows.

    Attributes:
        face: int64 (n,), row of `features.faces`; -1 without a face.
        person: int64 (n,), see `people_of`.
        mean, haze: float64 (n, 2), see `course`.
        levelled: Whether predictions are at their level, else up to a constant of the track.
    """

    face: np.ndarray
    person: np.ndarray
    mean: np.ndarray
    haze: np.ndarray
    levelled: bool


def look_up(features: Features, process: Process, frame: np.ndarray, track: np.ndarray) -> Seen:
    """What is known of rows, by their frame and track, int (n,) each.

    Where a prediction is not known at all, it is the mean label, as unsure as predictions differ.
    """
    n, faces, people = len(frame), features.faces, people_of(features)
    face, person = np.full(n, -1, np.int64), np.full(n, NOBODY, np.int64)
    mean, haze = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    levelled = True
    for each in np.unique(track[track != NOBODY]).tolist():
        start, end = np.searchsorted(faces.track, [each, each + 1])
        own, rows = np.arange(start, end), np.flatnonzero(track == each)
        span = np.union1d(faces.frame[own], frame[rows])
        at, place = np.searchsorted(span, faces.frame[own]), np.searchsorted(span, frame[rows])
        which, quality = np.full(len(span), -1, np.int64), np.full(len(span), np.nan)
        which[at], quality[at] = own, faces.quality[own]
        face[rows], person[rows] = which[place], people[each]
        for d in range(len(DIMENSIONS)):
            reading = np.full(len(span), np.nan)
            reading[at] = faces.prediction[own, d]
            found, unsure = course(process[d].course, features.time_s[span], reading, quality)
            if np.isnan(faces.head[own, d]).all() and np.isfinite(reading).any():
                levelled = False
                found = found - found.mean() + process[d].mean
            mean[rows, d], haze[rows, d] = found[place], unsure[place]
    for d in range(len(DIMENSIONS)):
        unknown = np.isnan(mean[:, d])
        mean[unknown, d], haze[unknown, d] = process[d].mean, process[d].predicted_sd ** 2
    return Seen(face, person, mean, haze, levelled)


def places(features: Features, seen: Seen, frame: np.ndarray, typical: float, dimension: int) -> Places:
    """What the process is told of rows in one dimension."""
    return Places(
        features.time_s[frame],
        seen.person,
        seen.mean[:, dimension],
        seen.haze[:, dimension],
        seen.face,
        features.faces.embedding,
        typical,
    )


def typical_distance(features: Features, faces: np.ndarray) -> float:
    """Median distance of the embeddings of two of some faces of the video (rows of them)."""
    some = faces[:: max(1, len(faces) // 64)]
    values = features.faces.embedding[some].astype(np.float64)
    apart = np.linalg.norm(values[:, None] - values, axis=2)[np.triu_indices(len(some), 1)]
    return max(float(np.median(apart)), 1e-3) if len(apart) else 1.0


def bridged(features: Features, rows: Rows, known: np.ndarray, bridge_s: float) -> np.ndarray:
    """Rows without a face between two of the same track of which something is known and that are close enough (n,).

    Args:
        features: The video.
        rows: The rows.
        known: bool (n,), whether a row shows a face or is an anchor.
        bridge_s: How far apart, in seconds, the two may be.
    """
    at = np.flatnonzero(known)
    found = np.zeros(len(rows), bool)
    for before, after in pairwise(at):
        if after - before > 1 and rows.track[before] == rows.track[after]:
            apart = features.time_s[rows.frame[after]] - features.time_s[rows.frame[before]]
            found[before + 1 : after] = 0 <= apart <= bridge_s
    return found
