"""Agreement of order: Kendall's tau-b and Spearman's rho, of each clip or of all frames.

Affect is ordinal (Yannakakis, Cowie and Busso 2017): whether a frame is above another is surer than by how much. Of the
n(n-1)/2 pairs of frames let C be concordant, D discordant, T_y tied in truth alone and T_p in prediction alone:

    tau-b = (C - D) / sqrt((C + D + T_y) (C + D + T_p))    (Kendall 1945)
    rho   = PCC of the ranks, ties sharing their mean rank  (Spearman 1904)

Both are undefined (NaN) where truth or prediction is constant or there is a single frame. Labels on a grid of tenths
are full of ties, hence tau-b. Written in numpy in O(n log n), all clips at a time: scipy, which has both, is needed by
the tests alone.
"""

from __future__ import annotations

import numpy as np

from mtclar.evaluation.metrics import from_sums
from mtclar.evaluation.pooling import sums_by_clip


def kendall(truth: np.ndarray, prediction: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Tau-b of each group.

    Args:
        truth, prediction: (n,), finite.
        group: int (n,), 0..g-1, the clip of each frame; None for all frames together.

    Returns:
        float64 (g,), or (1,) without groups; NaN where undefined.
    """
    g, y, p = _coded(truth, prediction, group)
    groups = int(g.max()) + 1 if len(g) else 1
    n = np.bincount(g, minlength=groups).astype(np.float64)
    pairs = n * (n - 1) / 2
    by_y, by_p = g * (int(y.max(initial=0)) + 1) + y, g * (int(p.max(initial=0)) + 1) + p
    tied_y, tied_p = _tied(g, by_y, groups), _tied(g, by_p, groups)
    tied_both = _tied(g, by_y * (int(p.max(initial=0)) + 1) + p, groups)
    order = np.lexsort((p, y, g))
    discordant = _inversions(g[order], p[order], groups)
    balance = pairs - tied_y - tied_p + tied_both - 2 * discordant
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = balance / np.sqrt((pairs - tied_y) * (pairs - tied_p))
    return np.where((pairs == tied_y) | (pairs == tied_p), np.nan, np.clip(tau, -1.0, 1.0))


def spearman(truth: np.ndarray, prediction: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
    """Rho of each group; arguments and result as in `kendall`."""
    g, y, p = _coded(truth, prediction, group)
    if not len(g):
        return np.full(1, np.nan)
    # Ranks over the size of the group, so that the sums stay of the size of labels.
    size = np.bincount(g)[g]
    return from_sums(sums_by_clip(g, _ranks(g, y) / size, _ranks(g, p) / size))["pcc"]


def _coded(
    truth: np.ndarray, prediction: np.ndarray, group: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Groups, and values as whole numbers of the same order and ties."""
    y, p = (np.unique(np.asarray(column, np.float64), return_inverse=True)[1] for column in (truth, prediction))
    return np.zeros(len(y), np.int64) if group is None else np.asarray(group, np.int64), y, p


def _tied(group: np.ndarray, keys: np.ndarray, groups: int) -> np.ndarray:
    """Pairs (groups,) of frames with one key; frames of two groups never share one."""
    _, first, count = np.unique(keys, return_index=True, return_counts=True)
    return np.bincount(group[first], weights=count * (count - 1) / 2, minlength=groups)


def _ranks(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean ranks (n,) within each group, from 1."""
    order = np.lexsort((values, group))
    g, v = group[order], values[order]
    fresh = np.r_[True, (g[1:] != g[:-1]) | (v[1:] != v[:-1])]
    start = np.flatnonzero(fresh)
    mean = (start + np.r_[start[1:], len(v)] - 1) / 2
    ranks = np.empty(len(v))
    ranks[order] = mean[np.cumsum(fresh) - 1] - np.searchsorted(g, g) + 1
    return ranks


def _inversions(group: np.ndarray, values: np.ndarray, groups: int) -> np.ndarray:
    """Pairs i < j of each group with values[i] > values[j], by merging ever longer sorted runs.

    Args:
        group: int (n,), ascending.
        values: int (n,), 0..v-1.
        groups: How many groups.
    """
    found = np.zeros(groups)
    n = len(values)
    if n < 2:
        return found
    # Later groups have larger keys, so that no pair of two groups is an inversion.
    base = int(values.max()) + 1
    keys = group * base + values
    above = int(keys.max()) + 1
    length = 1 << (n - 1).bit_length()
    runs = np.full(length, above - 1 + base, np.int64)  # what pads is larger than all
    runs[:n] = keys
    step = above + base
    width = 1
    while width < length:
        halves = runs.reshape(-1, 2, width)
        block = np.arange(len(halves))[:, None] * step
        left, right = (halves[:, 0] + block).ravel(), (halves[:, 1] + block).ravel()
        larger = (np.arange(len(halves)) + 1).repeat(width) * width - np.searchsorted(left, right, side="right")
        mine = np.minimum(halves[:, 1].ravel() // base, groups)
        found += np.bincount(mine, weights=larger, minlength=groups + 1)[:groups]
        width *= 2
        runs = np.sort(runs.reshape(-1, width), axis=1).ravel()
    return found
