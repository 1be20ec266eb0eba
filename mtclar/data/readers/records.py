"""What a reader gives: records of faces to come, in groups that one process can work on alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtclar.data.tables import SPLITS
from mtclar.errors import MtclarError

Box = tuple[float, float, float, float]
NAN = float("nan")
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Record:
    """One picture with one face to cut out, and what the data set says about it.

    Attributes:
        load: Gives the picture, uint8 RGB (h, w, 3); raises MtclarError if it cannot be read.
        name: What messages call the picture.
        dataset: Name of the data set.
        face_id: Unique and stable: dataset/clip/frame.
        subject_id: Who is seen; faces with the same one never stand in two splits.
        split: One of `tables.SPLITS`.
        valence, arousal: In [-1, 1] as annotated, NaN where not known; both or neither.
        expression: One of `tables.EXPRESSIONS`, None where not known.
        clip_id: The clip, None for a single picture.
        frame: 0-based index in the clip, None for a single picture.
        pts: Time stamp in the container's units, None for a single picture.
        time_s: Seconds from the clip's first frame, NaN for a single picture.
        track_id: Whose face it is where one clip shows several people.
        box: The face (x, y, w, h) in pixels of the picture, if the data set gives it.
        landmarks: float (68, 2) in pixels of the picture, if the data set gives them.
        side: Whether the left or the right one of two people is meant, where the data set says only this.
    """

    load: Callable[[], NDArray[np.uint8]]
    name: str
    dataset: str
    face_id: str
    subject_id: str
    split: str
    valence: float = NAN
    arousal: float = NAN
    expression: str | None = None
    clip_id: str | None = None
    frame: int | None = None
    pts: int | None = None
    time_s: float = NAN
    track_id: int = 0
    box: Box | None = None
    landmarks: NDArray[np.float64] | None = None
    side: Literal["left", "right"] | None = None


@dataclass
class Notes:
    """What a reader leaves out.

    Attributes:
        skipped: How many items were left out as the data set's own rules want it, by reason.
        unreadable: Name and reason of each item that should be there and is not, or is damaged.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def merge(self, other: Notes) -> None:
        """Adds what another process noted."""
        self.skipped.update(other.skipped)
        self.unreadable.extend(other.unreadable)

    def skip(self, reason: str, count: int = 1) -> None:
        """Counts what the data set itself marks as not to be used."""
        if count:
            self.skipped[reason] += count

    def fault(self, name: str, reason: str) -> None:
        """Lists what cannot be read."""
        self.unreadable.append((name, reason))


@dataclass(frozen=True)
class Group:
    """Records to be read one after the other: a clip, a video, or a handful of single pictures.

    Attributes:
        name: What messages call it.
        make: Gives the records and notes what it leaves out; may be sent to another process.
    """

    name: str
    make: Callable[[Notes], Iterable[Record]]

    def records(self, notes: Notes) -> Iterator[Record]:
        """The records, in order."""
        return iter(self.make(notes))


def together(
    items: Iterable[T], make: Callable[[tuple[T, ...], Notes], Iterable[Record]], size: int = 32
) -> Iterator[Group]:
    """Groups single pictures, `size` at a time; `make` turns a group's items into records, maybe in another process."""
    remaining = iter(items)
    while batch := tuple(islice(remaining, size)):
        yield Group(f"pictures from {batch[0]}", partial(make, batch))


def pair(valence: float, arousal: float, sentinel: float) -> tuple[float, float]:
    """Valence and arousal, both NaN where either is missing or the data set's sentinel for 'not known'."""
    if not (np.isfinite(valence) and np.isfinite(arousal)) or sentinel in (valence, arousal):
        return NAN, NAN
    return float(valence), float(arousal)


def number(text: object) -> float:
    """A number, or NaN for what is none."""
    try:
        return float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return NAN


def divide(subjects: Iterable[str], *, validation: float, test: float, seed: int) -> dict[str, str]:
    """Gives each subject a split, for data without splits of their own.

    Subjects are put in an order that depends on nothing but the seed and their names; the first `test` share of them
    is the test split, the next `validation` share the validation split. A share above 0 gets at least one subject as
    long as one is left to train on.

    Raises:
        MtclarError: The shares leave nothing to train on.
    """
    if validation + test >= 1:
        raise MtclarError(
            f"crop.validation {validation} and crop.test {test} leave no share of the subjects to train on."
        )
    order = sorted(set(subjects), key=lambda subject: hashlib.sha256(f"{seed}/{subject}".encode()).digest())
    counts = [max(1, round(share * len(order))) if share > 0 else 0 for share in (test, validation)]
    while sum(counts) >= max(len(order), 1) and any(counts):
        counts[1 if counts[1] else 0] -= 1
    ends = np.cumsum(counts)
    _, middle, last = SPLITS
    return {subject: last if i < ends[0] else middle if i < ends[1] else SPLITS[0] for i, subject in enumerate(order)}
