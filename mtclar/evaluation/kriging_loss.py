"""What the fit of `mtclar.labelling.kriging` makes as small as it can, with its gradient.

A network's reading is a smooth function of the picture, so the likelihood of the readings would call all of it error
that similar pictures share. What counts is what the fusion is for: the log density of the labels of frames that are no
anchors, given anchors and readings.

The gradient is the adjoint of the posterior. With A the covariance of truth and observed, C that of the observed, S
that of the truth, r what was observed less its mean, G = A inv(C), a = inv(C) r, and g, h the derivatives of the loss
by mean and variance,

    dL = <g a' - 2 diag(h) G, dA> + <G' diag(h) G - G'g a', dC> + h . diag(dS) + g' G dr.
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

    observed = np.empty((c, k + n, k + n))
    observed[:, :k, :k] = truth[:, :k, :k] + terms.rater**2 * np.eye(k)
    observed[:, :k, k:] = terms.gain * truth[:, :k]
    observed[:, k:, :k] = observed[:, :k, k:].swapaxes(1, 2)
    observed[:, k:, k:] = terms.gain**2 * truth + added
    seen = np.concatenate([truth[:, :, :k], terms.gain * truth], axis=2)
    rest = np.concatenate([batch.truth[:, :k] - terms.mean, batch.readings - terms.gain * terms.mean], axis=1)
    rest[:, k:] *= real
    precision = np.linalg.inv(observed)
    told = np.einsum("cij,cj->ci", precision, rest)
    lever = seen @ precision
    mean = terms.mean + np.einsum("cij,cj->ci", seen, told)
    variance = np.einsum("cii->ci", truth) - np.einsum("cij,cij->ci", lever, seen) + terms.rater**2
    variance = np.maximum(variance, 0.25 * terms.rater**2)

    asked = real.copy()
    asked[:, :k] = False
    share = asked / (np.maximum(asked.sum(axis=1, keepdims=True), 1) * c)
    miss = mean - batch.truth
    value = float(np.sum(share * 0.5 * (miss**2 / variance + np.log(variance))))

    g, h = share * miss / variance, share * 0.5 * (1.0 / variance - miss**2 / variance**2)
    by_seen = g[:, :, None] * told[:, None, :] - 2.0 * h[:, :, None] * lever
    pull = np.einsum("cij,ci->cj", lever, g)
    by_observed = (lever * h[:, :, None]).swapaxes(1, 2) @ lever - pull[:, :, None] * told[:, None, :]
    by_added = by_observed[:, k:, k:]
    by_truth = terms.gain * by_seen[:, :, k:] + terms.gain**2 * by_added + h[:, :, None] * np.eye(n)
    by_truth[:, :, :k] += by_seen[:, :, :k] + terms.gain * by_observed[:, k:, :k]
    by_truth[:, :k, :] += terms.gain * by_observed[:, :k, k:]
    by_truth[:, :k, :k] += by_observed[:, :k, :k]
    by_gain = (
        np.sum(by_seen[:, :, k:] * truth)
        + np.sum((by_observed[:, :k, k:] + by_observed[:, k:, :k].swapaxes(1, 2)) * truth[:, :k])
        + 2.0 * terms.gain * np.sum(by_added * truth)
        - terms.mean * np.sum(pull[:, k:] * real)
    )
    by_white = np.einsum("cii->ci", by_added) * white
    gradient = {
        "level": 2.0 * np.sum(by_truth * level),
        "move": 2.0 * np.sum(by_truth * moving),
        "move_s": terms.move**2 * np.sum(by_truth * np.where(both, near**2 * fall, 0.0)),
        "gain": terms.gain * by_gain,
        "offset": 2.0 * terms.offset**2 * np.sum(np.where(both, by_added, 0.0)),
        "drift": 2.0 * np.sum(by_added * lasting),
        "drift_s": np.sum(by_added * lasting * batch.gaps) / terms.drift_s,
        "look": 2.0 * np.sum(by_added * alike),
        "look_scale": np.sum(by_added * alike * batch.distances) / terms.look_scale**2,
        "noise": 2.0 * np.sum(by_white),
        "haze": np.sum(by_added * lasting * (halves[:, :, None] + halves[:, None, :]))
        + 2.0 * np.sum(by_white * halves),
        "rater": 2.0 * terms.rater**2 * (np.sum(np.einsum("cii->ci", by_observed[:, :k, :k])) + np.sum(h)),
    }
    return value, {name: float(part) for name, part in gradient.items()}
