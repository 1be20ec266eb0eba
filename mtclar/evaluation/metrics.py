"""Agreement of predicted with true valence or arousal, and of predicted with true expressions.

Population statistics (ddof = 0) throughout, as EmoNet (Toisoul et al. 2021) and MT-CLAR (2023) compute them. With
truth y and prediction p of shape (n,), means m, standard deviations s and covariance c:

    RMSE = sqrt(mean((y - p)^2))        MAE  = mean(|y - p|)
    PCC  = c / (s_y s_p)                CCC  = 2 c / (s_y^2 + s_p^2 + (m_y - m_p)^2)    (Lin 1989)
    SAGR = mean(sign(y) == sign(p)), where sign(0) = 0
    ICC(3,1) = (BMS - EMS) / (BMS + EMS) = 2 c / (s_y^2 + s_p^2)    (Shrout and Fleiss 1979, two raters, consistency)

BMS is the mean square between frames and EMS that of the residual after each rater's own mean: with two raters
BMS = n/(n-1) ((s_y^2 + s_p^2)/2 + c) and EMS = n/(n-1) ((s_y^2 + s_p^2)/2 - c). So ICC is CCC without the gap of the
means.

All six are functions of nine sums over frames, so they are computed from those sums (`sums`, `from_sums`): a
bootstrap resample then adds up the sums of its clusters instead of touching the frames again.

Where a value is constant: PCC is undefined (NaN). CCC is 0 when one side is constant, or both at different values, and
undefined (NaN) when both are the same constant, for then 0 is divided by 0. ICC is 0 when one side is constant and
undefined when both are.
"""

from __future__ import annotations

import numpy as np

from mtclar.errors import MtclarError

REGRESSION = ("rmse", "mae", "pcc", "ccc", "sagr", "icc")
"""Names of the metrics of `regression`, in the order reports show them."""

CONSTANT = 1e-14
"""A variance below this (labels lie in [-2, 2]) is that of a constant, apart from rounding."""


def sums(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """What each frame adds to the sums that the metrics need.

    Args:
        truth: (n,), in [-1, 1] (or [-2, 2] for differences).
        prediction: (n,), in the same units.

    Returns:
        float64 (n, 9): 1, y, p, y^2, p^2, y p, (y - p)^2, |y - p|, sign agreement.

    Raises:
        MtclarError: The shapes differ, or a value is not finite.
    """
    y, p = np.asarray(truth, np.float64), np.asarray(prediction, np.float64)
    if y.shape != p.shape or y.ndim != 1:
        raise MtclarError(f"metrics need two columns of one length, got truth {y.shape} and prediction {p.shape}.")
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise MtclarError("metrics need known values, got NaN or infinity in the truth or the prediction.")
    error = y - p
    agrees = np.sign(y) == np.sign(p)
    return np.stack([np.ones_like(y), y, p, y * y, p * p, y * p, error * error, np.abs(error), agrees], axis=1)


def from_sums(total: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of each row of sums.

    Args:
        total: (..., 9), sums over frames of `sums`; a row over no frame at all gives NaN everywhere.

    Returns:
        One array (...,) a name of `REGRESSION`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        n, y, p, yy, pp, yp, squared, absolute, agrees = np.moveaxis(np.asarray(total, np.float64), -1, 0)
        mean_y, mean_p = y / n, p / n
        var_y, var_p = _variance(yy / n, mean_y), _variance(pp / n, mean_p)
        cov = np.where((var_y == 0) | (var_p == 0), 0.0, yp / n - mean_y * mean_p)
        gap = mean_y - mean_p
        spread = var_y + var_p + np.where(gap * gap < CONSTANT, 0.0, gap * gap)
        pcc = np.where((var_y == 0) | (var_p == 0), np.nan, cov / np.sqrt(var_y * var_p))
        return {
            "rmse": np.sqrt(squared / n),
            "mae": absolute / n,
            "pcc": np.clip(pcc, -1.0, 1.0),
            "ccc": np.where(spread == 0, np.nan, np.clip(2 * cov / spread, -1.0, 1.0)),
            "sagr": agrees / n,
            "icc": np.where(var_y + var_p == 0, np.nan, np.clip(2 * cov / (var_y + var_p), -1.0, 1.0)),
        }


def _variance(mean_square: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Variance, exactly 0 for a constant and NaN for no values."""
    variance = mean_square - mean * mean
    return np.where(variance < CONSTANT, 0.0, variance)


def regression(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """RMSE, MAE, PCC, CCC, SAGR and ICC(3,1) of `prediction` (n,) against `truth` (n,); NaN where undefined.

    Raises:
        MtclarError: The shapes differ, or a value is not finite.
    """
    found = from_sums(sums(truth, prediction).sum(axis=0))
    return {name: float(value) for name, value in found.items()}


def rmse(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Root mean square error, in the units of the labels."""
    return regression(truth, prediction)["rmse"]


def pcc(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Pearson's correlation coefficient; NaN when either side is constant."""
    return regression(truth, prediction)["pcc"]


def ccc(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Lin's concordance correlation coefficient; 0 when one side is constant, NaN when both are the same constant."""
    return regression(truth, prediction)["ccc"]


def sagr(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Share of equal signs, where 0 has a sign of its own."""
    return regression(truth, prediction)["sagr"]


def confusion(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes): row the true class, column the predicted one.

    Raises:
        MtclarError: The shapes differ, or a class lies outside 0..classes-1.
    """
    t, p = np.asarray(truth), np.asarray(prediction)
    if t.shape != p.shape or t.ndim != 1:
        raise MtclarError(f"a confusion matrix needs two columns of one length, got {t.shape} and {p.shape}.")
    if t.size and not (min(t.min(), p.min()) >= 0 and max(t.max(), p.max()) < classes):
        raise MtclarError(f"a confusion matrix of {classes} classes got a class outside 0..{classes - 1}.")
    return np.bincount(t * classes + p, minlength=classes * classes).reshape(classes, classes)


def from_confusion(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy and macro-F1 of confusion matrices (..., classes, classes).

    F1 of a class is 2 TP / (2 TP + FP + FN); the macro average is over the classes that occur, in truth or prediction.
    A matrix of no counts gives NaN.
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    occurs = counts.sum(axis=-1) + counts.sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        f1 = np.where(occurs > 0, 2 * hits / occurs, 0.0)
        return {
            "accuracy": hits.sum(axis=-1) / counts.sum(axis=(-2, -1)),
            "macro_f1": f1.sum(axis=-1) / (occurs > 0).sum(axis=-1),
        }
