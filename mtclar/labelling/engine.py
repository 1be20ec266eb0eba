"""Few-shot labelling: every frame is compared with every anchor, and the answers are fused.

label(q) = clip(sum_k w_k(q) (label(anchor_k) + delta(q, anchor_k)), -1, 1), after the few-shot rule of MT-CLAR, with
the weights of `fusion`. The released code averages the deltas alone and adds the label of one anchor: that is the
fusion `release`. `kriging` is no weighting of votes: it makes a mean and a standard deviation of them. Where there is
no anchor, labels are what the supervised head says of a frame, and `kriging` reads those in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.fusion import fuse, fusion_weights
from mtclar.labelling.support import Compare, Compared, Krige, Queries, Support, Votes

_USED_SHARE = 0.01
CHUNK_PAIRS = 16384
"""Pairs that are compared at a time."""


@dataclass(frozen=True)
class Estimate:
    """Labels of n frames.

    Attributes:
        valence, arousal: float64 (n,), in [-1, 1]; NaN for a frame without a face that is no anchor.
        is_anchor: bool (n,); those rows carry the label they were given.
        used: bool (n, k): which of the given anchors had a share of at least one percent in the frame's label. An
            anchor without a face is never used by another frame, and an anchor's own row uses itself alone. All that
            speak are used where labels are kriged.
        spread: Weighted standard deviation of the anchors' votes (n, 2): valence, arousal. 0 where one anchor
            or none speaks and at anchors, NaN where there is no label.
        similar: Weighted mean of the probability that frame and anchor show the same expression (n,); NaN without a
            face or an anchor.
        sd: Standard deviation of the labels (n, 2); 0 at anchors, NaN without a label and with a fusion that has none.
        zero_shot: Whether no anchor had a say.
    """

    valence: np.ndarray
    arousal: np.ndarray
    is_anchor: np.ndarray
    used: np.ndarray
    spread: np.ndarray
    similar: np.ndarray
    sd: np.ndarray
    zero_shot: bool

    @property
    def labels(self) -> np.ndarray:
        """Valence and arousal side by side (n, 2)."""
        return np.stack([self.valence, self.arousal], axis=1)


def compare_all(
    left: np.ndarray, right: np.ndarray, compare: Compare, *, chunk_pairs: int = CHUNK_PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """Compares n faces with k others, some pairs at a time.

    Args:
        left: Embeddings of the faces asked about (n, d).
        right: Embeddings of the anchors (k, d).
        compare: The model's comparison of pairs of embeddings.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The probability that two faces show the same expression (n, k), and the predicted label(left) - label(right)
        (n, k, 2).
    """
    n, k = len(left), len(right)
    similar, deltas = np.empty((n, k)), np.empty((n, k, 2))
    step = max(1, chunk_pairs // max(k, 1))
    for start in range(0, n, step):
        some = left[start : start + step]
        part = compare(np.repeat(some, k, axis=0), np.tile(right, (len(some), 1)))
        same, valence, arousal = (np.asarray(values, float).reshape(len(some), k) for values in part)
        similar[start : start + step] = same
        deltas[start : start + step] = np.stack([valence, arousal], axis=-1)
    return similar, deltas


def label_frames(
    queries: Queries,
    support: Support,
    compare: Compare,
    *,
    method: str,
    time_scale_s: float,
    krige: Krige | None = None,
    chunk_pairs: int = CHUNK_PAIRS,
) -> Estimate:
    """Labels frames from any anchors, or from none.

    Args:
        queries: The frames.
        support: The anchors, of the frames' own track or not.
        compare: The model's comparison of pairs of embeddings.
        method: One of `fusion.METHODS`, or `kriging`.
        time_scale_s: Scale of the fusion `time` in seconds.
        krige: For `kriging`, with its hyper-parameters bound.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Raises:
        MtclarError: The method is not known, or a part it needs is missing.
    """
    similar, deltas = compare_all(queries.embeddings, support.embeddings, compare, chunk_pairs=chunk_pairs)
    among = np.empty((len(support), len(support), 2))
    if method == "kriging":
        _, among = compare_all(support.embeddings, support.embeddings, compare, chunk_pairs=chunk_pairs)
    return fuse_compared(
        queries, support, Compared(similar, deltas, among), method=method, time_scale_s=time_scale_s, krige=krige
    )


def fuse_compared(
    queries: Queries,
    support: Support,
    compared: Compared,
    *,
    method: str,
    time_scale_s: float,
    krige: Krige | None = None,
) -> Estimate:
    """`label_frames` for frames that have been compared with the anchors already.

    Raises:
        MtclarError: As `label_frames`; also where the model lacks a head that the method needs.
    """
    n, k = len(queries), len(support)
    if not k:
        return _zero_shot(queries, support, compared, method, krige)
    if np.isnan(compared.deltas).any():
        raise MtclarError(
            "the model at hand does not predict differences in valence and arousal both, so it cannot label frames; "
            "train one with both tasks (train.tasks)."
        )
    if method == "similarity" and np.isnan(compared.similar).any():
        raise MtclarError("the model at hand does not predict similarity (train.tasks), so choose another fusion.")
    votes = support.labels + compared.deltas
    sd = np.full((n, 2), np.nan)
    if method == "kriging":
        labels, sd = _there(krige)(Votes(queries, support, compared.similar, votes, support.labels + compared.among))
        weights = np.full((n, k), 1 / k)
        labels, spread = np.clip(labels, -1.0, 1.0), fuse(votes, weights)[1]
        used = np.ones((n, k), bool)
    else:
        weights = fusion_weights(
            queries.times_s, support.times_s, method, time_scale_s, support.weights, compared.similar
        )
        labels, spread = fuse(votes, weights)
        used = weights >= _USED_SHARE
    if method == "release":
        given = fusion_weights(queries.times_s, support.times_s, "latest", time_scale_s) @ support.labels
        mean_delta = np.einsum("nk,nkd->nd", weights, compared.deltas)
        labels = np.clip(given + mean_delta, -1.0, 1.0)
    return Estimate(
        valence=labels[:, 0],
        arousal=labels[:, 1],
        is_anchor=np.zeros(n, bool),
        used=used,
        spread=spread,
        similar=(weights * compared.similar).sum(axis=1),
        sd=sd,
        zero_shot=False,
    )


def _zero_shot(queries: Queries, support: Support, compared: Compared, method: str, krige: Krige | None) -> Estimate:
    """Labels without an anchor."""
    n = len(queries)
    seen = np.ones(n, bool) if queries.quality is None else queries.quality != 0
    if queries.levels is None or not np.isfinite(queries.levels[seen]).all():
        raise MtclarError(
            "the model at hand has no head that sees valence and arousal in a face alone, so it cannot label without "
            "an anchor; give at least one."
        )
    labels, sd = queries.levels, np.full((n, 2), np.nan)
    if method == "kriging":
        votes = np.empty((n, 0, 2))
        labels, sd = _there(krige)(Votes(queries, support, compared.similar, votes, compared.among))
    labels = np.clip(labels, -1.0, 1.0)
    return Estimate(
        valence=labels[:, 0],
        arousal=labels[:, 1],
        is_anchor=np.zeros(n, bool),
        used=np.zeros((n, 0), bool),
        spread=np.zeros((n, 2)),
        similar=np.full(n, np.nan),
        sd=sd,
        zero_shot=True,
    )


def _there(krige: Krige | None) -> Krige:
    """The fusion `kriging`.

    Raises:
        MtclarError: There is none.
    """
    if krige is None:
        raise MtclarError(
            "the fusion 'kriging' needs what 'mtclar evaluate' measures for it, and this model carries none; "
            "evaluate and export it again, or choose another fusion."
        )
    return krige
