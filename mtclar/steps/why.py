"""`mtclar why`: what the label of one frame is made of, and what makes its band as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar import __version__
from mtclar.data.anchors import Clock
from mtclar.features.extract import Predictor
from mtclar.labelling import Labels
from mtclar.labelling.annotate import labelled
from mtclar.labelling.why import SAID
from mtclar.progress import Progress, silent
from mtclar.report import sheet
from mtclar.settings import Settings
from mtclar.steps.case import Case, open_case
from mtclar.steps.suggest import check_out, json_text, write_text

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (*sheet.FORMATS, ".json")
_NAMES = ("valence", "arousal")


@dataclass(frozen=True, eq=False)
class WhyResult:
    """What one label is made of.

    Attributes:
        case: The video and its anchors.
        labels: All labels.
        row: The one that is asked about.
        parts: `Labels.why` of it.
        width: `Labels.width` of it; None for an anchor.
        most: How many anchors are shown.
    """

    case: Case
    labels: Labels
    row: int
    parts: pd.DataFrame
    width: pd.DataFrame | None
    most: int

    def table(self) -> tuple[list[str], list[list[str]]]:
        """What each anchor and the prediction add: head and rows for people."""
        header = ["from", "track", "seconds away", "alike", "valence", "weight", "adds", "arousal", "weight", "adds"]
        rows = []
        for one in self._parts():
            if one["frame"] is None:
                rows.append(["prediction", "", "", "", *("", "", f"{one['valence_part']:+.3f}"), "", "", ""])
            else:
                rows.append(
                    [
                        f"anchor {one['frame']}" if one["frame"] >= 0 else f"{one['count']} more",
                        "" if one["track_id"] is None else str(one["track_id"]),
                        "" if one["apart_s"] is None else f"{one['apart_s']:+.2f}",
                        "" if one["alike"] is None else f"{one['alike']:.2f}",
                        *_signed(one, "valence"),
                        *_signed(one, "arousal"),
                    ]
                )
            if one["frame"] is None:
                rows[-1][-1] = f"{one['arousal_part']:+.3f}"
        at = self.labels.values[self.row]
        rows.append(["label", "", "", "", "", "", f"{at[0]:+.3f}", "", "", f"{at[1]:+.3f}"])
        return header, rows

    def sentences(self) -> list[str]:
        """The label with its band, what made that wide, and notes."""
        labels, row = self.labels, self.row
        where = f"frame {labels.frame[row]} ({labels.time_s[row]:.3f} s, track {labels.track[row]})"
        label = ", ".join(f"{name} {labels.values[row, d]:+.3f}{self._band(d)}" for d, name in enumerate(_NAMES))
        said = [f"{self.case.name}, {where}: {label}; source {labels.source[row]}, {labels.status[row]}."]
        if self.width is not None:
            causes = self.width.assign(both=self.width["valence_share"] + self.width["arousal_share"])
            listed = [
                f"{SAID[str(cause['cause'])]} {cause['valence_share']:.0%} / {cause['arousal_share']:.0%}"
                for _, cause in causes.sort_values("both", ascending=False, kind="stable").iterrows()
                if abs(cause["both"]) >= 0.01
            ]
            said.append(
                "The band is wide because of (share of the variance of valence / arousal): " + "; ".join(listed)
            )
            said[-1] += "."
        if not np.isnan(labels.quality[row]):
            said.append(f"Quality of the face: {labels.quality[row]:.2f}.")
        return said + [f"note: {note}" for note in self.case.notes]

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON."""
        labels, row = self.labels, self.row
        return {
            "schema_version": 1,
            "tool_version": __version__,
            "video_id": self.case.name,
            "frame": int(labels.frame[row]),
            "time_s": round(float(labels.time_s[row]), 6),
            "track_id": int(labels.track[row]),
            "source": str(labels.source[row]),
            "status": str(labels.status[row]),
            "label": _known(labels.values[row]),
            "low": _known(labels.low[row]),
            "high": _known(labels.high[row]),
            "quality": None if np.isnan(labels.quality[row]) else round(float(labels.quality[row]), 4),
            "parts": self._parts(all_of_them=True),
            "variance": None if self.width is None else self.width.to_dict("records"),
            "notes": list(self.case.notes),
        }

    def cells(self) -> list[sheet.Cell]:
        """The frame, and the anchors that speak most of it."""
        features, labels, row = self.case.features, self.labels, self.row
        picture, shown = sheet.face_near(features, int(labels.frame[row]), int(labels.track[row]))
        beside = "" if shown == labels.frame[row] else f" (picture of {shown})"
        value = labels.values[row]
        cells = [
            sheet.Cell(
                picture, (f"frame {labels.frame[row]}{beside}", f"V {value[0]:+.2f}  A {value[1]:+.2f}"), (0, 114, 178)
            )
        ]
        for one in self._parts():
            if one["frame"] is not None and one["frame"] >= 0:
                face, _ = sheet.face_near(features, one["frame"], one["track_id"] or 0)
                lines = (
                    f"anchor {one['frame']}, {one['apart_s']:+.1f} s",
                    f"V {one['valence']:+.2f}  A {one['arousal']:+.2f}",
                    f"weight {one['valence_weight']:+.2f}, {one['arousal_weight']:+.2f}",
                    f"adds V {one['valence_part']:+.2f} A {one['arousal_part']:+.2f}",
                )
                cells.append(sheet.Cell(face, lines))
        return cells

    def _band(self, d: int) -> str:
        low, high = self.labels.low[self.row, d], self.labels.high[self.row, d]
        return "" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"

    def _parts(self, *, all_of_them: bool = False) -> list[dict[str, Any]]:
        """Rows of `Labels.why`; beyond `most` anchors the others as one, its frame -1."""
        fitted, labels = self.case.fitted, self.labels
        records = self.parts.to_dict("records")
        # `Labels.why` names frames alone, in this order of the anchors
        order = np.argsort(-np.abs(labels.weights[self.row].astype(float)).sum(axis=1), kind="stable").tolist()
        found: list[dict[str, Any]] = []
        columns = [f"{name}{end}" for name in _NAMES for end in ("", "_weight", "_part")]
        for record, k in zip(records[:-1], order, strict=True):
            frame, track = int(record["frame"]), int(fitted.track[k])
            found.append(
                {
                    "frame": frame,
                    "track_id": track if track >= 0 else None,
                    "apart_s": round(self.case.time_s(frame) - float(labels.time_s[self.row]), 6),
                    "alike": self._alike(k),
                    **{name: round(float(record[name]), 6) for name in columns},
                }
            )
        if not all_of_them and len(found) > self.most + 1:
            rest = found[self.most :]
            parts = {name: sum(one[name] for one in rest) for name in columns if name not in _NAMES}
            found = [
                *found[: self.most],
                {"frame": -1, "count": len(rest), "track_id": None, "apart_s": None, "alike": None}
                | dict.fromkeys(_NAMES)
                | parts,
            ]
        last = records[-1]
        return [*found, {"frame": None, **{f"{name}_part": round(float(last[f"{name}_part"]), 6) for name in _NAMES}}]

    def _alike(self, anchor: int) -> float | None:
        """How alike the faces look: exp(-d^2 / 2) of the distance of their embeddings in typical distances."""
        fitted = self.case.fitted
        a, b = int(fitted.here.face[self.row]), int(fitted.given.face[anchor])
        if a < 0 or b < 0:
            return None
        values = fitted.features.faces.embedding[[a, b]].astype(float)
        return round(float(np.exp(-0.5 * (np.linalg.norm(values[0] - values[1]) / fitted.typical) ** 2)), 4)


def run(
    s: Settings,
    *,
    features: Path | str,
    frame: int,
    track: int | None = None,
    anchors: Path | str | None = None,
    model: Predictor | Path | str = "default",
    most: int = 8,
    out: Sequence[Path] = (),
    va_range: tuple[float, float] | None = None,
    anchor_clock: Clock = "video",
    progress: Progress = silent,
) -> WhyResult:
    """Explains the label of one frame.

    Args:
        s: All settings; `label` counts.
        features: A features file, or a video, which is read unless that was done before.
        frame: The frame.
        track: Whose face, where several are labelled.
        anchors: The anchors file; None explains the label without any.
        model: The model that the features are of.
        most: How many anchors are shown one by one.
        out: Files to write: a sheet of the frame and its anchors, or JSON.
        va_range, anchor_clock: As `mtclar.steps.label.run` takes them.
        progress: Called once a frame where a video is read.

    Raises:
        MtclarError: As `open_case`; the frame has no label, or several; or a file of `out` cannot be written.
    """
    check_out(out, FORMATS)
    case = open_case(
        features, s, anchors=anchors, model=model, va_range=va_range, clock=anchor_clock, progress=progress
    )
    labels = labelled(case.fitted, s.label)
    row = labels.row_of(frame, track)
    width = None if labels.source[row] == "anchor" else labels.width(frame, track)
    result = WhyResult(case, labels, row, labels.why(frame, track), width, most)
    for path in out:
        if path.suffix.lower() in sheet.FORMATS:
            sheet.write_sheet(path, f"{case.name}: why frame {frame} has its label", result.cells())
        else:
            write_text(path, json_text(result.as_dict()))
    return result


def _signed(one: dict[str, Any], name: str) -> list[str]:
    own = "" if one[name] is None else f"{one[name]:+.2f}"
    return [own, f"{one[f'{name}_weight']:+.3f}", f"{one[f'{name}_part']:+.3f}"]


def _known(values: np.ndarray) -> dict[str, float | None]:
    return {
        name: None if np.isnan(value) else round(float(value), 6) for name, value in zip(_NAMES, values, strict=True)
    }
