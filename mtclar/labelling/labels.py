"""The labels of a video: what `annotate` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtclar.errors import MtclarError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mtclar.labelling.fitted import Fitted

SOURCES = ("anchor", "model", "zero-shot", "interpolated", "none")
"""Where a row's label comes from: a person; the model and anchors; the model alone; anchors and faces around a frame
that shows none; nothing."""
STATUSES = ("ok", "low_quality", "no_face", "out_of_shot")
"""What a row's frame shows of the face: it; hardly anything of it; nothing; or the frame is of a shot without it."""
_ROWS = 4096
USED_SHARE = 0.01
"""A row rests on anchors where the weight of one in valence or arousal is at least so much."""
NAMED_SHARE = 0.2
"""An anchor is named with a row where its weight is also at least this share of the heaviest anchor's there, in valence
or in arousal: all process weights are a little above or below 0, so that otherwise nearly all would be named."""


@dataclass(frozen=True, eq=False)
class Labels:
    """n rows, one a frame and track.

    Attributes:
        frame, track, pts, shot: int64 (n,); a track of -1 is a frame of a shot without a face.
        person: str (n,), None where not known.
        time_s: float64 (n,).
        values: float64 (n, 2), valence and arousal in [-1, 1]; NaN without a label. An anchor's row has its label.
        sd: float64 (n, 2), standard deviation of what a rater would say.
        low, high: float64 (n, 2), the band, in [-1, 1]; NaN where the model has no calibration.
        confidence: float64 (n,), see `mtclar.labelling.intervals.confidence`; 1 at anchors.
        source, status: str (n,), of `SOURCES` and `STATUSES`.
        box: float64 (n, 4), score, quality: float64 (n,), of the face; NaN without one.
        anchors: int64 (k,), the frames of the anchors.
        given: float64 (k, 2), their labels.
        weights: float32 (n, k, 2), the weight of each anchor's label in each row's: values = base + weights @ given, up
            to the limits of the range, where the base is what predictions say.
        fitted: What the labels were made of; None where they were not made here.
    """

    frame: np.ndarray
    track: np.ndarray
    person: np.ndarray
    pts: np.ndarray
    time_s: np.ndarray
    shot: np.ndarray
    values: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: np.ndarray
    source: np.ndarray
    status: np.ndarray
    box: np.ndarray
    score: np.ndarray
    quality: np.ndarray
    anchors: np.ndarray
    given: np.ndarray
    weights: np.ndarray
    fitted: Fitted | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def used(self, row: int) -> np.ndarray:
        """Positions of the anchors that carry weight in the label of a row, see `NAMED_SHARE`; the heaviest first.

        An anchor's own row uses itself alone.
        """
        order, count = _named(self.weights[row : row + 1])
        return order[0, : count[0]]

    def why(self, frame: int, track: int | None = None) -> pd.DataFrame:
        """What the label of a frame is made of.

        Args:
            frame: The frame.
            track: Which face of it; None where only one is labelled.

        Returns:
            A row for each anchor, in the order of their weight, with its `frame`, its label and the weight of it
            (`valence`, `arousal`, `valence_weight`, `arousal_weight`) and the product of both (`valence_part`,
            `arousal_part`), and a last row without a frame: what the model's predictions add. The parts sum to the
            label, before it is cut to the range.

        Raises:
            MtclarError: The frame has no label, or several.
        """
        import pandas as pd

        row = self.row_of(frame, track)
        weights = self.weights[row].astype(np.float64)
        parts = weights * self.given
        order = np.argsort(-np.abs(weights).sum(axis=1), kind="stable")
        rest = self.values[row] - parts.sum(axis=0)
        found = {"frame": [*self.anchors[order].tolist(), None]}
        for d, name in enumerate(("valence", "arousal")):
            found[name] = [*self.given[order, d], np.nan]
            found[f"{name}_weight"] = [*weights[order, d], np.nan]
            found[f"{name}_part"] = [*parts[order, d], rest[d]]
        return pd.DataFrame(found).astype({"frame": "Int64"})

    def width(self, frame: int, track: int | None = None) -> pd.DataFrame:
        """What makes the band of a frame as wide as it is.

        Args:
            frame: The frame.
            track: As in `why`.

        Returns:
            A row for each of `mtclar.labelling.why.CAUSES` with the variance it adds and its share (`valence`,
            `arousal`, `valence_share`, `arousal_share`). The variances sum to `sd` squared.

        Raises:
            MtclarError: As `why`; or the frame is an anchor, whose label is given.
        """
        import pandas as pd

        from mtclar.labelling.why import CAUSES, width

        row = self.row_of(frame, track)
        if self.fitted is None or self.source[row] == "anchor":
            what = "it is an anchor, so its label is given" if self.fitted is not None else "it was not made here"
            raise MtclarError(f"the band of frame {frame} cannot be explained: {what}.")
        at = np.array([row])
        found = width(self.fitted.posteriors, (self.fitted.places(at, 0), self.fitted.places(at, 1)))
        parts = {
            f"{name}{end}": values[:, d]
            for end, values in (("", found.parts), ("_share", found.share))
            for d, name in enumerate(("valence", "arousal"))
        }
        return pd.DataFrame({"cause": list(CAUSES), **parts})

    def row_of(self, frame: int, track: int | None = None) -> int:
        """The row of the one label that a frame has, or that a track of it has.

        Raises:
            MtclarError: The frame has no label, or several.
        """
        rows = np.flatnonzero((self.frame == frame) & ((self.track == track) if track is not None else True))
        labelled = rows[np.isfinite(self.values[rows]).all(axis=1)]
        if len(labelled) != 1:
            what = "several faces are labelled; name one by its track" if len(labelled) else "it has no label"
            raise MtclarError(f"the label of frame {frame} cannot be explained: {what}.")
        return int(labelled[0])

    def columns(self, video_id: str = "") -> dict[str, np.ndarray]:
        """The columns of `mtclar.data.tables.LABELS`, (n,) each."""
        track = self.track.astype(object)
        track[self.track < 0] = None
        used = self._anchor_ids()
        return {
            "video_id": np.full(len(self), video_id, object),
            "track_id": track,
            "person_id": self.person,
            "frame": self.frame,
            "pts": self.pts,
            "time_s": self.time_s,
            "valence": self.values[:, 0],
            "arousal": self.values[:, 1],
            "valence_lo": self.low[:, 0],
            "valence_hi": self.high[:, 0],
            "arousal_lo": self.low[:, 1],
            "arousal_hi": self.high[:, 1],
            "confidence": self.confidence,
            "source": self.source,
            "status": self.status,
            "anchor_ids": np.array(used, object),
            "face_x": self.box[:, 0],
            "face_y": self.box[:, 1],
            "face_w": self.box[:, 2],
            "face_h": self.box[:, 3],
            "face_score": self.score,
            "quality": self.quality,
            "shot_id": self.shot,
        }

    def _anchor_ids(self) -> list[str]:
        """The frames of the anchors that carry weight in each row, separated by spaces."""
        names, found = [str(frame) for frame in self.anchors.tolist()], []
        for start in range(0, len(self), _ROWS):
            order, count = _named(self.weights[start : start + _ROWS])
            found += [
                " ".join([names[k] for k in own[:some]])
                for own, some in zip(order.tolist(), count.tolist(), strict=True)
            ]
        return found

    def to_pandas(self, video_id: str = "") -> pd.DataFrame:
        """The labels as a table with the columns of `mtclar.data.tables.LABELS`."""
        import pandas as pd

        return pd.DataFrame(self.columns(video_id)).astype({"track_id": "Int64"})

    def plot(self, track: int | None = None, *, width_in: float = 7.0, height_in: float = 3.6) -> Figure:
        """Draws valence and arousal over time with their band, anchors and cuts, fit to be printed.

        Args:
            track: Which face, where several are labelled; None for the only one.
            width_in, height_in: Of the figure, in inches.

        Returns:
            A matplotlib figure: `labels.plot().savefig("labels.pdf")` writes it, a notebook shows it.

        Raises:
            MtclarError: Several faces are labelled and `track` names none, or one that is not there.
        """
        from mtclar.labelling.drawing import figure_of

        rows = np.arange(len(self)) if track is None else np.flatnonzero(self.track == track)
        if not len(rows) or len(np.unique(self.frame[rows])) < len(rows):
            there = ", ".join(str(number) for number in np.unique(self.track).tolist() if number >= 0)
            raise MtclarError(f"expected the track of one face to draw, got {track}; labelled are the tracks {there}.")
        columns = {name: values[rows] for name, values in self.columns().items()}
        return figure_of(columns, width_in=width_in, height_in=height_in)


def _named(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The anchors that carry weight in some rows, see `NAMED_SHARE`.

    Args:
        weights: float32 (n, k, 2).

    Returns:
        int (n, k), positions of the anchors, those that carry weight first and of them the heaviest; and (n,), how many
        they are.
    """
    size = np.abs(weights)
    least = np.maximum(NAMED_SHARE * size.max(axis=1, keepdims=True, initial=0.0), USED_SHARE)
    carries = (size >= least).any(axis=2)
    order = np.argsort(np.where(carries, -size.sum(axis=2), 1.0), axis=1, kind="stable")
    return order, carries.sum(axis=1)
