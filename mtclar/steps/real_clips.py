"""One clip of the test on real faces: read and labelled exactly as `mtclar label` does it.

A clip is decoded and embedded once; then it is labelled as often as there are placements of anchors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtclar.data.anchors import Anchors, Clock, VideoAnchors
from mtclar.evaluation.placements import METHODS, Rated, Trials, placements, try_placements
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.features.subjects import choice_notes, place_anchors, subjects
from mtclar.labelling import Labels, annotate
from mtclar.progress import Progress
from mtclar.report.real_page import Curve
from mtclar.settings import ExtractSettings, LabelSettings
from mtclar.steps.extract import Opened
from mtclar.steps.label_video import calibration_of
from mtclar.steps.videos import Source

ENDINGS = ("", "_lo", "_hi")
"""Of the columns of a label and of the edges of its band."""


@dataclass(frozen=True)
class ReadClip:
    """A clip that has been read, and its ratings.

    Attributes:
        name: Of the clip.
        features: Of the clip.
        marks: The ratings of that face on frames that show it.
        faceless: How many ratings are of frames where it was not found.
        notes: What was decided on the way, one sentence each.
    """

    name: str
    features: Features
    marks: VideoAnchors
    faceless: int
    notes: tuple[str, ...]
    predictor: Predictor
    settings: LabelSettings

    @property
    def rated(self) -> Rated:
        """The rated frames that show a face."""
        return Rated(self.name, self.features.time_s[self.marks.frames], self.marks.labels)

    def labels(self, positions: np.ndarray) -> Labels:
        """The labels of all frames from the ratings at positions (k,); from none, zero-shot."""
        return annotate(self.features, self.marks[positions], self.settings, calibration_of(self.predictor)[0])

    def label(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `evaluation.placements.Label` asks: label, lower and upper edge of the rated frames, (m, 2) each."""
        found = self.labels(positions)
        return tuple(part[self.marks.frames] for part in (found.values, found.low, found.high))  # type: ignore[return-value]

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
        found, times_s = self.labels(positions), self.features.time_s
        at, given = times_s[self.marks.frames[positions]], self.marks.labels[positions]
        return Curve(
            name=self.name,
            times_s=times_s,
            labels=found.values,
            low=found.low,
            high=found.high,
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
    if s.subject == "auto":
        s = s.model_copy(update={"subject": "largest"})  # who rates a clip rates whom it shows, and names nobody
    placed = place_anchors(features, ratings, name, s.subject, clock)
    notes = [f"'{name}': {note}" for note in (*features.notes, *choice_notes(features, s.subject), *placed.notes)]
    track, faces = subjects(features, s.subject)[0].track[placed.frames], features.faces
    own = track == placed.track
    if not own.all():
        notes.append(f"'{name}': {int((~own).sum())} ratings of another face than the one followed left out")
    shown = set(zip(faces.frame.tolist(), faces.track.tolist(), strict=True))
    keys = zip(placed.frames.tolist(), placed.track.tolist(), strict=True)
    seen = np.array([key in shown for key in keys], bool)
    marks = placed[np.flatnonzero(own & seen)]
    return ReadClip(name, features, marks, int((own & ~seen).sum()), tuple(notes), predictor, s)
