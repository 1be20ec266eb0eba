"""One Gaussian process of the labels, averaged over a small grid of hyper-parameters.

In each dimension the label a person would give to frame i is

    y_i = m + c + g (p_i - m) + slow(t_i) + fast(t_i) + look(e_i) + haze_i + noise,

with m the mean label, p_i the course of what the model predicts, e_i the frame's embedding, and c, g, slow, fast, look,
haze and noise Gaussian, all but g around 0. `slow` is an Ornstein-Uhlenbeck process: one that is much slower than the
gaps between anchors joins them by nearly straight lines and stays level beyond them. `fast` is a Matérn process of
smoothness 3/2. `look` makes pictures that are alike differ alike. `haze` is what cannot be seen in a frame: as large as
the prediction is unsure (`mtclar.labelling.course`). `noise` is the rater's.

How far predictions can be believed differs between clips. So a grid of such models stands side by side, among them some
to which predictions are worth nothing (g around 0, slow process wide). Each is weighed by its prior weight times the
density it gives to the anchors' labels, and labels are the average (Bayesian model averaging, Hoeting et al. 1999,
Statistical Science 14(4):382-401). Formulas after Rasmussen and Williams 2006, chapters 2 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from mtclar.labelling.hyper import Grid, Model

KINSHIP = 0.5
"""Share of the variance of c and g, and of the correlation in time, that two tracks have in common which are not known
to show the same person: one rater and one camera saw both, and whoever is seen in two shots of a video is often the
same. Reasoned, not fitted: the clips that hyper-parameters are fitted on have one track."""
LEAST_SHARE = 0.005
"""Grid points with a smaller posterior weight are left out of an average."""
CHUNK_CELLS = 1 << 19
"""Frames times anchors that are worked on at a time, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class Places:
    """What the process is told of n frames in one dimension.

    Attributes:
        times_s: float64 (n,).
        person: int (n,), the same number for tracks that are known to show one person.
        prediction: float64 (n,), of the course of predictions, everywhere a number.
        haze: float64 (n,), >= 0, variance of that.
        face: int (n,), row of `looks`; -1 for a frame without a face.
        looks: float (m, d), embeddings.
        typical: The distance of embeddings that counts as 1.
    """

    times_s: np.ndarray
    person: np.ndarray
    prediction: np.ndarray
    haze: np.ndarray
    face: np.ndarray
    looks: np.ndarray
    typical: float = 1.0

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, rows: np.ndarray | slice) -> Places:
        """Some of the frames."""
        own = {name: getattr(self, name)[rows] for name in ("times_s", "person", "prediction", "haze", "face")}
        return replace(self, **own)


class Shapes:
    """Correlations between n frames and k anchors, (n, k), one per term of the process and scale on a grid."""

    def __init__(self, grid: Grid, a: Places, b: Places, dtype: type) -> None:
        """Of frames `a` and anchors `b`, in a precision."""
        self.kin: np.ndarray = np.where(a.person[:, None] == b.person, 1.0, KINSHIP).astype(dtype)
        apart = np.abs(a.times_s[:, None] - b.times_s).astype(dtype)
        self.slow = {scale: self.kin * np.exp(apart / dtype(-scale)) for scale in np.unique(grid.slow_s)}
        self.fast = {scale: self.kin * matern(apart / dtype(scale)) for scale in np.unique(grid.fast_s)}
        squares = _squares(a, b, dtype)
        self.look = {
            scale: np.exp(squares / dtype(-2 * (scale * a.typical) ** 2)) for scale in np.unique(grid.look_scale)
        }

    def covariance(self, grid: Grid, j: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Covariance (n, k) of the labels at point j of the grid, less their haze and noise.

        Args:
            grid: The grid.
            j: The point.
            a, b: Predictions of frames (n,) and anchors (k,), less the mean label.
        """
        kind = self.kin.dtype.type
        found = kind(grid.gain_sd[j] ** 2) * a.astype(kind)[:, None] * b.astype(kind) + kind(grid.level_sd[j] ** 2)
        found *= self.kin
        for sd, shape in (
            (grid.slow_sd[j], self.slow[grid.slow_s[j]]),
            (grid.fast_sd[j], self.fast[grid.fast_s[j]]),
            (grid.look_sd[j], self.look[grid.look_scale[j]]),
        ):
            found += kind(sd**2) * shape
        return found


def matern(distance: np.ndarray) -> np.ndarray:
    """Matérn correlation of smoothness 3/2 at a distance in units of its length."""
    scaled = distance * distance.dtype.type(np.sqrt(3.0))
    return (1 + scaled) * np.exp(-scaled)


def _squares(a: Places, b: Places, dtype: type) -> np.ndarray:
    """Squared distances of embeddings (n, k), infinite where there is none."""
    faceless = (a.face[:, None] < 0) | (b.face < 0)
    if faceless.all():
        return np.full(faceless.shape, np.inf, dtype)
    left, right = a.looks[np.maximum(a.face, 0)].astype(dtype), b.looks[np.maximum(b.face, 0)].astype(dtype)
    middle = right.mean(axis=0)
    left -= middle  # near the middle less is lost to rounding
    right -= middle
    found = np.einsum("nd,nd->n", left, left)[:, None] + np.einsum("kd,kd->k", right, right) - 2 * (left @ right.T)
    return np.where(faceless, dtype(np.inf), np.maximum(found, 0))


class Posterior:
    """The process of one dimension, given the labels of k anchors; there need not be any.

    Attributes:
        logs: float64 (j,), log of prior weight times the density of the anchors' labels of each grid point, up to a
            constant.
        shares: float64 (j,), their posterior weights.
        inverses: float64 (j, k, k), inverse covariances of the anchors' labels.
        rests: float64 (j, k), the labels less what is expected before any anchor.
        kept: int (p,), the grid points that count, and `parts`: float64 (p,), their weights, which sum to 1.
    """

    def __init__(self, model: Model, anchors: Places, labels: np.ndarray, variances: np.ndarray) -> None:
        """Weighs the grid.

        Args:
            model: The process.
            anchors: The k frames that are labelled.
            labels: Their labels (k,).
            variances: Of what raters add to each (k,), > 0.
        """
        self.model, self.anchors, self.labels, self.variances = model, anchors, labels, variances
        weight = model.grid.weight if len(anchors) else model.grid.alone
        with np.errstate(divide="ignore"):
            self.logs = np.log(weight / weight.sum())
        self.inverses = np.empty((len(model.grid), len(anchors), len(anchors)))
        self.rests = np.empty((len(model.grid), len(anchors)))
        if len(anchors):
            self._weigh()
        self._share_out()

    def _share_out(self) -> None:
        """Posterior weights of the grid's points, and which of them count."""
        self.shares = _normal(self.logs)
        self.kept = np.flatnonzero(self.shares >= min(LEAST_SHARE, self.shares.max()))
        self.parts = self.shares[self.kept] / self.shares[self.kept].sum()

    def _weigh(self) -> None:
        """Inverse covariances of the labels, what they are beyond expectation, and how likely that is."""
        grid, anchors = self.model.grid, self.anchors
        shapes, centred = Shapes(grid, anchors, anchors, np.float64), anchors.prediction - self.model.mean
        one, faceless = np.eye(len(anchors)), anchors.face < 0
        for j in range(len(grid)):
            known = shapes.covariance(grid, j, centred, centred)
            known += one * (self.hazy(j, anchors) + self.variances + faceless * grid.look_sd[j] ** 2)
            factor = np.linalg.cholesky(known)
            root = np.linalg.solve(factor, one)
            rest = self.labels - self.expected(j, anchors)
            self.inverses[j], self.rests[j] = root.T @ root, rest
            white = root @ rest
            self.logs[j] += -0.5 * white @ white - np.log(np.diag(factor)).sum()

    def expected(self, j: int, places: Places) -> np.ndarray:
        """Mean of the label of each frame before any anchor (n,)."""
        return self.model.mean + self.model.grid.gain[j] * (places.prediction - self.model.mean)

    def hazy(self, j: int, places: Places) -> np.ndarray:
        """Variance of what cannot be seen (n,): of the prediction, as far as the label follows it."""
        return (self.model.grid.gain[j] ** 2 + self.model.grid.gain_sd[j] ** 2) * places.haze

    def own(self, j: int, places: Places) -> np.ndarray:
        """Variance of the label of each frame before any anchor, less the haze (n,)."""
        grid = self.model.grid
        terms = grid.level_sd[j] ** 2 + grid.slow_sd[j] ** 2 + grid.fast_sd[j] ** 2 + grid.look_sd[j] ** 2
        return terms + (grid.gain_sd[j] * (places.prediction - self.model.mean)) ** 2

    def by_point(
        self, frames: Places, points: np.ndarray, dtype: type = np.float32
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What some grid points say of n frames that are no anchors.

        Yields:
            Mean (n,) and variance (n,) of the label, without the rater's noise, and the weights of the anchors' labels
            in the mean (n, k).
        """
        grid, k = self.model.grid, len(self.anchors)
        if not k:
            for j in points.tolist():
                yield (
                    self.expected(j, frames),
                    self.own(j, frames) + self.hazy(j, frames),
                    np.empty((len(frames), 0)),
                )
            return
        shapes = Shapes(grid[points], frames, self.anchors, dtype)
        a, b = frames.prediction - self.model.mean, self.anchors.prediction - self.model.mean
        for j in points.tolist():
            cross = shapes.covariance(grid, j, a, b)
            lever = cross @ self.inverses[j].astype(dtype)
            told = np.einsum("nk,nk->n", lever, cross)
            mean = self.expected(j, frames) + lever @ self.rests[j]
            yield mean, np.maximum(self.own(j, frames) - told, 0.0) + self.hazy(j, frames), lever

    def at(
        self, frames: Places, weights: np.ndarray | None = None, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The labels of n frames that are no anchors.

        Args:
            frames: The frames.
            weights: float32 (m, k), into whose `rows` (n,) the weights of the anchors' labels in the means are written:
                mean = base + weights @ labels, where the base is what predictions say.
            rows: See `weights`.

        Returns:
            Mean (n,) and standard deviation (n,) of the label that a rater would give.
        """
        n, k = len(frames), len(self.anchors)
        mean, square = np.zeros(n), np.zeros(n)
        for some in chunks(n, k):
            shared: np.ndarray | float = 0.0
            for share, found in zip(self.parts, self.by_point(frames[some], self.kept), strict=True):
                mean[some] += share * found[0]
                square[some] += share * (found[1] + found[0] ** 2)
                shared = shared + np.float32(share) * found[2]
            if weights is not None and rows is not None:
                weights[rows[some]] = shared
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) + self.model.noise**2)

    def at_anchors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The truth of the anchors' own frames: mean (k,), standard deviation (k,) and weights (k, k) as in `at`.

        It is the given label up to the rater's noise, for the label tells what the picture hides.
        """
        k = len(self.anchors)
        mean, square, weights = np.zeros(k), np.zeros(k), np.zeros((k, k))
        for j, share in zip(self.kept.tolist(), self.parts.tolist(), strict=True):
            # K (K + V)^-1 = 1 - V (K + V)^-1, with V what raters add.
            lever = np.eye(k) - self.variances[:, None] * self.inverses[j]
            centre = self.expected(j, self.anchors) + lever @ self.rests[j]
            mean += share * centre
            square += share * (self.variances * np.diag(lever) + centre**2)
            weights += share * lever
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0)), weights

    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """What the other anchors say of each anchor's label, and how surely: mean (k,) and standard deviation (k,).

        In closed form, for all grid points: with A the inverse covariance of the labels and r their rest, the others
        put the label of anchor i (A r)_i / A_ii below what it is, with variance 1 / A_ii, and a grid point loses the
        density it owes to anchor i.
        """
        precision, off, owed = self._owed()
        shares = _normal(self.logs[:, None] - owed)
        told = self.labels - off
        mean = (shares * told).sum(axis=0)
        square = (shares * (1 / precision + told**2)).sum(axis=0)
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0))

    def without(self, anchor: int) -> Posterior:
        """The same without one of the k anchors, in closed form: as it would be had that one never been given.

        With A the inverse covariance of the labels, the inverse of the others' is what is left of A - a a^T / A_ii
        without row and column i, a being column i.
        """
        others = np.delete(np.arange(len(self.anchors)), anchor)
        given = self.anchors[others], self.labels[others], self.variances[others]
        if not len(others):
            return Posterior(self.model, *given)
        found = copy(self)
        found.anchors, found.labels, found.variances = given
        found.logs = self.logs - self._owed()[2][:, anchor]
        column = self.inverses[:, others, anchor]
        pivot = self.inverses[:, anchor, anchor][:, None, None]
        found.inverses = self.inverses[:, others][:, :, others] - column[:, :, None] * column[:, None, :] / pivot
        found.rests = self.rests[:, others]
        found._share_out()
        return found

    def _owed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each grid point and anchor (j, k): precision of the anchor's label given the others, how far the label is
        off what they say, and log density of it up to a constant."""
        precision = np.einsum("jkk->jk", self.inverses)
        off = np.einsum("jkl,jl->jk", self.inverses, self.rests) / precision
        return precision, off, 0.5 * np.log(precision) - 0.5 * off**2 * precision


def chunks(rows: int, columns: int) -> Iterator[slice]:
    """Parts of some rows, none of them with more than `CHUNK_CELLS` cells."""
    step = max(1, CHUNK_CELLS // max(columns, 64))
    return (slice(start, start + step) for start in range(0, rows, step))


def _normal(logs: np.ndarray) -> np.ndarray:
    """Weights that sum to 1 over the first axis, from their logarithms."""
    found = np.exp(logs - logs.max(axis=0))
    return found / found.sum(axis=0)
