"""The tables of a model card, as Markdown; every number comes from what was measured, and a dash stands for none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mtclar.data.tables import SPLITS
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.groups import worst_groups
from mtclar.evaluation.real_table import (
    AGREEMENT_COLUMNS,
    RMSE_COLUMNS,
    agreement_rows,
    cell,
    interval_words,
    rmse_rows,
)

NOT_MEASURED = "Not measured."

_METRICS = ("rmse", "ccc")
_RANGES = {
    "skin": "skin colour, 0 dark to 1 light",
    "age": "age in looks, 0 child-like to 1 old",
    "yaw": "turned to the side, degrees",
    "pitch": "turned up or down, degrees",
    "roll": "tilted, degrees",
    "brightness": "brightness of the face, 0 to 1",
    "face_px": "width of the face, pixels",
    "blur_px": "blur, pixels",
    "covered": "share of the face that is hidden",
}


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: bool = True) -> str:
    """A Markdown table: the first column to the left, the others to the right if they hold numbers."""
    lines = [columns, ["---", *["---:" if numbers else "---"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_plain(value) for value in line)} |" for line in lines)


def people(learned: Mapping[str, Any]) -> str:
    """How many people, faces and clips there were in each split."""
    names = [name for name in ("people", "faces", "clips") if name in learned]
    return table(["", *SPLITS], [[name, *(f"{learned[name][split]:,}" for split in SPLITS)] for name in names])


def ranges(learned: Mapping[str, Any]) -> str:
    """What the training faces were like, of people who were made."""
    if "ranges" not in learned:
        return NOT_MEASURED
    found = table(
        ["training faces", "1 % below", "median", "1 % above"],
        [[words, *(f"{value:g}" for value in learned["ranges"][name])]
         for name, words in _RANGES.items() if name in learned["ranges"]],
    )  # fmt: skip
    shares = [
        f"{name}: {', '.join(f'{key} {share:.0%}' for key, share in shares.items())}"
        for name, shares in learned["shares"].items()
    ]
    return f"{found}\n\nShares of the training faces, by {'; by '.join(shares)}."


def synthetic(metrics: Mapping[str, Any]) -> str:
    """Accuracy on people of the kind it learned from: frames of clips by number of anchors, and single pictures."""
    few = metrics.get("few_shot", {})
    blocks = {
        "clips, no anchor": few.get("none", {}).get("mtclar") or few.get("first", {}).get("zero_shot"),
        "clips, the first frame given": few.get("first", {}).get("mtclar"),
        "the same, copying the anchor": few.get("first", {}).get("copy"),
        f"clips, every {metrics.get('stride')}th frame given": few.get("every", {}).get("mtclar"),
        "the same, straight lines": few.get("every", {}).get("interpolate"),
        "the same, from the latest given frame alone": few.get("stride", {}).get("mtclar"),
        "single pictures, no anchor": metrics.get("single"),
    }
    rows = [[name, *_scores(block)] for name, block in blocks.items() if block and DIMENSIONS[0] in block]
    return table(["judged on", *_heads()], rows) if rows else NOT_MEASURED


def groups(metrics: Mapping[str, Any], name: str) -> str:
    """Accuracy without an anchor by one property of the face, such as `skin` or `yaw`."""
    found = metrics.get("groups", {}).get(name)
    if not found:
        return NOT_MEASURED
    rows = [
        [band, f"{block['n_faces']:,}", block.get("n_people"), *_scores(block)]
        for band, block in found.items()
        if block.get("n_faces")
    ]
    return table([name, "faces", "people", *_heads()], rows)


def worst(metrics: Mapping[str, Any]) -> str:
    """Which group is labelled worst in each dimension."""
    found = worst_groups(metrics.get("groups", {}))
    if not found:
        return "By group: not measured."
    said = [
        f"{dimension}: {item['trait']} {item['group']}, RMSE {item['rmse']:.3f} on {item['n_faces']:,} faces"
        for dimension, item in found.items()
    ]
    return f"By group, without an anchor. The largest errors are in {'; '.join(said)}."


def coverage(metrics: Mapping[str, Any]) -> str:
    """How many true labels the bands held, of people the model had not seen."""
    found = metrics.get("calibration", {})
    rows = [
        [f"{anchors}, {dimension}", f"{block['coverage']:.0%}", f"{block['width']:.2f}"]
        for anchors, held in (("no anchor", found.get("none", {})), ("one anchor a clip", found))
        for dimension in DIMENSIONS
        if (block := held.get(dimension, {})).get("coverage") is not None
    ]
    if not rows:
        return NOT_MEASURED
    words = f"Bands are made to hold {found['target']:.0%} of the true labels. On the test people they held:"
    return f"{words}\n\n{table(['', 'held', 'mean width'], rows)}"


def real_clips(real: Mapping[str, Any]) -> str:
    """The test on clips of real people, for every number of anchors, beside what the anchors give without a model."""
    if not real.get("anchors"):
        return NOT_MEASURED
    kinds = dict.fromkeys(real["intervals"].values())
    return "\n\n".join(
        [
            table(RMSE_COLUMNS, rmse_rows(real["anchors"], real["placements"])),
            " ".join(interval_words(kind) for kind in kinds),
            table(AGREEMENT_COLUMNS, agreement_rows(real["anchors"])),
        ]
    )


def portraits(real: Mapping[str, Any]) -> str:
    """The test on single pictures of real people, without an anchor."""
    found = real.get("portraits") or {}
    rows = [
        [dimension, *(cell(found[dimension], metric) for metric in ("rmse", "ccc", "pcc"))]
        for dimension in DIMENSIONS
        if dimension in found
    ]
    return table(["", "RMSE", "CCC", "PCC"], rows) if rows else NOT_MEASURED


def _heads() -> list[str]:
    return [f"{metric.upper()}, {dimension}" for dimension in DIMENSIONS for metric in _METRICS]


def _scores(block: Mapping[str, Any]) -> list[str]:
    return [_score(block[dimension], metric) for dimension in DIMENSIONS for metric in _METRICS]


def _score(block: Mapping[str, Any], metric: str) -> str:
    """`0.131 [0.120, 0.142]` of a block of metrics.json."""
    bounds = [(block.get(side) or {}).get(metric) for side in ("ci_low", "ci_high")]
    return cell({metric: block.get(metric), f"{metric}_interval": bounds}, metric)


def _plain(value: object) -> str:
    """A cell that cannot end its row; unknown is a dash."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    return " ".join(str(value).split()).replace("|", "\\|")
