"""The fusion `kriging`: what the eyes see and what time allows, each weighed by how sure it is.

For each dimension a model of two parts. The truth of frame i is a Gaussian process over time,

    y_i = mean + level + move(t_i),

with one level a clip and a Matérn process `move`; an anchor is a look at it with the rater's small noise. The network
reads every frame,

    m_i = constant + gain y_i + offset + drift(t_i) + look(x_i) + noise_i,

where `offset` belongs to the person, `drift` is an error that lasts, `look` an error that similar pictures x share, and
`drift` and `noise` grow where a face can hardly be seen: their variances are divided by quality ** haze. The constant
is 0 where the supervised head says at what level a face stands, else unknown: comparisons tell of differences alone.

The label of a frame is the mean of y given the labels of the anchors and the readings of all frames. So a clear face is
read, a dark or turned one is bridged in time from frames that are clear, one anchor alone is its label plus the
reading's difference, and close anchors are joined by a smooth line. Without an anchor it is what the readings say.

People differ in how much they show, and raters in how much they make of it. With e the mean of y given the readings
alone, a label stands at

    y_i + slope (e_i - mean),

where `slope` belongs to the person and is 0 on the mean, with a standard deviation of `scale`: a random slope, that is
ridge regression of the labels on what is read, which anchors alone can tell.

Kriging is Gaussian process regression; formulas after Rasmussen and Williams 2006, chapter 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from mtclar.errors import MtclarError, nearest

DIMENSIONS = ("valence", "arousal")
CONSTANT = 2.0
"""Standard deviation of the constant where it is unknown: so wide that only anchors say where the readings lie."""
KINSHIP = 0.5
"""Share of a person's offset and slope (as variances) that is the same in another track of that person."""
LEAST_QUALITY = 0.01


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Hyper-parameters of one dimension; standard deviations are in units of the labels.

    Attributes:
        mean: Of the truth over all clips.
        level, move: Standard deviations of a clip's level around it and of the movement within a clip.
        move_s: How long a movement lasts, in seconds.
        gain: What the reading makes of a unit of truth.
        offset: Standard deviation of a person's offset.
        scale: Standard deviation of a person's slope.
        drift, drift_s: Standard deviation of the error that lasts, and how long in seconds.
        look, look_scale: Standard deviation of the error that similar pictures share, and the distance of embeddings
            over which they do.
        noise: Standard deviation of the rest, in a face that is clear.
        haze: How fast drift and noise grow as quality falls.
        rater: Standard deviation of an anchor's label of weight 1.
    """

    mean: float
    level: float
    move: float
    move_s: float
    gain: float
    offset: float
    scale: float
    drift: float
    drift_s: float
    look: float
    look_scale: float
    noise: float
    haze: float
    rater: float


@dataclass(frozen=True)
class Kriging:
    """Hyper-parameters of both dimensions, as calibration.json and a bundle hold them under `kriging`."""

    valence: Terms
    arousal: Terms

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Nested numbers for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Kriging:
        """Reads them back.

        Raises:
            MtclarError: A name is missing or unknown, or a value is no number of its range.
        """
        return cls(*(_terms(name, values.get(name)) for name in DIMENSIONS))


def _terms(dimension: str, values: Any) -> Terms:
    again = "; evaluate and export the model again"
    if not isinstance(values, Mapping):
        raise MtclarError(f"the model's kriging says nothing of {dimension}{again}.")
    known = [field.name for field in fields(Terms)]
    for key in [*values, *known]:
        if key not in known:
            raise MtclarError(f"the model's kriging has an unknown '{dimension}.{key}'{nearest(key, known)}{again}.")
        value = values.get(key)
        least = -1.0 if key == "mean" else 1e-6 if key in ("move_s", "drift_s", "look_scale", "noise", "rater") else 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < np.inf:
            raise MtclarError(f"the model's kriging gives {value!r} as '{dimension}.{key}'{again}.")
    return Terms(**{key: float(values[key]) for key in known})


@dataclass(frozen=True)
class Points:
    """Faces whose truth is sought or given.

    Attributes:
        times_s: float64 (n,); NaN for one that is not on the timeline of the clip.
        readings: float64 (n,), what the network makes of them in one dimension; NaN where there is no face to read, of
            whose truth time alone tells.
        distances: float64 (n, n), squared distances of their embeddings.
        quality: float64 (n,), in (0, 1].
        own_track, own_person: bool (n,).
        levelled: Whether the readings are levels; else they are so up to a constant.
    """

    times_s: np.ndarray
    readings: np.ndarray
    distances: np.ndarray
    quality: np.ndarray
    own_track: np.ndarray
    own_person: np.ndarray
    levelled: bool


def covariances(terms: Terms, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the truth (n, n), and of what the reading adds to gain * truth (n, n).

    Points off the timeline are taken for as many clips of as many strangers, but for those of the person labelled.
    """
    n = len(points.times_s)
    placed = points.own_track & ~np.isnan(points.times_s)
    together = placed[:, None] & placed | np.eye(n, dtype=bool)
    times_s = np.where(placed, points.times_s, 0.0)
    apart_s = np.abs(times_s[:, None] - times_s)
    truth = np.where(together, terms.level**2 + terms.move**2 * matern(apart_s / terms.move_s), 0.0)

    unsure = points.quality ** (-terms.haze / 2)
    added = (0.0 if points.levelled else CONSTANT**2) + kinship(points) * terms.offset**2
    lasting = np.where(together, np.exp(-apart_s / terms.drift_s), 0.0)
    added += terms.drift**2 * np.outer(unsure, unsure) * lasting
    added += terms.look**2 * np.exp(-points.distances / (2 * terms.look_scale**2))
    added[np.diag_indices(n)] += (terms.noise * unsure) ** 2
    return truth, added


def kinship(points: Points) -> np.ndarray:
    """How much of what belongs to a person two points share (n, n): all within the track, nothing among strangers."""
    own = points.own_person | points.own_track
    kin = np.where(points.own_track[:, None] & points.own_track, 1.0, np.where(own[:, None] & own, KINSHIP, 0.0))
    np.fill_diagonal(kin, 1.0)
    return kin


def matern(distance: np.ndarray) -> np.ndarray:
    """Matérn correlation of smoothness 3/2 at a distance in units of its length."""
    scaled = np.sqrt(3.0) * distance
    return (1.0 + scaled) * np.exp(-scaled)


@dataclass(frozen=True)
class Posterior:
    """What is known of n points after k anchors and n readings.

    Attributes:
        mean: Of the truth, float64 (n,).
        sd: Standard deviation of the label a rater of weight 1 would give, float64 (n,).
        evidence: Log density, less a constant, of the anchors' labels given the readings.
    """

    mean: np.ndarray
    sd: np.ndarray
    evidence: float


def posterior(terms: Terms, points: Points, labels: np.ndarray, weights: np.ndarray) -> Posterior:
    """Krige one dimension: first the readings are taken in, then the labels of the anchors.

    Args:
        terms: Its hyper-parameters.
        points: n points, the k anchors first; there need not be any.
        labels: Of the anchors (k,).
        weights: The rater's trust in each (k,), > 0: its variance is divided by it.
    """
    k = len(labels)
    truth, added = covariances(terms, points)
    seen = np.flatnonzero(np.isfinite(points.readings))
    both = np.ix_(seen, seen)
    smooth = np.linalg.solve(terms.gain**2 * truth[both] + added[both], terms.gain * truth[seen]).T
    read = smooth @ (points.readings[seen] - terms.gain * terms.mean)
    left = truth - terms.gain * smooth @ truth[seen] + terms.scale**2 * kinship(points) * np.outer(read, read)
    known, rest = left[:k, :k] + np.diag(terms.rater**2 / weights), labels - terms.mean - read[:k]
    lever = np.linalg.solve(known, left[:k]).T
    variance = np.diag(left) - np.einsum("ij,ij->i", lever, left[:, :k])
    return Posterior(
        mean=terms.mean + read + lever @ rest,
        sd=np.sqrt(np.maximum(variance, 0.0) + terms.rater**2),
        evidence=log_density(known, rest),
    )


def log_density(covariance: np.ndarray, rest: np.ndarray) -> float:
    """Log density, less a constant, of a normal vector (k,) at `rest` from its mean."""
    return float(-0.5 * (rest @ np.linalg.solve(covariance, rest) + np.linalg.slogdet(covariance)[1]))
