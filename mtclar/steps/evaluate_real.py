"""`mtclar evaluate --real`: clips of real people with a few rated frames -> how far labels are from what people said.

Every clip is read as `mtclar label` reads it, and labelled by the same function from every placement of a few of its
ratings; see `mtclar.evaluation.real`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar import __version__
from mtclar.data.anchors import Clock
from mtclar.data.ratings import Ratings, find_ratings
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError, PartialFailureError
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.placements import Trials, median_placement
from mtclar.evaluation.real import interval_kind, score_trials
from mtclar.evaluation.real_table import (
    AGREEMENT_COLUMNS,
    RMSE_COLUMNS,
    agreement_rows,
    error_records,
    interval_words,
    rmse_rows,
)
from mtclar.evaluation.scores import plain
from mtclar.features.extract import Predictor
from mtclar.progress import Progress, silent
from mtclar.report.real_page import Curve, write_real
from mtclar.serving.manifest import substance
from mtclar.settings import EvaluateSettings, ExtractSettings, LabelSettings, RegisterSettings
from mtclar.steps.models import open_predictor
from mtclar.steps.real_clips import ENDINGS, ReadClip, read_clip
from mtclar.steps.real_pictures import score_pictures

SCHEMA_VERSION = 1
_DRAWN = 3  # anchors of the placement that is drawn, or fewer where a clip has fewer


@dataclass(frozen=True)
class RealResult:
    """What a call of `run` wrote.

    Attributes:
        out: Its folder.
        found: Content of real.json.
    """

    out: Path
    found: dict[str, Any]

    def tables(self) -> list[tuple[list[str], list[list[str]]]]:
        """Header and rows of the tables of errors and of agreement; none where no clip was judged."""
        found = self.found["anchors"]
        if not found:
            return []
        errors = RMSE_COLUMNS, rmse_rows(found, self.found["placements"])
        return [errors, (AGREEMENT_COLUMNS, agreement_rows(found))]

    def __str__(self) -> str:
        found = self.found
        lines = [f"{self.out}: {len(found['clips'])} clips judged; the report is report.html"]
        if "portraits" in found:
            block = found["portraits"]
            errors = ", ".join(f"{name} RMSE {block[name]['rmse']:.3f}" for name in DIMENSIONS)
            lines.append(f"{block['n_pictures']} portraits without an anchor: {errors}")
        kinds = dict.fromkeys(found["intervals"].values())
        return "\n".join([*map(interval_words, kinds), *lines, *(f"note: {note}" for note in found["notes"])])


@dataclass
class _Judged:
    """What has been made of the clips so far."""

    clips: list[dict[str, Any]] = field(default_factory=list)
    trials: dict[int, list[Trials]] = field(default_factory=dict)
    by_clip: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(
    s: EvaluateSettings,
    label: LabelSettings,
    extract: ExtractSettings,
    *,
    data: Path,
    model: Predictor | Path | str,
    out: Path,
    registry: RegisterSettings | None = None,
    va_range: tuple[float, float] | None = None,
    clock: Clock = "video",
    progress: Progress = silent,
) -> RealResult:
    """Judges a model on real faces and writes what was found.

    Under `out`: real.json, plots/*.csv and report.html.

    Args:
        s: The section `evaluate` of params.yaml.
        label: The section `label`: clips are labelled as it says.
        extract: The section `extract`: clips are read as it says.
        data: Folder of clips, pictures and their ratings, see `mtclar.data.ratings`.
        model: As `mtclar label` takes it.
        out: Folder to write; appears whole or not at all.
        registry: The section `register`, to look `models:/` up.
        va_range: The values of ratings that mean -1 and 1; None for these themselves.
        clock: From where times of ratings count: the first displayed frame, or the start of the file.
        progress: Called for every frame read and every placement labelled.

    Raises:
        MtclarError: Ratings, model or `out` cannot be used, or nothing could be judged.
        PartialFailureError: Some clips could not be judged; what the others gave is written.
    """
    ratings = find_ratings(Path(data), va_range)
    predictor = open_predictor(model, registry)
    judged = _Judged(notes=[f"{note[0].upper()}{note[1:]}." for note in ratings.notes])
    with whole_folder(Path(out), known_by="real.json") as folder:  # so that nobody waits for what cannot be written
        for path, (name, marks) in ratings.clips.items():
            try:
                _judge(s, read_clip(path, name, marks, predictor, label, extract, clock, progress), judged, progress)
            except MtclarError as error:
                judged.failed.append({"name": name, "error": str(error)})
        portraits, left_out = score_pictures(s, ratings.pictures, predictor, label, extract, progress)
        if not judged.clips and portraits is None:
            errors = [item["error"] for item in (*judged.failed, *left_out)]
            raise MtclarError(errors[0] if len(errors) == 1 else _several(data, 0, errors))
        if portraits is None:
            judged.notes += [item["error"] for item in left_out]
        found = _content(s, label, judged, portraits, ratings, predictor)
        _write(folder, found, judged.curves, predictor)
    if judged.failed:
        raise PartialFailureError(_several(out, len(judged.clips), [item["error"] for item in judged.failed]))
    return RealResult(Path(out), found)


def _write(folder: Path, found: dict[str, Any], curves: Sequence[Curve], predictor: Predictor) -> None:
    """Writes the files into an existing folder."""
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "real.json").write_text(text + "\n", encoding="utf-8")
    (folder / "plots").mkdir()
    for name, frame in _plots(found, curves).items():
        frame.to_csv(folder / "plots" / f"{name}.csv", index=False, float_format="%.5g")
    facts = {"model": found["model"], "seed": found["seed"], "mtclar": __version__}
    write_real(folder / "report.html", found, curves, facts, found["notes"], predictor.card)


def _several(where: Path, done: int, errors: Sequence[str]) -> str:
    listed = "".join(f"\n  {sentence}" for sentence in errors)
    return (
        f"{where}: {done} of {done + len(errors)} rated clips and pictures could be judged; these could not be:{listed}"
    )


def _judge(s: EvaluateSettings, clip: ReadClip, judged: _Judged, progress: Progress) -> None:
    """Labels one clip from all placements and notes what came of it.

    Raises:
        MtclarError: None of its ratings is of a frame that shows the face, or the model cannot label.
    """
    if not len(clip.rated):
        raise MtclarError(
            f"{clip.name}: the face was found on none of the {clip.faceless} rated frames, so none can be judged."
        )
    trials, too_many = clip.trials(s.real_anchors, s.real_placements, s.seed, progress)
    if too_many:
        listed = ", ".join(map(str, too_many))
        judged.notes.append(
            f"'{clip.name}' has {len(clip.rated)} ratings of frames with a face, so {listed} anchors would leave none "
            "to be scored: left out."
        )
    judged.notes += clip.notes
    for k, tried in trials.items():
        judged.trials.setdefault(k, []).append(tried)
    judged.by_clip[clip.name] = {str(k): score_trials([tried], s.bootstrap, _rng(s)) for k, tried in trials.items()}
    judged.clips.append(
        {
            "video_id": clip.name,
            "rated": len(clip.rated),
            "faceless": clip.faceless,
            "frames": len(clip.features.pts),
            "faces": len(np.unique(clip.features.faces.frame)),
            "placements": {str(k): len(tried.anchors) for k, tried in trials.items()},
        }
    )
    shown = max(k for k in trials if k <= _DRAWN)
    judged.curves += [clip.curve(median_placement(trials[k])) for k in sorted({0, shown})]


def _rng(s: EvaluateSettings) -> np.random.Generator:
    return np.random.default_rng(s.seed)


def _content(
    s: EvaluateSettings,
    label: LabelSettings,
    judged: _Judged,
    portraits: dict[str, Any] | None,
    ratings: Ratings,
    predictor: Predictor,
) -> dict[str, Any]:
    """Content of real.json."""
    by_count = dict(sorted(judged.trials.items()))
    found = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "model": predictor.identity,
        "substance": substance(predictor.facts),
        "seed": s.seed,
        "limit": s.real_placements,
        "bootstrap": s.bootstrap,
        "coverage": (predictor.calibration or {}).get("coverage"),
        "clips": judged.clips,
        "placements": {str(k): sum(len(each.anchors) for each in trials) for k, trials in by_count.items()},
        "n_clips": {str(k): len(trials) for k, trials in by_count.items()},
        "intervals": {str(k): interval_kind(len(trials)) for k, trials in by_count.items()},
        "anchors": {str(k): score_trials(trials, s.bootstrap, _rng(s)) for k, trials in by_count.items()},
        "by_clip": judged.by_clip,
        "unrated": list(ratings.unrated),
        "failed": judged.failed,
        "notes": judged.notes,
    }
    return plain(found if portraits is None else found | {"portraits": portraits})


def _plots(found: dict[str, Any], curves: Sequence[Curve]) -> dict[str, pd.DataFrame]:
    """The tables behind the charts: `errors`, see `error_records`, and `curves`, a row a frame."""
    frames = [
        pd.DataFrame({"clip": curve.name, "anchors": len(curve.anchors), "time_s": curve.times_s}).assign(
            **{
                f"{name}{ending}": values[:, d]
                for ending, values in zip(ENDINGS, (curve.labels, curve.low, curve.high), strict=True)
                for d, name in enumerate(DIMENSIONS)
            }
        )
        for curve in curves
    ]
    return {
        "errors": pd.DataFrame(error_records(found["anchors"])),
        "curves": pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(),
    }
