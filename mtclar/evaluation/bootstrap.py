"""How sure a metric is: percentile intervals of a bootstrap over whole clips or whole people.

Frames of one clip resemble each other, so resampling frames would make every interval too narrow; a resample here
draws clusters with replacement and keeps all that belongs to them. One `Bootstrap` uses the same draws for every method
it judges, so that the difference of two methods has a paired interval.

Pairs of faces belong to two people at once; `pigeonhole` draws people and weighs a pair by the product of how often
both of its people were drawn (the pigeonhole bootstrap, Owen 2007, Ann. Appl. Stat. 1(2):386-411).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.evaluation.metrics import confusion, from_confusion, from_sums, sums

LEVEL = 0.95
"""Of every interval that is reported."""

_CHUNK = 1 << 22  # weights held at a time: 32 MB


@dataclass(frozen=True)
class Draws:
    """A metric and its values over the resamples.

    Attributes:
        value: On the data as they are.
        resampled: float64 (resamples,), NaN where a resample leaves the metric undefined.
    """

    value: float
    resampled: np.ndarray

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Percentile interval; (NaN, NaN) when the metric is undefined or less than half of the resamples define it."""
        known = self.resampled[np.isfinite(self.resampled)]
        if not np.isfinite(self.value) or len(known) == 0 or 2 * len(known) < len(self.resampled):
            return float("nan"), float("nan")
        low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def __sub__(self, other: Draws) -> Draws:
        """The difference of two metrics of one `Bootstrap`: same resamples, so its interval is the paired one."""
        return Draws(self.value - other.value, self.resampled - other.resampled)


def block(draws: Mapping[str, Draws]) -> dict[str, Any]:
    """Values of some metrics with their intervals."""
    bounds = {name: draw.interval() for name, draw in draws.items()}
    return {
        **{name: draw.value for name, draw in draws.items()},
        "ci_low": {name: low for name, (low, _) in bounds.items()},
        "ci_high": {name: high for name, (_, high) in bounds.items()},
    }


class Bootstrap:
    """Resamples of clusters, applied to one or many methods judged on the same rows."""

    def __init__(self, cells: np.ndarray, weights: Callable[[slice], np.ndarray], resamples: int) -> None:
        """Use `by_cluster` or `pigeonhole`.

        Args:
            cells: int (n,), the cell 0..c-1 each row belongs to.
            weights: Gives (b, c), how often each cell is in each of a slice of the resamples.
            resamples: How many.
        """
        self.cells, self.weights, self.resamples = cells, weights, resamples
        self.count = int(cells.max()) + 1 if len(cells) else 0

    def regression(self, truth: np.ndarray, prediction: np.ndarray) -> dict[str, Draws]:
        """RMSE, MAE, PCC, CCC, SAGR and ICC with their draws; `truth` and `prediction` (n,) in the order of the rows.

        Raises:
            MtclarError: As `metrics.sums`.
        """
        return self.of_sums(sums(truth, prediction))

    def of_sums(self, rows: np.ndarray) -> dict[str, Draws]:
        """The same from `metrics.sums` (n, 9) of the rows, or from any multiple of them that weighs the rows."""
        return self._apply(rows, from_sums)

    def share(self, holds: np.ndarray) -> Draws:
        """The share of rows (n,) for which something holds."""
        return self.means({"share": np.asarray(holds, np.float64)})["share"]

    def means(self, columns: Mapping[str, np.ndarray]) -> dict[str, Draws]:
        """The mean of each column (n,) over the rows that have a value there; NaN marks a row that has none."""
        values = np.stack([np.asarray(column, np.float64) for column in columns.values()], axis=1)
        known = np.isfinite(values)
        k = len(columns)

        def means(total: np.ndarray) -> dict[str, np.ndarray]:
            counts = np.where(total[..., :k] > 0, total[..., :k], np.nan)
            return {name: total[..., k + i] / counts[..., i] for i, name in enumerate(columns)}

        return self._apply(np.concatenate([known, np.where(known, values, 0.0)], axis=1), means)

    def of_groups(self, groups: np.ndarray) -> Bootstrap:
        """The same resamples for a table of one row a group.

        Args:
            groups: int (n,), the group 0..g-1 each row of this bootstrap belongs to; the rows of one group, a clip, lie
                in one cell.
        """
        cells = np.zeros(int(groups.max()) + 1 if len(groups) else 0, np.int64)
        cells[groups] = self.cells
        return Bootstrap(cells, self.weights, self.resamples)

    def classification(self, truth: np.ndarray, prediction: np.ndarray, classes: int) -> dict[str, Draws]:
        """Accuracy and macro-F1 with their draws; classes as integers (n,)."""
        confusion(truth, prediction, classes)  # checks both
        rows = np.zeros((len(truth), classes * classes))
        rows[np.arange(len(truth)), truth * classes + prediction] = 1
        return self._apply(rows, lambda total: from_confusion(total.reshape(*total.shape[:-1], classes, classes)))

    def _apply(self, rows: np.ndarray, metrics: Callable[[np.ndarray], Mapping[str, np.ndarray]]) -> dict[str, Draws]:
        """Metrics of the sum of `rows` (n, k) and of its weighted sum in each resample."""
        by_cell = np.zeros((self.count, rows.shape[1]))
        np.add.at(by_cell, self.cells, rows)
        value = metrics(rows.sum(axis=0))
        step = max(1, _CHUNK // max(self.count, 1))
        parts = [
            metrics(self.weights(slice(start, min(start + step, self.resamples))) @ by_cell)
            for start in range(0, self.resamples, step)
        ]
        return {name: Draws(float(value[name]), np.concatenate([part[name] for part in parts])) for name in value}


def by_cluster(clusters: np.ndarray, resamples: int, rng: np.random.Generator) -> Bootstrap:
    """Bootstrap over whole clusters.

    Args:
        clusters: (n,), what each row belongs to: a clip's or a person's name.
        resamples: How many resamples.
        rng: Where the draws come from.

    Returns:
        A bootstrap; with fewer than two clusters it has no spread, and every interval is (NaN, NaN).
    """
    names, cells = np.unique(clusters, return_inverse=True)
    counts = _counts(len(names), resamples, rng)
    return Bootstrap(cells, lambda part: counts[part], resamples)


def pigeonhole(left: np.ndarray, right: np.ndarray, resamples: int, rng: np.random.Generator) -> Bootstrap:
    """Bootstrap of pairs over the people in them.

    Args:
        left, right: (n,), the two people of each pair; a pair of one person counts as often as that person is drawn.
        resamples: How many resamples.
        rng: Where the draws come from.
    """
    names, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    a, b = codes[: len(left)], codes[len(left) :]
    cell_names, cells = np.unique(a * max(len(names), 1) + b, return_inverse=True)
    cell_a, cell_b = cell_names // max(len(names), 1), cell_names % max(len(names), 1)
    counts = _counts(len(names), resamples, rng)

    def weights(part: slice) -> np.ndarray:
        drawn = counts[part]
        return np.where(cell_a == cell_b, drawn[:, cell_a], drawn[:, cell_a] * drawn[:, cell_b])

    return Bootstrap(cells, weights, resamples)


def _counts(clusters: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each cluster is drawn in each resample: (resamples, clusters); NaN where one cluster cannot vary."""
    if clusters < 2:
        return np.full((resamples, clusters), np.nan)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples).astype(np.float64)
