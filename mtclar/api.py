"""The public Python API: read a video once, then label it, look at the labels and ask why; see docs/api.md.

import mtclar

labels = mtclar.label("clip.mp4", anchors=[(0, 0.0, -0.1), (120, 0.6, 0.2)])
labels.to_pandas()
labels.plot().savefig("labels.pdf")
labels.why(60)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from mtclar.data.anchors import Anchors, Clock, VideoAnchors, given_anchors, read_anchors
from mtclar.features import Features
from mtclar.features.extract import Predictor
from mtclar.features.file import read_features, write_features
from mtclar.features.subjects import place_anchors
from mtclar.labelling.annotate import labelled
from mtclar.labelling.fitted import Fitted, fit
from mtclar.labelling.labels import Labels
from mtclar.labelling.suggest import Error, Suggestion
from mtclar.labelling.suggest import estimated_error as error_of
from mtclar.labelling.suggest import suggest as frames_to_label
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings, LabelSettings, load_settings, parse
from mtclar.steps.extract import Opened
from mtclar.steps.label_video import calibration_of
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source
from mtclar.video import video_ids

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Features",
    "Labels",
    "annotate",
    "estimated_error",
    "extract",
    "label",
    "read_features",
    "suggest",
    "write_features",
]

T = TypeVar("T")

Place: TypeAlias = "str | os.PathLike[str]"
"""A path."""
GivenAnchors: TypeAlias = "Place | pd.DataFrame | Sequence[Sequence[float]] | Sequence[Mapping[str, Any]]"
"""The path of a file as `mtclar label --anchors` takes it; or its rows, as a pandas table, as (frame, valence, arousal)
or as mappings from the names of its columns."""
Model: TypeAlias = "Place | Predictor"
"""`default`, a bundle's folder, `models:/NAME@ALIAS` of the registry, or a model that is open already."""


def extract(video: Place, *, model: Model = "default", progress: Progress = silent, **settings: Any) -> Features:
    """Reads a video: the times of its frames, its shots, and the faces with all that the model sees in them.

    What was read before with the same model and settings comes from the user's cache.

    Args:
        video: A video file or a folder of numbered pictures.
        model: The model.
        progress: Called once a frame with the number of frames that are read and expected.
        **settings: Of the section `extract` of params.yaml, for example `lost_after_s=1.0`.

    Raises:
        MtclarError: The video cannot be read or shows no face, the model cannot be opened, or a setting is not known.
    """
    values = load_settings().extract.model_dump() | settings
    s = parse(ExtractSettings, values, where="the settings given to mtclar.extract")
    with Opened(Source(os.fspath(video), _name(video)), _opened(model), s) as opened:
        return opened.features(progress=progress)[0]


def annotate(
    features: Features,
    anchors: GivenAnchors | None = None,
    *,
    model: Model = "default",
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    **settings: Any,
) -> Labels:
    """Labels every frame of a video that has been read, which takes an instant.

    Args:
        features: Of the video, as `extract` or `read_features` gives them.
        anchors: Frames that were labelled by hand; None for labels without any.
        model: The model that `features` are of; its calibration says how far predictions are believed.
        va_range: The values in `anchors` that mean -1 and 1; None for these themselves.
        anchor_clock: From where times in `anchors` count: the first displayed frame (`video`), or the start of the file
            as a player shows it (`media`).
        **settings: Of the section `label` of params.yaml, for example `subject="all"`.

    Raises:
        MtclarError: An anchor is not understood, or it is of no frame or face; the model cannot be opened; or a setting
            is not known.
    """
    return _fitted(features, anchors, model, va_range, anchor_clock, settings, labelled)


def suggest(
    features: Features,
    anchors: GivenAnchors | None = None,
    budget: int = 3,
    *,
    target_rmse: float | None = None,
    model: Model = "default",
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    **settings: Any,
) -> Suggestion:
    """Which frames of a video to label next, the most useful first; `error` of it is as `estimated_error` says.

    Args:
        features: As in `annotate`.
        anchors: Frames that are labelled already; None for none.
        budget: How many frames, at most.
        target_rmse: RMSE that is wanted of valence and arousal; `error.needed` says how many more anchors it takes.
        model: As in `annotate`.
        va_range: As in `annotate`.
        anchor_clock: As in `annotate`.
        **settings: As in `annotate`.

    Raises:
        MtclarError: As `annotate`.
    """

    def chosen(fitted: Fitted, _: LabelSettings) -> Suggestion:
        return frames_to_label(fitted, budget, target=target_rmse)

    return _fitted(features, anchors, model, va_range, anchor_clock, settings, chosen)


def estimated_error(
    features: Features,
    anchors: GivenAnchors | None = None,
    *,
    target_rmse: float | None = None,
    model: Model = "default",
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    **settings: Any,
) -> Error:
    """The estimated RMSE of the labels of a video, now and after more of the suggested anchors.

    Args: As `suggest`.

    Raises:
        MtclarError: As `annotate`.
    """

    def told(fitted: Fitted, _: LabelSettings) -> Error:
        return error_of(fitted, target=target_rmse)

    return _fitted(features, anchors, model, va_range, anchor_clock, settings, told)


def label(
    video: Place,
    anchors: GivenAnchors | None = None,
    *,
    model: Model = "default",
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    progress: Progress = silent,
    **settings: Any,
) -> Labels:
    """Reads a video, unless that was done before, and labels every frame of it: `extract`, then `annotate`.

    Args:
        video: As in `extract`.
        anchors: As in `annotate`.
        model: The model.
        va_range: As in `annotate`.
        anchor_clock: As in `annotate`.
        progress: As in `extract`.
        **settings: As in `annotate`.

    Raises:
        MtclarError: As `extract` and `annotate`.
    """
    predictor = _opened(model)
    features = extract(video, model=predictor, progress=progress)
    return annotate(features, anchors, model=predictor, va_range=va_range, anchor_clock=anchor_clock, **settings)


def _fitted(
    features: Features,
    anchors: GivenAnchors | None,
    model: Model,
    va_range: tuple[float, float] | None,
    clock: Clock,
    settings: Mapping[str, Any],
    then: Callable[[Fitted, LabelSettings], T],
) -> T:
    """What follows from the features of a video and its anchors."""
    s = parse(LabelSettings, load_settings().label.model_dump() | dict(settings), where="the settings given to mtclar")
    placed = VideoAnchors.none()
    if anchors is not None:
        name = _name(features.video.get("name", "video"))
        placed = place_anchors(features, _marks(anchors, name, va_range), name, s.subject, clock)
    calibration, _ = calibration_of(_opened(model))
    return then(fit(features, placed, s, calibration), s)


def _opened(model: Model) -> Predictor:
    if isinstance(model, str | os.PathLike):
        return open_predictor(os.fspath(model), load_settings().register_)
    return model


def _name(video: Place) -> str:
    """What a video is called in an anchors file."""
    return next(iter(video_ids([Path(video)]).values()))


def _marks(anchors: GivenAnchors, name: str, va_range: tuple[float, float] | None) -> Anchors:
    """The anchors of one video; rows of others in a file or table are left out."""
    if isinstance(anchors, str | os.PathLike):
        return read_anchors(Path(anchors), va_range=va_range, video_id=name).match([name])
    return given_anchors(anchors, name, va_range=va_range).match([name])
