"""What the script of a labelled video's page is given: the rows as packed numbers, face pictures, suspects."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.labelling.fitted import Fitted
from mtclar.labelling.hyper import DIMENSIONS
from mtclar.labelling.labels import SOURCES, STATUSES
from mtclar.labelling.suspects import Suspects

Columns = Mapping[str, np.ndarray]
"""The columns of a labels table (`tables.LABELS`) as arrays, one row per frame and person labelled."""
MAX_PICTURES = 360
"""Face pictures of a page besides those of the anchors: about 1.3 MB of text."""
_FINE, _UNKNOWN = 30_000, -32_768
"""Numbers from -1 to 1 are kept as 16-bit integers of so many steps a unit; one integer says that there is none."""
_FRACTIONS = (
    *("valence", "valence_lo", "valence_hi"),
    *("arousal", "arousal_lo", "arousal_hi"),
    *("confidence", "quality"),
)


@dataclass(frozen=True)
class Person:
    """Who is labelled.

    Attributes:
        name: For people; empty where there is one person only.
        rows: int (n,), rows of the table in the order of time.
    """

    name: str
    rows: np.ndarray


@dataclass(frozen=True)
class Suspect:
    """An anchor that contradicts the others, so that somebody should look at it again.

    Attributes:
        frame: Of the anchor.
        reason: In a sentence.
        track: Of the anchor; None where only one face is labelled.
    """

    frame: int
    reason: str
    track: int | None = None


def suspects_of(fitted: Fitted, found: Suspects) -> list[Suspect]:
    """The anchors that should be looked at again, the most suspect first, each with what the others say."""
    shown = []
    for k in np.flatnonzero(found.suspect).tolist():
        at = int(found.order[k])
        own, told, off = fitted.anchors.labels[at], found.expected[k], np.abs(found.z[k])
        said = [
            f"{name} is {own[d]:+.2f}, and the other anchors say {told[d]:+.2f}"
            for d, name in enumerate(DIMENSIONS)
            if off[d] == off.max() or off[d] >= 2
        ]
        track = int(fitted.track[at])
        shown.append(Suspect(int(fitted.anchors.frames[at]), "; ".join(said) + ".", track if track >= 0 else None))
    return shown


def people_of(columns: Columns) -> Iterator[Person]:
    """Who is labelled: one person, unless frames have several rows."""
    rows = np.arange(len(columns["frame"]))
    if len(np.unique(columns["frame"])) == len(rows):
        yield Person("", rows[np.argsort(columns["frame"], kind="stable")])
        return
    names = np.array(
        [
            str(person) if isinstance(person, str) and person else f"track {track}"
            for person, track in zip(columns["person_id"], columns["track_id"], strict=True)
        ],
        object,
    )
    for name in dict.fromkeys(names):
        own = np.flatnonzero(names == name)
        yield Person(name, own[np.argsort(columns["frame"][own], kind="stable")])


def payload(
    columns: Columns,
    people: Sequence[Person],
    pictures: Mapping[tuple[int, int], bytes],
    *,
    coverage: float | None,
    suspects: Sequence[Suspect] = (),
) -> dict[str, Any]:
    """All that the page's script needs, as JSON can hold it.

    Columns of numbers are little-endian arrays in base64: `time_s` float64; `frame`, `track` and `shot` int32, a track
    of -1 being none; `source` and `status` uint8, positions in the lists of their names; all others int16, see `_FINE`.
    An hour of video at 30 frames a second is 5 MB of text.

    Args:
        columns: The labels of one video.
        people: Who is in it; rows of nobody are left out.
        pictures: Small pictures of faces, JPEG bytes by frame and track.
        coverage: Of the prediction interval, such as 0.9; None for a model without.
        suspects: Anchors to be looked at again.
    """
    rows = np.concatenate([person.rows for person in people]) if people else np.empty(0, int)
    track = np.array([-1 if number is None else int(number) for number in columns["track_id"][rows].tolist()], "<i4")
    packed = {
        "time_s": columns["time_s"][rows].astype("<f8"),
        "frame": columns["frame"][rows].astype("<i4"),
        "track": track,
        "shot": columns["shot_id"][rows].astype("<i4"),
        "source": _positions(columns["source"][rows], SOURCES),
        "status": _positions(columns["status"][rows], STATUSES),
        **{name: _steps(columns[name][rows].astype(float)) for name in _FRACTIONS},
    }
    shown, left_out = _some(pictures, packed["frame"], track, packed["source"] == SOURCES.index("anchor"))
    return {
        "columns": {name: base64.b64encode(values.tobytes()).decode() for name, values in packed.items()},
        "sources": list(SOURCES),
        "statuses": list(STATUSES),
        "fine": _FINE,
        "unknown": _UNKNOWN,
        "people": [{"name": person.name, "rows": len(person.rows)} for person in people],
        "pictures": [[frame, number, base64.b64encode(data).decode()] for (frame, number), data in shown.items()],
        "pictures_left_out": left_out,
        "coverage": coverage,
        "suspects": [{"frame": one.frame, "track": one.track, "reason": one.reason} for one in suspects],
    }


def _some(
    pictures: Mapping[tuple[int, int], bytes], frame: np.ndarray, track: np.ndarray, anchor: np.ndarray
) -> tuple[dict[tuple[int, int], bytes], int]:
    """Pictures of labelled faces, in the order of frames, and how many were left out.

    Of many: the nearest to each anchor, and others evenly spread.
    """
    labelled = set(zip(frame.tolist(), track.tolist(), strict=True))
    keys = sorted(key for key in pictures if key in labelled)
    if len(keys) > MAX_PICTURES:
        at = np.array(keys)
        kept = set(np.unique(np.linspace(0, len(keys) - 1, MAX_PICTURES).round().astype(int)).tolist())
        for number, person in zip(frame[anchor].tolist(), track[anchor].tolist(), strict=True):
            own = np.flatnonzero(at[:, 1] == person)
            if len(own):
                kept.add(int(own[np.argmin(np.abs(at[own, 0] - number))]))
        keys, left_out = [keys[k] for k in sorted(kept)], len(keys) - len(kept)
        return {key: pictures[key] for key in keys}, left_out
    return {key: pictures[key] for key in keys}, 0


def _positions(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    place = {name: k for k, name in enumerate(names)}
    return np.array([place[str(value)] for value in values.tolist()], np.uint8)


def _steps(values: np.ndarray) -> np.ndarray:
    """int16 (n,): numbers from -1 to 1 in steps, NaN as the integer for unknown."""
    known = np.isfinite(values)
    steps = np.full(len(values), _UNKNOWN, "<i2")
    steps[known] = np.rint(np.clip(values[known], -1, 1) * _FINE)
    return steps
