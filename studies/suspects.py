"""Study 10: whether wrong anchors are found, and how many right ones are suspected.

In every test clip a tenth of the anchors, which are evenly spaced or drawn at random in turn, are moved by 0.8 in
valence or in arousal, towards the middle so that they stay in the range. All anchors are ranked by
`mtclar.labelling.suspects`; what is measured is the share of the wrong ones that are among the first tenth, the share
that is called suspect, and the share of the right ones that is, with intervals over clips.

    mtclar synthesize --out FACES ...
    python -m studies.suspects --faces FACES
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.data.store import FacesStore
from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.process_fit import Stretch, stretches_of
from mtclar.features.prediction import Compare
from mtclar.labelling import Calibration, Process
from mtclar.labelling.process import Posterior
from mtclar.labelling.suspects import differences, ranked
from mtclar.steps.embed import embed_rows
from mtclar.steps.models import open_model
from studies.files import write_results

COUNTS, SHARE, MOVED = (10, 20, 30), 0.1, 0.8
DRAWS, RESAMPLES, SEED = 4, 2000, 7
MEASURED = ("found_first", "found_suspect", "right_suspect")


def score(
    stretches: Sequence[Stretch], process: Process, compare: Compare, counts: Sequence[int] = COUNTS
) -> pd.DataFrame:
    """By clip, number of anchors and whether the pair head was asked: the shares of `MEASURED`."""
    rows = []
    for number, stretch in enumerate(stretches):
        for k in (k for k in counts if k < len(stretch)):
            for draw in range(DRAWS):
                rng = np.random.default_rng([SEED, number, k, draw])
                at = ((np.arange(k) + 0.5) * len(stretch) / k).astype(int)
                at = at if draw % 2 == 0 else np.sort(rng.choice(len(stretch), k, replace=False))
                labels, wrong = spoilt(stretch.truth[at], rng)
                found = [
                    Posterior(
                        process[d],
                        stretch.places(process, d)[at],
                        labels[:, d],
                        np.full(k, process[d].noise ** 2),
                    )
                    for d in range(len(DIMENSIONS))
                ]
                for asked in ("process", "process and pair head"):
                    gaps = differences(stretch.embeddings[at], compare) if asked != "process" else None
                    told = ranked((found[0], found[1]), labels, gaps)
                    first, suspect = told.order[: len(wrong)], told.order[told.suspect]
                    right = np.setdiff1d(np.arange(k), wrong)
                    shares = (np.isin(wrong, first), np.isin(wrong, suspect), np.isin(right, suspect))
                    rows.append((asked, k, number, draw, *(float(share.mean()) for share in shares)))
    return pd.DataFrame(rows, columns=["asked", "anchors", "clip", "draw", *MEASURED])


def spoilt(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Labels (k, 2) of which `SHARE` are moved by `MOVED` in one dimension, and which those are."""
    found = labels.copy()
    wrong = rng.choice(len(labels), max(1, round(SHARE * len(labels))), replace=False)
    for row in wrong.tolist():
        d = int(rng.integers(len(DIMENSIONS)))
        found[row, d] += -MOVED if found[row, d] > 0 else MOVED
    return found, wrong


def table(scores: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """Means with 95 % intervals over clips."""
    rows = []
    for (asked, k), part in scores.groupby(["asked", "anchors"], sort=False):
        bootstrap = by_cluster(part["clip"].to_numpy(), resamples, np.random.default_rng(SEED))
        means = bootstrap.means({name: part[name].to_numpy() for name in MEASURED})
        values = [value for name in MEASURED for value in (means[name].value, *means[name].interval())]
        rows.append((asked, k, *values))
    names = [f"{name}{end}" for name in MEASURED for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["asked", "anchors", *names])


def figure(found: pd.DataFrame) -> Figure:
    """The shares against the number of anchors."""
    fig = Figure(figsize=(9, 3), layout="constrained")
    titles = ("wrong ones among the first tenth", "wrong ones called suspect", "right ones called suspect")
    for axis, name, title in zip(fig.subplots(1, 3), MEASURED, titles, strict=True):
        for asked, part in found.groupby("asked", sort=False):
            axis.plot(part["anchors"], part[name], "o-", markersize=3, label=asked)
            axis.fill_between(part["anchors"], part[f"{name}_low"], part[f"{name}_high"], alpha=0.15)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("anchors a clip")
    axis.legend(fontsize=7, frameon=False)
    return fig


def main(
    faces: Annotated[Path, typer.Option(help="Faces store with clips of people the model has not seen.")],
    model: Annotated[str, typer.Option(help="default, or a bundle's folder.")] = "default",
    split: Annotated[str, typer.Option(help="validation, where the ranking is chosen, or test.")] = "test",
    name: Annotated[str, typer.Option(help="Folder under studies/results.")] = "suspects",
) -> None:
    """Spoils anchors, ranks them, and writes studies/results/suspects."""
    store, bundle = FacesStore(faces), open_model(model, None)
    clips = clips_of(store.table, split)
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    stretches = stretches_of(clips, embed_rows(store, rows, bundle), bundle)
    found = table(score(stretches, Calibration.read(bundle.calibration).process, bundle.compare))
    typer.echo(write_results(name, {"table": found}, {"figure": figure(found)}))


if __name__ == "__main__":
    typer.run(main)
