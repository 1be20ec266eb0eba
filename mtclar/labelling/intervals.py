"""How wide a band must be: multiples of the standard deviation, measured on held-out people by number of anchors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.hyper import AGAIN, DIMENSIONS


@dataclass(frozen=True, eq=False)
class Multiples:
    """What a standard deviation is to be multiplied by so that the band holds as often as it should.

    Attributes:
        anchors: float64 (m,), ascending numbers of anchors, 0 the first.
        values: float64 (m, 2), the multiples of valence and arousal; NaN where they are not known.
    """

    anchors: np.ndarray
    values: np.ndarray

    def at(self, anchors: np.ndarray) -> np.ndarray:
        """The multiples (n, 2) for numbers of anchors (n,): linear in their logarithm, level beyond the last.

        No anchor is a case of its own: 1 is no nearer to it than to 2.
        """
        known = np.log(np.maximum(self.anchors[1:], 1.0))
        asked = np.log(np.maximum(np.asarray(anchors, np.float64), 1.0))
        columns = []
        for d in range(len(DIMENSIONS)):
            some = np.interp(asked, known, self.values[1:, d]) if len(known) else np.full(len(asked), self.values[0, d])
            columns.append(np.where(np.asarray(anchors) > 0, some, self.values[0, d]))
        return np.stack(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Lists for JSON: `{"anchors": [...], "valence": [...], "arousal": [...]}`."""
        return {
            "anchors": self.anchors.astype(int).tolist(),
            **{name: self.values[:, d].tolist() for d, name in enumerate(DIMENSIONS)},
        }

    @classmethod
    def from_dict(cls, values: Any) -> Multiples:
        """Reads them back; null is not known.

        Raises:
            MtclarError: A list is missing or shorter than the others, or a value is no number of its range.
        """
        if not isinstance(values, Mapping):
            raise MtclarError(f"the model's calibration says nothing of 'multiples'; {AGAIN}.")
        columns = {}
        for name in ("anchors", *DIMENSIONS):
            column = values.get(name)
            if not isinstance(column, list) or not column or len(column) != len(values.get("anchors") or []):
                raise MtclarError(f"the model's multiples of '{name}' are no list as long as 'anchors'; {AGAIN}.")
            for value in column:
                known = value is not None and not isinstance(value, bool) and isinstance(value, int | float)
                if not (known and 0 <= value < np.inf) and not (value is None and name != "anchors"):
                    raise MtclarError(f"the model's calibration gives {value!r} as multiple of '{name}'; {AGAIN}.")
            columns[name] = np.array([np.nan if value is None else value for value in column], np.float64)
        anchors = columns["anchors"]
        if anchors[0] != 0 or (np.diff(anchors) <= 0).any():
            raise MtclarError(f"the model's multiples are not of ascending numbers of anchors from 0; {AGAIN}.")
        return cls(anchors, np.stack([columns[name] for name in DIMENSIONS], axis=1))

    @classmethod
    def level(cls, multiple: float) -> Multiples:
        """One multiple for any number of anchors."""
        return cls(np.zeros(1), np.full((1, len(DIMENSIONS)), multiple))


def confidence(half: np.ndarray) -> np.ndarray:
    """One number for how far a label may be trusted: 1 for what a person set, 0 for anything goes.

    confidence = clip(1 - mean over valence and arousal of the band's half, 0, 1); a half of 1 covers the whole range
    from its middle.

    Args:
        half: Half of the band (n, 2); NaN where unknown.

    Returns:
        Confidence (n,) in [0, 1], NaN where the band is unknown.
    """
    return np.clip(1.0 - half.mean(axis=1), 0.0, 1.0)
