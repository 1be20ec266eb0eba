"""`mtclar suspects`: which anchors of a video contradict the others, so that somebody should look at them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtclar import __version__
from mtclar.data.anchors import Clock
from mtclar.errors import MtclarError, counted
from mtclar.features.extract import Predictor
from mtclar.labelling.suspects import LEAST_ANCHORS, Suspects, suspects
from mtclar.progress import Progress, silent
from mtclar.report import sheet
from mtclar.settings import Settings
from mtclar.steps.case import Case, open_case
from mtclar.steps.suggest import check_out, json_text, write_text

FORMATS = (*sheet.FORMATS, ".json")
RED = (190, 40, 40)
_NAMES = ("valence", "arousal")


@dataclass(frozen=True, eq=False)
class SuspectsResult:
    """The anchors of a video, the most suspect first."""

    case: Case
    found: Suspects
    most: int

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows for people."""
        header = ["", "frame", "time (s)", "track", "valence", "others say", "arousal", "others say"]
        rows = []
        for row in self._rows():
            told = [f"{value:+.2f} ({z:+.1f} sd)" for value, z in zip(row["expected"], row["z"], strict=True)]
            rows.append(
                [
                    "look again" if row["suspect"] else "",
                    str(row["frame"]),
                    f"{row['time_s']:.3f}",
                    "–" if row["track_id"] is None else str(row["track_id"]),
                    f"{row['valence']:+.2f}",
                    told[0],
                    f"{row['arousal']:+.2f}",
                    told[1],
                    "–" if row["pair_z"] is None else f"{max(abs(z) for z in row['pair_z']):.1f} sd",
                    f"{row['score']:.1f}",
                ]
            )
        return [*header, "pair head", "score"], rows

    def sentences(self) -> list[str]:
        """How many are suspect, and notes."""
        count = int(self.found.suspect.sum())
        said = (
            f"{count} of {counted(len(self.found), 'anchor')} should be looked at again."
            if count
            else (f"None of {counted(len(self.found), 'anchor')} contradicts the others.")
        )
        return [f"{self.case.name}: {said}"] + [f"note: {note}" for note in self.case.notes]

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "schema_version": 1,
            "tool_version": __version__,
            "video_id": self.case.name,
            "anchors": self._rows(),
            "notes": list(self.case.notes),
        }

    def cells(self) -> list[sheet.Cell]:
        """A cell of the contact sheet for each anchor, those that are suspect marked."""
        found = []
        for row in self._rows():
            picture, shown = sheet.face_near(self.case.features, row["frame"], row["track_id"] or 0)
            beside = "" if shown == row["frame"] else f" (picture of {shown})"
            lines = (
                f"frame {row['frame']}{beside}",
                f"says   V {row['valence']:+.2f}  A {row['arousal']:+.2f}",
                f"others V {row['expected'][0]:+.2f}  A {row['expected'][1]:+.2f}",
                f"score {row['score']:.1f}",
            )
            found.append(sheet.Cell(picture, lines, RED if row["suspect"] else None))
        return found

    def _rows(self) -> list[dict[str, Any]]:
        fitted, found, rows = self.case.fitted, self.found, []
        for k in range(min(self.most, len(found))):
            at = int(found.order[k])
            frame, track = int(fitted.anchors.frames[at]), int(fitted.track[at])
            rows.append(
                {
                    "frame": frame,
                    "time_s": round(self.case.time_s(frame), 6),
                    "track_id": track if track >= 0 else None,
                    "line": int(fitted.anchors.lines[at]) or None,
                    "valence": float(fitted.anchors.labels[at, 0]),
                    "arousal": float(fitted.anchors.labels[at, 1]),
                    "expected": [round(float(value), 4) for value in found.expected[k]],
                    "z": [round(float(value), 3) for value in found.z[k]],
                    "pair_z": (
                        [round(float(value), 3) for value in found.pair[k]]
                        if np.isfinite(found.pair[k]).all()
                        else None
                    ),
                    "score": round(float(found.score[k]), 3),
                    "suspect": bool(found.suspect[k]),
                }
            )
        return rows


def run(
    s: Settings,
    *,
    features: Path | str,
    anchors: Path | str,
    model: Predictor | Path | str = "default",
    most: int = 20,
    out: Sequence[Path] = (),
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    progress: Progress = silent,
) -> SuspectsResult:
    """Ranks the anchors of a video by how much they contradict each other.

    Args:
        s: All settings; `label` counts.
        features: A features file, or a video, which is read unless that was done before.
        anchors: The anchors file.
        model: The model that the features are of; its pair head is asked.
        most: How many anchors are shown.
        out: Files to write: a contact sheet, or JSON.
        va_range, anchor_clock: As `mtclar.steps.label.run` takes them.
        progress: Called once a frame where a video is read.

    Raises:
        MtclarError: As `open_case`; there are too few anchors; or a file of `out` cannot be written.
    """
    check_out(out, FORMATS)
    case = open_case(
        features, s, anchors=anchors, model=model, va_range=va_range, clock=anchor_clock, progress=progress
    )
    k = len(case.fitted.anchors)
    if k < LEAST_ANCHORS:
        raise MtclarError(
            f"{anchors}: has {counted(k, 'anchor')} of '{case.name}'; of fewer than {LEAST_ANCHORS} nobody can say "
            "which one is wrong; label more."
        )
    result = SuspectsResult(case, suspects(case.fitted, case.predictor.compare), most)
    for path in out:
        if path.suffix.lower() in sheet.FORMATS:
            sheet.write_sheet(path, f"{case.name}: anchors, the most suspect first", result.cells())
        else:
            write_text(path, json_text(result.as_dict()))
    return result
