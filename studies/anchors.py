"""Study 3: how good labels are by where anchors come from, how they are fused, and how many there are.

python -m studies.anchors
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.evaluation.bootstrap import Draws
from mtclar.evaluation.clips import Clip
from mtclar.evaluation.fusion import METHODS
from mtclar.evaluation.supports import bank_rows, spread_positions
from mtclar.labelling import copy_latest, interpolate, pchip
from studies.files import markdown, write_results
from studies.judging import judge_labels, label_from, other_frames
from studies.plan import BASE, read_plan
from studies.statistics import measured
from studies.world import World, load_world

OWN = ("spread", "random", "first")
FOREIGN = ("same person", "other people", "any")
BANK = "bank of 100"
TIMELESS = ("mean", "similarity", "release")
"""Fusions that need no time; anchors of other clips have none on the clip's timeline."""
BASELINES = {"copied": copy_latest, "joined": interpolate, "pchip": pchip}
METRICS = ("valence_rmse", "valence_ccc", "arousal_rmse", "arousal_ccc")

Key = tuple[str, str, float]
"""Support set, fusion, and budget: the number of anchors as a share of the clip's frames, 0 for the bank."""
Scores = Mapping[Key, Sequence[Mapping[str, Draws]]]
"""The metrics of `judge_labels` for every seed, all on the same resamples of clips."""


def rows_of(support: str, world: World, clip: Clip, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Anchors of a clip as rows of the faces store, None where there are too few.

    - `spread`: evenly from the first frame on; fused by `latest` they are the paper's recurring anchors;
    - `first`, `random`: the first frames of the clip, or some drawn from it;
    - `same person`: frames of other clips of the person; `other people`: of other people's clips; `any`: of all clips,
      this one too.
    """
    if support == "spread":
        return clip.rows[np.arange(count) * len(clip) // count]
    if support == "first":
        return clip.rows[:count]
    if support == "random":
        return np.sort(rng.permutation(clip.rows)[:count])
    among = {
        "same person": [other.rows for other in world.clips if other.person == clip.person and other is not clip],
        "other people": [other.rows for other in world.clips if other.person != clip.person],
        "any": [other.rows for other in world.clips],
    }[support]
    rows = np.concatenate(among) if among else np.empty(0, np.int64)
    return np.sort(rng.permutation(rows)[:count]) if len(rows) >= count else None


def labelled(
    world: World, support: str, share: float, methods: Sequence[str], *, seed: int, time_scale_s: float
) -> Iterator[tuple[Clip, np.ndarray, dict[str, np.ndarray]]]:
    """Clips that have such anchors, the frames to judge (n,), and labels (n, 2) a fusion and baseline."""
    for number, clip in enumerate(world.clips):
        count = len(spread_positions(len(clip), share))
        rng = np.random.default_rng([seed, number, OWN.index(support) if support in OWN else 9])
        rows = rows_of(support, world, clip, count, rng)
        if rows is None:
            continue
        found = label_from(world, clip, rows, methods, time_scale_s=time_scale_s)
        own = np.flatnonzero(np.isin(clip.rows, rows))
        if support in OWN:
            for name, baseline in BASELINES.items():
                found[name] = baseline(clip.times_s, clip.times_s[own], clip.truth[own])
        yield clip, other_frames(clip, own), found


def score_world(
    world: World, budgets: Sequence[float], *, seed: int, time_scale_s: float, resamples: int, bootstrap_seed: int
) -> dict[Key, dict[str, Draws]]:
    """Every support set, fusion and budget of one trained model; `seed` draws the anchors that are drawn."""
    process = ("process",) if world.process is not None else ()
    found: dict[Key, dict[str, Draws]] = {}

    def judge(support: str, share: float, items: list[tuple[Clip, np.ndarray, dict[str, np.ndarray]]]) -> None:
        for method in items[0][2] if items else ():
            found[support, method, share] = judge_labels(
                [clip for clip, _, _ in items],
                [labels[method] for _, _, labels in items],
                [mask for _, mask, _ in items],
                resamples,
                np.random.default_rng(bootstrap_seed),
            )

    for support in (*OWN, *FOREIGN):
        methods = (*(METHODS if support in OWN else TIMELESS), *process)
        for share in budgets:
            judge(support, share, list(labelled(world, support, share, methods, seed=seed, time_scale_s=time_scale_s)))
    bank = np.intersect1d(bank_rows(world.faces, seed), world.embeddings.rows)
    if len(bank):
        items = [
            (clip, np.ones(len(clip), bool), label_from(world, clip, bank, TIMELESS, time_scale_s=time_scale_s))
            for clip in world.clips
        ]
        judge(BANK, 0.0, items)
    return found


def table(scores: Scores, rng: np.random.Generator) -> pd.DataFrame:
    """A row a support set, fusion and budget: each metric with its interval over clips and seeds."""
    rows = []
    for (support, method, share), seeds in scores.items():
        row: dict[str, object] = {"support": support, "fusion": method, "budget": share}
        for metric in METRICS:
            value = measured([seed[metric] for seed in seeds], rng)
            row |= {metric: value.value, f"{metric}_low": value.both[0], f"{metric}_high": value.both[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def short_table(found: pd.DataFrame) -> pd.DataFrame:
    """The same for reading: values alone, fusions of a support set and budget by their mean RMSE."""
    mean = found["valence_rmse"] + found["arousal_rmse"]
    ordered = found.assign(_mean=mean).sort_values(["support", "budget", "_mean"], kind="stable")
    return ordered[["support", "budget", "fusion", *METRICS]].reset_index(drop=True)


def figure(found: pd.DataFrame) -> Figure:
    """RMSE against the budget: fusions of spread anchors on the left, support sets on the right, both dimensions."""
    fig = Figure(figsize=(10, 6.4), layout="constrained")
    axes = fig.subplots(2, 2, sharey="row", squeeze=False)
    fused = list(dict.fromkeys(found.loc[found["support"] == "spread", "fusion"]))
    best = "process" if "process" in fused else "mean"
    for i, dimension in enumerate(("valence", "arousal")):
        metric = f"{dimension}_rmse"
        for method in fused:
            part = found[(found["support"] == "spread") & (found["fusion"] == method)].sort_values("budget")
            style = {"linestyle": "--", "marker": "s"} if method in BASELINES else {"marker": "o"}
            axes[i][0].plot(100 * part["budget"], part[metric], markersize=3, label=method, **style)
            if method in (best, "joined"):
                bounds = (part[f"{metric}_low"], part[f"{metric}_high"])
                axes[i][0].fill_between(100 * part["budget"], *bounds, alpha=0.15)
        for support in dict.fromkeys(found["support"]):
            part = found[found["support"] == support].sort_values("budget")
            part = part[part["fusion"] == (best if best in set(part["fusion"]) else "mean")]
            if support == BANK:
                axes[i][1].axhline(part[metric].iloc[0], color="#8796a5", linestyle=":", label=f"{support}, mean")
            else:
                axes[i][1].plot(100 * part["budget"], part[metric], "o-", markersize=3, label=support)
        axes[i][0].set_ylabel(f"RMSE, {dimension}")
    axes[0][0].set_title("spread anchors by fusion")
    axes[0][1].set_title(f"support sets, fusion {best}")
    for axis in axes[1]:
        axis.set_xlabel("labelled frames, %")
    for axis in axes[0]:
        axis.legend(fontsize=7, frameon=False, ncols=2)
    return fig


def main() -> None:
    """Judges the trained models and writes studies/results/anchors."""
    plan = read_plan()
    time_scale_s = plan.settings().evaluate.time_scale_s
    scores: dict[Key, list[dict[str, Draws]]] = defaultdict(list)
    for seed in range(1, plan.variant(BASE).seeds + 1):
        found = score_world(
            load_world(BASE, seed, process=True),
            plan.budgets,
            seed=seed,
            time_scale_s=time_scale_s,
            resamples=plan.resamples,
            bootstrap_seed=plan.seed,
        )
        for key, metrics in found.items():
            scores[key].append(metrics)
        typer.echo(f"seed {seed}: {len(found)} ways to label")
    full = table(scores, np.random.default_rng(plan.seed))
    write_results("anchors", {"table": full, "short": short_table(full)}, {"figure": figure(full)})
    typer.echo(markdown(short_table(full[full["support"] == "spread"])))


if __name__ == "__main__":
    typer.run(main)
