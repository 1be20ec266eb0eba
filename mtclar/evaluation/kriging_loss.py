"""What the fit of `mtclar.labelling.kriging` makes as small as it can, with its gradient.

A network's reading is a smooth function of the picture, so the likelihood of the readings would call all of it error
that similar pictures share. What counts is what the fusion is for: the log density of the labels of frames that are no
anchors, given anchors and readings.

The gradient is the adjoint of the posterior, one line of it after the other from the last to the first. With K the
covariance of the truth, C that of the readings, B = gain K inv(C) and d the readings less their mean, a stretch is read
as e = B d, and left is Q = K - gain B K + scale^2 e e'. Of Q the anchors' rows and columns then take in their labels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mtclar.labelling.kriging import CONSTANT, Terms

FITTED = tuple(field.name for field in fields(Terms) if field.name != "mean")
"""The hyper-parameters that are searched for; the mean is taken from the labels."""


@dataclass(frozen=True)
class Batch:
    """Stretches with k anchors each, padded to n frames, anchors first; one dimension of the labels.

    Attributes:
        gaps: float64 (c, n, n), seconds between frames.
        distances: float64 (c, n, n).
        log_quality: float64 (c, n).
        readings, truth: float64 (c, n).
        real: bool (c, n), False for what pads.
        anchors: k.
        levelled: Whether the readings are levels.
    """

    gaps: np.ndarray
    distances: np.ndarray
    log_quality: np.ndarray
    readings: np.ndarray
    truth: np.ndarray
    real: np.ndarray
    anchors: int
    levelled: bool


def loss(terms: Terms, batch: Batch) -> tuple[float, dict[str, float]]:
    """Mean negative log density (less a constant) of the labels that are no anchors, and its derivative by the
    logarithm of each of `FITTED`."""
    k, real = batch.anchors, batch.real
    both = real[:, :, None] & real[:, None, :]
    c, n = real.shape
    pad = np.where(real, 0.0, 1.0)[:, :, None] * np.eye(n)

    near = np.sqrt(3.0) * batch.gaps / terms.move_s
    fall = np.exp(-near)
    moving = np.where(both, terms.move**2 * (1.0 + near) * fall, 0.0)
    level = np.where(both, terms.level**2, 0.0)
    truth = level + moving

    halves = -0.5 * terms.haze * batch.log_quality
    unsure = np.exp(halves)
    lasting = np.where(both, terms.drift**2 * np.exp(-batch.gaps / terms.drift_s), 0.0)
    lasting = lasting * unsure[:, :, None] * unsure[:, None, :]
    alike = np.where(both, terms.look**2 * np.exp(-batch.distances / (2 * terms.look_scale**2)), 0.0)
    white = terms.noise**2 * unsure**2
    constant = np.where(both, terms.offset**2 + (0.0 if batch.levelled else CONSTANT**2), 0.0)
    added = constant + lasting + alike + white[:, :, None] * np.eye(n) + pad

    rest = (batch.readings - terms.gain * terms.mean) * real
    precision = np.linalg.inv(terms.gain**2 * truth + added)
    smooth = terms.gain * truth @ precision
    pull = np.einsum("cij,cj->ci", precision, rest)
    read = np.einsum("cij,cj->ci", smooth, rest)
    left = truth - terms.gain * smooth @ truth + terms.scale**2 * read[:, :, None] * read[:, None, :]
    seen = left[:, :, :k]
    certain = np.linalg.inv(left[:, :k, :k] + terms.rater**2 * np.eye(k))
    told = np.einsum("cij,cj->ci", certain, batch.truth[:, :k] - terms.mean - read[:, :k])
    lever = seen @ certain
    mean = terms.mean + read + np.einsum("cij,cj->ci", seen, told)
    variance = np.einsum("cii->ci", left) - np.einsum("cij,cij->ci", lever, seen) + terms.rater**2
    variance = np.maximum(variance, 0.25 * terms.rater**2)

    asked = real.copy()
    asked[:, :k] = False
    share = asked / (np.maximum(asked.sum(axis=1, keepdims=True), 1) * c)
    miss = mean - batch.truth
    value = float(np.sum(share * 0.5 * (miss**2 / variance + np.log(variance))))

    by_mean, by_variance = share * miss / variance, share * 0.5 * (1.0 / variance - miss**2 / variance**2)
    passed = np.einsum("cij,ci->cj", lever, by_mean)
    by_labels = (lever * by_variance[:, :, None]).swapaxes(1, 2) @ lever - passed[:, :, None] * told[:, None, :]
    by_left = by_variance[:, :, None] * np.eye(n)
    by_left[:, :, :k] += by_mean[:, :, None] * told[:, None, :] - 2.0 * by_variance[:, :, None] * lever
    by_left[:, :k, :k] += by_labels
    by_read = by_mean + terms.scale**2 * np.einsum("cij,cj->ci", by_left + by_left.swapaxes(1, 2), read)
    by_read[:, :k] -= passed
    back = np.einsum("cij,ci->cj", smooth, by_read)
    by_added = smooth.swapaxes(1, 2) @ by_left @ smooth - back[:, :, None] * pull[:, None, :]
    by_truth = (
        by_left
        - terms.gain * (by_left @ smooth + smooth.swapaxes(1, 2) @ by_left)
        + terms.gain * by_read[:, :, None] * pull[:, None, :]
        + terms.gain**2 * by_added
    )
    by_gain = (
        np.sum(by_read * np.einsum("cij,cj->ci", truth, pull))
        - terms.mean * np.sum(back * real)
        - 2.0 * np.sum(by_left * (smooth @ truth))
        + 2.0 * terms.gain * np.sum(by_added * truth)
    )
    by_white = np.einsum("cii->ci", by_added) * white
    gradient = {
        "level": 2.0 * np.sum(by_truth * level),
        "move": 2.0 * np.sum(by_truth * moving),
        "move_s": terms.move**2 * np.sum(by_truth * np.where(both, near**2 * fall, 0.0)),
        "gain": terms.gain * by_gain,
        "offset": 2.0 * terms.offset**2 * np.sum(np.where(both, by_added, 0.0)),
        "scale": 2.0 * terms.scale**2 * np.einsum("ci,cij,cj->", read, by_left, read),
        "drift": 2.0 * np.sum(by_added * lasting),
        "drift_s": np.sum(by_added * lasting * batch.gaps) / terms.drift_s,
        "look": 2.0 * np.sum(by_added * alike),
        "look_scale": np.sum(by_added * alike * batch.distances) / terms.look_scale**2,
        "noise": 2.0 * np.sum(by_white),
        "haze": np.sum(by_added * lasting * (halves[:, :, None] + halves[:, None, :]))
        + 2.0 * np.sum(by_white * halves),
        "rater": 2.0 * terms.rater**2 * (np.einsum("cii->", by_labels) + np.sum(by_variance)),
    }
    return value, {name: float(part) for name, part in gradient.items()}
