"""The model's heads on their own: pairs of faces, and single pictures."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.evaluation.bootstrap import block, by_cluster, pigeonhole
from mtclar.evaluation.cleaning import in_protocol
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.evaluation.fine import fine_block
from mtclar.evaluation.metrics import confusion, sums
from mtclar.evaluation.scores import affect_block


@dataclass(frozen=True)
class Pairs:
    """Pairs of faces with what is true of them and what the model says.

    Attributes:
        left_person, right_person: (n,), subject ids of query and anchor.
        similar: float64 (n,), 1 where both show one expression, 0 where not, NaN where not known.
        delta: float64 (n, 2), label(left) - label(right); NaN where not known.
        similar_p: float64 (n,), predicted probability that they are similar.
        delta_p: float64 (n, 2), predicted difference.
    """

    left_person: np.ndarray
    right_person: np.ndarray
    similar: np.ndarray
    delta: np.ndarray
    similar_p: np.ndarray
    delta_p: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """Single pictures with what is true of them and what the supervised heads say.

    Attributes:
        person: (n,), subject ids.
        expression: int (n,), position in `EXPRESSIONS`, -1 where not known.
        truth: float64 (n, 2), valence and arousal.
        expression_p: float64 (n, 8), predicted probabilities.
        affect_p: float64 (n, 2), predicted valence and arousal.
    """

    person: np.ndarray
    expression: np.ndarray
    truth: np.ndarray
    expression_p: np.ndarray
    affect_p: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Pictures:
        """Some of the pictures, by mask (n,) or by position."""
        return Pictures(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class Training:
    """What the baselines know of the training faces.

    Attributes:
        mean: float64 (2,), mean valence and arousal.
        class_mean: float64 (8, 2), the same of each expression; `mean` where an expression does not occur.
        counts: int (8,), faces of each expression.
        mean_delta: float64 (2,), mean difference over the training pairs.
    """

    mean: np.ndarray
    class_mean: np.ndarray
    counts: np.ndarray
    mean_delta: np.ndarray


def training_facts(expression: np.ndarray, affect: np.ndarray, delta: np.ndarray) -> Training:
    """Facts of the training faces: `expression` int (n,), -1 unknown; `affect` (n, 2), `delta` (m, 2), NaN unknown.

    Without any known training label a mean is 0, the middle of the range.
    """
    known = np.isfinite(affect).all(axis=1)
    mean = affect[known].mean(axis=0) if known.any() else np.zeros(2)
    each = [affect[known & (expression == k)] for k in range(len(EXPRESSIONS))]
    paired = delta[np.isfinite(delta).all(axis=1)]
    return Training(
        mean=mean,
        class_mean=np.stack([labels.mean(axis=0) if len(labels) else mean for labels in each]),
        counts=np.bincount(expression[expression >= 0], minlength=len(EXPRESSIONS)),
        mean_delta=paired.mean(axis=0) if len(paired) else np.zeros(2),
    )


def score_pairs(pairs: Pairs, training: Training, *, resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    """Similarity accuracy and the metrics of the predicted differences, with intervals over people (pigeonhole).

    Beside them: for similarity, chance and the more frequent answer; for differences, no difference (what copying the
    anchor says) and the mean difference of the training pairs. What the model has no head for is left out, and so is
    similarity where no pair's is known.
    """
    n = len(pairs.similar)
    found: dict[str, Any] = {
        "n_pairs": n,
        "n_people": len(np.union1d(pairs.left_person, pairs.right_person)),
    }
    if n == 0:
        return found
    named = np.isfinite(pairs.similar)
    if named.any() and np.isfinite(pairs.similar_p).all():
        people = pigeonhole(pairs.left_person[named], pairs.right_person[named], resamples, rng)
        similar = pairs.similar[named] == 1
        share = similar.mean()
        found["similarity"] = {
            **block({"accuracy": people.share((pairs.similar_p[named] > 0.5) == similar)}),
            "chance": {"accuracy": 0.5},
            "majority": {"accuracy": max(share, 1 - share)},
        }
    known = np.isfinite(pairs.delta).all(axis=1)
    found["n_pairs_with_labels"] = int(known.sum())
    judged = {name: k for k, name in enumerate(DIMENSIONS) if np.isfinite(pairs.delta_p[known, k]).all()}
    if known.any() and judged:
        truth = pairs.delta[known]
        people = pigeonhole(pairs.left_person[known], pairs.right_person[known], resamples, rng)
        baselines = {"zero": np.zeros_like(truth), "mean": np.broadcast_to(training.mean_delta, truth.shape)}
        found["delta"] = {
            **{name: block(people.regression(truth[:, k], pairs.delta_p[known, k])) for name, k in judged.items()},
            **{name: affect_block(people, truth, values) for name, values in baselines.items()},
        }
    return found


def score_protocols(
    pictures: Pictures,
    training: Training,
    *,
    expressions: int,
    clean: bool,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], np.ndarray]:
    """What the supervised heads are worth by the protocol asked for, beside the raw and the cleaned one.

    Returns:
        `{"single": ..., "single_raw": ..., "single_clean": ...}`, each as `score_pictures` gives it; the last two only
        where expressions are known, for the rule of `cleaning` needs them. And which pictures (n,) `single` judges.
    """
    masks = {
        name: in_protocol(pictures.expression, pictures.truth, expressions=expressions, clean=rule)
        for name, rule in (("single_raw", False), ("single_clean", True))
    }
    asked = "single_clean" if clean else "single_raw"
    if not (pictures.expression >= 0).any():
        masks = {asked: masks[asked]}
    scores = {
        name: score_pictures(pictures[mask], training, expressions=expressions, resamples=resamples, rng=rng)
        for name, mask in masks.items()
    }
    return {"single": scores[asked], **(scores if len(scores) > 1 else {})}, masks[asked]


def score_pictures(
    pictures: Pictures, training: Training, *, expressions: int, resamples: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Expression accuracy and macro-F1, and the metrics of valence and arousal, with intervals by person.

    Beside them: chance and the training faces' most frequent expression; the training mean of the picture's *true*
    expression (an oracle: it is told the class) and the mean of all training faces. `kept` counts the pictures of each
    expression.

    Args:
        pictures: Whose expressions, where known, are among the first `expressions`.
        training: What the baselines know.
        expressions: 7 or 8; the answer is the likeliest of so many.
        resamples: Of the bootstrap.
        rng: Where its draws come from.
    """
    found: dict[str, Any] = {"n_pictures": len(pictures.person), "n_people": len(np.unique(pictures.person))}
    if len(pictures.person) == 0:
        return found
    told = pictures.expression >= 0
    if told.any():
        truth = pictures.expression[told]
        answer = pictures.expression_p[told, :expressions].argmax(axis=1)
        likely = np.full(len(truth), training.counts[:expressions].argmax())
        people = by_cluster(pictures.person[told], resamples, rng)
        found["expression"] = {
            **block(people.classification(truth, answer, expressions)),
            "chance": {"accuracy": 1 / expressions},
            "majority": block(people.classification(truth, likely, expressions)),
            "n_pictures": int(told.sum()),
        }
        counts = np.bincount(truth, minlength=expressions).tolist()
        found["kept"] = dict(zip(EXPRESSIONS[:expressions], counts, strict=True))
    people = by_cluster(pictures.person, resamples, rng)
    oracle = np.where(told[:, None], training.class_mean[pictures.expression], training.mean)
    found |= affect_block(people, pictures.truth, pictures.affect_p)
    for k, name in enumerate(DIMENSIONS):
        found[name]["fine"] = fine_block(people, pictures.truth[:, k], pictures.affect_p[:, k])
        found[name]["sums"] = sums(pictures.truth[:, k], pictures.affect_p[:, k]).sum(axis=0).tolist()
    found["class_mean"] = affect_block(people, pictures.truth, oracle)
    found["train_mean"] = affect_block(people, pictures.truth, np.broadcast_to(training.mean, oracle.shape))
    return found


def expression_confusion(pictures: Pictures, expressions: int) -> np.ndarray:
    """Counts (8, 8) of true (row) and predicted (column) expressions; the answer is the likeliest of `expressions`."""
    told = pictures.expression >= 0
    answer = pictures.expression_p[told, :expressions].argmax(axis=1)
    return confusion(pictures.expression[told], answer, len(EXPRESSIONS))
