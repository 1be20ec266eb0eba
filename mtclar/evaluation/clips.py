"""Labelled clips of one split, as the few-shot protocols need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtclar.errors import MtclarError

if TYPE_CHECKING:
    import pandas as pd

DIMENSIONS = ("valence", "arousal")
"""Columns of every label array (n, 2)."""


@dataclass(frozen=True)
class Clip:
    """The labelled frames of one person in one clip, in time order.

    Attributes:
        name: The clip's id, with the track's where a clip holds several.
        person: Subject id.
        rows: int (n,), rows of the faces store.
        times_s: float64 (n,), non-decreasing.
        truth: float64 (n, 2), valence and arousal in [-1, 1].
    """

    name: str
    person: str
    rows: np.ndarray
    times_s: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


def clips_of(faces: pd.DataFrame, split: str) -> list[Clip]:
    """The clips of a split, by name; frames without valence or arousal are left out.

    Args:
        faces: A table with the columns of `tables.FACES`, indexed by store row.
        split: One of `tables.SPLITS`.

    Raises:
        MtclarError: A label lies outside its range.
    """
    known = faces["valence"].notna() & faces["arousal"].notna()
    chosen = faces[(faces["split"] == split) & faces["clip_id"].notna() & known]
    clips = []
    keys = ["dataset", "clip_id", "subject_id", "track_id"]
    tracks = chosen.groupby(["dataset", "clip_id"])["track_id"].nunique(dropna=False)
    for key, group in chosen.groupby(keys, dropna=False, sort=True):
        dataset, clip, person, track = (str(part) for part in key)
        frames = group.sort_values("frame", kind="stable")
        several = tracks.loc[(dataset, clip)] > 1
        times = frames["time_s"].to_numpy(np.float64)
        truth = frames[list(DIMENSIONS)].to_numpy(np.float64)
        if np.abs(truth).max() > 1:
            raise MtclarError(
                f"clip '{clip}' of {dataset} holds a label of {truth.flat[np.abs(truth).argmax()]:g}, outside -1 to 1; "
                "correct the labels and run 'mtclar crop' again."
            )
        clips.append(
            Clip(
                name=f"{clip} track {track}" if several else clip,
                person=person,
                rows=frames.index.to_numpy(np.int64),
                times_s=times if np.isfinite(times).all() else frames["frame"].to_numpy(np.float64),
                truth=truth,
            )
        )
    return clips


def pictures_of(faces: pd.DataFrame, split: str) -> np.ndarray:
    """Store rows of a split's single pictures (n,) whose valence and arousal are known."""
    known = faces["valence"].notna() & faces["arousal"].notna()
    return faces.index[(faces["split"] == split) & faces["clip_id"].isna() & known].to_numpy(np.int64)
