"""One video that has been read and its anchors: what `suggest`, `suspects` and `why` are asked about."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mtclar import storage
from mtclar.data.anchors import Clock, VideoAnchors, read_anchors
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.extract import Predictor, identity
from mtclar.features.file import SUFFIX, read_features
from mtclar.features.subjects import place_anchors
from mtclar.labelling.fitted import Fitted, fit
from mtclar.progress import Progress, silent
from mtclar.settings import Settings
from mtclar.steps.extract import Opened
from mtclar.steps.label_video import calibration_of
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source
from mtclar.video import video_ids


@dataclass(frozen=True, eq=False)
class Case:
    """A video and its anchors.

    Attributes:
        name: Of the video, as an anchors file calls it.
        predictor: The model.
        fitted: The process, given the anchors.
        notes: What should be known, one sentence each.
    """

    name: str
    predictor: Predictor
    fitted: Fitted
    notes: tuple[str, ...]

    @property
    def features(self) -> Features:
        """Of the video."""
        return self.fitted.features

    def time_s(self, frame: int) -> float:
        """When a frame is shown, in seconds from the first displayed one."""
        return float(self.features.time_s[frame])


def open_case(
    place: Path | str,
    s: Settings,
    *,
    anchors: Path | str | None,
    model: Predictor | Path | str,
    va_range: tuple[float, float] | None = None,
    clock: Clock = "video",
    progress: Progress = silent,
) -> Case:
    """Opens a features file, or a video, which is read unless that was done before, and lays the anchors on it.

    Args:
        place: The features file or the video.
        s: All settings; `label`, and for a video `extract`, count.
        anchors: CSV of labelled frames, or its address on S3; None for none. One that holds no row of the video is as
            none, and that is noted.
        model: The model that the features are of.
        va_range: The values in `anchors` that mean -1 and 1.
        clock: From where times in `anchors` count.
        progress: Called once a frame where a video is read.

    Raises:
        MtclarError: A file cannot be read, the features are of another model, or an anchor is of no frame or face.
    """
    predictor = open_predictor(model, s.register_)
    features = _features(place, predictor, s, progress)
    made_by = features.identity.get("model")
    if made_by is not None and made_by != identity(predictor, s.extract)["model"]:
        raise MtclarError(
            f"{place}: the features are of another model than '{_called(model)}'; name theirs with --model, or run "
            "'mtclar extract' again."
        )
    name = _name(features, place)
    placed, notes = VideoAnchors.none(), []
    if anchors is not None:
        with storage.local(anchors) as file:
            marks = read_anchors(file, va_range=va_range, video_id="" if _names_videos(file) else name)
        try:
            marks = marks.match([name])
        except MtclarError:
            if len({row.video_id for row in marks.rows}) < 2:
                raise
            notes.append(f"{file.name} holds no anchor of '{name}'.")
        else:
            placed = place_anchors(features, marks, name, s.label.subject, clock)
            notes += [f"{note[0].upper()}{note[1:]}." for note in (*marks.notes, *placed.notes)]
    calibration, doubt = calibration_of(predictor)
    return Case(name, predictor, fit(features, placed, s.label, calibration), (*notes, *doubt))


def _features(place: Path | str, predictor: Predictor, s: Settings, progress: Progress) -> Features:
    if str(place).endswith(SUFFIX):
        with storage.local(place) as file:
            return read_features(file)
    if not storage.is_remote(place) and not Path(place).exists():
        raise MtclarError(f"{place}: no such file; give a features file that 'mtclar extract' wrote, or a video.")
    name = next(iter(video_ids([Path(place)]).values()))
    with Opened(Source(os.fspath(place), name), predictor, s.extract) as opened:
        return opened.features(progress=progress)[0]


def _name(features: Features, place: Path | str) -> str:
    """What the video is called in an anchors file."""
    named = str(features.video.get("name", "")) or PurePosixPath(str(place)).name
    return next(iter(video_ids([Path(named)]).values()))


def _names_videos(file: Path) -> bool:
    """Whether an anchors file has a column of videos; without one all of it is of the video at hand."""
    from mtclar.data.label_lines import read_table

    return "video_id" in read_table(file, what="anchors file", hint="give a CSV with --anchors", expected=()).names


def _called(model: object) -> str:
    return str(model) if isinstance(model, Path | str) else type(model).__name__
