"""How two or more raters of the same videos differ, how well they agree, and what they say together.

Rater B is taken to say what rater A says, later and on a scale of their own:

    b(t + lag) = offset + scale a(t) + noise,

with one lag for valence and arousal and all videos. People who rate a video while it plays are seconds behind it, each
by their own reaction (Mariooryad and Busso 2015, IEEE Transactions on Affective Computing 6(2):97-108), so that two of
them can agree well and correlate little. Agreement is told of the ratings as they are, without the lag, and on one
scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.data.annotators import standard_errors
from mtclar.evaluation.metrics import ccc

DENSE = 30
"""Ratings of a video by one rater, and of the same video by the other, from which on a lag is looked for in it."""
OVERLAP = 0.5
"""Share of the ratings that must have a partner at a lag for it to be considered."""
LEAST_SPREAD = 1e-9


@dataclass(frozen=True, eq=False)
class Course:
    """What one rater says of one video.

    Attributes:
        times: float64 (n,), ascending and all different; seconds, or frames where nobody knows the rate.
        values: float64 (n, 2), valence and arousal.
    """

    times: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def step(self) -> float:
        """Median interval; 0 of a single rating."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.0

    def at(self, times: np.ndarray, *, between: bool) -> np.ndarray:
        """Ratings at some times (m, 2), NaN where there is none.

        Args:
            times: float64 (m,).
            between: Whether they are joined by straight lines where they are no more than two intervals apart; else a
                rating counts at its own time only.
        """
        found = np.full((len(times), 2), np.nan)
        after = np.clip(np.searchsorted(self.times, times), 1, max(1, len(self) - 1))
        before = after - 1
        after = np.minimum(after, len(self) - 1)
        if between and len(self) > 1:
            gap = self.times[after] - self.times[before]
            inside = (times >= self.times[0] - 1e-9) & (times <= self.times[-1] + 1e-9) & (gap <= 2 * self.step + 1e-9)
            for d in range(2):
                found[inside, d] = np.interp(times[inside], self.times, self.values[:, d])
            return found
        nearest = np.where(np.abs(self.times[after] - times) < np.abs(self.times[before] - times), after, before)
        same = np.abs(self.times[nearest] - times) <= 0.005
        found[same] = self.values[nearest[same]]
        return found


Ratings = Mapping[str, Course]
"""What one rater says, by video."""


@dataclass(frozen=True)
class Link:
    """What turns one rater's ratings into another's.

    Attributes:
        lag: By how much they come later, in the unit of the times; None where too few ratings tell.
        offset, scale: Of valence and of arousal; NaN where the two raters have nothing in common.
        correlation: Of both raters' ratings at that lag, of valence and of arousal.
        pairs: How many ratings were compared.
    """

    lag: float | None
    offset: tuple[float, float]
    scale: tuple[float, float]
    correlation: tuple[float, float]
    pairs: int


@dataclass(frozen=True)
class Agreement:
    """How well raters agree in one dimension.

    Attributes:
        icc: ICC(2,1), of one rater, absolute agreement.
        alpha: Krippendorff's alpha for interval data.
        ccc: Lin's concordance correlation coefficient, the mean over pairs of raters.
        n: Moments that at least two of them rated.
    """

    icc: float
    alpha: float
    ccc: float
    n: int


def link(first: Ratings, other: Ratings, most_lag: float) -> Link:
    """Finds by how much another rater is later than the first, and what their scale is beside the first's.

    The lag is that of the highest correlation, the mean of both dimensions', over all videos with `DENSE` ratings by
    both, each less its means; between the steps of the ratings it is that of a parabola through the three highest.
    Offset and scale are those of the line that is nearest to the pairs at right angles, for both raters err (Deming
    1943; with equal error variances, as Linnet 1993, Clinical Chemistry 39(3):424-432).

    Args:
        first, other: The ratings.
        most_lag: The lags that are tried, from minus this to this.
    """
    dense = [name for name in first if name in other and min(len(first[name]), len(other[name])) >= DENSE]
    lag = _lag([(first[name], other[name]) for name in dense], most_lag) if dense else None
    a, b = _paired(first, other, lag)
    lines = [_line(a[:, d], b[:, d]) for d in range(2)]
    correlation = [_correlation(a[:, d], b[:, d]) for d in range(2)]
    (offset_v, scale_v), (offset_a, scale_a) = lines
    return Link(lag, (offset_v, offset_a), (scale_v, scale_a), (correlation[0], correlation[1]), len(a))


def undone(ratings: Ratings, by: Link, *, scale: bool) -> dict[str, Course]:
    """Another rater's ratings at the times of the first, and with `scale` on the first's scale, within [-1, 1]."""
    found = {}
    for name, course in ratings.items():
        values = course.values
        if scale:
            known = np.isfinite(by.scale) & (np.abs(by.scale) > LEAST_SPREAD)
            offset, factor = np.where(known, by.offset, 0.0), np.where(known, by.scale, 1.0)
            values = np.clip((values - offset) / factor, -1.0, 1.0)
        found[name] = Course(course.times - (by.lag or 0.0), values)
    return found


def together(raters: Sequence[Ratings]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What raters say at the same moments, which are those of the first that rated a video.

    Returns:
        By video the times (n,) and the ratings (n, r, 2), NaN where a rater has none.
    """
    found = {}
    for name in dict.fromkeys(name for ratings in raters for name in ratings):
        own = [ratings.get(name) for ratings in raters]
        lead = next(course for course in own if course is not None)
        columns = [
            np.full((len(lead), 2), np.nan)
            if course is None
            else course.at(lead.times, between=course is not lead and min(len(course), len(lead)) >= DENSE)
            for course in own
        ]
        found[name] = lead.times, np.stack(columns, axis=1)
    return found


def agreement(values: np.ndarray) -> Agreement:
    """How well r raters agree on n moments.

    Args:
        values: float64 (n, r), of one dimension; NaN where a rater has none.
    """
    values = values[np.isfinite(values).sum(axis=1) > 1]
    whole = values[np.isfinite(values).all(axis=1)]
    pairs = []
    for i in range(values.shape[1]):
        for j in range(i + 1, values.shape[1]):
            both = np.isfinite(values[:, [i, j]]).all(axis=1)
            if both.sum() > 1:
                pairs.append(ccc(values[both, i], values[both, j]))
    return Agreement(icc21(whole), alpha(values), float(np.mean(pairs)) if pairs else np.nan, len(values))


def icc21(values: np.ndarray) -> float:
    """ICC(2,1): absolute agreement of one of r raters, who are a sample of all raters.

    (BMS - EMS) / (BMS + (r - 1) EMS + r (JMS - EMS) / n), with the mean squares between moments, between raters and of
    the rest (Shrout and Fleiss 1979, Psychological Bulletin 86(2):420-428; ICC(A,1) of McGraw and Wong 1996).

    Args:
        values: float64 (n, r), all known.

    Returns:
        It; NaN of fewer than two moments or raters, or where nothing differs.
    """
    n, r = values.shape
    if n < 2 or r < 2:
        return float("nan")
    middle = values.mean()
    between = r * ((values.mean(axis=1) - middle) ** 2).sum()
    raters = n * ((values.mean(axis=0) - middle) ** 2).sum()
    rest = ((values - middle) ** 2).sum() - between - raters
    bms, jms, ems = between / (n - 1), raters / (r - 1), max(rest, 0.0) / ((n - 1) * (r - 1))
    below = bms + (r - 1) * ems + r * (jms - ems) / n
    return float((bms - ems) / below) if abs(below) > LEAST_SPREAD**2 else float("nan")


def alpha(values: np.ndarray) -> float:
    """Krippendorff's alpha for interval data: 1 - observed over expected disagreement (Krippendorff 2011, Computing
    Krippendorff's Alpha-Reliability).

    Disagreement of two values is the square of their difference. The observed is that of values of one moment, each
    moment with m values weighing as m; the expected that of any two values.

    Args:
        values: float64 (n, r); NaN where a rater has none. Moments with fewer than two ratings do not count.

    Returns:
        It; NaN where nothing can be paired or all values are the same.
    """
    known = np.isfinite(values)
    some = known.sum(axis=1) > 1
    values, known = values[some], known[some]
    if not len(values):
        return float("nan")
    counts, filled = known.sum(axis=1), np.where(known, values - np.nanmean(values), 0.0)
    inside = 2 * (counts * (filled**2).sum(axis=1) - filled.sum(axis=1) ** 2)
    total = int(counts.sum())
    observed = (inside / (counts - 1)).sum() / total
    expected = 2 * (total * (filled**2).sum() - filled.sum() ** 2) / (total * (total - 1))
    return float(1 - observed / expected) if expected > LEAST_SPREAD**2 else float("nan")


def merged(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What r raters on one scale say together of n moments.

    Args:
        values: float64 (n, r, 2); NaN where a rater has none; at least one has.

    Returns:
        Mean (n, 2), its standard error (n, 2) by `mtclar.data.annotators.standard_errors`, and how many raters (n,).
    """
    known = np.isfinite(values).all(axis=2)
    groups = [(row[own], np.ones(int(own.sum()))) for row, own in zip(values, known, strict=True)]
    mean = np.array([labels.mean(axis=0) for labels, _ in groups]).reshape(-1, 2)
    return mean, standard_errors(groups), known.sum(axis=1)


def _lag(courses: Sequence[tuple[Course, Course]], most: float) -> float | None:
    """The lag of the highest correlation; None where none can be told."""
    step = min(min(a.step, b.step) for a, b in courses)
    if not step > 0 or not most >= step:
        return 0.0 if step > 0 else None
    lags = step * np.arange(-int(most / step + 1e-9), int(most / step + 1e-9) + 1)
    found = np.array([_at_lag(courses, float(lag)) for lag in lags])
    if not np.isfinite(found).any():
        return None
    best = int(np.nanargmax(found))
    shift = 0.0
    if 0 < best < len(lags) - 1 and np.isfinite(found[best - 1 : best + 2]).all():
        left, middle, right = found[best - 1 : best + 2]
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(lags[best] + step * shift)


def _at_lag(courses: Sequence[tuple[Course, Course]], lag: float) -> float:
    """Mean over both dimensions of the correlation at a lag, every video less its means; NaN where few overlap."""
    parts, wanted, there = [], 0, 0
    for a, b in courses:
        other = b.at(a.times + lag, between=True)
        both = np.isfinite(other).all(axis=1)
        wanted, there = wanted + len(a), there + int(both.sum())
        if both.sum() > 2:
            parts.append((a.values[both] - a.values[both].mean(axis=0), other[both] - other[both].mean(axis=0)))
    if not parts or there < OVERLAP * wanted:
        return float("nan")
    own, other = (np.concatenate(side) for side in zip(*parts, strict=True))
    found = [_correlation(own[:, d], other[:, d]) for d in range(2)]
    known = [value for value in found if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _paired(first: Ratings, other: Ratings, lag: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of both at the same moments, (n, 2) each."""
    own, theirs = [np.empty((0, 2))], [np.empty((0, 2))]
    for name in (name for name in first if name in other):
        a, b = first[name], other[name]
        values = b.at(a.times + (lag or 0.0), between=min(len(a), len(b)) >= DENSE)
        both = np.isfinite(values).all(axis=1)
        own.append(a.values[both])
        theirs.append(values[both])
    return np.concatenate(own), np.concatenate(theirs)


def _line(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Offset and scale of the line b = offset + scale a that is nearest at right angles."""
    if len(a) < 3:
        return float("nan"), float("nan")
    aa, bb, ab = a.var(), b.var(), float(np.mean((a - a.mean()) * (b - b.mean())))
    if ab <= LEAST_SPREAD:
        return float("nan"), float("nan")
    scale = float((bb - aa + np.sqrt((bb - aa) ** 2 + 4 * ab**2)) / (2 * ab))
    return float(b.mean() - scale * a.mean()), scale


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 3 or not (a.std() > LEAST_SPREAD and b.std() > LEAST_SPREAD):
        return float("nan")
    return float(np.mean((a - a.mean()) * (b - b.mean())) / (a.std() * b.std()))
