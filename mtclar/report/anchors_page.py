"""The part of an evaluation's page on anchors: where they come from, how many, and how the release counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.release import ARRANGEMENTS, SWITCHES
from mtclar.report import charts
from mtclar.report.page import Markup, figure, table, text

_OTHERS = ("budgets", "area", "release", "first_with_anchors", "stride_with_anchors")
_COMPARED = ("copy", "interpolate", "pchip")


def supports_part(metrics: Mapping[str, Any]) -> Markup:
    """A table of the support sets, each beside what copying and interpolating its anchors gives."""
    rows = []
    for name, block in metrics["few_shot"].items():
        if name in _OTHERS or not block["n_frames"]:
            continue
        for dimension in DIMENSIONS:
            own = block["mtclar"][dimension]
            others = (block[method][dimension] if method in block else {} for method in ("copy", "interpolate"))
            rows.append(
                [
                    f"{name}, {dimension}",
                    own["rmse"],
                    span(own, "rmse"),
                    own["ccc"],
                    *(value.get(metric) for value in others for metric in ("rmse", "ccc")),
                    block["n_clips"],
                    block["n_frames"],
                ]
            )
    head = ["anchors from", "RMSE", "95 % interval", "CCC", "RMSE, copy", "CCC, copy"]
    head += ["RMSE, interpolate", "CCC, interpolate", "clips", "frames"]
    words = (
        "The same frames labelled from other anchors. “stride” recurs along the clip and uses the latest; “first” and "
        "“random” give one frame of the clip; “…-of-person” one of all the person's frames; “other-clip”, "
        "“cross-identity” and “any” draw one for each frame anew; “bank” are 100 training faces, all for every frame; "
        "“none” is labelled without any. A dash: the method has no meaning there."
    )
    return text(words) + table(pd.DataFrame(rows, columns=head))


def budgets_part(metrics: Mapping[str, Any]) -> Markup:
    """Error against budget, drawn and as a table with the paired differences."""
    budgets = {share: block for share, block in metrics["few_shot"]["budgets"].items() if block["n_frames"]}
    if not budgets:
        return text("Every frame is an anchor at every budget, so there is nothing to score.")
    words = (
        "A share of each clip's frames is labelled by hand, at least one, evenly spread from the first on; all other "
        f"frames are labelled from them, past and future, by the fusion “{metrics['fusion']}”, and scored. In short "
        "clips “at least one” is more than the share asked for, so the share that came out stands beside it. "
        "Differences are mtclar minus the method, paired, with 95 % intervals: below 0, mtclar's error is the smaller."
    )
    rows = []
    for share, block in budgets.items():
        for dimension in DIMENSIONS:
            gains = [block["gain"][method][dimension] for method in _COMPARED]
            rows.append(
                [
                    f"{float(share):.0%}, {dimension}",
                    f"{block['realised']:.1%}",
                    block["mtclar"][dimension]["rmse"],
                    *(block[method][dimension]["rmse"] for method in _COMPARED),
                    *(
                        f"{gain['rmse']:+.3f} [{gain['ci_low']['rmse']:+.3f}, {gain['ci_high']['rmse']:+.3f}]"
                        for gain in gains
                    ),
                ]
            )
    names = [charts.NAMES[method] for method in _COMPARED]
    head = ["budget", "share of frames given", "RMSE", *(f"RMSE, {name}" for name in names)]
    head += [f"difference to {name}" for name in names]
    drawn = figure(charts.budgets(budgets, ("mtclar", *_COMPARED)), "RMSE by the share of frames labelled by hand")
    return text(words) + drawn + table(pd.DataFrame(rows, columns=head))


def release_part(metrics: Mapping[str, Any]) -> Markup:
    """The release's way of counting beside the definition it states."""
    found, stride = metrics["few_shot"]["release"], metrics["stride"]
    words = (
        f"The code released with MT-CLAR counts in ways that make its numbers hard to compare. Anchors recur every "
        f"{stride} frames; “latest” uses the latest of them, “all” every one of the clip with the mean of label + "
        "difference. “sane” is that definition with anchors left out; each other row turns one habit of the release "
        "on, and “released” all of them: anchors scored as well, differences averaged over 5 consecutive frames, one "
        "row for each anchor, differences averaged without their labels, and rows cut to whole batches."
    )
    rows = [
        [
            f"{arrangement}, {name}",
            block["n_rows"],
            *(
                block[dimension][metric] if dimension in block else None
                for dimension in DIMENSIONS
                for metric in ("rmse", "ccc", "sagr")
            ),
        ]
        for arrangement in ARRANGEMENTS
        for name in ("sane", *SWITCHES, "released")
        if (block := found[arrangement][name])
    ]
    head = ["anchors, counting", "rows", *(f"{name} {dim}" for dim in DIMENSIONS for name in ("RMSE", "CCC", "SAGR"))]
    return text(words) + table(pd.DataFrame(rows, columns=head))


def span(block: Mapping[str, Any], name: str) -> str:
    """The 95 % interval of a metric, or a dash."""
    low, high = (block.get(side, {}).get(name, float("nan")) for side in ("ci_low", "ci_high"))
    return "–" if pd.isna(low) else f"{low:.3f} to {high:.3f}"
