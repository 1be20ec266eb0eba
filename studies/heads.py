"""Study 8: the pair heads beside the difference of the single heads, and what similarity is best read from.

An anchor of the same person is what labelling has, so differences are judged on pairs of one person's faces, by the
pair heads, by single(a) - single(b), by the mean of both, and by no difference (copying the anchor). Similarity is
judged on pairs drawn by expression, half of them similar: by the pair head, by the cosine of the embeddings and by the
agreement of the two expression posteriors; thresholds are chosen on validation people.

    python -m studies.heads --faces FACES --model BUNDLE
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
import typer
from matplotlib.figure import Figure

from mtclar.data.store import FacesStore
from mtclar.evaluation.bootstrap import Draws, by_cluster, pigeonhole
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.features.prediction import Compare
from mtclar.learning.pairs import held_out_pairs, person_pairs
from mtclar.settings import PairSettings, load_settings
from mtclar.steps.embed import embed_rows
from mtclar.steps.models import open_model
from studies.files import write_results

PAIRS, PAIRS_OF_EXPRESSIONS = 20_000, 8000
RESAMPLES, SEED = 1000, 7


class Faces(NamedTuple):
    """What a model says of m faces: truth (m, 2), single heads (m, 2), posteriors (m, 8), embeddings (m, d)."""

    rows: np.ndarray
    person: np.ndarray
    truth: np.ndarray
    single: np.ndarray
    posterior: np.ndarray
    embedding: np.ndarray


def difference_table(faces: Faces, compare: Compare, resamples: int = RESAMPLES) -> pd.DataFrame:
    """RMSE and CCC of differences over pairs of one person's faces, and RMSE less that of the single heads."""
    codes = np.unique(faces.person, return_inverse=True)[1]
    draw = person_pairs(codes, PAIRS, block_faces=64, block_pairs=256, rng=np.random.default_rng(SEED))
    left, right = draw.left, draw.right
    _, valence, arousal = compare(faces.embedding[left], faces.embedding[right])
    paired = np.stack([valence, arousal], axis=1).astype(float)
    single = faces.single[left] - faces.single[right]
    said = {"pair heads": paired, "single heads": single, "mean of both": (paired + single) / 2}
    said["no difference"] = np.zeros_like(single)
    truth = faces.truth[left] - faces.truth[right]
    bootstrap = by_cluster(faces.person[left], resamples, np.random.default_rng(SEED))
    rows = []
    for d, dimension in enumerate(DIMENSIONS):
        draws = {name: bootstrap.regression(truth[:, d], values[:, d]) for name, values in said.items()}
        for name, found in draws.items():
            gain = found["rmse"] - draws["single heads"]["rmse"]
            rows.append((dimension, name, *_three(found["rmse"]), *_three(found["ccc"]), *_three(gain)))
    names = [f"{name}{end}" for name in ("rmse", "ccc", "rmse_less_single") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["dimension", "difference from", *names])


def similarity_table(
    faces: Faces, held: pd.DataFrame, others: Faces, tuned: pd.DataFrame, compare: Compare, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Accuracy and area under the curve of three readings of similarity.

    Args:
        faces, held: Of the people who are judged, and pairs of theirs.
        others, tuned: Of validation people, on whom thresholds are chosen.
        compare: The model's comparison.
        resamples: Of the bootstrap over people.
    """
    ours, similar, people = _readings(faces, held, compare)
    theirs, known, _ = _readings(others, tuned, compare)
    bootstrap = pigeonhole(people[0], people[1], resamples, np.random.default_rng(SEED))
    rows = []
    for name, values in ours.items():
        threshold = _threshold(theirs[name], known)
        accuracy = bootstrap.share((values > threshold) == similar)
        rows.append((name, threshold, *_three(accuracy), area_under_curve(values, similar)))
    return pd.DataFrame(rows, columns=["read from", "threshold", "accuracy", "accuracy_low", "accuracy_high", "auc"])


def area_under_curve(values: np.ndarray, similar: np.ndarray) -> float:
    """The chance that a similar pair scores higher than a dissimilar one, ties counting half (Mann-Whitney)."""
    ranks = pd.Series(values).rank().to_numpy()
    positive, negative = int(similar.sum()), int((~similar).sum())
    return float((ranks[similar].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _readings(
    faces: Faces, pairs: pd.DataFrame, compare: Compare
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[np.ndarray, np.ndarray]]:
    place = pd.Series(np.arange(len(faces.rows)), index=faces.rows)
    pairs = pairs[pairs["similar"].notna()]
    left, right = (place.loc[pairs[side]].to_numpy() for side in ("left", "right"))
    a, b = faces.embedding[left], faces.embedding[right]
    cosine = (a * b).sum(1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
    readings = {
        "pair head": np.asarray(compare(a, b)[0], float),
        "cosine of embeddings": cosine.astype(float),
        "agreement of posteriors": (faces.posterior[left] * faces.posterior[right]).sum(1).astype(float),
    }
    return readings, pairs["similar"].to_numpy(bool), (faces.person[left], faces.person[right])


def _threshold(values: np.ndarray, similar: np.ndarray) -> float:
    """Above which pairs are called similar, with the most right answers; halfway between two values."""
    order = np.argsort(values, kind="stable")
    right = np.cumsum(np.where(similar[order], -1, 1))
    best = int(np.argmax(right))
    after = min(best + 1, len(values) - 1)
    return float((values[order[best]] + values[order[after]]) / 2)


def _three(draws: Draws) -> tuple[float, float, float]:
    return draws.value, *draws.interval()


def figure(differences: pd.DataFrame) -> Figure:
    """RMSE by method with its interval, a panel a dimension."""
    fig = Figure(figsize=(8, 2.8), layout="constrained")
    for axis, (dimension, part) in zip(fig.subplots(1, 2), differences.groupby("dimension", sort=False), strict=True):
        at = np.arange(len(part))
        errors = np.abs(part[["rmse_low", "rmse_high"]].to_numpy().T - part["rmse"].to_numpy())
        axis.barh(at, part["rmse"], xerr=errors, color="#5a7fb2")
        axis.set_yticks(at, part["difference from"])
        axis.invert_yaxis()
        axis.set_xlabel(f"RMSE of differences in {dimension}")
    return fig


def read(store: FacesStore, split: str, bundle: object) -> Faces:
    """The labelled faces of a split as a model sees them."""
    table = store.table
    rows = np.flatnonzero(
        (table["split"] == split) & table["valence"].notna() & table["arousal"].notna() & table["expression"].notna()
    )
    embedding = embed_rows(store, rows, bundle)[rows]  # type: ignore[arg-type]
    posterior, valence, arousal = bundle.single(embedding)  # type: ignore[attr-defined]
    chosen = table.loc[rows]
    single = np.stack([valence, arousal], axis=1).astype(float)
    truth = chosen[list(DIMENSIONS)].to_numpy(float)
    return Faces(rows, chosen["subject_id"].to_numpy(str), truth, single, np.asarray(posterior), embedding)


def main(
    faces: Annotated[Path, typer.Option(help="Faces store with validation and test people the model has not seen.")],
    model: Annotated[str, typer.Option(help="default, or a bundle's folder.")] = "default",
    name: Annotated[str, typer.Option(help="Folder under studies/results.")] = "heads",
) -> None:
    """Judges a bundle and writes studies/results/heads."""
    store, bundle = FacesStore(faces), open_model(model, None)
    s: PairSettings = load_settings().pair.model_copy(update={"pairs_held_out": PAIRS_OF_EXPRESSIONS})
    both = {split: read(store, split, bundle) for split in ("validation", "test")}
    drawn = {
        split: held_out_pairs(s, store.table.loc[found.rows], split, np.random.default_rng([SEED, number]))
        for number, (split, found) in enumerate(both.items())
    }
    differences = difference_table(both["test"], bundle.compare)
    similarity = similarity_table(both["test"], drawn["test"], both["validation"], drawn["validation"], bundle.compare)
    tables = {"table": differences, "similarity": similarity}
    typer.echo(write_results(name, tables, {"figure": figure(differences)}))


if __name__ == "__main__":
    typer.run(main)
