"""Study 4: what anchors of another person cost, and what lessens the loss.

The paper reports that anchors of another subject lose clearly against those of the same one. Every clip is labelled
from one frame of its own, from other people in several ways, and from other people with one own frame to set the level.
All are judged on the same frames, those that are not the clip's first.

    python -m studies.identity
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import typer

from mtclar.evaluation.bootstrap import Draws
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.fusion import compare_all
from mtclar.evaluation.supports import bank_rows
from studies.figures import ccc_by_row
from studies.files import markdown, write_results
from studies.judging import judge_labels, label_from, other_frames
from studies.plan import BASE, read_plan
from studies.statistics import differences, measured
from studies.world import World, load_world

VARIANTS = (BASE, "person-share-25", "person-share-50")
OWN = "own frame"
POOL, CLOSEST = 256, 8
"""Training faces that closest ones are chosen from, and how many are."""
METRICS = ("valence_ccc", "arousal_ccc", "valence_rmse", "arousal_rmse")

Way = Callable[[World, Clip, np.random.Generator], np.ndarray | None]
"""Labels (n, 2) of a clip, or None where there are no such anchors."""
Scores = Mapping[tuple[str, str], Sequence[Mapping[str, Draws]]]
"""By variant and way: the metrics of `judge_labels` for every seed, all on the same resamples of clips."""


def fused(world: World, clip: Clip, rows: np.ndarray, method: str = "mean") -> np.ndarray:
    """Labels from some faces by one fusion; none of those used here looks at its time scale."""
    return label_from(world, clip, rows, (method,), time_scale_s=1.0)[method]


def others(count: int, method: str = "mean") -> Way:
    """From frames of that many drawn from other people's clips."""

    def way(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
        rows = np.concatenate([np.empty(0, np.int64), *(c.rows for c in world.clips if c.person != clip.person)])
        return fused(world, clip, np.sort(rng.permutation(rows)[:count]), method) if len(rows) >= count else None

    return way


def same_person(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
    """From one face of the same person that is not of the clip."""
    rows = world.embeddings.rows
    known = world.faces.loc[rows, list(DIMENSIONS)].notna().all(axis=1).to_numpy()
    rows = np.setdiff1d(rows[known & (world.people[rows] == clip.person)], clip.rows)
    return fused(world, clip, rng.choice(rows, 1)) if len(rows) else None


def bank(method: str = "mean") -> Way:
    """From the release's bank of 100 training faces."""

    def way(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
        rows = np.intersect1d(bank_rows(world.faces, 0), world.embeddings.rows)
        return fused(world, clip, rows, method) if len(rows) else None

    return way


def closest(by: str) -> Way:
    """From the training faces that are closest to each frame: `head` asks the similarity head, `embedding` the
    distance of embeddings."""

    def way(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
        rows = world.bank_rows
        if len(rows) < CLOSEST:
            return None
        rows = rng.permutation(rows)[:POOL]
        asked, known = world.embeddings[clip.rows], world.embeddings[rows]
        similar, deltas = compare_all(asked, known, world.heads.compare)
        far = -similar if by == "head" else ((asked[:, None] - known[None]) ** 2).sum(axis=2)
        chosen = np.argsort(far, axis=1, kind="stable")[:, :CLOSEST, None]
        votes = world.faces[list(DIMENSIONS)].to_numpy(np.float64)[rows] + deltas
        return np.clip(np.take_along_axis(votes, chosen, axis=1).mean(axis=1), -1, 1)

    return way


def levelled(way: Way) -> Way:
    """Another way, shifted by a constant so that the clip's first frame has its true label."""

    def shifted(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
        labels = way(world, clip, rng)
        return None if labels is None else np.clip(labels + clip.truth[0] - labels[0], -1, 1)

    return shifted


def with_own(count: int) -> Way:
    """the process of labels from the clip's first frame and some of other people."""

    def way(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
        rows = world.bank_rows
        if world.process is None or len(rows) < count:
            return None
        return fused(world, clip, np.append(rng.permutation(rows)[:count], clip.rows[0]), "process")

    return way


def zero_shot(world: World, clip: Clip, rng: np.random.Generator) -> np.ndarray | None:
    """The supervised head, without any anchor."""
    return world.levels_of(clip.rows)


WAYS: dict[str, Way] = {
    OWN: lambda world, clip, rng: fused(world, clip, clip.rows[:1]),
    "own frame, process": with_own(0),
    "own frame, copied": lambda world, clip, rng: np.tile(clip.truth[0], (len(clip), 1)),
    "same person, other picture": same_person,
    "1 of other people": others(1),
    "4 of other people": others(4),
    "16 of other people": others(16),
    "64 of other people": others(64),
    "64, weighted by similarity": others(64, "similarity"),
    "8 most similar of 256": closest("head"),
    "8 nearest of 256": closest("embedding"),
    "bank of 100": bank(),
    "bank, weighted by similarity": bank("similarity"),
    "zero-shot": zero_shot,
    "1 of others + own level": levelled(others(1)),
    "16 of others + own level": levelled(others(16)),
    "bank of 100 + own level": levelled(bank()),
    "zero-shot + own level": levelled(zero_shot),
    "8 of others + own, process": with_own(8),
}
"""Those that end in `own level`, and the last, use the clip's first frame besides other people's."""


def score_world(world: World, *, seed: int, resamples: int, bootstrap_seed: int) -> dict[str, dict[str, Draws]]:
    """Every way that can label all clips of one trained model; `seed` draws the anchors that are drawn."""
    masks = [other_frames(clip, np.zeros(1, int)) for clip in world.clips]
    found = {}
    for name, way in WAYS.items():
        labels = [way(world, clip, np.random.default_rng([seed, number])) for number, clip in enumerate(world.clips)]
        kept = [label for label in labels if label is not None]
        if len(kept) == len(labels):
            found[name] = judge_labels(world.clips, kept, masks, resamples, np.random.default_rng(bootstrap_seed))
    return found


def table(scores: Scores, rng: np.random.Generator) -> pd.DataFrame:
    """A row a variant and way: each metric with its interval over clips and seeds, and its difference to one own frame
    with the same network, paired by clip and seed."""
    rows = []
    for (variant, way), seeds in scores.items():
        row: dict[str, object] = {"variant": variant, "anchors": way}
        for metric in METRICS:
            ours = [seed[metric] for seed in seeds]
            value = measured(ours, rng)
            gap = differences(ours, [seed[metric] for seed in scores[variant, OWN]], rng)
            row |= {metric: value.value, f"{metric}_low": value.both[0], f"{metric}_high": value.both[1]}
            row |= {f"{metric}_gap": gap.value, f"{metric}_gap_low": gap.both[0], f"{metric}_gap_high": gap.both[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def short_table(found: pd.DataFrame) -> pd.DataFrame:
    """For reading: CCC with the gap to one own frame and its interval."""
    rows = []
    for item in found.to_dict("records"):
        row = {"variant": item["variant"], "anchors": item["anchors"]}
        for dimension in DIMENSIONS:
            metric = f"{dimension}_ccc"
            gap = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*(item[f"{metric}_gap{end}"] for end in ("", "_low", "_high")))
            row |= {f"{dimension} CCC": f"{item[metric]:.3f}", f"{dimension}, minus own": gap}
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Judges the trained models and writes studies/results/identity."""
    plan = read_plan()
    scores: dict[tuple[str, str], list[dict[str, Draws]]] = defaultdict(list)
    for variant in VARIANTS:
        for seed in range(1, plan.variant(variant).seeds + 1):
            world = load_world(variant, seed, process=True)
            found = score_world(world, seed=seed, resamples=plan.resamples, bootstrap_seed=plan.seed)
            for way, metrics in found.items():
                scores[variant, way].append(metrics)
            typer.echo(f"{variant}, seed {seed}: {len(found)} ways to label")
    full = table(scores, np.random.default_rng(plan.seed))
    write_results(
        "identity", {"table": full, "short": short_table(full)}, {"figure": ccc_by_row(full, "anchors", "variant")}
    )
    typer.echo(markdown(short_table(full)))


if __name__ == "__main__":
    typer.run(main)
