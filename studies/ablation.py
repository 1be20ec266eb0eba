"""Study 2: what each loss, each way to join two embeddings and each way to draw pairs is worth.

Every variant of studies/params.yaml changes one thing in the default training (`full`); each is compared with it seed
by seed, on the same test pairs and clips.

    python -m studies.ablation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.evaluation.bootstrap import Draws
from studies.files import markdown, write_results
from studies.judging import judge_few_shot, judge_pairs
from studies.plan import BASE, read_plan
from studies.statistics import Measured, differences, measured
from studies.world import load_world

METRICS = {
    "similarity_accuracy": "similarity accuracy",
    "delta_valence_ccc": "ΔV CCC",
    "delta_arousal_ccc": "ΔA CCC",
    "few_shot_valence_ccc": "V CCC, one anchor",
    "few_shot_arousal_ccc": "A CCC, one anchor",
}

Scores = Mapping[str, Sequence[Mapping[str, Draws]]]
"""By variant and seed: the metrics that its heads allow, all judged on the same resamples."""


def long_table(scores: Scores, rng: np.random.Generator) -> pd.DataFrame:
    """A row a variant and metric: its value and its difference to `full` with intervals (people or clips × seeds)."""
    rows = []
    for variant, seeds in scores.items():
        for metric, title in METRICS.items():
            if not all(metric in seed for seed in (*seeds, *scores[BASE])):
                continue
            ours = [seed[metric] for seed in seeds]
            row = {"variant": variant, "metric": title, **measured(ours, rng).row()}
            if variant != BASE:
                base = differences(ours, [seed[metric] for seed in scores[BASE]], rng)
                row |= {"difference": base.value, "difference_low": base.both[0], "difference_high": base.both[1]}
                row |= {"seed_lowest": base.seeds.min(), "seed_highest": base.seeds.max(), "separate": separate(base)}
            rows.append(row)
    return pd.DataFrame(rows)


def separate(difference: Measured) -> bool:
    """Whether a difference is beyond chance: its interval leaves 0 out and every seed has its sign."""
    low, high = difference.both
    signs = np.sign(difference.seeds)
    return bool((low > 0 or high < 0) and abs(signs.sum()) == len(signs))


def wide_table(found: pd.DataFrame) -> pd.DataFrame:
    """A row a variant, for reading: values of `full`, differences of the others in points, * where beyond chance."""
    rows = []
    for variant in dict.fromkeys(found["variant"]):
        row = {"variant": variant}
        for item in found[found["variant"] == variant].to_dict("records"):
            if variant == BASE:
                row[item["metric"]] = f"{item['value']:.3f} [{item['low']:.3f}, {item['high']:.3f}]"
            else:
                mark = " *" if item["separate"] else ""
                numbers = (100 * item[name] for name in ("difference", "difference_low", "difference_high"))
                row[item["metric"]] = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*numbers) + mark
        rows.append(row)
    return pd.DataFrame(rows, columns=["variant", *METRICS.values()])


def figure(found: pd.DataFrame) -> Figure:
    """Differences to `full` by variant, one panel a metric."""
    others = found[found["variant"] != BASE]
    names = list(dict.fromkeys(others["variant"]))[::-1]
    fig = Figure(figsize=(2.2 + 1.9 * len(METRICS), 1 + 0.28 * len(names)), layout="constrained")
    axes = fig.subplots(1, len(METRICS), sharey=True, squeeze=False)[0]
    for axis, title in zip(axes, METRICS.values(), strict=True):
        axis.axvline(0, color="#1c2733", linewidth=0.8)
        for item in others[others["metric"] == title].to_dict("records"):
            place = names.index(item["variant"])
            colour = "#1f6fb2" if item["separate"] else "#8796a5"
            axis.plot([100 * item["difference_low"], 100 * item["difference_high"]], [place] * 2, color=colour)
            axis.plot([100 * item["difference"]], [place], "o", color=colour, markersize=4)
        axis.set_title(title, fontsize=9)
    axes[0].set_yticks(range(len(names)), names)
    fig.supxlabel("difference to `full`, in points; blue: beyond chance", fontsize=9)
    return fig


def main() -> None:
    """Judges the trained models and writes studies/results/ablation."""
    plan = read_plan()
    scores: dict[str, list[dict[str, Draws]]] = {}
    for name, variant in plan.variants.items():
        scores[name] = []
        for seed in range(1, variant.seeds + 1):
            world = load_world(name, seed)
            pairs = judge_pairs(world, plan.resamples, np.random.default_rng(plan.seed))
            scores[name].append(pairs | judge_few_shot(world, plan.resamples, np.random.default_rng(plan.seed)))
    found = long_table(scores, np.random.default_rng(plan.seed))
    write_results("ablation", {"table": found, "short": wide_table(found)}, {"figure": figure(found)})
    typer.echo(markdown(wide_table(found)))


if __name__ == "__main__":
    typer.run(main)
