"""Everybody through a video: faces found now and then, followed in between, told apart; one track a person and shot.

A quick detector looks at every k-th frame; in between, each face's mesh follows its own points from frame to frame.
Where a face is lost or doubtful the quick detector looks at that frame too, and where that one does not see it a
careful one does, which also looks every half second for faces that the quick one misses. What is found is given to the
tracks in two rounds, as in ByteTrack (Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection
Box", 2022): sure boxes first, then unsure ones to the tracks that are left. A track begins with a sure box, or with one
on which a mesh lies. A track that is lost is expected where its motion leads and known by the colours of its head; so
are two people whose paths cross. In the films of tests/faces/test_film.py two people keep their tracks; three who pass
each other all the time are mistaken now and then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from mtclar.faces.association import Look, assign, distance, look, unlike
from mtclar.faces.blaze import BlazeDetector
from mtclar.faces.centerface import CenterFaceDetector
from mtclar.faces.detect import Face, overlap
from mtclar.faces.finder import Finder, Found, Meshes, Picture, Proposes, turn_of, turned
from mtclar.faces.geometry import box_of_mesh
from mtclar.faces.identity import MEANING, FaceRecogniser, Identities
from mtclar.faces.mesh import Mesh, MeshModel
from mtclar.faces.models import PRESENT, SAME, THRESHOLDS
from mtclar.faces.steady import Steady

CLASH = 0.5
"""Overlap of the boxes of two tracks from which their meshes lie on one face."""
NEAR = 0.05
"""Overlap of the boxes of two tracks from which they may be mistaken for each other."""
JUMP = 0.3
"""Overlap of a mesh's box with the box that was expected below which it has slipped off."""
REACH, SPEED = 1.0, 4.0
"""`distance` from where it is expected at which a face can be one that is lost: at once, and more for each second."""
STRANGER = 0.65
"""`unlike` from which a face is another one than that which was lost."""
LIMIT = 0.7
"""Most that a box may cost a track: for one that is followed 1 - overlap, for a lost one half of `distance` over what
can be reached and half of `unlike`."""
ALIKE = 0.1
"""Two tracks are exchanged after their paths have crossed if that makes their looks fit better by this, in `unlike`."""
MOTION_S, MEASURED_S = 0.25, 0.1
"""Time constants: with which the speed of a lost face falls, and over which speed is measured."""
SEARCH_S = 0.5
"""The careful detector looks for new faces this often."""
UNSEEN_S = 2.0
"""A mesh that no detector has confirmed for so long is given up."""
LEAST_S, LEAST_FRAMES = 0.2, 3
"""Tracks that are seen for less time or on fewer frames are dropped in the end, unless their shot is as short."""
LEAST_SHARE = 0.5
"""A track is kept if meshes lie on this share of its frames, or detectors are sure of this share of its boxes.

Of 64 tracks in generated films, half of them darkened to a third and blurred, all are kept; of 6 on moving tiles of
faces in another order 2 are."""
MOST_FACES = 8
"""Faces that are followed at a time, the largest."""


class TrackSettings(Protocol):
    """What the tracker asks of the section `extract` of params.yaml."""

    @property
    def detect_every(self) -> int: ...

    @property
    def lost_after_s(self) -> float: ...

    @property
    def steady_s(self) -> float: ...

    @property
    def identity(self) -> bool: ...


@dataclass(frozen=True)
class Seen:
    """A face on a frame.

    Attributes:
        track: Number of its track, while the video is read; the final one comes from `Tracks`.
        face: The canonical box, steadied in time, in pixels of the displayed frame; its score is the detector's or,
            between detections, the mesh's.
        mesh: In pixels of the displayed frame; None where none could be laid.
        turn: Degrees clockwise, of 0, 90, 180 and 270, by which the displayed frame is to be turned for the face to
            stand upright.
    """

    track: int
    face: Face
    mesh: Mesh | None
    turn: int = 0

    def upright(self, crop: Picture) -> Picture:
        """The square crop of this face, turned so that it stands upright."""
        return turned(crop, self.turn)


@dataclass(frozen=True)
class Tracks:
    """What is known of the tracks once the video has been read.

    Attributes:
        number: The final number of each track that is kept, by the one of `Seen`; in the order of their first
            frames, on one frame the largest face first.
        notes: What a reader of the labels should know, one sentence each.
        person: Name of the person that a track shows, by the final number, where tracks are joined over cuts.
    """

    number: dict[int, int]
    notes: tuple[str, ...]
    person: dict[int, str] = field(default_factory=dict)


@dataclass(eq=False)
class _Track:
    """A person in the shot that is on; `seen_s` is when a detector has last confirmed it."""

    number: int
    face: Face
    mesh: Mesh | None
    turn: int
    time_s: float
    steady: Steady
    seen_s: float
    speed: tuple[float, float] = (0.0, 0.0)
    look: Look | None = None
    lost: bool = False

    def expected(self, time_s: float) -> Face:
        """Where its motion leads by a time."""
        far = MOTION_S * (1 - math.exp(-(time_s - self.time_s) / MOTION_S))
        return replace(self.face, x=self.face.x + self.speed[0] * far, y=self.face.y + self.speed[1] * far)

    def move(self, face: Face, mesh: Mesh | None, turn: int, time_s: float) -> None:
        """Takes where it is now."""
        past = time_s - self.time_s
        if past > 0:
            keep = math.exp(-past / MEASURED_S)
            across = face.x + face.w / 2 - self.face.x - self.face.w / 2
            down = face.y + face.h / 2 - self.face.y - self.face.h / 2
            self.speed = (
                keep * self.speed[0] + (1 - keep) * across / past,
                keep * self.speed[1] + (1 - keep) * down / past,
            )
        self.face, self.mesh, self.turn, self.time_s, self.lost = face, mesh, turn, time_s, False

    def resize(self, across: float, down: float) -> None:
        """Brings it to a picture that is so many times as wide and as high."""
        x, y, w, h = self.face.box
        self.face = replace(self.face, x=x * across, y=y * down, w=w * across, h=h * down)
        self.speed = self.speed[0] * across, self.speed[1] * down
        self.steady.resize(across, down)
        if self.mesh is not None:
            scale = np.array([across, down, math.sqrt(across * down)], np.float32)
            self.mesh = replace(self.mesh, points=self.mesh.points * scale)


@dataclass
class _Record:
    """What stays of a track: its shot, when it was seen, how it was turned at first, on how many frames it was seen and
    on how many of them with a mesh, how often a detector found it and how often one was sure of it."""

    shot: int
    first_s: float
    last_s: float
    turn: int = 0
    frames: int = 0
    meshes: int = 0
    found: int = 0
    sure: int = 0


@dataclass
class _Shot:
    """How long a shot is."""

    first_s: float
    last_s: float
    frames: int = 0


class Tracker:
    """Follows everybody through a video, whose frames must come in order.

    Example:
        tracker = open_tracker(settings.extract)
        for frame, new_shot in by_shot(video):
            for seen in tracker.push(frame.index, frame.time_s, frame.image, new_shot):
                crop = seen.upright(cut(frame.image, seen.face.box, spec))
        number = tracker.finish().number
    """

    def __init__(
        self,
        s: TrackSettings,
        quick: Proposes,
        careful: Proposes,
        meshes: Meshes,
        identities: Identities | None = None,
    ) -> None:
        """`quick` looks often, `careful` where it matters, `meshes` lays and follows the meshes; `identities` joins
        tracks over cuts."""
        self._s, self._finder, self._identities = s, Finder(quick, careful, meshes), identities
        self._tracks: list[_Track] = []
        self._records: list[_Record] = []
        self._shots: list[_Shot] = []
        self._near: set[frozenset[int]] = set()  # pairs that may have been mistaken since both were last told apart
        self._size = (0, 0)
        self._before_s = -math.inf  # time of the frame before
        self._detected = -s.detect_every  # the frame on which a detector has last looked
        self._search_s = -math.inf  # when the careful detector has to look for new faces
        self._crowded = 0

    @property
    def identity(self) -> dict[str, Any]:
        """What the tracks follow from besides the frames."""
        names = ("detect_every", "lost_after_s", "steady_s")
        people = {"people": self._identities.identity} if self._identities else {}
        return {**self._finder.identity, **people, **{name: getattr(self._s, name) for name in names}}

    def push(self, index: int, time_s: float, picture: Picture, new_shot: bool) -> list[Seen]:
        """Takes the next frame.

        Args:
            index: Of the frame.
            time_s: When it is shown.
            picture: uint8 RGB (h, w, 3), as displayed.
            new_shot: Whether it is the first of a shot; all tracks end before it.

        Returns:
            The faces seen on it, also those of tracks that will turn out to be too short.
        """
        self._resize(picture.shape[1], picture.shape[0])
        if new_shot or not self._shots:
            self._tracks, self._near, self._search_s = [], set(), -math.inf
            self._shots.append(_Shot(time_s, time_s))
        shot = self._shots[-1]
        shot.last_s, shot.frames = time_s, shot.frames + 1
        patience = self._s.lost_after_s
        self._tracks = [t for t in self._tracks if not t.lost or time_s - t.time_s <= patience]
        self._follow(picture, time_s)
        searching = time_s >= self._search_s
        doubt = bool(self._near) or any(self._just_lost(t) for t in self._tracks)
        if searching or doubt or index - self._detected >= self._s.detect_every:
            self._detected = index
            self._detect(picture, time_s, searching)
        self._before_s = time_s
        if self._identities:
            mistakable = self._mistakable()
            here = {t.number: None if t.number in mistakable else t.mesh for t in self._tracks if not t.lost}
            self._identities.take(here, picture, time_s)
        return [self._told(t, time_s) for t in self._tracks if not t.lost]

    def finish(self) -> Tracks:
        """Says which tracks are kept, and what should be known of them."""
        kept = [number for number, record in enumerate(self._records) if self._lasts(record)]
        number = {old: new for new, old in enumerate(kept)}
        lying = {record.turn: record.first_s for record in map(self._records.__getitem__, kept[::-1]) if record.turn}
        notes = [
            f"From {time_s:.1f} s on there are faces that do not stand upright; they are cut out turned by {turn} "
            "degrees clockwise."
            for turn, time_s in lying.items()
        ]
        if self._crowded:
            notes.append(
                f"{self._crowded} frames may show more than {MOST_FACES} faces; the {MOST_FACES} largest are followed."
            )
        if self._identities is None:
            return Tracks(number, tuple(notes))
        people = self._identities.people(kept)
        return Tracks(number, (*notes, MEANING), {number[old]: name for old, name in people.items()})

    def _resize(self, width: int, height: int) -> None:
        if self._size not in ((0, 0), (width, height)):
            for t in self._tracks:
                t.resize(width / self._size[0], height / self._size[1])
        self._size = (width, height)

    def _just_lost(self, t: _Track) -> bool:
        return t.lost and t.time_s >= self._before_s

    def _follow(self, picture: Picture, time_s: float) -> None:
        """Lets meshes follow their faces; what slips off its face, or onto that of another track, is lost."""
        followed = [t for t in self._tracks if not t.lost]
        for t in followed:
            t.lost = True
        meshed = [(t, t.mesh) for t in followed if t.mesh is not None and time_s - t.seen_s <= UNSEEN_S]
        sound = []
        for (t, _), mesh in zip(meshed, self._finder.follow(picture, [mesh for _, mesh in meshed]), strict=True):
            face = box_of_mesh(mesh)
            if mesh.presence >= PRESENT and overlap(face, t.expected(time_s)) >= JUMP and self._in(face):
                sound.append((t, mesh, face))
        slipped: set[int] = set()
        for (t, _, face), (other, _, its) in combinations(sound, 2):
            shared = overlap(face, its)
            if shared >= NEAR:
                self._near.add(frozenset((t.number, other.number)))
            if shared >= CLASH and not slipped & {t.number, other.number}:
                strange = [_strange(who, where, picture, time_s) for who, where in ((t, face), (other, its))]
                slipped.add(t.number if strange[0] > strange[1] else other.number)
        for t, mesh, face in sound:
            if t.number not in slipped:
                t.move(face, mesh, turn_of(mesh, t.turn), time_s)

    def _in(self, face: Face) -> bool:
        """Whether the middle of a face lies within the picture."""
        x, y = face.x + face.w / 2, face.y + face.h / 2
        return 0 <= x < self._size[0] and 0 <= y < self._size[1]

    def _within(self, face: Face) -> Face:
        """The face, its middle brought back into the picture: who leaves it comes back at its edge."""
        x, y = face.x + face.w / 2, face.y + face.h / 2
        x, y = min(max(x, 0.0), self._size[0]), min(max(y, 0.0), self._size[1])
        return replace(face, x=x - face.w / 2, y=y - face.h / 2)

    def _detect(self, picture: Picture, time_s: float, searching: bool) -> None:
        """Looks for faces, gives them to the tracks, and begins new ones."""
        found = self._finder.look(picture)
        looks: dict[Face, Look] = {}
        pairs = self._matched(found, picture, time_s, looks)
        given = {id(t) for t, _ in pairs}
        if searching or any(self._just_lost(t) and id(t) not in given for t in self._tracks):
            found = self._finder.look_closely(picture, found)
            pairs = self._matched(found, picture, time_s, looks)
            self._search_s = time_s + SEARCH_S
        if any(one.sure for one in found) or any(not t.lost for t in self._tracks):
            self._finder.seen(time_s)
        elif turned_on := self._finder.turn_on(picture, time_s):
            found, pairs = turned_on, []
        held = self._hold(pairs, picture, time_s, searching)
        begun = self._begin(
            [one for one in found if all(one is not other for _, other in pairs)], picture, time_s, searching
        )
        self._tell_apart([*held, *begun], picture, looks)
        turns = {t.turn for t in self._tracks if t.mesh is not None and not t.lost}
        if len(turns) == 1:  # detectors see better what stands upright
            self._finder.turn = turns.pop()

    def _matched(
        self, found: Sequence[Found], picture: Picture, time_s: float, looks: dict[Face, Look]
    ) -> list[tuple[_Track, Found]]:
        """Which box shows which track."""
        pairs: list[tuple[_Track, Found]] = []
        for sure in (True, False):
            given = {id(t) for t, _ in pairs}
            left = [t for t in self._tracks if id(t) not in given and (sure or not t.lost or self._just_lost(t))]
            boxes = [one for one in found if one.sure == sure]
            cost = np.array(
                [[self._cost(t, one.face, picture, time_s, looks) for one in boxes] for t in left], float
            ).reshape(len(left), len(boxes))
            pairs += [(left[i], boxes[j]) for i, j in assign(cost, LIMIT)]
        return pairs

    def _cost(self, t: _Track, face: Face, picture: Picture, time_s: float, looks: dict[Face, Look]) -> float:
        if not t.lost:
            return 1 - overlap(t.face, face)
        reach = REACH + SPEED * (time_s - t.time_s)
        far = distance(self._within(t.expected(time_s)), face) / reach
        if far > 1 or t.look is None:
            return far / 2 if far <= 1 else math.inf
        strange = unlike(t.look, _look(picture, face, looks))
        return math.inf if strange > STRANGER else (far + strange) / 2

    def _hold(
        self, pairs: Sequence[tuple[_Track, Found]], picture: Picture, time_s: float, searching: bool
    ) -> list[_Track]:
        """Takes the boxes that show tracks: they confirm those that are followed, and lay meshes anew on the others.

        Returns:
            The tracks that are seen for sure.
        """
        held = []
        for t, one in pairs:
            self._records[t.number].found += 1
            self._records[t.number].sure += one.sure
            if not t.lost and overlap(t.face, one.face) >= CLASH:
                t.seen_s, t.face = time_s, replace(t.face, score=one.face.score)
                held.append(t)
        for t, one in pairs:
            if t in held:
                continue
            face, mesh, turn = self._laid(picture, one.face, self._finder.any_turn() if searching else (t.turn,))
            if all(overlap(face, other.face) < CLASH for other in self._tracks if other is not t and not other.lost):
                t.move(face, mesh, turn, time_s)
                t.seen_s = time_s
                held.append(t)
        return held

    def _laid(self, picture: Picture, face: Face, turns: Sequence[int]) -> tuple[Face, Mesh | None, int]:
        """Box, mesh and turn of a face that a detector has found; by the mesh, if that lies on it."""
        mesh = self._finder.lay(picture, face, turns)
        box = box_of_mesh(mesh)
        if mesh.presence >= PRESENT and overlap(box, face) >= SAME:
            return replace(box, score=face.score), mesh, turn_of(mesh, turns[0])
        return face, None, turns[0]

    def _begin(self, found: Sequence[Found], picture: Picture, time_s: float, searching: bool) -> list[_Track]:
        """Begins tracks with faces that are nobody's yet: those of which detectors are sure, and those of which they
        are not and the mesh is."""
        begun: list[_Track] = []
        there = [t.face for t in self._tracks if not t.lost]
        new = [one for one in found if (one.sure or searching) and all(overlap(one.face, f) < SAME for f in there)]
        new.sort(key=lambda one: -one.face.w * one.face.h)
        for one in new:
            turns = self._finder.any_turn() if one.sure else (self._finder.turn,)
            face, mesh, turn = self._laid(picture, one.face, turns)
            known = mesh is not None or (one.sure and one.careful and one.quick)
            if not known or any(overlap(face, f) >= SAME for f in there):
                continue
            steady = Steady(self._s.steady_s)
            begun.append(_Track(len(self._records), face, mesh, turn, time_s, steady, time_s))
            self._records.append(_Record(len(self._shots) - 1, time_s, time_s, found=1, sure=int(one.sure)))
            there.append(face)
        self._tracks += begun
        if len(there) > MOST_FACES:
            self._crowded += 1
            least = sorted((face.w * face.h for face in there), reverse=True)[MOST_FACES - 1]
            self._tracks = [t for t in self._tracks if t.lost or t.face.w * t.face.h >= least]
        return [t for t in begun if t in self._tracks]

    def _tell_apart(self, held: Sequence[_Track], picture: Picture, looks: dict[Face, Look]) -> None:
        """Sees to it that people whose paths have crossed are who they were, and learns what the others look like."""
        seen = {t.number: t for t in held}
        alive = {t.number for t in self._tracks}
        for pair in sorted(map(sorted, self._near)):
            a, b = (seen.get(number) for number in pair)
            if alive.issuperset(pair) and (a is None or b is None or overlap(a.face, b.face) >= NEAR):
                continue
            self._near.discard(frozenset(pair))
            if a is None or b is None or a.look is None or b.look is None:
                continue
            here, there = _look(picture, a.face, looks), _look(picture, b.face, looks)
            if unlike(a.look, there) + unlike(b.look, here) + ALIKE < unlike(a.look, here) + unlike(b.look, there):
                a.number, b.number = b.number, a.number
                a.look, b.look = b.look, a.look
                a.steady, b.steady = b.steady, a.steady
                seen[a.number], seen[b.number] = a, b
        mistakable = self._mistakable()
        for t in held:
            if t.number not in mistakable:
                now = _look(picture, t.face, looks)
                mixed = now if t.look is None else 0.9 * t.look + 0.1 * now
                t.look = (mixed / max(float(np.linalg.norm(mixed)), 1e-9)).astype(np.float32)

    def _mistakable(self) -> frozenset[int]:
        """The tracks of which it is not sure at the moment who they are."""
        return frozenset[int]().union(*self._near)

    def _told(self, t: _Track, time_s: float) -> Seen:
        record = self._records[t.number]
        record.last_s, record.frames, record.turn = time_s, record.frames + 1, record.turn or t.turn
        record.meshes += t.mesh is not None
        return Seen(t.number, t.steady(t.face, time_s), t.mesh, t.turn)

    def _lasts(self, record: _Record) -> bool:
        """Whether a track is seen for long enough, and surely enough, to be a person."""
        shot = self._shots[record.shot]
        least_s = min(LEAST_S, 0.5 * (shot.last_s - shot.first_s))
        if record.frames < min(LEAST_FRAMES, shot.frames) or record.last_s - record.first_s < least_s:
            return False
        return record.meshes >= LEAST_SHARE * record.frames or record.sure >= LEAST_SHARE * record.found


def open_tracker(s: TrackSettings, threads: int = 1) -> Tracker:
    """The tracker with the detectors and the mesh that come with the package; reads weights when it is first used.

    Args:
        s: The section `extract` of params.yaml.
        threads: Of ONNX Runtime.

    Raises:
        MtclarError: `extract.identity` is on, and the extra `identity` is not installed.
    """
    quick = BlazeDetector("full-range", threshold=THRESHOLDS["full-range"], threads=threads)
    careful = CenterFaceDetector(threshold=THRESHOLDS["centerface"], threads=threads)
    return Tracker(s, quick, careful, MeshModel(threads), Identities(FaceRecogniser()) if s.identity else None)


def _strange(t: _Track, face: Face, picture: Picture, time_s: float) -> float:
    """How little a track belongs on a face, by its motion and its looks."""
    colours = 0.0 if t.look is None else unlike(t.look, look(picture, face))
    return 1 - overlap(face, t.expected(time_s)) + colours


def _look(picture: Picture, face: Face, looks: dict[Face, Look]) -> Look:
    """What a face looks like, seen once a frame."""
    if face not in looks:
        looks[face] = look(picture, face)
    return looks[face]
