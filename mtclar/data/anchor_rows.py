"""The rows of an anchors file, and how they are laid on the frames of their videos."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from mtclar.errors import MtclarError, nearest
from mtclar.video.find import VIDEO_SUFFIXES

_LISTED = 8


@dataclass(frozen=True)
class Anchor:
    """One line of an anchors file; what it does not give is None or empty, but of `frame` and `time_s` one is given."""

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


@dataclass(frozen=True)
class VideoAnchors:
    """The anchors of one video, one a frame and face, in the order of the frames.

    Attributes:
        frames: int64 (k,), 0-based.
        labels: float64 (k, 2): valence and arousal in [-1, 1].
        weights: float64 (k,), > 0.
        own: bool (k,), whether an anchor is of the face that is followed.
        notes: What was decided on the way, one sentence each.
    """

    frames: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    own: np.ndarray
    notes: tuple[str, ...]

    @classmethod
    def none(cls) -> VideoAnchors:
        """No anchors."""
        return cls(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0), np.empty(0, bool), ())


@dataclass(frozen=True)
class Anchors:
    """The rows of an anchors file, checked; `notes` says what was decided while reading."""

    path: Path
    rows: tuple[Anchor, ...]
    notes: tuple[str, ...] = ()

    def match(self, video_ids: Iterable[str]) -> Anchors:
        """The same anchors by the ids of known videos; a suffix that only the file gives (`clip.mp4`) is dropped.

        Raises:
            MtclarError: A row names a video that is not among them.
        """
        known = sorted(set(video_ids))
        rows = []
        for row in self.rows:
            name = next((name for name in (row.video_id, _bare(row.video_id)) if name in known), None)
            if name is None:
                close = difflib.get_close_matches(row.video_id, known, n=_LISTED) or known[:_LISTED]
                raise self._error(row.line, f"unknown video '{row.video_id}'{nearest(row.video_id, close)}")
            rows.append(replace(row, video_id=name))
        return replace(self, rows=tuple(rows))

    def of(self, video_id: str) -> tuple[Anchor, ...]:
        """The rows of one video."""
        return tuple(row for row in self.rows if row.video_id == video_id)

    def on_frames(self, video_id: str, times_s: np.ndarray) -> VideoAnchors:
        """Lays the anchors of one video on its frames; a time means the frame displayed nearest to it.

        Several annotators of one face are averaged by their weights, which are added up.

        Args:
            video_id: An id as `match` left it.
            times_s: Times of the video's frames in seconds (n,), ascending.

        Raises:
            MtclarError: The video has no anchor, one lies beyond its end, or two contradict each other.
        """
        rows = self.of(video_id)
        if not rows:
            raise MtclarError(f"{self.path}: no anchors for the video '{video_id}'; add at least one line for it.")
        placed = [replace(row, frame=self._frame(row, times_s)) for row in rows]
        foreign = self.foreign(video_id)
        notes: list[str] = []
        frames, labels, weights, own = [], [], [], []
        faces: dict[tuple[int, bool, int, str], list[Anchor]] = {}
        for row in placed:
            strange = row.line in foreign
            who = (row.track_id or 0, row.person_id) if strange else (0, "")
            faces.setdefault((int(row.frame or 0), strange, *who), []).append(row)
        for (frame, strange, *_), rows_of in sorted(faces.items()):
            here = self.agreed(rows_of)
            if len(here) > 1:
                notes.append(f"frame {frame}: the labels of {len(here)} annotators were averaged")
            share = np.array([row.weight for row in here])
            frames.append(frame)
            labels.append(np.average([(row.valence, row.arousal) for row in here], axis=0, weights=share))
            weights.append(share.sum())
            own.append(not strange)
        return VideoAnchors(
            np.array(frames, np.int64), np.array(labels), np.array(weights), np.array(own, bool), tuple(notes)
        )

    def foreign(self, video_id: str) -> dict[int, str]:
        """The lines whose anchors are of another face than the one followed, each with why, as far as the file tells.

        One face of a video is followed: track 0. Who that is, is said by the first line of that track that names a
        person.
        """
        rows = self.of(video_id)
        named = next((row for row in rows if row.person_id and not row.track_id), None)
        found = {}
        for row in rows:
            if row.track_id:
                found[row.line] = f"belongs to track {row.track_id}, but the face followed in '{video_id}' is track 0"
            elif named is not None and row.person_id not in ("", named.person_id):
                found[row.line] = (
                    f"shows '{row.person_id}', but the face followed in '{video_id}' is of '{named.person_id}' "
                    f"(line {named.line})"
                )
        return found

    def refuse_foreign(self, video_id: str) -> None:
        """Refuses anchors of another face than the one followed.

        Raises:
            MtclarError: There is one; says which line.
        """
        for line, why in self.foreign(video_id).items():
            raise self._error(line, f"{why}; take the line out, or let label.foreign_anchors be flag or allow")

    def _frame(self, row: Anchor, times_s: np.ndarray) -> int:
        """The frame of one row, checked against the length of the video."""
        n, end_s = len(times_s), float(times_s[-1])
        if row.frame is not None:
            if row.frame >= n:
                raise self._error(
                    row.line, f"frame {row.frame} is out of range, '{row.video_id}' has {n} frames (0 to {n - 1})"
                )
            return row.frame
        interval = end_s / (n - 1) if n > 1 else 0.0
        time_s = float(row.time_s or 0)
        if time_s > end_s + interval:
            raise self._error(
                row.line, f"time {time_s:g} s is out of range, '{row.video_id}' ends at {end_s:.3f} s ({n} frames)"
            )
        return int(np.argmin(np.abs(times_s - time_s)))

    def agreed(self, rows: Sequence[Anchor]) -> list[Anchor]:
        """One row an annotator of the rows of one frame; those that say the same twice count once.

        Raises:
            MtclarError: An annotator contradicts their own label.
        """
        kept: dict[str, Anchor] = {}
        for row in rows:
            other = kept.setdefault(row.annotator, row)
            if (row.valence, row.arousal) != (other.valence, other.arousal):
                raise self._error(
                    row.line,
                    f"contradicts line {other.line}, which labels the same frame of '{row.video_id}' "
                    f"({other.valence:g}, {other.arousal:g}) instead of ({row.valence:g}, {row.arousal:g}); keep one",
                )
        return list(kept.values())

    def _error(self, line: int, what: str) -> MtclarError:
        return MtclarError(f"{self.path}, line {line}: {what}.")


def _bare(video_id: str) -> str:
    path = PurePath(video_id)
    return path.with_suffix("").as_posix() if path.suffix.lower() in VIDEO_SUFFIXES else video_id
