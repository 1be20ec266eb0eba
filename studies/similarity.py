"""Study 1: does learning valence and arousal beside it make the similarity of expressions more accurate?

The paper says that it does, by one percent. Here the same pairs are learned by the similarity head alone, with the
embedding loss beside it, and with all four losses, each with the same seeds, and judged on the same test pairs.

    python -m studies.similarity
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.evaluation.bootstrap import Draws
from studies.files import markdown, write_results
from studies.judging import judge_pairs
from studies.plan import BASE, read_plan
from studies.statistics import differences, measured
from studies.world import load_world

VARIANTS = {
    "similarity-only": "similarity alone",
    "similarity-embedding": "similarity and embedding loss",
    BASE: "multi-task (all four losses)",
}
ALONE = "similarity-only"
METRIC = "similarity_accuracy"

Accuracies = Mapping[str, Sequence[Draws]]
"""Similarity accuracy by variant, a seed each, all judged on the same resamples of the same people."""


def table(accuracies: Accuracies, rng: np.random.Generator) -> pd.DataFrame:
    """Accuracy of each variant and its difference to similarity alone, with the three intervals of each."""
    rows = []
    for variant, draws in accuracies.items():
        rows.append({"variant": VARIANTS[variant], "what": "accuracy", **measured(draws, rng).row()})
    for variant, draws in accuracies.items():
        if variant != ALONE:
            found = differences(draws, accuracies[ALONE], rng)
            rows.append({"variant": VARIANTS[variant], "what": "minus similarity alone", **found.row()})
    return pd.DataFrame(rows)


def seeds_table(accuracies: Accuracies) -> pd.DataFrame:
    """Accuracy of every variant with every seed, and the difference to similarity alone with the same seed."""
    rows = []
    for seed in range(max(map(len, accuracies.values()))):
        row: dict[str, float] = {"seed": seed + 1}
        for variant, draws in accuracies.items():
            row[VARIANTS[variant]] = draws[seed].value if seed < len(draws) else float("nan")
        for variant in accuracies:
            if variant != ALONE:
                row[f"{VARIANTS[variant]}, minus alone"] = row[VARIANTS[variant]] - row[VARIANTS[ALONE]]
        rows.append(row)
    return pd.DataFrame(rows)


def figure(accuracies: Accuracies, found: pd.DataFrame) -> Figure:
    """The differences to similarity alone: a dot a seed, the mean with its interval over people and seeds, and the
    paper's +1 %."""
    fig = Figure(figsize=(7, 2.6), layout="constrained")
    axis = fig.subplots()
    shown = found[found["what"] != "accuracy"]
    names = {label: variant for variant, label in VARIANTS.items()}
    for place, row in enumerate(shown.to_dict("records")):
        pairs = zip(accuracies[names[str(row["variant"])]], accuracies[ALONE], strict=False)
        each = [100 * (ours.value - alone.value) for ours, alone in pairs]
        axis.plot(each, [place + 0.15] * len(each), "o", color="#8796a5", markersize=4)
        axis.plot([100 * row["low"], 100 * row["high"]], [place - 0.1] * 2, color="#1f6fb2", linewidth=2)
        axis.plot([100 * row["value"]], [place - 0.1], "D", color="#1f6fb2")
    axis.axvline(0, color="#1c2733", linewidth=0.8)
    axis.axvline(1, color="#c8553d", linewidth=0.8, linestyle="--", label="the paper's +1 %")
    axis.set_yticks(range(len(shown)), shown["variant"])
    axis.set_ylim(-0.6, len(shown) - 0.4)
    axis.set_xlabel("similarity accuracy minus that of similarity alone, in points; grey: seeds; bar: 95 % interval")
    axis.legend(loc="best", frameon=False, fontsize=8)
    return fig


def main() -> None:
    """Judges the trained models and writes studies/results/similarity."""
    plan = read_plan()
    accuracies = {
        variant: [
            judge_pairs(load_world(variant, seed), plan.resamples, np.random.default_rng(plan.seed))[METRIC]
            for seed in range(1, plan.variant(variant).seeds + 1)
        ]
        for variant in VARIANTS
    }
    found = table(accuracies, np.random.default_rng(plan.seed))
    write_results(
        "similarity", {"table": found, "seeds": seeds_table(accuracies)}, {"figure": figure(accuracies, found)}
    )
    typer.echo(markdown(found))


if __name__ == "__main__":
    typer.run(main)
