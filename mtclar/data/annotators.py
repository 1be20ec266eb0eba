"""Anchors as rows and as arrays, and what the rows of several annotators of one face come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mtclar.errors import MtclarError, counted

PRIOR_DISAGREEMENT = 0.1
"""Standard deviation between annotators, in labels from -1 to 1, where a video tells little of it.

Set, not fitted: one step of a scale of 21, such as AFEW-VA's, so that two people who agree are not taken for certain.
"""
PRIOR_WEIGHT = 2.0
"""What a prior counts, in annotators beyond the first of a frame."""


_LISTED = 5
_NOT_GIVEN = np.empty(0)


@dataclass(frozen=True)
class Anchor:
    """One line of an anchors file; what it does not give is None or empty, but of `frame` and `time_s` one is given.

    `face_xy` is a point on the face that is meant, in pixels of the displayed frame from its upper left corner; `sd` is
    the standard error of valence and arousal in [-1, 1].
    """

    line: int
    video_id: str
    frame: int | None
    time_s: float | None
    valence: float
    arousal: float
    track_id: int | None = None
    person_id: str = ""
    annotator: str = ""
    weight: float = 1.0
    face_xy: tuple[float, float] | None = None
    sd: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class VideoAnchors:
    """The anchors of one video, k in all, one a frame and face, in the order of the frames.

    Attributes:
        frames: int64 (k,), 0-based.
        labels: float64 (k, 2): valence and arousal in [-1, 1].
        weights: float64 (k,), > 0; of several annotators the sum.
        own: bool (k,), whether an anchor is of the face that is followed where only one is.
        notes: What was decided on the way, one sentence each.
        track: int64 (k,), the track that is named, -1 where none is.
        noise: float64 (k, 2), standard error of the label: that which the file gives, and that of the mean of
            annotators who disagree, see `standard_errors`; 0 where none is given and frames have one annotator each.
        face_xy: float64 (k, 2), a point on the face that is meant in pixels of the displayed frame, else NaN.
        person: str (k,), the person that is named, or empty.
        lines: int64 (k,), the line of the file, the first of several; 0 where there is no file.
    """

    frames: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    own: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)
    notes: tuple[str, ...] = ()
    track: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)
    noise: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)
    face_xy: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)
    person: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)
    lines: np.ndarray = field(default_factory=lambda: _NOT_GIVEN)

    def __post_init__(self) -> None:
        k = len(self.frames)
        fill: dict[str, np.ndarray] = {
            "own": np.ones(k, bool),
            "track": np.full(k, -1, np.int64),
            "noise": np.zeros((k, 2)),
            "face_xy": np.full((k, 2), np.nan),
            "person": np.full(k, "", dtype=object),
            "lines": np.zeros(k, np.int64),
        }
        for name, values in fill.items():
            if getattr(self, name) is _NOT_GIVEN:
                object.__setattr__(self, name, values)
        for item in fields(self):
            if item.name != "notes" and len(getattr(self, item.name)) != k:
                raise MtclarError(f"expected {item.name} of {k} anchors, got {len(getattr(self, item.name))}.")

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Any) -> VideoAnchors:
        """Some of the anchors, in their order, without the notes."""
        kept = {item.name: getattr(self, item.name)[rows] for item in fields(self) if item.name != "notes"}
        return VideoAnchors(**kept)

    @classmethod
    def none(cls, *notes: str) -> VideoAnchors:
        """No anchors."""
        return cls(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0), notes=notes)


def labels_of(rows: Sequence[Anchor]) -> np.ndarray:
    """Valence and arousal of k rows (k, 2)."""
    return np.array([(row.valence, row.arousal) for row in rows])


def weights_of(rows: Sequence[Anchor]) -> np.ndarray:
    """The weights of k rows (k,)."""
    return np.array([row.weight for row in rows])


def standard_errors(groups: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The standard error of each weighted mean of several annotators' labels of one frame.

    An annotator's label is normal about the mean with variance s² / w, where w is the weight divided by the mean weight
    of the frame, so that the mean of n has variance s² / n. First one s² is estimated for all frames, then that of
    each frame, both times as the mean of an inverse-gamma posterior would be in its plainest form:
    s² = (`PRIOR_WEIGHT` · prior + sum of w · (label − mean)²) / (`PRIOR_WEIGHT` + n − 1); the prior is
    `PRIOR_DISAGREEMENT`² for all frames together and their s² for each. A frame with one annotator, in a video in which
    others have several, has the standard error s of all.

    Args:
        groups: The labels (n, 2) and weights (n,) of each frame.

    Returns:
        float64 (k, 2), 0 where no frame has several annotators.
    """
    squares, counts = np.zeros((len(groups), 2)), np.array([len(labels) for labels, _ in groups], float)
    if not len(groups) or counts.max() < 2:
        return squares
    for at, (labels, weights) in enumerate(groups):
        mean = np.average(labels, axis=0, weights=weights)
        squares[at] = (weights / weights.mean()) @ (labels - mean) ** 2
    extra = (counts - 1)[:, None]
    shared = (PRIOR_WEIGHT * PRIOR_DISAGREEMENT**2 + squares.sum(axis=0)) / (PRIOR_WEIGHT + extra.sum())
    found: np.ndarray = np.sqrt((PRIOR_WEIGHT * shared + squares) / (PRIOR_WEIGHT + extra) / counts[:, None])
    return found


def given_errors(groups: Sequence[Sequence[Anchor]]) -> np.ndarray:
    """The standard errors that come with the rows, of the weighted mean of each group, float64 (k, 2); 0 without."""
    found = np.zeros((len(groups), 2))
    for at, group in enumerate(groups):
        own, weights = np.array([row.sd or (0.0, 0.0) for row in group]), weights_of(group)
        found[at] = np.sqrt(((weights[:, None] * own) ** 2).sum(axis=0)) / weights.sum()
    return found


def one_each(rows: Sequence[Anchor]) -> list[Anchor]:
    """One row an annotator: the mean of theirs, with the mean of the weights."""
    kept = []
    for name in dict.fromkeys(row.annotator for row in rows):
        theirs = [row for row in rows if row.annotator == name]
        valence, arousal = np.average(labels_of(theirs), axis=0, weights=weights_of(theirs)).tolist()
        mean = replace(theirs[0], valence=valence, arousal=arousal, weight=float(weights_of(theirs).mean()))
        kept.append(mean if len(theirs) > 1 else theirs[0])
    return kept


def said_of_times(groups: Iterable[Sequence[Anchor]]) -> list[str]:
    """Says on how many frames several times of one annotator fall."""
    frames = sum(len(group) > len({row.annotator for row in group}) for group in groups)
    return (
        [f"several times of one annotator fall on one frame in {counted(frames, 'case')}: averaged"] if frames else []
    )


def said_of_annotators(groups: Sequence[Sequence[Anchor]]) -> list[str]:
    """Says who was averaged on how many frames, and how far they differ."""
    several = [group for group in groups if len(group) > 1]
    if not several:
        return []
    names = list(dict.fromkeys(row.annotator for group in several for row in group))
    spread = np.sqrt(np.mean([np.var(labels_of(group), axis=0, ddof=1) for group in several], axis=0))
    listed = ", ".join(f"'{name}'" for name in names[:_LISTED]) + ", ..." * (len(names) > _LISTED)
    return [
        f"the labels of {len(names)} annotators ({listed}) were averaged on {counted(len(several), 'frame')}; their "
        f"standard deviation there is {spread[0]:.2f} in valence and {spread[1]:.2f} in arousal"
    ]
