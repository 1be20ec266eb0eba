"""Ridge regression from embeddings to labels, its penalty chosen on people it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.errors import MtclarError

PENALTIES = tuple(10.0**k for k in range(-4, 5))
"""Tried penalties, times the mean variance of a column of the embedding."""
FOLDS = 5
"""Parts of the people, each of which is foretold from the others."""


@dataclass(frozen=True)
class Ridge:
    """A fit, y = embedding · weights + bias.

    Attributes:
        weights: float64 (d, m).
        bias: float64 (m,).
        penalty: The one of `PENALTIES` that was best.
        rmse: float64 (m,), of labels of people the fit has not seen, with that penalty.
    """

    weights: np.ndarray
    bias: np.ndarray
    penalty: float
    rmse: np.ndarray


def fit_ridge(embeddings: np.ndarray, labels: np.ndarray, people: Sequence[str], rng: np.random.Generator) -> Ridge:
    """Fits labels by their embeddings.

    The weights minimise mean |y - x w - b|^2 + penalty * s * |w|^2, with s the mean variance of a column of x (ridge
    regression, Hoerl and Kennard 1970). The penalty has the least squared error over `FOLDS` parts of the people, each
    foretold from the others.

    Args:
        embeddings: (n, d).
        labels: float64 (n, m), none of them NaN.
        people: Who is seen, (n,).
        rng: Deals out the people.

    Raises:
        MtclarError: There are fewer than two people.
    """
    x, y = np.asarray(embeddings, np.float64), np.asarray(labels, np.float64)
    names, who = np.unique(np.asarray(people), return_inverse=True)
    if len(names) < 2:
        raise MtclarError(f"a ridge regression needs labelled faces of at least two people, got {len(names)}.")
    parts = min(FOLDS, len(names))
    part = rng.permutation(np.arange(len(names)) % parts)[who]
    errors = np.zeros((len(PENALTIES), y.shape[1]))
    for k in range(parts):
        fits = _fits(x[part != k], y[part != k], PENALTIES)
        errors += [((x[part == k] @ weights + bias - y[part == k]) ** 2).sum(axis=0) for weights, bias in fits]
    best = int(errors.sum(axis=1).argmin())
    ((weights, bias),) = _fits(x, y, PENALTIES[best : best + 1])
    return Ridge(weights, bias, PENALTIES[best], np.sqrt(errors[best] / len(x)))


def _fits(x: np.ndarray, y: np.ndarray, penalties: Sequence[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and bias for each penalty, from one decomposition of the covariance."""
    mean, level = x.mean(axis=0), y.mean(axis=0)
    values, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    towards = vectors.T @ ((x - mean).T @ (y - level) / len(x))
    found = []
    for penalty in penalties:
        added = penalty * max(float(values.mean()), 1e-12)
        weights = vectors @ (towards / (np.maximum(values, 0.0) + added)[:, None])
        found.append((weights, level - mean @ weights))
    return found
