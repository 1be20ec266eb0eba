"""One clip of the test on real faces: read and labelled exactly as `mtclar label` does it.

A clip is decoded and embedded once; then it is labelled as often as there are placements of anchors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.anchors import Anchors, Clock, VideoAnchors
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.placements import METHODS, Rated, Trials, placements, try_placements
from mtclar.features.extract import Predictor
from mtclar.progress import Progress
from mtclar.report.real_page import Curve
from mtclar.settings import ExtractSettings, LabelSettings
from mtclar.steps.extract import Opened
from mtclar.steps.real_track import Track, labels_table, track_of
from mtclar.steps.videos import Source

ENDINGS = ("", "_lo", "_hi")
"""Of the columns of a label and of the edges of its band."""


@dataclass(frozen=True)
class ReadClip:
    """A clip that has been read, and its ratings.

    Attributes:
        name: Of the clip.
        track: The face that was followed.
        marks: The ratings of that face on frames that show it.
        faceless: How many ratings are of frames where it was not found.
        notes: What was decided on the way, one sentence each.
    """

    name: str
    track: Track
    marks: VideoAnchors
    faceless: int
    notes: tuple[str, ...]
    predictor: Predictor
    settings: LabelSettings

    @property
    def rated(self) -> Rated:
        """The rated frames that show a face."""
        return Rated(self.name, self.track.times_s[self.marks.frames], self.marks.labels)

    def table(self, positions: np.ndarray) -> pd.DataFrame:
        """The labels of all frames from the ratings at positions (k,); from none, zero-shot."""
        return labels_table(self.name, self.track, self.marks[positions], self.predictor, self.settings)

    def label(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `evaluation.placements.Label` asks: label, lower and upper edge of the rated frames, (m, 2) each."""
        table = self.table(positions)
        return tuple(columns_of(table, ending)[self.marks.frames] for ending in ENDINGS)  # type: ignore[return-value]

    def trials(
        self, counts: tuple[int, ...], limit: int, seed: int, progress: Progress
    ) -> tuple[dict[int, Trials], tuple[int, ...]]:
        """Labels the clip from placements of no anchor and of each of `counts`.

        The draws hang on the seed and the clip's name alone, so that other clips beside it change nothing.

        Returns:
            The trials by number of anchors, and the counts for which the clip has too few ratings: one must be left to
            be scored.
        """
        rated = self.rated
        able = [k for k in (0, *counts) if k < len(rated)]
        chosen = {
            k: placements(len(rated), k, limit, np.random.default_rng([seed, k, *self.name.encode()])) for k in able
        }
        total, done = sum(map(len, chosen.values())), 0

        def tick() -> None:
            nonlocal done
            done += 1
            progress(done, total, f"{self.name}: placements")

        found = {k: try_placements(rated, each, self.label, tick) for k, each in chosen.items()}
        return found, tuple(k for k in counts if k not in able)

    def curve(self, positions: np.ndarray) -> Curve:
        """The labels of all frames from some ratings, to be drawn."""
        table, times_s = self.table(positions), self.track.times_s
        at, given = times_s[self.marks.frames[positions]], self.marks.labels[positions]
        return Curve(
            name=self.name,
            times_s=times_s,
            labels=columns_of(table, ""),
            low=columns_of(table, "_lo"),
            high=columns_of(table, "_hi"),
            straight=METHODS["linear"](times_s, at, given) if len(positions) else None,
            rated_s=times_s[self.marks.frames],
            truth=self.marks.labels,
            anchors=positions,
        )


def read_clip(
    path: Path,
    name: str,
    ratings: Anchors,
    predictor: Predictor,
    s: LabelSettings,
    extract: ExtractSettings,
    clock: Clock,
    progress: Progress,
) -> ReadClip:
    """Reads a clip to its end and lays its ratings on its frames, their times being of `clock`.

    Raises:
        MtclarError: It cannot be read, shows no face, or a rating lies beyond its end.
    """
    with Opened(Source(str(path), name), predictor, extract) as opened:
        features, _ = opened.features(progress=progress)
    track = track_of(features)
    placed = ratings.on_frames(name, track.times_s, features.video.get("media_offset_s", 0.0), clock)
    own = placed.frames[placed.own]
    notes = [f"'{name}': {note}" for note in (*features.notes, *placed.notes)]
    if len(own) < len(placed.frames):
        notes.append(
            f"'{name}': {len(placed.frames) - len(own)} ratings of another face than the one followed left out"
        )
    seen = track.has_face[own]
    marks = placed[np.flatnonzero(placed.own)[seen]]
    return ReadClip(name, track, marks, int((~seen).sum()), tuple(notes), predictor, s)


def columns_of(table: pd.DataFrame, ending: str) -> np.ndarray:
    """Valence and arousal of a labels table side by side (n, 2)."""
    return table[[f"{name}{ending}" for name in DIMENSIONS]].to_numpy(np.float64)
