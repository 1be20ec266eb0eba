"""Study 9: how many anchors `mtclar suggest` saves beside evenly spaced ones, and what its estimated error is worth.

Test clips of people the model has not seen are labelled from anchors that are placed

- evenly: in the middle of as many equal parts of the clip;
- at random;
- as suggested: in rounds of three, each chosen from what the rounds before have told, among frames on which the face
  can be seen, as `mtclar suggest` does;
- so, but among all frames: a rater of synthetic people sees as well in the dark, and a person does not;
- where the error is largest, which nobody knows: each next anchor is the frame with the largest error. What is left
  between this and even spacing is what any choice could gain, about.

RMSE is over the frames that are no anchors, and besides over those of them whose face can be seen. How many suggested
anchors reach the error of K evenly spaced ones is read from the means over clips, on a line between the numbers tried;
intervals are over clips. The estimated error is judged by the ratio of what it was to what it was said to be.

    mtclar synthesize --out FACES ...
    python -m studies.suggest --faces FACES
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.data.store import FacesStore
from mtclar.evaluation.clips import DIMENSIONS, clips_of
from mtclar.evaluation.process_fit import Stretch, stretches_of
from mtclar.labelling import Calibration, Process
from mtclar.labelling.design import activity, choose, field_of
from mtclar.labelling.process import Posterior
from mtclar.labelling.suggest import ACTIVE_FROM, rateable, surprise
from mtclar.steps.embed import embed_rows
from mtclar.steps.models import open_model
from studies.files import write_results

ROUND = 3
"""Anchors a round, the default of `mtclar suggest`."""
COUNTS = (2, 3, 4, 5, 6, 8, 10, 12, 14, 17, 20)
ASKED = (5, 10, 20)
GOALS, STOPS = (0.1, 0.15, 0.2), (2, 5, 10, 20)
"""RMSE that is aimed at, and numbers of anchors at which it is asked whether it is reached."""
HARDLY_SEEN = 0.125
"""`label.low_quality` of params.yaml."""
LEAST_FRAMES, RESAMPLES, SEED = 60, 1000, 7

Place = Callable[[Stretch, Process, int, np.random.Generator], list[int]]
"""Positions of so many anchors, in the order in which they are given."""


def told(stretch: Stretch, process: Process, at: np.ndarray) -> tuple[Posterior, Posterior]:
    """The process of both dimensions, given the truth of some frames."""
    one, other = (
        Posterior(
            process[d],
            stretch.places(process, d)[at],
            stretch.truth[at, d],
            np.full(len(at), process[d].noise ** 2),
        )
        for d in range(len(DIMENSIONS))
    )
    return one, other


def evenly(stretch: Stretch, process: Process, count: int, rng: np.random.Generator) -> list[int]:
    """The middle of each of `count` equal parts."""
    return [int((k + 0.5) * len(stretch) / count) for k in range(count)]


def randomly(stretch: Stretch, process: Process, count: int, rng: np.random.Generator) -> list[int]:
    """Frames drawn at random."""
    return [int(frame) for frame in rng.permutation(len(stretch))[:count]]


def suggested(
    stretch: Stretch, process: Process, count: int, rng: np.random.Generator, least: float = HARDLY_SEEN
) -> list[int]:
    """As `mtclar suggest` says, a round of `ROUND` after the other, among frames of at least some quality."""
    chosen: list[int] = []
    places = [stretch.places(process, d) for d in range(len(DIMENSIONS))]
    while len(chosen) < count:
        at = np.array(sorted(chosen), np.int64)
        rest = np.setdiff1d(np.arange(len(stretch)), at)
        posteriors, some = told(stretch, process, at), [each[rest] for each in places]
        fields = [field_of(found, own) for found, own in zip(posteriors, some, strict=True)]
        active = None
        if len(at) >= ACTIVE_FROM:
            means = np.stack([found.at(own)[0] for found, own in zip(posteriors, some, strict=True)], axis=1)
            both, values = np.append(rest, at), np.concatenate([means, stretch.truth[at]])
            active = activity(stretch.times_s[both], np.zeros(len(both), int), values)[: len(rest)]
        allowed = rateable(stretch.times_s, np.zeros(len(stretch), int), stretch.quality, rest, least)
        found = choose(fields, np.ones(len(rest)), allowed, ROUND, active)
        chosen += [int(rest[k]) for k in found.order]
    return chosen[:count]


def suggested_anywhere(stretch: Stretch, process: Process, count: int, rng: np.random.Generator) -> list[int]:
    """The same among all frames."""
    return suggested(stretch, process, count, rng, least=0.0)


def at_the_largest_error(stretch: Stretch, process: Process, count: int, rng: np.random.Generator) -> list[int]:
    """Each next anchor where the labels are worst, from the middle frame on."""
    chosen = [len(stretch) // 2]
    while len(chosen) < count:
        off = np.abs(labels(stretch, process, np.array(sorted(chosen)))[0] - stretch.truth).max(axis=1)
        off[chosen] = -1
        chosen.append(int(np.argmax(off)))
    return chosen


WAYS: dict[str, Place] = {
    "evenly spaced": evenly,
    "random": randomly,
    "suggested": suggested,
    "suggested anywhere": suggested_anywhere,
    "largest error": at_the_largest_error,
}


def labels(stretch: Stretch, process: Process, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of all frames and their standard deviations, (n, 2) each, from some anchors."""
    posteriors = told(stretch, process, at)
    means, sds = zip(*(found.at(stretch.places(process, d)) for d, found in enumerate(posteriors)), strict=True)
    return np.clip(np.stack(means, axis=1), -1, 1), np.stack(sds, axis=1)


def score(stretches: Sequence[Stretch], known: Calibration) -> pd.DataFrame:
    """By clip, way and number of anchors: RMSE of both dimensions, and what it was estimated to be."""
    rows, process = [], known.process
    for number, stretch in enumerate(stretches):
        if len(stretch) < LEAST_FRAMES:
            continue
        for way, place in WAYS.items():
            order = (
                []
                if way == "evenly spaced"
                else place(stretch, process, max(COUNTS), np.random.default_rng([SEED, number]))
            )
            for k in COUNTS:
                at = evenly(stretch, process, k, np.random.default_rng()) if way == "evenly spaced" else order[:k]
                chosen = np.array(sorted(at))
                rest = np.setdiff1d(np.arange(len(stretch)), chosen)
                mean, sd = labels(stretch, process, chosen)
                posteriors = told(stretch, process, chosen)
                error = np.sqrt(np.mean((mean - stretch.truth)[rest] ** 2, axis=0))
                seen = rest[stretch.quality[rest] >= HARDLY_SEEN]
                clear = np.sqrt(np.mean((mean - stretch.truth)[seen] ** 2, axis=0)).mean() if len(seen) else np.nan
                said = np.sqrt(np.mean(sd[rest] ** 2, axis=0)) * [surprise(found) for found in posteriors]
                said = said * known.widths(np.array([k]))[0]
                rows.append((way, k, number, *error, *said, float(clear)))
    return pd.DataFrame(
        rows, columns=["placed", "anchors", "clip", "valence", "arousal", "valence_said", "arousal_said", "seen"]
    )


def errors_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean RMSE over clips by way and number of anchors."""
    rows = []
    for k, part in scores.groupby("anchors", sort=False):
        means = part.groupby("placed", sort=False)[list(DIMENSIONS)].mean()
        rows.append((k, *(means[dimension].to_dict()[way] for dimension in DIMENSIONS for way in WAYS)))
    names = [f"{dimension}, {way}" for dimension in DIMENSIONS for way in WAYS]
    return pd.DataFrame(rows, columns=["anchors", *names])


def saved_table(scores: pd.DataFrame, resamples: int = RESAMPLES) -> pd.DataFrame:
    """How many anchors of each way reach the mean error of K evenly spaced ones, over K, with 95 % intervals."""
    both = scores.assign(all=(scores["valence"] + scores["arousal"]) / 2)
    rng, rows = np.random.default_rng(SEED), []
    clips = both["clip"].nunique()
    draws = [np.arange(clips), *(rng.integers(clips, size=clips) for _ in range(resamples))]
    for frames in ("all", "seen"):
        wide = both.pivot(index="clip", columns=["placed", "anchors"], values=frames)
        for way in [name for name in WAYS if name != "evenly spaced"]:
            for k in ASKED:
                shares = []
                for draw in draws:
                    means = wide.iloc[draw].mean()
                    shares.append(_reaching(means[way], float(means["evenly spaced"][k])) / k)
                low, high = np.quantile(shares[1:], [0.025, 0.975], method="nearest")
                rows.append((frames, way, k, shares[0], low, high))
    return pd.DataFrame(
        rows, columns=["frames judged", "placed", "evenly spaced anchors", "share", "share_low", "share_high"]
    )


def _reaching(means: pd.Series, goal: float) -> float:
    """The number of anchors at which mean errors come down to a goal, on lines between the numbers that were tried."""
    counts, errors = np.array(means.index, float), np.minimum.accumulate(means.to_numpy(float))
    if errors[-1] > goal:
        return float("inf")
    first = int(np.argmax(errors <= goal))
    if first == 0:
        return float(counts[0])
    share = (errors[first - 1] - goal) / max(errors[first - 1] - errors[first], 1e-12)
    return float(counts[first - 1] + share * (counts[first] - counts[first - 1]))


def estimates_table(scores: pd.DataFrame) -> pd.DataFrame:
    """How the estimated error compares with the error, of evenly spaced and suggested anchors."""
    rows = []
    for (way, k), part in scores.groupby(["placed", "anchors"], sort=False):
        if way in ("evenly spaced", "suggested") and k in (2, 3, 5, 10, 20):
            error, said = (part[[f"{d}{end}" for d in DIMENSIONS]].to_numpy().ravel() for end in ("", "_said"))
            ratio = np.sqrt(np.mean(error**2) / np.mean(said**2))
            within = np.mean(np.abs(np.log(error / said)) <= np.log(1.5))
            rows.append((way, k, ratio, within, np.corrcoef(error, said)[0, 1]))
    return pd.DataFrame(rows, columns=["placed", "anchors", "error over estimate", "within 1.5 times", "correlation"])


def goals_table(scores: pd.DataFrame) -> pd.DataFrame:
    """How often the error lies below a goal where the estimate says so: the stop sign of `mtclar suggest`.

    Of evenly spaced and suggested anchors, in valence and arousal, each number of anchors for itself and all together.
    """
    rows = []
    for way in ("evenly spaced", "suggested"):
        part = scores[scores["placed"] == way]
        for goal in GOALS:
            for k in (*STOPS, None):
                some = part if k is None else part[part["anchors"] == k]
                error, said = (some[[f"{d}{end}" for d in DIMENSIONS]].to_numpy().ravel() for end in ("", "_said"))
                below = said < goal
                right = float(np.mean(error[below] < goal)) if below.any() else np.nan
                rows.append((way, goal, "all" if k is None else k, float(below.mean()), right))
    return pd.DataFrame(rows, columns=["placed", "goal", "anchors", "said to be below", "of these below"])


def figure(scores: pd.DataFrame) -> Figure:
    """Mean RMSE against the number of anchors, by way."""
    fig = Figure(figsize=(9, 3.6), layout="constrained")
    for axis, dimension in zip(fig.subplots(1, 2, sharey=True), DIMENSIONS, strict=True):
        for way, part in scores.groupby("placed", sort=False):
            means = part.groupby("anchors")[dimension].mean()
            axis.plot(means.index, means, "o-", markersize=3, label=way)
        axis.set_title(dimension)
        axis.set_xlabel("anchors a clip")
        axis.set_ylabel("RMSE")
        axis.set_yscale("log")
    axis.legend(fontsize=7, frameon=False)
    return fig


def main(
    faces: Annotated[Path, typer.Option(help="Faces store with clips of people the model has not seen.")],
    model: Annotated[str, typer.Option(help="default, or a bundle's folder.")] = "default",
    split: Annotated[str, typer.Option(help="validation, where the criterion is chosen, or test.")] = "test",
    name: Annotated[str, typer.Option(help="Folder under studies/results.")] = "suggest",
) -> None:
    """Judges the suggestions and writes studies/results/suggest."""
    store, bundle = FacesStore(faces), open_model(model, None)
    clips = clips_of(store.table, split)
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    stretches = stretches_of(clips, embed_rows(store, rows, bundle), bundle)
    scores = score(stretches, Calibration.read(bundle.calibration))
    tables = {"table": errors_table(scores), "saved": saved_table(scores), "estimates": estimates_table(scores)}
    tables["goals"] = goals_table(scores)
    typer.echo(write_results(name, tables, {"figure": figure(scores)}))


if __name__ == "__main__":
    typer.run(main)
