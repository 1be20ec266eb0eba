"""Study 7: what labels lose where predictions are worth nothing, beside straight lines between the same anchors.

A face may be of a kind the network never saw. Every test clip is labelled with its own predictions, with those of
another person in another clip, with its own shuffled in time, and with a constant, from anchors drawn at random; what
is compared is the mean over clips of the RMSE on the other frames, with intervals over clips.

    mtclar synthesize --out FACES ...
    python -m studies.useless --faces FACES
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.data.store import FacesStore
from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.process_fit import Stretch, stretches_of, with_foreign
from mtclar.labelling import Calibration, Process, interpolate
from mtclar.labelling.process import Posterior
from mtclar.steps.embed import embed_rows
from mtclar.steps.models import open_model
from studies.files import write_results

COUNTS = (1, 2, 3, 4, 6, 10)
PLACEMENTS = 3
RESAMPLES, SEED = 2000, 7

Change = Callable[[Stretch, Sequence[Stretch], np.random.Generator], Stretch]


def _another(stretch: Stretch, stretches: Sequence[Stretch], rng: np.random.Generator) -> Stretch:
    others = [other for other in stretches if other.clip != stretch.clip]
    return with_foreign(stretch, others[int(rng.integers(len(others)))], 1.0)


def _shuffled(stretch: Stretch, stretches: Sequence[Stretch], rng: np.random.Generator) -> Stretch:
    return replace(stretch, prediction=rng.permutation(stretch.prediction))


KINDS: dict[str, Change] = {
    "own": lambda stretch, stretches, rng: stretch,
    "another person's": _another,
    "shuffled in time": _shuffled,
    "constant": lambda stretch, stretches, rng: replace(stretch, prediction=np.zeros_like(stretch.prediction)),
}
"""Predictions that labels are made from."""


def score(stretches: Sequence[Stretch], process: Process, counts: Sequence[int] = COUNTS) -> pd.DataFrame:
    """RMSE of each clip by kind of predictions, dimension and number of anchors: of labels and of straight lines."""
    rows = []
    for kind, change in KINDS.items():
        for number, stretch in enumerate(stretches):
            seen = change(stretch, stretches, np.random.default_rng([SEED, number]))
            for d, dimension in enumerate(DIMENSIONS):
                places, truth = seen.places(process, d), seen.truth[:, d]
                for k in (k for k in counts if k < len(seen)):
                    ours, lines = [], []
                    for draw in range(PLACEMENTS):
                        order = np.random.default_rng([SEED, number, k, draw]).permutation(len(seen))
                        at, rest = np.sort(order[:k]), np.sort(order[k:])
                        told = Posterior(process[d], places[at], truth[at], np.full(k, process[d].noise ** 2))
                        ours.append(_rmse(told.at(places[rest])[0], truth[rest]))
                        straight = interpolate(seen.times_s[rest], seen.times_s[at], truth[at])
                        lines.append(_rmse(straight, truth[rest]))
                    rows.append((kind, dimension, k, number, np.mean(ours), np.mean(lines)))
    return pd.DataFrame(rows, columns=["predictions", "dimension", "anchors", "clip", "rmse", "lines"])


def _rmse(label: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.clip(label, -1, 1) - truth) ** 2)))


def table(scores: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Means over clips, and the ratio of both with its 95 % interval over clips."""
    rows = []
    for (kind, dimension, k), part in scores.groupby(["predictions", "dimension", "anchors"], sort=False):
        bootstrap = by_cluster(part["clip"].to_numpy(), resamples, np.random.default_rng(SEED))
        means = bootstrap.means({name: part[name].to_numpy() for name in ("rmse", "lines")})
        resampled = means["rmse"].resampled / means["lines"].resampled
        low, high = np.quantile(resampled, [0.025, 0.975])
        ratio = means["rmse"].value / means["lines"].value
        rows.append((kind, dimension, k, means["rmse"].value, means["lines"].value, ratio, low, high))
    names = ["predictions", "dimension", "anchors", "rmse", "straight_lines", "ratio", "ratio_low", "ratio_high"]
    return pd.DataFrame(rows, columns=names)


def figure(found: pd.DataFrame) -> Figure:
    """The ratio against the number of anchors, by kind of predictions."""
    fig = Figure(figsize=(9, 3.6), layout="constrained")
    axes = fig.subplots(1, 2, sharey=True)
    for axis, dimension in zip(axes, DIMENSIONS, strict=True):
        for kind, part in found[found["dimension"] == dimension].groupby("predictions", sort=False):
            axis.plot(part["anchors"], part["ratio"], "o-", markersize=3, label=kind)
            axis.fill_between(part["anchors"], part["ratio_low"], part["ratio_high"], alpha=0.15)
        axis.axhline(1.0, color="#8796a5", linestyle=":")
        axis.set_title(dimension)
        axis.set_xlabel("anchors a clip")
    axes[0].set_ylabel("RMSE over that of straight lines")
    axes[0].legend(fontsize=7, frameon=False)
    return fig


def main(
    faces: Annotated[Path, typer.Option(help="Faces store with test clips of people the model has not seen.")],
    model: Annotated[str, typer.Option(help="default, or a bundle's folder.")] = "default",
) -> None:
    """Judges a bundle and writes studies/results/useless."""
    store, bundle = FacesStore(faces), open_model(model, None)
    clips = clips_of(store.table, "test")
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    stretches = stretches_of(clips, embed_rows(store, rows, bundle), bundle)
    found = table(score(stretches, Calibration.read(bundle.calibration).process))
    typer.echo(write_results("useless", {"table": found}, {"figure": figure(found)}))


if __name__ == "__main__":
    typer.run(main)
