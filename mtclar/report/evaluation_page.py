"""The page that `mtclar evaluate` leaves: what was judged, how well, beside what, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.judge import Judgement
from mtclar.evaluation.protocol import Labelled
from mtclar.evaluation.scores import BASELINES
from mtclar.evaluation.summary import SUMMARY_COLUMNS, summary_rows
from mtclar.labelling import Calibration
from mtclar.report import charts
from mtclar.report.anchors_page import budgets_part, release_part, span, supports_part
from mtclar.report.card import draft_card
from mtclar.report.fine_part import fine_part, pictures_part
from mtclar.report.groups_part import groups_part
from mtclar.report.page import Markup, Section, figure, table, text, write_page

_SHOWN = {"first": ("mtclar", "copy"), "stride": ("mtclar", "copy", "interpolate")}
_POINTS = 1500


def write_evaluation(path: Path, judgement: Judgement, shown: Sequence[int], facts: Mapping[str, str]) -> None:
    """Writes the report.

    Args:
        path: The HTML file.
        judgement: What was found.
        shown: Positions of the clips whose curves are drawn.
        facts: What the footer states: model, data revision, git revision.
    """
    metrics = judgement.metrics
    sections = [Section("Summary", _summary(metrics))]
    if metrics["notes"]:
        sections.append(Section("Notes", Markup("").join(text(note) for note in metrics["notes"])))
    if shown:
        sections += [
            Section("One anchor a clip", _few_shot(judgement, "first", shown)),
            Section(f"An anchor every {metrics['stride']} frames", _few_shot(judgement, "stride", shown)),
            Section("Where anchors come from", supports_part(metrics)),
            Section("Error against budget", budgets_part(metrics)),
            Section("As the release counts", release_part(metrics)),
        ]
    if metrics["pairs"]["n_pairs"]:
        sections.append(Section("Pairs of faces", _pairs(judgement)))
    if metrics["n_pictures"]:
        sections.append(Section("Single pictures", pictures_part(metrics, judgement.confusion)))
    if "groups" in metrics:
        sections.append(Section("For whom it labels less well", groups_part(metrics)))
    sections.append(Section("The band", _band(judgement)))
    lead = (
        f"Split “{metrics['split']}”: {metrics['n_people']} people that training has not seen, "
        f"{metrics['n_clips']} clips of {metrics['n_frames']} labelled frames, {metrics['n_pictures']} pictures, "
        f"{metrics['pairs']['n_pairs']} pairs."
    )
    footer = " · ".join(f"{name}: {value}" for name, value in facts.items())
    write_page(path, "How well mtclar labels", sections, lead=lead, footer=footer, card=draft_card())


def _summary(metrics: Mapping[str, Any]) -> Markup:
    words = text(
        f"Brackets are 95 % intervals from {metrics['bootstrap']} bootstrap resamples of whole clips (few-shot), of "
        "people (pictures) or of both people of a pair. Metrics are computed over the frames of all clips together, "
        "with population statistics; anchor frames are not scored. “Class mean” is the mean label of the training "
        "faces; for pictures, of those with the picture's true expression, which the model is not told."
    )
    return table(pd.DataFrame(summary_rows(metrics), columns=SUMMARY_COLUMNS)) + words


def _few_shot(judgement: Judgement, protocol: str, shown: Sequence[int]) -> Markup:
    """One protocol: verdict, all metrics of all methods, intervals, curves, scatter."""
    found = judgement.metrics["few_shot"][protocol]
    free = judgement.metrics["few_shot"][f"{protocol}_with_anchors"]
    labelled = judgement.labelled[protocol]
    if not found["n_frames"]:
        return text("Every labelled frame is an anchor here, so there is nothing to score.")
    methods = [name for name in charts.COLOURS if name in found]
    rule = {
        "first": "The label of the first frame of each clip is given; every other frame is labelled from it. With a "
        "single anchor, interpolating and copying are the same.",
        "stride": "Labels recur along the clip. mtclar and “copy anchor” use only the latest anchor at or before a "
        "frame; “interpolate” and “mtclar, all anchors” also look ahead to the next.",
    }[protocol]
    body = text(
        f"{rule} {found['n_anchors']} anchors label {found['n_frames']} frames of {found['n_clips']} clips "
        f"and {found['n_people']} people."
    )
    body += text(_verdict(found))
    body += figure(charts.intervals(found, methods), f"CCC with 95 % intervals, {protocol}")
    rows = [
        [
            f"{charts.NAMES[name]}, {dimension}",
            *(found[name][dimension][metric] for metric in ("ccc", "pcc", "rmse", "mae", "sagr", "delta_ccc")),
            free[name][dimension]["ccc"],
            found[name][dimension]["clip_ccc"],
            found[name][dimension]["undefined_clips"],
        ]
        for dimension in DIMENSIONS
        for name in methods
    ]
    head = ["method", "CCC", "PCC", "RMSE", "MAE", "SAGR", "CCC of change", "CCC, anchors scored", "CCC within clips"]
    body += table(pd.DataFrame(rows, columns=[*head, "clips without PCC"]))
    body += text(
        "“CCC of change” compares deviations from the anchor's label, so it takes away what copying the anchor gives "
        "away; a method that ignores the anchor still has some, because extreme anchors are followed by milder frames. "
        "“CCC within clips” is the mean over clips; truth or prediction does not move in the clips without PCC."
    )
    body += fine_part(found, methods)
    chosen = [labelled[k] for k in shown]
    multiples = Calibration.read(judgement.calibration).multiples
    banded = all(np.isfinite(item.sd).all() for item in chosen)  # votes have no standard deviation
    halves = [multiples.at(np.array([item.spoke])) * item.sd for item in chosen] if banded else []
    words = f"Curves of {len(chosen)} clips, from the smallest error of mtclar with one anchor to the largest"
    body += text(f"{words}{', with the calibrated band:' if halves else ':'}")
    body += figure(charts.curves(chosen, _SHOWN[protocol], halves), f"valence and arousal over time, {protocol}")
    truth, ours = _scored(labelled)
    pick = _some(len(truth))
    body += text(f"Each frame's label against the truth ({len(pick)} of {len(truth)} frames):")
    return body + figure(charts.scatter(truth[pick], ours[pick], limit=1, what=""), f"predicted by true, {protocol}")


def _verdict(found: Mapping[str, Any]) -> str:
    """One sentence on whether mtclar is above its baselines, and how surely."""
    parts = []
    for dimension in DIMENSIONS:
        groups: dict[str, list[str]] = {}
        for name in (name for name in BASELINES if name in found["gain"]):
            gain = found["gain"][name][dimension]
            words = "above {} with intervals that overlap" if gain["ccc"] > 0 else "not above {}"
            words = "above {} with intervals apart" if gain["separate"] else words
            groups.setdefault(words, []).append(charts.NAMES[name])
        parts.append(
            f"for {dimension} it is " + ", ".join(words.format(_and(names)) for words, names in groups.items())
        )
    return f"mtclar's CCC beside the baselines': {'; '.join(parts)}."


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _scored(labelled: Sequence[Labelled]) -> tuple[np.ndarray, np.ndarray]:
    """Truth and mtclar's labels (n, 2) of all frames that are not anchors."""
    truth = np.concatenate([item.clip.truth[item.queries] for item in labelled])
    return truth, np.concatenate([item.methods["mtclar"][item.queries] for item in labelled])


def _some(count: int) -> np.ndarray:
    """At most `_POINTS` of `count` positions, always the same, ascending."""
    if count <= _POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _POINTS, replace=False))


def _pairs(judgement: Judgement) -> Markup:
    """Similarity, and predicted against true differences."""
    found, pairs = judgement.metrics["pairs"], judgement.pairs
    body = text("The model does not say whether two faces show one expression (train.tasks).")
    if "similarity" in found:
        same = found["similarity"]
        body = text(
            f"Whether two faces show one expression: {same['accuracy']:.3f} of {found['n_pairs']} pairs are told right "
            f"(95 % interval {same['ci_low']['accuracy']:.3f} to {same['ci_high']['accuracy']:.3f}; chance 0.5; always "
            f"the more frequent answer {same['majority']['accuracy']:.3f})."
        )
    if "delta" not in found:
        return body
    blocks = [("mtclar", found["delta"]), ("no difference", found["delta"]["zero"]), ("mean", found["delta"]["mean"])]
    rows = [
        [f"{name}, {dimension}", *(block[dimension][metric] for metric in ("ccc", "pcc", "rmse", "mae", "sagr"))]
        for dimension in DIMENSIONS
        for name, block in blocks
        if dimension in block
    ]
    body += table(pd.DataFrame(rows, columns=["difference", "CCC", "PCC", "RMSE", "MAE", "SAGR"]))
    known = np.flatnonzero(np.isfinite(pairs.delta + pairs.delta_p).all(axis=1))
    pick = known[_some(len(known))]
    body += text(f"Predicted against true differences ({len(pick)} of {len(known)} pairs):")
    return body + figure(
        charts.scatter(pairs.delta[pick], pairs.delta_p[pick], limit=2, what="difference in "), "pair differences"
    )


def _band(judgement: Judgement) -> Markup:
    """How the calibrated bands were measured and what they held."""
    calibration, found = judgement.calibration, judgement.metrics["calibration"]
    if not calibration["n_clips"]:
        return text("There are no validation clips, so the labels come without a band.")
    words = (
        f"Bands as wide as the standard deviation of the labels calls for, meant to hold {calibration['coverage']:.0%} "
        f"of the truth, measured on {calibration['n_clips']} validation clips by number of anchors; every clip has "
        f"the same weight. With so many clips at least {calibration['assured']:.1%} of a new clip's frames are assured "
        "to lie inside, over the draw of the clips."
    )
    if found["same_clips"]:
        words += " The coverage below is measured on the very same clips, so it says nothing of new ones."
    rows = []
    without = {"none": found["none"]} if "none" in found else {}
    for anchors, block in {**without, "first frame": found, **found.get("budgets", {})}.items():
        for name in DIMENSIONS:
            own, clips = block[name], block[name].get("per_clip", {})
            half = own["width"] / 2 if "width" in own else None
            row = [_share(anchors), name, half, own.get("coverage"), span(own, "coverage")]
            below = f"{clips['below_target']} of {clips['n_clips']}" if clips else None
            rows.append([*row, clips.get("coverage"), clips.get("lowest"), below])
    head = ["anchors", "dimension", "mean half width", "share of judged frames inside", "95 % interval"]
    head += ["mean over clips", "lowest of a clip", "clips below the target"]
    return text(words) + table(pd.DataFrame(rows, columns=head))


def _share(anchors: str) -> str:
    """`0.06` -> `6 %`."""
    return anchors if anchors in ("first frame", "none") else f"{100 * float(anchors):g} % of the frames"
