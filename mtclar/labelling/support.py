"""What few-shot labelling starts from: frames to label, labelled faces to compare them with, and what those say.

A support need not come from the track, nor even from the person, that is labelled; it says of each anchor whether it
does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mtclar.errors import MtclarError

Compare = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""`compare(left (m, d), right (m, d)) -> (similar (m,), d_valence (m,), d_arousal (m,))`, as a Predictor has it."""


@dataclass(frozen=True)
class Queries:
    """Faces to label.

    Attributes:
        embeddings: float32 (n, d), none of them NaN.
        times_s: float64 (n,), in seconds.
        quality: float64 (n,) in [0, 1], how much of a face its picture shows; None or NaN where not known. 0 is a frame
            without a face, whose embedding and levels mean nothing: only `kriging` can label it, by time alone.
        levels: float64 (n, 2), valence and arousal as the supervised head sees them without any anchor; None where
            there is no such head. Only `kriging` takes notice.
    """

    embeddings: np.ndarray
    times_s: np.ndarray
    quality: np.ndarray | None = None
    levels: np.ndarray | None = None

    def __post_init__(self) -> None:
        n = len(self.embeddings)
        if np.ndim(self.embeddings) != 2 or np.shape(self.times_s) != (n,):
            shapes = f"{np.shape(self.embeddings)} and {np.shape(self.times_s)}"
            raise MtclarError(f"expected embeddings (n, d) and times (n,) of the frames, got {shapes}.")
        _fits("quality", self.quality, n)

    def __len__(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True)
class Support:
    """The labelled faces that speak; where there is none of them, frames are labelled from what is read in them alone.

    Attributes:
        embeddings: float32 (k, d), none of them NaN.
        labels: float64 (k, 2), valence and arousal in [-1, 1].
        times_s: float64 (k,), NaN for an anchor that is not on the timeline of the frames to label.
        own_track: bool (k,), whether an anchor is of the track that is labelled.
        own_person: bool (k,), whether it shows the same person.
        weights: float64 (k,), > 0, how far the rater's label is trusted.
        quality, levels: As in `Queries`.
    """

    embeddings: np.ndarray
    labels: np.ndarray
    times_s: np.ndarray
    own_track: np.ndarray
    own_person: np.ndarray
    weights: np.ndarray
    quality: np.ndarray | None = None
    levels: np.ndarray | None = None

    def __post_init__(self) -> None:
        k = len(self.embeddings)
        if np.ndim(self.embeddings) != 2 or np.shape(self.labels) != (k, 2):
            shapes = f"{np.shape(self.embeddings)} and {np.shape(self.labels)}"
            raise MtclarError(f"expected anchors with embeddings (k, d) and labels (k, 2), got {shapes}.")
        if not (np.abs(self.labels) <= 1).all():  # NaN fails too
            raise MtclarError("an anchor's valence or arousal is unknown or outside -1 to 1; correct or leave it out.")
        for name in ("times_s", "own_track", "own_person", "weights", "quality"):
            _fits(name, getattr(self, name), k)
        if not ((self.weights > 0) & np.isfinite(self.weights)).all():
            raise MtclarError("an anchor's weight is not above 0; anchors that do not count are to be left out.")

    def __len__(self) -> int:
        return len(self.embeddings)

    @classmethod
    def none(cls, dimensions: int) -> Support:
        """No anchor, of a model whose embeddings have so many dimensions."""
        nobody, never = np.empty(0, bool), np.empty(0)
        return cls(np.empty((0, dimensions)), np.empty((0, 2)), never, nobody, nobody, never, never, np.empty((0, 2)))

    def joined(self, other: Support) -> Support:
        """These anchors, then the others; what one side does not know of its anchors is not known of any."""
        joined: dict[str, Any] = {}
        for field in fields(self):
            both = getattr(self, field.name), getattr(other, field.name)
            joined[field.name] = None if any(part is None for part in both) else np.concatenate(both)
        return Support(**joined)


@dataclass(frozen=True)
class Compared:
    """What the model sees between n frames and k anchors, and among the anchors.

    Attributes:
        similar: float64 (n, k), the probability that frame and anchor show the same expression.
        deltas: float64 (n, k, 2), label(frame) - label(anchor) in valence and arousal.
        among: float64 (k, k, 2), the same between anchor i (as the frame) and anchor j (as the anchor).
    """

    similar: np.ndarray
    deltas: np.ndarray
    among: np.ndarray


@dataclass(frozen=True)
class Votes:
    """All that a method of fusion may know.

    Attributes:
        queries: The n frames.
        support: The k anchors.
        similar: float64 (n, k), see `Compared`.
        votes: float64 (n, k, 2): the anchor's label + the difference the model sees between frame and anchor.
        among: float64 (k, k, 2): what anchor j says of anchor i, whose true label is `support.labels[i]`.
    """

    queries: Queries
    support: Support
    similar: np.ndarray
    votes: np.ndarray
    among: np.ndarray


Krige = Callable[[Votes], tuple[np.ndarray, np.ndarray]]
"""The fusion `kriging` with its hyper-parameters bound: votes -> mean (n, 2), standard deviation (n, 2)."""


def _fits(name: str, values: np.ndarray | None, count: int) -> None:
    if values is not None and np.shape(values) != (count,):
        raise MtclarError(f"expected {name} of {count} faces, got an array of shape {np.shape(values)}.")
