"""Whom of the people in a video a label is of: the subject, and the track that an anchor means.

A track is one person through one shot, so the subject of a video is a choice of tracks, one at a time. Everything here
follows from the arrays of `Features` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtclar.data.anchors import Anchor, Anchors, Clock, VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features.table import Features

Ints = NDArray[np.int64]

NOBODY = -1
"""The track of a frame on which nobody is meant."""
RULES = ("auto", "largest", "central", "track N", "all")
"""What `label.subject` may be; `auto` is `largest`, but an anchor on a frame with several people has to say of whom."""
COMPARABLE = 0.5
"""Least median area of a face over that of the face before it in a shot for it to be labelled in its absence."""
LISTED = 6
"""Tracks that are named in a sentence, at most."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One person who is labelled, in a video of n frames.

    Attributes:
        tracks: Ascending.
        track: int64 (n,), the track that is meant on each frame; where its face is away, the track it was before or
            will be. `NOBODY` in shots that show none of `tracks`.
    """

    tracks: tuple[int, ...]
    track: Ints


def subjects(features: Features, rule: str) -> list[Subject]:
    """The people who are labelled.

    `largest` and `central` choose in every shot the track with the greatest sum over its frames, of the area of its
    face or of how near its middle is to the picture's; while it is away, another that is comparable in size stands in
    for it, so that a face that comes back as a new track goes on being labelled. `track N` is the person of that track,
    in other shots too where people are known by name. `all` is everybody, those with a name as one.

    Args:
        features: Of the video.
        rule: `label.subject`, one of `RULES`.

    Returns:
        One subject; with `all` as many as there are people, by their first track.

    Raises:
        MtclarError: The rule is not known, or there is no such track.
    """
    spans = _spans(features)
    if rule == "all":
        named: dict[object, list[int]] = {}
        for track in spans:
            named.setdefault(features.person.get(track, track), []).append(track)
        return [_subject(features, spans, tracks) for tracks in named.values()]
    if rule in ("auto", "largest", "central"):
        worth = _worth(features, spans, "central" if rule == "central" else "largest")
        shots: dict[int, list[int]] = {}
        for track, span in spans.items():
            shots.setdefault(span.shot, []).append(track)
        chosen = [track for own in shots.values() for track in _in_turn(features, spans, own, worth)]
        return [_subject(features, spans, chosen)]
    return [_subject(features, spans, _person_of(features, spans, rule))]


def choice_notes(features: Features, rule: str) -> tuple[str, ...]:
    """What a reader should know of a choice: none where nobody else could have been meant.

    Raises:
        MtclarError: As `subjects`.
    """
    if rule == "all":
        return ()
    spans, chosen = _spans(features), subjects(features, rule)[0]
    several = int((np.bincount(features.faces.frame, minlength=1) > 1).sum())
    left = [track for track in spans if track not in chosen.tracks]
    notes = []
    if left:
        kind = {"auto": "The largest face of each shot", "largest": "The largest face of each shot"}
        who = kind.get(rule, "The most central face of each shot" if rule == "central" else "One person")
        notes.append(
            f"There is more than one person to choose from: {several} of {len(features)} frames show several faces, "
            f"and the video has {len(spans)} tracks. {who} is labelled ({_named(chosen.tracks)}), not {_named(left)}; "
            "choose otherwise with --subject largest, central, 'track N' or all."
        )
    if rule in ("auto", "largest", "central"):
        shots = [spans[track].shot for track in chosen.tracks]
        followed = sorted({shot for shot in shots if shots.count(shot) > 1})
        notes += [
            f"In shot {shot} {_named([t for t in chosen.tracks if spans[t].shot == shot])} follow one another and are "
            "labelled as one subject."
            for shot in followed[:LISTED]
        ]
    return tuple(notes)


def place_anchors(
    features: Features, anchors: Anchors, video_id: str, rule: str, clock: Clock = "video"
) -> VideoAnchors:
    """Lays the rows of an anchors file on the frames and tracks of a video; those of one face are put together.

    A row that names a person means that person's track on its frame, where people are known by name; else see `Meant`.

    Args:
        features: Of the video.
        anchors: As `Anchors.match` left them.
        video_id: Of the video.
        rule: `label.subject`, one of `RULES`.
        clock: From where the anchors' times count.

    Returns:
        The anchors, each with its track, no two of one face and frame.

    Raises:
        MtclarError: As `Anchors.on_frames` and `Meant`, with the line of the file.
    """
    meant = Meant(features, rule)

    def resolve(row: Anchor, frame: int) -> int:
        try:
            return meant(frame, row.track_id, row.face_xy, row.person_id)
        except MtclarError as error:
            raise anchors.error(row.line, str(error).rstrip(".")) from error

    offset_s = float(features.video.get("media_offset_s", 0.0))
    return anchors.on_frames(video_id, features.time_s, offset_s, clock, resolve)


class Meant:
    """Says which track an anchor means.

    Example:
        meant = Meant(features, settings.label.subject)
        track = meant(37, None, (120.0, 80.0))
    """

    def __init__(self, features: Features, rule: str) -> None:
        """`rule`: `label.subject`."""
        self._features, self._rule = features, rule
        self._subjects = subjects(features, rule)
        self._spans = _spans(features)
        self._rows: dict[int, list[int]] = {}
        for row, frame in enumerate(features.faces.frame.tolist()):
            self._rows.setdefault(frame, []).append(row)

    def __call__(self, frame: int, track: int | None, face_xy: tuple[float, float] | None, person: str = "") -> int:
        """The track of an anchor.

        One that names a track means it. One that gives a point means the face around it. One that names a person means
        that person's only face on the frame, if one is known to be. One that gives neither means
        the only face of its frame; of several the subject's, if it is said who that is. On a frame without a face it
        means the subject.

        Args:
            frame: Of the anchor.
            track: The track it names, if any.
            face_xy: A point in pixels of the displayed frame, if it gives one.
            person: The person it names, if any.

        Returns:
            The track; `NOBODY` on a frame without a face in a shot without the subject.

        Raises:
            MtclarError: There is no such track, or it is in another shot; no face lies around the point; or the frame
                shows several people, and which of them is meant is not said.
        """
        rows = self._rows.get(frame, [])
        if track is not None:
            return self._named(frame, track)
        if face_xy is not None:
            return self._around(frame, rows, face_xy)
        own = [int(subject.track[frame]) for subject in self._subjects if subject.track[frame] != NOBODY]
        shown = {int(self._features.faces.track[row]) for row in rows}
        of_person = [track for track in shown if person and self._features.person.get(track) == person]
        if len(of_person) == 1:
            return of_person[0]
        if len(shown) == 1:
            return shown.pop()
        if len(shown) > 1:
            mine = shown.intersection(own)
            if len(mine) == 1 and self._rule not in ("auto", "all"):
                return mine.pop()
            raise MtclarError(
                f"the anchor on frame {frame} does not say of whom it is, and the frame shows {self._listed(rows)}; "
                "give its track_id or a point on the face (face_x, face_y), or choose with --subject whose labels "
                "are meant."
            )
        if len(own) > 1:
            raise MtclarError(
                f"the anchor on frame {frame} does not say of whom it is, and no face was found on the frame; give its "
                f"track_id ({_named(own)})."
            )
        return own[0] if own else NOBODY

    def _named(self, frame: int, track: int) -> int:
        if track not in self._spans:
            raise MtclarError(
                f"the anchor on frame {frame} is of track {track}, but the video has {_named(list(self._spans))}."
            )
        shot = self._features.shot
        if shot[frame] != self._spans[track].shot:
            its = np.flatnonzero(shot == self._spans[track].shot)
            rows = self._rows.get(frame, [])
            raise MtclarError(
                f"the anchor on frame {frame} is of track {track}, which ends with its shot (frames {its[0]} to "
                f"{its[-1]}); the frame shows {self._listed(rows)}."
            )
        return track

    def _around(self, frame: int, rows: Sequence[int], face_xy: tuple[float, float]) -> int:
        """The track whose face lies around a point, on this frame or, if it is away just now, nearest to it in time."""
        faces, (x, y) = self._features.faces, face_xy
        seen = {int(faces.track[row]) for row in rows}
        nearest = [
            span.first + int(np.abs(faces.frame[span.first : span.end] - frame).argmin())
            for track, span in self._spans.items()
            if track not in seen
            and span.shot == self._features.shot[frame]
            and faces.frame[span.first] <= frame <= faces.frame[span.end - 1]
        ]
        for candidates in (list(rows), nearest):
            box = faces.box[candidates].astype(float)
            away = np.abs((box[:, :2] + box[:, 2:] / 2 - (x, y)) / np.maximum(box[:, 2:], 1e-9)).max(1, initial=0)
            if len(away) and away.min() <= 0.5:
                return int(faces.track[candidates[int(away.argmin())]])
        raise MtclarError(
            f"the point ({x:g}, {y:g}) of the anchor on frame {frame} lies on no face; the frame shows "
            f"{self._listed(rows)}."
        )

    def _listed(self, rows: Sequence[int]) -> str:
        """Tracks on a frame, each with the middle of its face."""
        faces = self._features.faces
        middle = faces.box[list(rows), :2] + faces.box[list(rows), 2:] / 2
        listed = [
            f"track {faces.track[row]} at ({x:.0f}, {y:.0f})"
            for row, (x, y) in zip(rows[:LISTED], middle, strict=False)
        ]
        return _joined(listed + [f"{len(rows) - LISTED} more"] * (len(rows) > LISTED)) or "no face"


@dataclass(frozen=True)
class _Span:
    """Where a track is: its rows in `Faces`, from `first` to before `end`, and its shot."""

    first: int
    end: int
    shot: int


def _spans(features: Features) -> dict[int, _Span]:
    """The tracks, ascending."""
    tracks, first = np.unique(features.faces.track, return_index=True)
    ends = np.append(first, len(features.faces))[1:]
    shots = features.shot[features.faces.frame[first]]
    return {
        track: _Span(*values)
        for track, *values in zip(tracks.tolist(), first.tolist(), ends.tolist(), shots.tolist(), strict=True)
    }


def _subject(features: Features, spans: dict[int, _Span], tracks: Sequence[int]) -> Subject:
    faces, meant = features.faces, np.full(len(features), NOBODY, np.int64)
    area = {track: _area(features, spans[track]) for track in tracks}
    for track in sorted(tracks, key=lambda track: area[track]):  # of two that are seen at once, the larger
        own = faces.frame[spans[track].first : spans[track].end]
        meant[own] = track
    for shot in {spans[track].shot for track in tracks}:
        frames = np.flatnonzero(features.shot == shot)
        known = np.flatnonzero(meant[frames] != NOBODY)
        before = np.searchsorted(known, np.arange(len(frames)), side="right") - 1
        meant[frames] = meant[frames][known[np.maximum(before, 0)]]
    return Subject(tuple(sorted(tracks)), meant)


def _area(features: Features, span: _Span) -> float:
    """Median area of the face box of a track, in square pixels."""
    return float(np.median(features.faces.box[span.first : span.end, 2:].astype(float).prod(1)))


def _worth(features: Features, spans: dict[int, _Span], rule: str) -> dict[int, float]:
    """What the choice goes by, of each track."""
    box = features.faces.box.astype(float)
    if rule == "largest":
        value = box[:, 2] * box[:, 3]
    else:
        size = np.array([features.video["width"], features.video["height"]], float)
        away = np.linalg.norm(box[:, :2] + box[:, 2:] / 2 - size / 2, axis=1)
        value = np.maximum(1 - away / (np.linalg.norm(size) / 2), 0)
    return {track: float(value[span.first : span.end].sum()) for track, span in spans.items()}


def _in_turn(features: Features, spans: dict[int, _Span], tracks: Sequence[int], worth: dict[int, float]) -> list[int]:
    """The foremost track of a shot, and those that stand in for it while it is away."""
    first, *others = sorted(tracks, key=lambda track: (-worth[track], track))
    faces, chosen = features.faces, [first]
    taken = set(faces.frame[spans[first].first : spans[first].end].tolist())
    least = COMPARABLE * _area(features, spans[first])
    for track in others:
        own = set(faces.frame[spans[track].first : spans[track].end].tolist())
        names = {features.person.get(t) for t in (first, track)}
        alike = len(names) == 1 if None not in names else _area(features, spans[track]) >= least
        if alike and not own & taken:
            chosen.append(track)
            taken |= own
    return chosen


def _person_of(features: Features, spans: dict[int, _Span], rule: str) -> list[int]:
    """The tracks of the person of `track N`."""
    kind, _, number = rule.partition(" ")
    if kind != "track" or not number.isdecimal():
        raise MtclarError(f"label.subject is '{rule}', but it is one of {_joined(RULES, 'or')}.")
    if int(number) not in spans:
        raise MtclarError(f"label.subject is '{rule}', but the video has {_named(list(spans))}.")
    name = features.person.get(int(number))
    return [t for t in spans if t == int(number) or (name is not None and features.person.get(t) == name)]


def _named(tracks: Sequence[int]) -> str:
    """Tracks in words."""
    if not tracks:
        return "no track"
    some = [str(track) for track in tracks[:LISTED]]
    more = [f"{len(tracks) - LISTED} more"] * (len(tracks) > LISTED)
    return f"track{'s' * (len(tracks) > 1)} {_joined(some + more)}"


def _joined(words: Sequence[str], last: str = "and") -> str:
    """Words as an enumeration."""
    return ", ".join(words) if len(words) < 2 else f"{', '.join(words[:-1])} {last} {words[-1]}"
