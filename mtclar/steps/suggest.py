"""`mtclar suggest`: which frames of a video to label next, and how large the error of its labels is likely to be."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtclar import __version__
from mtclar.data.anchors import Clock
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, counted
from mtclar.features.extract import Predictor
from mtclar.labelling.suggest import AHEAD, MOST_AHEAD, Suggestion, suggest
from mtclar.progress import Progress, silent
from mtclar.report import sheet
from mtclar.settings import Settings
from mtclar.steps.case import Case, open_case

FORMATS = (*sheet.FORMATS, ".json", ".csv")
ABOUT = "an estimate, of people like those the model was calibrated on"


@dataclass(frozen=True, eq=False)
class SuggestResult:
    """Frames to label next, the most useful first."""

    case: Case
    found: Suggestion

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows for people."""
        header = ["", "frame", "time (s)", "track", "quality", "± valence", "± arousal", "RMSE after"]
        rows = []
        for k, row in enumerate(self._rows(), start=1):
            after = " / ".join(f"{value:.3f}" for value in row["rmse_after"])
            rows.append(
                [
                    str(k),
                    str(row["frame"]),
                    f"{row['time_s']:.3f}",
                    str(row["track_id"]),
                    f"{row['quality']:.2f}",
                    *(f"{value:.2f}" for value in row["sd"]),
                    after,
                ]
            )
        return header, rows

    def sentences(self) -> list[str]:
        """How large the error is now and will be, whether a target is reached, and notes."""
        error = self.found.error
        now, later = error.now, error.after(AHEAD)
        said = [
            f"{self.case.name}: {counted(error.anchors, 'anchor')}; estimated RMSE of the other frames: "
            f"valence {now[0]:.3f}, arousal {now[1]:.3f}; after {AHEAD} more: {later[0]:.3f}, {later[1]:.3f} ({ABOUT})."
        ]
        if error.target is not None:
            if error.needed == 0:
                said.append(f"The target of {error.target:g} is reached: there is no need to label more.")
            elif error.needed is None:
                said.append(f"The target of {error.target:g} is not reached by {MOST_AHEAD} more anchors.")
            else:
                said.append(f"The target of {error.target:g} takes about {counted(error.needed, 'more anchor')}.")
        return said + [f"note: {note}" for note in self.case.notes]

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        error = self.found.error
        return {
            "schema_version": 1,
            "tool_version": __version__,
            "video_id": self.case.name,
            "anchors": error.anchors,
            "estimated_rmse": {
                "now": _pair(error.now),
                "after": [_pair(row) for row in error.ahead.tolist()],
                "surprise": _pair(error.surprise),
                "target": error.target,
                "more_anchors_for_target": error.needed,
            },
            "suggestions": [
                {**row, "sd": _pair(row["sd"]), "rmse_after": _pair(row["rmse_after"])} for row in self._rows()
            ],
            "notes": list(self.case.notes),
        }

    def form(self) -> str:
        """An anchors file (CSV) of the frames without labels, to be filled in; nearest in time first."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["video_id", "frame", "time_s", "track_id", "valence", "arousal"])
        for row in sorted(self._rows(), key=lambda row: (row["track_id"], row["frame"])):
            writer.writerow([self.case.name, row["frame"], f"{row['time_s']:.6f}", row["track_id"], "", ""])
        return text.getvalue()

    def cells(self) -> list[sheet.Cell]:
        """A cell of the contact sheet for each frame."""
        found = []
        for k, row in enumerate(self._rows(), start=1):
            picture, shown = sheet.face_near(self.case.features, row["frame"], row["track_id"])
            beside = "" if shown == row["frame"] else f" (picture of {shown})"
            lines = (
                f"{k}. frame {row['frame']}{beside}",
                f"{row['time_s']:.2f} s, track {row['track_id']}",
                f"+-{row['sd'][0]:.2f} V  +-{row['sd'][1]:.2f} A",
            )
            found.append(sheet.Cell(picture, lines))
        return found

    def _rows(self) -> list[dict[str, Any]]:
        found = self.found
        quality = self.case.fitted.quality[found.rows]
        return [
            {
                "frame": int(frame),
                "time_s": round(self.case.time_s(int(frame)), 6),
                "track_id": int(track),
                "quality": round(float(clear), 4),
                "gain": float(gain),
                "sd": (float(sd[0]), float(sd[1])),
                "rmse_after": found.error.after(k + 1),
            }
            for k, (frame, track, clear, gain, sd) in enumerate(
                zip(found.frame, found.track, quality, found.gain, found.sd, strict=True)
            )
        ]


def run(
    s: Settings,
    *,
    features: Path | str,
    budget: int,
    anchors: Path | str | None = None,
    model: Predictor | Path | str = "default",
    target_rmse: float | None = None,
    out: Sequence[Path] = (),
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    progress: Progress = silent,
) -> SuggestResult:
    """Says which frames to label next.

    Args:
        s: All settings; `label` counts.
        features: A features file, or a video, which is read unless that was done before.
        budget: How many frames.
        anchors: Frames that are labelled already; None for none.
        model: The model that the features are of.
        target_rmse: RMSE that is wanted of valence and arousal.
        out: Files to write, each as its ending says: a contact sheet, JSON, or an anchors file (CSV) to be filled in.
        va_range, anchor_clock: As `mtclar.steps.label.run` takes them.
        progress: Called once a frame where a video is read.

    Raises:
        MtclarError: As `open_case`; or there is nothing to suggest, or a file of `out` cannot be written.
    """
    check_out(out, FORMATS)
    if budget < 1:
        raise MtclarError(f"--budget is {budget}, expected at least 1.")
    if target_rmse is not None and not 0 < target_rmse <= 2:
        raise MtclarError(f"--target-rmse is {target_rmse:g}, expected a number above 0, such as 0.15.")
    case = open_case(
        features, s, anchors=anchors, model=model, va_range=va_range, clock=anchor_clock, progress=progress
    )
    found = suggest(case.fitted, budget, target=target_rmse)
    if not len(found.rows):
        raise MtclarError(f"{features}: no frame is left to label that shows a face of the subject; see --subject.")
    result = SuggestResult(case, found)
    for path in out:
        if path.suffix.lower() in sheet.FORMATS:
            sheet.write_sheet(path, f"{case.name}: label these frames next", result.cells())
        else:
            write_text(path, result.form() if path.suffix.lower() == ".csv" else json_text(result.as_dict()))
    return result


def json_text(content: dict[str, Any]) -> str:
    """JSON for people and programs alike."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all."""
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def check_out(out: Sequence[Path], formats: Sequence[str]) -> None:
    """Refuses files of other kinds before anything is worked out."""
    for path in out:
        if path.suffix.lower() not in formats:
            raise MtclarError(f"{path}: expected a file that ends in {', '.join(formats)}; change --out.")


def _pair(values: Sequence[float]) -> dict[str, float]:
    return {"valence": round(float(values[0]), 5), "arousal": round(float(values[1]), 5)}
