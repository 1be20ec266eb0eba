"""The tables behind `dvc plots show`: one CSV a chart, columns named for their axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtclar.data.tables import EXPRESSIONS
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.few_shot import ALWAYS
from mtclar.evaluation.judge import Judgement
from mtclar.evaluation.protocol import Labelled

_POINTS = 1000
_GAP_S = 0.5


def spread_of_clips(labelled: Sequence[Labelled], count: int) -> list[int]:
    """Positions of at most `count` clips, evenly spread from mtclar's smallest RMSE to its largest.

    Neither the best nor the worst are picked alone, so that what is shown is what is to be expected.
    """
    scored = [k for k, item in enumerate(labelled) if item.queries.any()]
    errors = [
        np.mean((labelled[k].methods["mtclar"] - labelled[k].clip.truth)[labelled[k].queries] ** 2) for k in scored
    ]
    order = np.array(scored, int)[np.argsort(errors, kind="stable")]
    if len(order) <= count:
        return order.tolist()
    return order[np.linspace(0, len(order) - 1, count).round().astype(int)].tolist()


def plot_tables(found: Judgement, shown: Sequence[int]) -> dict[str, pd.DataFrame]:
    """All tables by file name.

    - `curves_first`, `curves_stride`: clip, frame, running_s (the clips one after another), and for each dimension
      truth and three methods, as `valence_truth`, `valence_mtclar`, ...;
    - `budgets`: share of frames given, and the RMSE of each dimension and method, as `valence_mtclar`, ...;
    - `methods`: protocol, method, dimension and its metrics with the interval of CCC;
    - `pairs_valence`, `pairs_arousal`: true and predicted difference of at most 1000 pairs;
    - `expressions`: actual and predicted, one row a picture.
    """
    pick = np.flatnonzero(np.isfinite(found.pairs.delta).all(axis=1))
    if len(pick) > _POINTS:
        pick = np.sort(np.random.default_rng(0).choice(pick, _POINTS, replace=False))
    actual, predicted = np.nonzero(found.confusion)
    repeats = found.confusion[actual, predicted]
    tables = {f"curves_{name}": _curves([found.labelled[name][k] for k in shown]) for name in ALWAYS if found.labelled}
    tables["budgets"] = _budgets(found)
    tables["methods"] = _methods(found)
    for k, dimension in enumerate(DIMENSIONS):
        tables[f"pairs_{dimension}"] = pd.DataFrame(
            {"true": found.pairs.delta[pick, k], "predicted": found.pairs.delta_p[pick, k]}
        )
    names = np.array(EXPRESSIONS)
    tables["expressions"] = pd.DataFrame(
        {"actual": names[np.repeat(actual, repeats)], "predicted": names[np.repeat(predicted, repeats)]}
    )
    return tables


def _curves(labelled: Sequence[Labelled]) -> pd.DataFrame:
    """Frames of some clips, laid one after another along `running_s`."""
    series = ("truth", "mtclar", "copy", "interpolate")
    columns = ["clip", "frame", "running_s", *(f"{dimension}_{name}" for dimension in DIMENSIONS for name in series)]
    parts, start = [], 0.0
    for item in labelled:
        times = item.clip.times_s - item.clip.times_s[0]
        values = {"truth": item.clip.truth, **item.methods}
        part = {"clip": item.clip.name, "frame": np.arange(len(times)), "running_s": start + times}
        part |= {f"{dim}_{name}": values[name][:, k] for k, dim in enumerate(DIMENSIONS) for name in series}
        parts.append(pd.DataFrame(part))
        start += float(times[-1]) + _GAP_S
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _budgets(found: Judgement) -> pd.DataFrame:
    """One row a budget, from the smallest up."""
    methods = ("mtclar", "copy", "interpolate", "pchip")
    rows = [
        {"share": block["realised"]}
        | {f"{dim}_{method}": block[method][dim]["rmse"] for dim in DIMENSIONS for method in methods}
        for block in found.metrics["few_shot"].get("budgets", {}).values()
        if block["n_frames"]
    ]
    columns = ["share", *(f"{dim}_{method}" for dim in DIMENSIONS for method in methods)]
    return pd.DataFrame(rows, columns=columns).sort_values("share", kind="stable")


def _methods(found: Judgement) -> pd.DataFrame:
    """One row a protocol, method and dimension."""
    columns = [
        "protocol",
        "method",
        "dimension",
        "ccc",
        "ccc_low",
        "ccc_high",
        "pcc",
        "rmse",
        "mae",
        "sagr",
        "delta_ccc",
    ]
    rows = []
    few_shot = found.metrics["few_shot"]
    named = {name: few_shot[name] for name in few_shot if name not in ("budgets", "area", "release")}
    named |= {f"budget {share}": scores for share, scores in few_shot.get("budgets", {}).items()}
    for protocol, scores in named.items():
        for method, block in scores.items():
            if not isinstance(block, dict) or method == "gain":
                continue
            for dimension in DIMENSIONS:
                own = block[dimension]
                bounds = {"ccc_low": own["ci_low"]["ccc"], "ccc_high": own["ci_high"]["ccc"]}
                rows.append({"protocol": protocol, "method": method, "dimension": dimension, **bounds, **own})
    return pd.DataFrame(rows, columns=columns)
