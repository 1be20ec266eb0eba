"""The single pictures of the test on real faces, labelled without an anchor as `mtclar label` does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtclar.data.anchor_rows import VideoAnchors
from mtclar.data.ratings import RatedPicture
from mtclar.errors import MtclarError
from mtclar.evaluation.real import score_portraits
from mtclar.features.extract import Predictor
from mtclar.labelling import annotate
from mtclar.progress import Progress
from mtclar.settings import EvaluateSettings, ExtractSettings, LabelSettings
from mtclar.steps.extract import Opened
from mtclar.steps.label_video import calibration_of
from mtclar.steps.videos import Source


def score_pictures(
    s: EvaluateSettings,
    pictures: Sequence[RatedPicture],
    predictor: Predictor,
    label: LabelSettings,
    extract: ExtractSettings,
    progress: Progress,
) -> tuple[dict[str, Any] | None, list[dict[str, str]]]:
    """Scores of the pictures that could be labelled, None where none could, and why each of the others could not.

    Args:
        s: The section `evaluate`: how many resamples.
        pictures: With their ratings.
        predictor: The model.
        label: The section `label`.
        extract: The section `extract`.
        progress: Called for every picture.
    """
    kept, labels, left_out = [], [], []
    for number, picture in enumerate(pictures, start=1):
        try:
            labels.append(_label(picture.path, predictor, label, extract))
            kept.append(picture)
        except MtclarError as error:
            left_out.append({"name": picture.path.name, "error": str(error)})
        progress(number, len(pictures), "portraits")
    if not kept:
        return None, left_out
    truth = np.array([[picture.valence, picture.arousal] for picture in kept])
    known = all(picture.person_id for picture in kept)
    ours, low, high = np.stack(labels, axis=1)
    drawn = np.array([picture.person_id if known else str(picture.path) for picture in kept])
    scores = score_portraits(truth, ours, low, high, drawn, s.bootstrap, np.random.default_rng(s.seed))
    found = {
        "n_pictures": len(kept),
        "n_people": len(np.unique(drawn)) if known else None,
        "cluster": "person" if known else "picture",
        "left_out": left_out,
        **scores,
    }
    return found, left_out


def _label(path: Path, predictor: Predictor, s: LabelSettings, extract: ExtractSettings) -> np.ndarray:
    """Valence and arousal of the largest face of a picture without an anchor, and their band's edges: (3, 2).

    Raises:
        MtclarError: It cannot be read, or shows no face.
    """
    with Opened(Source(str(path), path.name), predictor, extract) as opened:
        features, _ = opened.features()
    if s.subject != "central":
        s = s.model_copy(update={"subject": "largest"})
    found = annotate(features, VideoAnchors.none(), s, calibration_of(predictor)[0])
    return np.concatenate([found.values, found.low, found.high])
