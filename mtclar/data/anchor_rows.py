"""The rows of an anchors file: of which video they are, and how they are laid on its frames."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mtclar.data.annotators import (
    Anchor,
    VideoAnchors,
    given_errors,
    labels_of,
    one_each,
    said_of_annotators,
    said_of_times,
    standard_errors,
    weights_of,
)
from mtclar.data.video_names import Found, VideoNames, plain_path
from mtclar.errors import MtclarError, counted, nearest

Clock = Literal["video", "media"]
"""From where times count: from the first displayed frame, or from the start of the file as a player shows it."""
CLOCKS: tuple[Clock, ...] = ("video", "media")

_LISTED = 5


@dataclass(frozen=True)
class Anchors:
    """The rows of an anchors file, checked; `notes` says what was decided while reading."""

    path: Path
    rows: tuple[Anchor, ...]
    notes: tuple[str, ...] = ()
    foreign_letters: bool = False

    def match(self, videos: Iterable[str] | Mapping[Path, str]) -> Anchors:
        """The same anchors by the ids of the videos at hand; rows of other videos are left out, and that is said.

        Args:
            videos: Their ids, or the ids by path, as `mtclar.video.video_ids` gives them: folders are then compared.

        Raises:
            MtclarError: No row is of any of them, or it is not clear which is meant.
        """
        names = VideoNames(videos)
        first_line: dict[str, int] = {}
        for row in self.rows:
            first_line.setdefault(row.video_id, row.line)
        found = {name: names.find(name, foreign_letters=self.foreign_letters) for name in first_line}
        meant = self._closest(found, first_line)
        if not meant:
            name = next(iter(first_line))
            close = difflib.get_close_matches(name, names.ids, n=_LISTED) or names.ids[:_LISTED]
            more = (
                f", nor is any of {counted(len(found) - 1, 'other video')} that it names at hand"
                if len(found) > 1
                else ""
            )
            raise self.error(first_line[name], f"unknown video '{name}'{nearest(name, close)}{more}")
        kept = tuple(replace(row, video_id=meant[row.video_id]) for row in self.rows if row.video_id in meant)
        others = [name for name in first_line if name not in meant]
        notes = self.notes
        if others:
            count = len(self.rows) - len(kept)
            listed = ", ".join(f"'{name}'" for name in others[:_LISTED]) + ", ..." * (len(others) > _LISTED)
            of_others = f"{counted(count, 'row')} of {self.path.name} on {counted(len(others), 'other video')}"
            notes += (f"left out {of_others} ({listed})",)
        return replace(self, rows=kept, notes=notes)

    def _closest(self, found: Mapping[str, Found], first_line: Mapping[str, int]) -> dict[str, str]:
        """The video that each name means; those that fit none, or one that another name fits better, are left out.

        Raises:
            MtclarError: A name fits several videos, or two that differ fit one, neither of them better.
        """

        def rank(name: str) -> float:
            return found[name].shared or np.inf

        best: dict[str, float] = {}
        for name, fits in found.items():
            for video in fits.videos:
                best[video] = max(best.get(video, 0), rank(name))
        meant: dict[str, str] = {}
        by_path: dict[str, str] = {}
        for name, fits in found.items():
            videos = [video for video in fits.videos if rank(name) == best[video]]
            if len(videos) > 1:
                either = " or ".join(f"'{video}'" for video in videos[:_LISTED])
                raise self.error(first_line[name], f"'{name}' may be {either}; write its folder, or its ending, too")
            if not videos:
                continue
            meant[name] = videos[0]
            if fits.shared:
                other = by_path.setdefault(videos[0], name)
                if plain_path(name) != plain_path(other):
                    raise self.error(
                        first_line[name],
                        f"'{name}' and '{other}' of line {first_line[other]} may both be the video '{videos[0]}'; "
                        "write one name for it, or take the lines of the other out",
                    )
        return meant

    def of(self, video_id: str) -> tuple[Anchor, ...]:
        """The rows of one video."""
        return tuple(row for row in self.rows if row.video_id == video_id)

    def on_frames(
        self,
        video_id: str,
        times_s: np.ndarray,
        media_offset_s: float = 0.0,
        clock: Clock = "video",
        resolve: Callable[[Anchor, int], int] | None = None,
    ) -> VideoAnchors:
        """Lays the anchors of one video on its frames; a time means the frame displayed nearest to it.

        Several annotators of one face are averaged by their weights, which are added up, and so are several times of
        one annotator that fall on one frame, which count as one.

        Args:
            video_id: An id as `match` left it.
            times_s: Times of the video's frames in seconds (n,), ascending, from the first displayed one.
            media_offset_s: What the file's own clock shows at the first displayed frame.
            clock: Which clock the anchors' times are of.
            resolve: Which track an anchor on a frame is of, once the faces of the video are known; it may raise
                `error`. Without it the track is the one the anchor names, anchors of one frame that name different
                points or tracks are of different faces, and `own` says which are of the face followed.

        Returns:
            The anchors; none where the file holds no row of the video.

        Raises:
            MtclarError: One lies before the beginning or beyond the end, or two contradict each other.
        """
        rows = self.of(video_id)
        if not rows:
            return VideoAnchors.none(f"{self.path.name} holds no anchor of '{video_id}'")
        frames, notes = self._frames(rows, np.asarray(times_s, float), media_offset_s, clock)
        foreign = {} if resolve else self.foreign(video_id)
        faces: dict[tuple[Any, ...], list[Anchor]] = {}
        for row, frame in zip(rows, frames, strict=True):
            strange = row.line in foreign
            if resolve:
                key: tuple[Any, ...] = (frame, strange, resolve(row, frame), "", ())
            else:
                track = -1 if row.track_id is None else row.track_id
                key = (frame, strange, track, row.person_id if strange else "", row.face_xy or ())
            faces.setdefault(key, []).append(row)
        order = sorted(faces)
        groups = [self.agreed(faces[key]) for key in order]
        notes += said_of_times(groups)
        judged = [one_each(group) for group in groups]
        notes += said_of_annotators(judged)
        noise = standard_errors([(labels_of(group), weights_of(group)) for group in judged])
        return VideoAnchors(
            frames=np.array([key[0] for key in order], np.int64),
            labels=np.array([np.average(labels_of(group), axis=0, weights=weights_of(group)) for group in judged]),
            weights=np.array([weights_of(group).sum() for group in judged]),
            own=np.array([not key[1] for key in order]),
            notes=tuple(notes),
            track=np.array([key[2] for key in order], np.int64),
            noise=np.hypot(noise, given_errors(judged)),
            face_xy=np.array([group[0].face_xy or (np.nan, np.nan) for group in judged], float),
            person=np.array([next((row.person_id for row in group if row.person_id), "") for group in judged], object),
            lines=np.array([min(row.line for row in faces[key]) for key in order], np.int64),
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

    def agreed(self, rows: Sequence[Anchor]) -> list[Anchor]:
        """The rows of one face and frame without those that say the same twice.

        Several labels of one annotator stay only where they are of different times.

        Raises:
            MtclarError: An annotator contradicts their own label.
        """
        kept: list[Anchor] = []
        for row in rows:
            twin = False
            for other in kept:
                if other.annotator != row.annotator:
                    continue
                same = (row.valence, row.arousal) == (other.valence, other.arousal)
                moments = row.frame is None and other.frame is None and row.time_s != other.time_s
                if not same and not moments:
                    who = f"'{row.annotator}' only once" if row.annotator else "one, or say who rated it in a column "
                    who += "" if row.annotator else "'annotator', so that the labels are averaged"
                    raise self.error(
                        row.line,
                        f"contradicts line {other.line}, which labels the same frame of '{row.video_id}' "
                        f"({other.valence:g}, {other.arousal:g}) instead of ({row.valence:g}, {row.arousal:g}); keep "
                        f"{who}",
                    )
                twin |= same and not moments
            if not twin:
                kept.append(row)
        return kept

    def error(self, line: int, what: str) -> MtclarError:
        """What is wrong with a line, in one sentence."""
        return MtclarError(f"{self.path}, line {line}: {what}." if line else f"{self.path}: {what}.")

    def _frames(
        self, rows: Sequence[Anchor], times_s: np.ndarray, media_offset_s: float, clock: Clock
    ) -> tuple[list[int], list[str]]:
        """The frame of each row, checked against the length of the video, and what is to be said of it."""
        n, end_s = len(times_s), float(times_s[-1])
        interval = float(np.median(np.diff(times_s))) if n > 1 else 0.0
        offset = media_offset_s if clock == "media" else 0.0
        frames: list[int] = []
        far: list[tuple[float, Anchor, int]] = []  # how far from the time that was asked for
        apart: list[tuple[float, Anchor]] = []  # how far the time of a row is from its frame
        for row in rows:
            if row.frame is not None and row.frame >= n:
                raise self.error(
                    row.line,
                    f"frame {row.frame} is out of range, '{row.video_id}' has {counted(n, 'frame')} (0 to {n - 1})",
                )
            if row.frame is not None:
                frames.append(row.frame)
                if row.time_s is not None:
                    apart.append((abs(row.time_s - offset - float(times_s[row.frame])), row))
                continue
            time_s = float(row.time_s or 0) - offset
            if time_s < -interval / 2 - 1e-6:
                raise self.error(
                    row.line,
                    f"time {row.time_s:g} s lies before the first frame, which '{row.video_id}' shows at "
                    f"{offset:g} s by its own clock",
                )
            if time_s > end_s + interval + 1e-6:
                ends = end_s + offset
                raise self.error(
                    row.line,
                    f"time {row.time_s:g} s is out of range, '{row.video_id}' ends at {ends:.3f} s ({n} frames)"
                    f"{_other_unit(float(row.time_s or 0), ends + interval)}",
                )
            after = int(np.clip(np.searchsorted(times_s, time_s), 1, n - 1)) if n > 1 else 0
            nearer = after - 1 if after and time_s - times_s[after - 1] <= times_s[after] - time_s else after
            frames.append(nearer)
            far.append((abs(time_s - float(times_s[nearer])), row, nearer))
        return frames, self._clock_notes(far, apart, interval, media_offset_s, clock, times_s)

    def _clock_notes(
        self,
        far: Sequence[tuple[float, Anchor, int]],
        apart: Sequence[tuple[float, Anchor]],
        interval: float,
        media_offset_s: float,
        clock: Clock,
        times_s: np.ndarray,
    ) -> list[str]:
        """What is to be said of times that miss their frames."""
        notes = []
        least = interval / 2 + 1e-3  # times are often given to the millisecond
        if missed := [one for one in far if one[0] > least and interval]:
            distance, row, frame = max(missed, key=lambda one: one[0])
            notes.append(
                f"no frame lies within half a frame interval of {len(missed)} of {len(far)} anchor times: the largest "
                f"distance is {distance:.3f} s (line {row.line}: {row.time_s:g} s, frame {frame} at "
                f"{times_s[frame]:.3f} s)"
            )
        if wrong := [one for one in apart if one[0] > least]:
            distance, row = max(wrong, key=lambda one: one[0])
            notes.append(
                f"frame and time do not fit each other in {counted(len(wrong), 'anchor')}, by up to {distance:.3f} s "
                f"(line {row.line}); the frame was used: do frames count from 0, and times from the first frame?"
            )
        if clock == "video" and far and abs(media_offset_s) > least:
            notes.append(
                f"the first frame is shown at {media_offset_s:.3f} s by the file's own clock, and anchor times were "
                "taken from that frame on; if they are a player's, give --anchor-clock media"
            )
        return notes


def _other_unit(time_s: float, end_s: float) -> str:
    """What a time beyond the end may have been meant to be."""
    if time_s >= 3600 and time_s % 60 == 0 and time_s / 60 <= end_s:
        minutes = f"{int(time_s // 3600):02d}:{int(time_s // 60 % 60):02d}"
        return f"; spreadsheets take 1:30 for hours and minutes: if minutes and seconds are meant, write 00:{minutes}"
    if time_s >= 100 and time_s / 1000 <= end_s:
        return "; if the times are milliseconds, call their column time_ms"
    return ""
