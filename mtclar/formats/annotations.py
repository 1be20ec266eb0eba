"""Valence and arousal of one video as any of the formats holds it, and how its rows find their frames."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from mtclar.errors import MtclarError

NUMBERS = (
    "frame",
    "time_s",
    "valence",
    "arousal",
    "valence_lo",
    "valence_hi",
    "arousal_lo",
    "arousal_hi",
    "confidence",
    "face_x",
    "face_y",
    "face_w",
    "face_h",
)
COLUMNS = ("track_id", "person_id", *NUMBERS, "source")
"""Of `Annotations.table`, named as in `tables.LABELS`."""
HUMAN = "anchor"
"""`source` of what a person said."""


@dataclass(frozen=True)
class Annotations:
    """What a file says of a video.

    Attributes:
        video_id: What the video is called.
        table: A row a frame, or an annotation, and track, with `COLUMNS`; NaN, never 0, for what is not known. Times
            are seconds from the first displayed frame, frames count from 0, valence and arousal lie in [-1, 1].
        fps: Frames a second by which the file counts; None where it has times, or says nothing.
        size: Width and height of the displayed picture in pixels; None where it is not known.
        media: File name of the video.
        usual_fps: Frames a second that are assumed where neither file nor video says.
        shown: Whether a time means the frame that is shown then, rather than the nearest.
        notes: What had to be assumed.
    """

    video_id: str
    table: pd.DataFrame
    fps: float | None = None
    size: tuple[int, int] | None = None
    media: str = ""
    usual_fps: float | None = None
    shown: bool = False
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        table = self.table.copy()
        for name in NUMBERS:
            table[name] = pd.to_numeric(table[name], errors="raise").astype(float) if name in table else np.nan
        if "track_id" not in table:
            table["track_id"] = 0
        table["track_id"] = table["track_id"].fillna(0).astype(int)
        for name, default in (("person_id", None), ("source", HUMAN)):
            if name not in table:
                table[name] = pd.Series([default] * len(table), index=table.index, dtype=object)
        object.__setattr__(self, "table", table[list(COLUMNS)].reset_index(drop=True))

    @property
    def people(self) -> list[tuple[int, str]]:
        """Each track, ascending, and a name for whom it shows, of letters, digits, `-` and `_`."""
        named = []
        for track, rows in self.table.groupby("track_id"):
            person = next((str(name) for name in rows["person_id"] if isinstance(name, str) and name), "")
            name = person or f"track-{track}"
            named.append((int(str(track)), "".join(c if c.isalnum() or c in "-_" else "-" for c in name)))
        names = [name for _, name in named]
        return [(track, name if names.count(name) == 1 else f"{name}-{track}") for track, name in named]

    def human(self) -> pd.DataFrame:
        """The rows that a person gave."""
        rated = self.table[["valence", "arousal"]].notna().any(axis=1)
        return self.table[(self.table["source"] == HUMAN) & rated]


def track_of(person: str, people: dict[str, int]) -> int:
    """The track of a person in a file that names people alone: of `track-3` it is 3, else the next that is free."""
    if person not in people:
        number = person.removeprefix("track-")
        own = int(number) if person.startswith("track-") and number.isdigit() else len(people)
        people[person] = own if own not in people.values() else max(people.values()) + 1
    return people[person]


@dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        time_s: float64 (n,), ascending; seconds from the first.
        exact: Whether it is of the video itself, so that nothing may lie outside it.
    """

    time_s: np.ndarray
    exact: bool = True

    @property
    def fps(self) -> float:
        """Frames a second, by the median distance of two frames."""
        return 1 / float(np.median(np.diff(self.time_s))) if len(self.time_s) > 1 else 25.0


@dataclass(frozen=True)
class Placed:
    """Annotations on the frames of a video.

    Attributes:
        annotations: Whose every row has a frame and the time of that frame.
        moved: Rows whose own time is not that of their frame by more than half a millisecond.
        largest_s: The largest such difference.
        twice: Rows left out because another is of the same frame and track: of a person's and the model's the person's
            stays, else the later one.
    """

    annotations: Annotations
    moved: int
    largest_s: float
    twice: int

    def __str__(self) -> str:
        said = f"{len(self.annotations.table)} rows; {self.moved} moved to the nearest frame"
        said += f", by at most {1000 * self.largest_s:.1f} ms" if self.moved else ""
        return said + (f"; {self.twice} left out, as another is of the same frame" if self.twice else "")


def place(given: Annotations, timeline: Timeline) -> Placed:
    """Finds the frame of each row: by its time the nearest, or by its number.

    Args:
        given: Rows with times, frames or both; where both are there the time decides, unless the file counts frames.
        timeline: Of the video.

    Raises:
        MtclarError: Rows lie after the last frame by more than a frame, so that the file's rate or video is another.
    """
    times, table = timeline.time_s, given.table
    by_frame = table["frame"].notna() & (table["time_s"].isna() | (given.fps is not None))
    step = 1 / timeline.fps
    asked = table["time_s"].where(~by_frame, table["frame"] / given.fps if given.fps else np.nan).to_numpy(float)
    numbered = by_frame.to_numpy()
    known = np.isfinite(np.where(numbered, table["frame"], asked))
    if not known.all():
        raise MtclarError(f"{given.video_id}: {int((~known).sum())} rows have neither a time nor a frame.")
    if timeline.exact:
        last = times[-1]
        beyond = np.where(numbered, table["frame"] >= len(times), asked > last + 1.5 * step)
        if beyond.any():
            worst = int(table["frame"][beyond].max()) if numbered[beyond].all() else float(np.max(asked[beyond]))
            what = f"frame {worst}" if isinstance(worst, int) else f"{worst:.3f} s"
            rate = f"its rate of {given.fps:g} frames a second" if given.fps else "its rate"
            raise MtclarError(
                f"{given.video_id}: {int(beyond.sum())} of {len(table)} rows lie after the end, up to {what}, but the "
                f"video has {len(times)} frames and ends at {last:.3f} s; {rate} or its video is another."
            )
    if timeline.exact and given.fps and abs(given.fps / timeline.fps - 1) > 0.02:
        raise MtclarError(
            f"{given.video_id}: the file counts {given.fps:g} frames a second, but the video has {timeline.fps:.6g}; "
            "give the rate the file was made at with --fps, or the video it was made from."
        )
    right = np.searchsorted(times, np.nan_to_num(asked)).clip(0, len(times) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(times[left] - asked) <= np.abs(times[right] - asked), left, right)
    if given.shown:
        nearest = (np.searchsorted(times, np.nan_to_num(asked) + 5e-4, side="right") - 1).clip(0, len(times) - 1)
    frames = np.where(numbered, table["frame"], nearest).astype(int)
    off = np.where(numbered, 0.0, np.abs(np.nan_to_num(asked) - times[frames.clip(0, len(times) - 1)]))
    placed = table.assign(frame=frames.astype(float), time_s=times[frames.clip(0, len(times) - 1)])
    placed = placed.assign(said=placed["source"] == HUMAN).sort_values("said", kind="stable")
    kept = ~placed.duplicated(["track_id", "frame"], keep="last")
    placed = placed[kept].sort_values(["track_id", "frame"])
    moved = off > 5e-4
    return Placed(replace(given, table=placed), int(moved.sum()), float(off.max(initial=0)), int((~kept).sum()))


def even_timeline(given: Annotations, fps: float | None = None) -> Timeline:
    """A timeline for a file that comes without its video: the times it has itself, or frames at a rate.

    Args:
        given: The rows.
        fps: Frames a second; None for what the file says.

    Raises:
        MtclarError: The file has neither times nor a rate.
    """
    table = given.table
    rate = fps or given.fps or given.usual_fps
    if table["frame"].notna().all() and table["time_s"].notna().all() and not fps and len(table):
        known = table.drop_duplicates("frame").sort_values("frame")
        frames = np.arange(int(known["frame"].max()) + 1)
        step = float(np.median(np.diff(known["time_s"]) / np.diff(known["frame"]))) if len(known) > 1 else 0.04
        times = np.interp(frames, known["frame"], known["time_s"])
        before, start = frames < known["frame"].iloc[0], float(known["time_s"].iloc[0])
        times[before] = start - step * (known["frame"].iloc[0] - frames[before])
        return Timeline(times, exact=False)
    if not rate and table["time_s"].notna().all() and len(table) > 1:
        gaps = np.diff(np.unique(table["time_s"]))
        rate = 1 / float(np.median(gaps)) if len(gaps) else None
    if not rate:
        raise MtclarError(
            f"{given.video_id}: the file says frames but no times; give --features of the video, or its --fps."
        )
    last = np.nanmax([table["time_s"].max(), table["frame"].max() / rate, 0.0])
    return Timeline(np.arange(round(last * rate) + 1) / rate, exact=False)
