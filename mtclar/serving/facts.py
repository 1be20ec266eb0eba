"""What bundle.json says besides the graphs: how well the model does, how sure it is, what it came from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mtclar.errors import MtclarError
from mtclar.revision import EVALUATION_SET, UNKNOWN

HEADLINE = {
    "valence_ccc": ("few_shot", "first", "mtclar", "valence", "ccc"),
    "arousal_ccc": ("few_shot", "first", "mtclar", "arousal", "ccc"),
    "valence_ccc_stride": ("few_shot", "stride", "mtclar", "valence", "ccc"),
    "arousal_ccc_stride": ("few_shot", "stride", "mtclar", "arousal", "ccc"),
    "pair_accuracy": ("pairs", "similarity", "accuracy"),
}
"""The metrics a model is known by, and where metrics.json of the evaluation holds each."""

GATED = ("valence_ccc", "arousal_ccc")
"""The headline metrics that `mtclar promote` judges by: one anchor a clip, its first frame."""

TERMS = {
    "sample": "people who do not exist, made by 'mtclar sample' (Apache-2.0; rendered ones with the ICT Face Model "
    "Light of ICT-FaceKit, copyright (c) 2020 USC Institute for Creative Technologies, MIT)",
    "synthetic": "faces of people who do not exist, made by 'mtclar synthesize' (Apache-2.0; rendered ones with the "
    "ICT Face Model Light of ICT-FaceKit, copyright (c) 2020 USC Institute for Creative Technologies, MIT)",
    "affectnet": "AffectNet: for non-commercial research only; its agreement covers what is derived from it",
    "afew-va": "AFEW-VA: for non-commercial research only; its agreement covers what is derived from it",
    "aff-wild2": "Aff-Wild2: for non-commercial research only; its agreement covers what is derived from it",
}
"""The terms under which faces may be learned from, by the name of the data set in the faces store."""


def headline(evaluation: Path) -> dict[str, float]:
    """The headline metrics of an evaluation; one that is not there or not known is left out.

    Args:
        evaluation: Folder that `mtclar evaluate` wrote.

    Raises:
        MtclarError: metrics.json is missing or not understood, or holds none of the gated metrics.
    """
    path = evaluation / "metrics.json"
    metrics = _read(path)
    found = {}
    for name, keys in HEADLINE.items():
        value: Any = metrics
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float) and math.isfinite(value):
            found[name] = float(value)
    for name in GATED:
        if name not in found:
            raise MtclarError(f"{path}: '{'.'.join(HEADLINE[name])}' is missing; run 'mtclar evaluate' again.")
    return found


def evaluation_set(evaluation: Path) -> str:
    """What the model was judged on, see `mtclar.evaluation.identity`; "unknown" for an evaluation of an earlier mtclar.

    Raises:
        MtclarError: metrics.json is missing or not understood.
    """
    found = _read(evaluation / "metrics.json").get(EVALUATION_SET, UNKNOWN)
    if not isinstance(found, str):
        raise MtclarError(f"{evaluation}/metrics.json: '{EVALUATION_SET}' is no name; run 'mtclar evaluate' again.")
    return found


def calibration(evaluation: Path) -> dict[str, Any]:
    """Content of calibration.json of an evaluation.

    Raises:
        MtclarError: It is missing or not understood.
    """
    return _read(evaluation / "calibration.json")


def licences(datasets: Iterable[str]) -> dict[str, str]:
    """Whose terms a model falls under, by the data sets it has seen."""
    terms = {"software": "Apache-2.0"}
    for name in sorted(set(datasets)):
        terms[name] = next(
            (text for known, text in TERMS.items() if name.lower().startswith(known)),
            "not known to mtclar: ask whoever gave you the data",
        )
    return terms


def _read(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not JSON")

    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror}); run 'mtclar evaluate' first.") from error
    except ValueError as error:
        raise MtclarError(f"{path}: not valid JSON ({error}); run 'mtclar evaluate' again.") from error
    if not isinstance(values, dict):
        raise MtclarError(f"{path}: expected an object, got {type(values).__name__}.")
    return values
